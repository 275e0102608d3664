"""One park, with every right a park can have, gets nothing of another's: not by path, not by body, not by list."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import urlencode

import pytest

from marketplace import wsgi
from tenants.kernel.clock import ManualClock
from tests.api.test_attendance import suspended
from tests.api.test_attendance_disputes import late_fee
from tests.api.test_joint_agreements import TERMS
from tests.api.test_joint_proposals import named
from tests.support.province import LEADS, Province
from tests.support.web import Caller

openapi_document = cache(wsgi.openapi_document)
"""The document, made once: it is asked for at every call below."""
GUARDED = {
    "opens_hour": 9,
    "closes_hour": 17,
    "slot_minutes": 60,
    "qualification": "上机培训证",
    "training": "电话预约。",
}
SLOT_DAY = {"from": "2026-03-03T00:00:00+08:00", "to": "2026-03-04T00:00:00+08:00"}


@pytest.fixture(autouse=True)
def money(province: Province) -> None:
    """Parks can buy only where there is money and a programme."""
    province.fund()


def belongings(province: Province, owner: Caller) -> dict[str, str]:
    """Let ``owner`` do everything a park does, and return the ids of what is its own, by the noun in the path."""
    found, later = owner.post("/slots/search", {"offering": "shared-inspection"} | SLOT_DAY).get_json()["items"][:2]
    held = owner.post(
        "/slot-holds", {"instrument_id": later["instrument_id"], "starts_at": later["starts_at"]}
    ).get_json()
    waiting = owner.post(
        "/waiting-places", {"instrument_id": later["instrument_id"], "starts_at": later["starts_at"]}
    ).get_json()
    slot = {"instrument_id": found["instrument_id"], "starts_at": found["starts_at"], "purpose": "断口分析"}
    lines = [LEADS, {"offering": "shared-inspection", "request": slot}]
    quote = owner.post("/quotes", {"lines": lines}).get_json()
    order = owner.post("/orders", {"quote_id": quote["id"]}).get_json()
    run, booking = (line["run"] or line["booking"] for line in order["lines"])
    sent = {"samples": [{"name": "水样"}], "tests": ["铅"]}
    tested = owner.post("/quotes", {"lines": [{"offering": "sample-testing", "request": sent}]}).get_json()
    samples = owner.post("/orders", {"quote_id": tested["id"]}).get_json()["lines"][0]["samples"]
    site = owner.post("/sites", {"name": "一号厂房"}).get_json()
    monthly = {"offering": "energy-monitoring", "request": {"site_id": site["id"], "months": None}}
    rented = owner.post("/quotes", {"lines": [monthly]}).get_json()
    owner.post("/orders", {"quote_id": rented["id"]})
    meter = owner.post(f"/sites/{site['id']}/meters", {"code": "m1", "name": "电表"}).get_json()
    silent = {"name": "无数据", "kind": "silent", "hold_minutes": 30}
    rule = owner.post(f"/site-meters/{meter['id']}/alarm-rules", silent).get_json()
    feed = owner.post("/calendar-feeds", {"name": "前台"}).get_json()
    other = next(
        each for each in owner.post("/slots/search", {"offering": "shared-inspection"} | SLOT_DAY).get_json()["items"]
    )
    again = {"offering": "shared-inspection", "instrument_id": other["instrument_id"], "starts_at": other["starts_at"]}
    series = owner.post("/booking-series", again | {"count": 2, "purpose": "断口分析"}).get_json()
    owner.post("/orders", {"quote_id": series["quote_id"]})
    dispute, suspension = conduct(province, owner)
    park = owner.get("/me").get_json()["park"]
    guarded = {"offering": "shared-inspection", "name": "透射电镜", "region_code": "410311"} | GUARDED
    guarded |= {"park_usccs": [park["uscc"]]}
    instrument = province.lab.post("/instruments", guarded).get_json()
    asked = owner.post("/qualifications", {"instrument_id": instrument["id"], "evidence": "已培训"}).get_json()
    file = owner.post("/artefacts?name=a.csv", data=b"a,b", content_type="text/csv").get_json()
    return {
        "parks": park["id"],
        "quotes": owner.post("/quotes", {"lines": [LEADS]}).get_json()["id"],
        "orders": order["id"],
        "runs": run["id"],
        "bookings": booking["id"],
        "booking-series": series["id"],
        "slot-holds": held["id"],
        "waiting-places": waiting["id"],
        "sites": site["id"],
        "sample-batches": samples["id"],
        "site-meters": meter["id"],
        "alarm-rules": rule["id"],
        "standing-orders": owner.get("/standing-orders").get_json()["items"][0]["id"],
        "artefacts": file["id"],
        "calendar-feeds": feed["id"],
        "qualifications": asked["id"],
        "joint-agreements": proposal(province, owner),
        "instruments": instrument["id"],
        "attendance-disputes": dispute,
        "suspensions": suspension,
        "api-keys": owner.get("/api-keys").get_json()["items"][0]["id"],
    }


def proposal(province: Province, owner: Caller) -> str:
    """Let ``owner`` propose an agreement to a third park."""
    answer = owner.post("/joint-agreements", TERMS | {"parties": named([owner, province.park(3)], (5_000, 5_000))})
    assert answer.status_code == 201, answer.text
    return str(answer.get_json()["id"])


def conduct(province: Province, owner: Caller) -> tuple[str, str]:
    """Let ``owner`` cancel one booking too late and miss another; return its dispute of the fee and its suspension."""
    fee = late_fee(province, owner)
    dispute = owner.post("/attendance-disputes", {"fee_id": fee, "reason": "园区停电"}).get_json()
    clock = province.workshop.clock
    assert isinstance(clock, ManualClock)
    return dispute["id"], suspended(province, clock, owner)


def calls_with_ids() -> list[tuple[str, str]]:
    """Every documented call whose path takes an id."""
    return [
        (method, path)
        for path, operations in openapi_document()["paths"].items()
        for method in operations
        if "{id}" in path
    ]


def test_another_parks_ids_in_every_path_are_not_found_or_not_allowed(province: Province) -> None:
    owner, stranger = province.park(1), province.park(2)
    own = belongings(province, owner)
    before = owner.get(f"/orders/{own['orders']}").get_json()
    tried = 0
    for method, path in calls_with_ids():
        noun = path.removeprefix("/api/v1/").split("/")[0]
        if noun not in own:
            continue
        tried += 1
        address = path.replace("{id}", own[noun]) + smallest_query(method, path)
        answer = stranger.client.open(
            address, method=method.upper(), json={}, headers={"Authorization": f"Bearer {stranger.token}"}
        )
        assert answer.status_code in {403, 404, 422}, f"{method} {path}: {answer.status_code} {answer.text}"
        if method == "get":
            assert answer.status_code in {403, 404}, f"{method} {path}: {answer.text}"
        assert all(value not in answer.text for value in own.values()), f"{method} {path} names what it hides"
    assert tried >= 12
    assert owner.get(f"/orders/{own['orders']}").get_json() == before
    assert owner.get("/me").status_code == 200


def test_another_parks_ids_in_bodies_are_not_found(province: Province) -> None:
    owner, stranger = province.park(1), province.park(2)
    own = belongings(province, owner)
    order = stranger.post("/orders", {"quote_id": own["quotes"]})
    assert (order.status_code, order.get_json()["code"]) == (404, "quote.not_found")
    twin = {"offering": "digital-twin-run", "request": {"artefact_id": own["artefacts"]}}
    quote = stranger.post("/quotes", {"lines": [twin]})
    assert quote.status_code in {404, 422}, quote.text
    event = {"specversion": "1.0", "id": "1", "source": "s", "type": "t"}
    assert stranger.post(f"/events?park_id={own['parks']}", event).status_code == 404
    key = "the owner's key"
    assert owner.post("/quotes", {"lines": [LEADS]}, key=key).status_code == 201
    assert stranger.post("/quotes", {"lines": [LEADS]}, key=key).status_code == 201, "keys of two parks never meet"


@pytest.mark.parametrize(
    "path",
    [
        "/sample-batches",
        "/slot-holds",
        "/qualifications",
        "/lead-contacts",
        "/aid-registers",
        "/orders",
        "/orders?park_id={park}",
        "/api-keys",
        "/invoices",
        "/invoices?park_id={park}",
    ],
)
def test_lists_hold_nothing_of_another_park(province: Province, path: str) -> None:
    owner, stranger = province.park(1), province.park(2)
    own = belongings(province, owner)
    answer = stranger.get(path.format(park=own["parks"]))
    assert answer.status_code == 200
    shown = answer.text
    assert all(value not in shown for value in own.values())


def test_a_provider_reads_no_orders_parks_or_files(province: Province) -> None:
    own = belongings(province, province.park(1))
    for noun in ("parks", "orders", "runs", "artefacts", "bookings", "quotes"):
        assert province.lab.get(f"/{noun}/{own[noun]}").status_code in {403, 404}, noun
    for path in ("/orders", "/parks", "/funds", "/invoices"):
        assert province.lab.get(path).status_code == 403, path


def smallest(schema: Mapping[str, Any]) -> Any:
    """Return a small value that a documented schema takes, so that it is the id of a call which is refused."""
    if "$ref" in schema:
        return smallest(openapi_document()["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    for choice in ("allOf", "anyOf", "oneOf"):
        if choice in schema:
            return smallest(schema[choice][0])
    if "enum" in schema or "const" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    match schema.get("type"):
        case "object":
            wanted = schema.get("required", ())
            return {name: smallest(each) for name, each in schema.get("properties", {}).items() if name in wanted}
        case "array":
            return [smallest(schema["items"])] * schema.get("minItems", 0)
        case "integer" | "number":
            return int(max(1, schema.get("minimum", 1)))
        case "boolean":
            return True
        case _:
            short = "x" * schema.get("minLength", 1)
            return TEXTS.get(schema.get("format", ""), TEXTS.get(schema.get("pattern", ""), short))


TEXTS = {
    "uuid": "018f0000-0000-7000-8000-000000000002",
    "date": "2026-03-02",
    "date-time": "2026-03-02T09:00:00+08:00",
    r"^20\d{2}-(0[1-9]|1[0-2])$": "2026-03",
}


def smallest_query(method: str, path: str) -> str:
    """Return the query that a documented call needs, so that it is the id of a call which is refused."""
    documented = openapi_document()["paths"][path][method].get("parameters", [])
    wanted = {
        each["name"]: smallest(each["schema"]) for each in documented if each["in"] == "query" and each.get("required")
    }
    return f"?{urlencode(wanted)}" if wanted else ""


def smallest_body(method: str, path: str) -> dict[str, Any]:
    """Return the body that a documented call needs."""
    documented = openapi_document()["paths"][path][method].get("requestBody", {}).get("content", {})
    body: dict[str, Any] = (
        smallest(documented["application/json"]["schema"]) if "application/json" in documented else {}
    )
    return body


@pytest.mark.parametrize("made_up", ["nonsense", "018f0000-0000-7000-8000-000000000001", "0", "%27%3B--", "..%2f.."])
def test_ids_that_name_nothing_are_not_found(province: Province, made_up: str) -> None:
    park = province.park(1)
    for method, path in calls_with_ids():
        if "/fund" in path or "/programme" in path:
            continue
        address = path.replace("{id}", made_up) + smallest_query(method, path)
        options: dict[str, Any] = {"json": smallest_body(method, path)} if method in {"post", "put"} else {}
        answer = park.client.open(
            address, method=method.upper(), headers={"Authorization": f"Bearer {park.token}"}, **options
        )
        assert answer.status_code in {403, 404}, f"{method} {address}: {answer.status_code} {answer.text[:300]}"
