"""Instruments and working days through the API: who keeps them, who sees them, and what a park may book then."""

from __future__ import annotations

from typing import Any

from tests.support.parks import credit_code
from tests.support.province import Province

TERMS: dict[str, Any] = {"opens_hour": 9, "closes_hour": 17, "slot_minutes": 60}
DAY = {"from": "2026-03-03T00:00:00+08:00", "to": "2026-03-04T00:00:00+08:00"}


def test_a_provider_keeps_an_instrument_and_parks_see_what_is_free(province: Province) -> None:
    park, lab = province.park(1), province.lab
    address = f"/instruments/{province.instrument}"
    assert park.put(address, TERMS).status_code == 403
    changed = lab.put(address, TERMS | {"units": 2, "after_minutes": 60, "methods": ["GB/T 16594"]})
    assert (changed.status_code, changed.get_json()["units"]) == (200, 2), changed.text
    down = {"starts_at": "2026-03-03T09:00:00+08:00", "ends_at": "2026-03-03T12:00:00+08:00", "reason": "校准"}
    made = lab.post(f"{address}/maintenance", down | {"unit": 1}, key="k")
    assert made.status_code == 201, made.text
    assert lab.post(f"{address}/maintenance", down | {"unit": 1}, key="k").get_json() == made.get_json()
    assert lab.post(f"{address}/maintenance", down).get_json()["code"] == "maintenance.in_use"
    (kept,) = park.get(f"{address}/maintenance").get_json()["items"]
    found = park.post("/slots/search", {"offering": "shared-inspection"} | DAY).get_json()["items"]
    assert [each["free_units"] for each in found] == [1, 1, 1, 2, 2, 2, 2, 2]
    ended = lab.post(f"/maintenance/{kept['id']}/end")
    assert ended.status_code == 200, ended.text
    assert park.get(f"{address}/maintenance").get_json()["items"] == []


def test_a_provider_adds_instruments_of_its_own_offerings_alone(province: Province) -> None:
    park = province.park(1)
    wanted = TERMS | {
        "offering": "shared-inspection",
        "name": "硬度计",
        "region_code": "410311",
        "standards": ["GB/T 231.1"],
    }
    assert park.post("/instruments", wanted).status_code == 403
    made = province.lab.post("/instruments", wanted, key="one")
    assert (made.status_code, made.get_json()["standards"]) == (201, ["GB/T 231.1"]), made.text
    assert province.lab.post("/instruments", wanted, key="one").get_json() == made.get_json()
    other = province.lab.post("/instruments", wanted | {"offering": "ai-leads"}).get_json()
    assert [each["field"] for each in other["errors"]] == ["offering"]
    address = f"/instruments/{made.get_json()['id']}"
    assert province.lab.put(address, TERMS).get_json()["standards"] == ["GB/T 231.1"]
    (first,) = province.lab.get(f"{address}/versions").get_json()["items"]
    assert (first["version"], first["document"]["name"]) == (1, "硬度计")
    day = {"offering": "shared-inspection", "method": "231.1"} | DAY
    found = park.post("/slots/search", day).get_json()["items"]
    assert {each["instrument_name"] for each in found} == {"硬度计"}


def test_a_private_instrument_is_not_found_by_another_park(province: Province) -> None:
    named, stranger = province.park(1), province.park(2)
    address = f"/instruments/{province.instrument}"
    own = named.get("/me").get_json()["park"]["uscc"]
    assert province.lab.put(address, TERMS | {"park_usccs": [own]}).status_code == 200
    assert [each["uscc"] for each in named.get(address).get_json()["parks"]] == [own]
    assert stranger.get(address).status_code == 404
    assert stranger.get(f"{address}/maintenance").status_code == 404
    assert stranger.get("/instruments").get_json()["items"] == []
    unknown = province.lab.put(address, TERMS | {"park_usccs": [credit_code(99)]})
    assert (unknown.status_code, unknown.get_json()["errors"][0]["field"]) == (422, "parks")


def test_an_operator_completes_a_year_and_its_slots_can_be_found(province: Province) -> None:
    park = province.park(1)
    days = [
        *({"day": f"2027-01-{day:02}", "worked": False, "name": "元旦"} for day in (1, 2, 3)),
        *({"day": f"2027-02-{day:02}", "worked": False, "name": "春节"} for day in range(5, 13)),
        *({"day": f"2027-05-{day:02}", "worked": False, "name": "劳动节"} for day in (1, 2, 3)),
        *({"day": f"2027-10-{day:02}", "worked": False, "name": "国庆节"} for day in range(1, 8)),
    ]
    year = {"year": 2027, "source": "国办发明电〔2026〕7 号", "days": days}
    assert park.post("/workdays/years", year).status_code == 403
    assert park.get("/workdays?year=2027").get_json()["known"] is False
    lacking = province.operator.post("/workdays/years", year | {"days": days[3:]})
    assert (lacking.status_code, lacking.get_json()["errors"][0]["field"]) == (422, "days")
    done = province.operator.post("/workdays/years", year)
    assert done.status_code == 200, done.text
    assert park.get("/workdays?year=2027").get_json()["known"] is True
    corrected = {"day": "2027-01-04", "worked": False, "name": "设备搬迁"}
    assert province.operator.post("/workdays", corrected).status_code == 200
    assert {each["day"] for each in park.get("/workdays?year=2027").get_json()["days"]} >= {"2027-01-04"}
    undone = {"day": "2027-01-04", "reason": "搬迁取消"}
    assert park.post("/workdays/removals", undone).status_code == 403
    left = province.operator.post("/workdays/removals", undone).get_json()["days"]
    assert "2027-01-04" not in {each["day"] for each in left}
    assert province.operator.post("/workdays/removals", undone).get_json()["code"] == "workday.not_recorded"
