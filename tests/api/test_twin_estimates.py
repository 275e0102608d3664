"""Estimates through the API: valid or every error, with steps, seconds and the park's price; the schema is open."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from services.rules.demo_park import demo_park
from tests.support.province import Province


def test_a_valid_run_is_estimated_with_the_parks_own_price(province: Province) -> None:
    province.fund()
    park = province.park(1)
    answer = park.post("/twin-estimates", {"offering": "digital-twin-run", "request": {"demo": True}})
    assert answer.status_code == 200, answer.text
    found = answer.get_json()
    assert (found["valid"], found["steps"], found["step_minutes"], found["errors"]) == (True, 35040, 15, [])
    assert (found["list_price_fen"], found["subsidy_fen"], found["payable_fen"]) == (1_000_000, 600_000, 400_000)
    assert found["cpu_seconds"] > 1


def test_every_error_is_told_at_once_with_field_row_and_column(province: Province) -> None:
    park = province.park(1)
    week = demo_park() | {"period": {"from": "2025-07-07", "to": "2025-07-14"}, "step_minutes": 60}
    wrong = {"park": week | {"step_minutes": 7, "surprise": 1}}
    found = park.post("/twin-estimates", {"offering": "digital-twin-run", "request": wrong}).get_json()
    assert (found["valid"], found["steps"]) == (False, None)
    assert {error["field"] for error in found["errors"]} == {"request.park.step_minutes", "request.park.surprise"}
    assert all(error["message"] for error in found["errors"])


def test_meters_and_weather_come_as_files_by_name(province: Province) -> None:
    province.fund()
    park = province.park(1)
    rows = "\n".join(["time,kwh", *(f"2025-07-07T{hour:02d}:00,{hour}" for hour in range(24))])

    def kept(name: str, content: bytes) -> str:
        sent = park.post("/artefacts", data={"file": (BytesIO(content), name)}, content_type="multipart/form-data")
        assert sent.status_code == 201, sent.text
        return str(sent.get_json()["id"])

    meters: list[dict[str, Any]] = [{"csv": "a.csv", "unit": "kwh"}, {"csv": "b.csv", "unit": "kwh", "ratio": 2}]
    day = {"period": {"from": "2025-07-07", "to": "2025-07-08"}, "step_minutes": 60, "load": {"meters": meters}}
    request = {
        "park": demo_park() | day,
        "files": {"a.csv": kept("a.csv", rows.encode()), "b.csv": kept("b.csv", rows.encode())},
    }
    found = park.post("/twin-estimates", {"offering": "digital-twin-run", "request": request}).get_json()
    assert found["valid"], found
    assert found["annual_kwh"] == 3 * sum(range(24))
    broken = request | {"files": {"a.csv": kept("a.csv", b"time,kwh\nbad,1\n")}}
    found = park.post("/twin-estimates", {"offering": "digital-twin-run", "request": broken}).get_json()
    places = [(error["field"], error["row"]) for error in found["errors"]]
    assert ("request.park.load.meters[0].csv[2].time", 2) in places
    assert ("request.park.load.meters[1].csv", None) in places


def test_only_a_twin_is_estimated_and_only_for_those_who_may_ask(province: Province) -> None:
    park = province.park(1)
    wish = {"offering": "ai-leads", "request": {"demo": True}}
    assert park.post("/twin-estimates", wish).status_code in (404, 409)
    assert province.nobody.post("/twin-estimates", wish).status_code == 401


def test_the_schema_of_park_json_is_open_to_all(province: Province) -> None:
    answer = province.nobody.get("/schemas/park-2.json")
    assert (answer.status_code, answer.mimetype) == (200, "application/schema+json")
    assert answer.get_json(force=True)["$id"] == "/api/v1/schemas/park-2.json"
