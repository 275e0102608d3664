"""Holding slots through the API."""

from __future__ import annotations

from typing import Any

from tests.support.province import Province
from tests.support.web import Caller

DAY = {"from": "2026-03-03T00:00:00+08:00", "to": "2026-03-04T00:00:00+08:00"}


def free(park: Caller) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = park.post("/slots/search", {"offering": "shared-inspection"} | DAY).get_json()[
        "items"
    ]
    return found


def wish(slot: dict[str, Any]) -> dict[str, Any]:
    return {"instrument_id": slot["instrument_id"], "starts_at": slot["starts_at"]}


def test_a_slot_is_held_released_and_ordered(province: Province) -> None:
    province.fund()
    park, other = province.park(1), province.park(2)
    slot = free(park)[0]
    held = park.post("/slot-holds", wish(slot))
    assert held.status_code == 201, held.text
    assert slot not in free(other)
    refused = other.post("/slot-holds", wish(slot))
    assert (refused.status_code, refused.get_json()["code"]) == (409, "slot.taken")
    line = {"offering": "shared-inspection", "request": wish(slot) | {"purpose": "断口分析"}}
    assert other.post("/quotes", {"lines": [line]}).get_json()["code"] == "slot.taken"
    mine = held.get_json()
    assert park.get("/slot-holds").get_json()["items"] == [mine]
    assert other.get("/slot-holds").get_json()["items"] == []
    assert park.post(f"/slot-holds/{mine['id']}/release").get_json()["outcome"] == "released"
    assert slot in free(other)
    quote = park.post("/quotes", {"lines": [line], "hold_slots": True}).get_json()
    (again,) = park.get("/slot-holds").get_json()["items"]
    assert again["quote_id"] == quote["id"]
    order = park.post("/orders", {"quote_id": quote["id"]})
    assert order.status_code == 201, order.text
    assert park.get(f"/slot-holds/{again['id']}").get_json()["outcome"] == "booked"
    assert slot not in free(other)


def test_the_operator_sets_the_terms(province: Province) -> None:
    park = province.park(1)
    usual = park.get("/slot-hold-terms").get_json()
    assert (usual["minutes"], usual["per_park"], usual["set_by"]) == (10, 8, None)
    wanted = {"minutes": 15, "per_park": 1}
    assert park.post("/slot-hold-terms", wanted).status_code == 403
    assert province.operator.post("/slot-hold-terms", wanted | {"minutes": 61}).status_code == 422
    assert province.operator.post("/slot-hold-terms", wanted).get_json()["minutes"] == 15
    first, second = free(park)[:2]
    assert park.post("/slot-holds", wish(first)).status_code == 201
    assert park.post("/slot-holds", wish(second)).get_json()["code"] == "slot.too_many_holds"
