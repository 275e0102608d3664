"""Waiting for a slot through the API."""

from __future__ import annotations

from marketplace.usecases.waiting import offer_place
from services.usecases.waiting_offers import places_to_offer
from tenants.kernel.context import system_actor
from tests.api.test_slot_holds import free, wish
from tests.support.province import Province


def clock_round(province: Province) -> None:
    """Do what the clock's job does."""
    with province.workshop.work(system_actor("clock")) as work:
        due = places_to_offer(work)
    for each in due:
        with province.workshop.work(system_actor("clock", tenant_id=each.tenant_id)) as work:
            offer_place(work, place_id=each.place_id)


def test_a_park_waits_is_offered_and_orders(province: Province) -> None:
    province.fund()
    park, other, third = province.park(1), province.park(2), province.park(3)
    slot = free(park)[0]
    assert other.post("/waiting-places", wish(slot)).get_json()["code"] == "waiting.free"
    held = park.post("/slot-holds", wish(slot)).get_json()
    joined = other.post("/waiting-places", wish(slot), key="once")
    assert joined.status_code == 201, joined.text
    mine = joined.get_json()
    assert (mine["position"], mine["state"], mine["number"]) == (1, "waiting", 1)
    assert other.post("/waiting-places", wish(slot), key="once").get_json() == mine
    behind = third.post("/waiting-places", wish(slot)).get_json()
    assert behind["position"] == 2
    assert third.get(f"/waiting-places/{mine['id']}").status_code == 404
    assert [each["waiting"] for each in province.lab.get("/waiting-lists").get_json()["items"]] == [2]
    assert park.get("/waiting-lists").status_code == 403
    park.post(f"/slot-holds/{held['id']}/release")
    refused = park.post("/slot-holds", wish(slot))
    assert (refused.status_code, refused.get_json()["code"]) == (409, "slot.waited_for")
    clock_round(province)
    offered = other.get(f"/waiting-places/{mine['id']}").get_json()
    assert (offered["state"], offered["offer_starts_at"]) == ("offered", slot["starts_at"])
    line = {"offering": "shared-inspection", "request": wish(slot) | {"purpose": "断口分析"}}
    quote = other.post("/quotes", {"lines": [line]}).get_json()
    assert other.post("/orders", {"quote_id": quote["id"]}).status_code == 201
    (listed,) = other.get("/waiting-places").get_json()["items"]
    assert listed["state"] == "booked"
    left = third.post(f"/waiting-places/{behind['id']}/leave").get_json()
    assert (left["state"], left["position"]) == ("left", None)


def test_a_wish_is_a_time_or_days(province: Province) -> None:
    park = province.park(1)
    slot = free(park)[0]
    days = {"instrument_id": slot["instrument_id"], "first_day": "2026-03-03", "last_day": "2026-03-04"}
    assert park.post("/waiting-places", wish(slot) | days).status_code == 422
    assert park.post("/waiting-places", {"instrument_id": slot["instrument_id"]}).status_code == 422
    assert park.post("/waiting-places", days).get_json()["code"] == "waiting.free"
    wrong = park.post("/waiting-places", days | {"last_day": "2026-01-01"})
    assert [each["field"] for each in wrong.get_json()["errors"]] == ["last_day"]


def test_the_operator_sets_how_long_an_offer_lasts(province: Province) -> None:
    usual = province.operator.get("/slot-hold-terms").get_json()
    assert usual["offer_hours"] == 4
    wanted = {"minutes": 15, "per_park": 1}
    assert province.operator.post("/slot-hold-terms", wanted | {"offer_hours": 73}).status_code == 422
    assert province.operator.post("/slot-hold-terms", wanted | {"offer_hours": 8}).get_json()["offer_hours"] == 8
    assert province.operator.post("/slot-hold-terms", wanted).get_json()["offer_hours"] == 8, "left out, it stays"
