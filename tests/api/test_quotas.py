"""Quotas by the API: the provider sets one, a park reads what is left, and is refused what does not fit."""

from __future__ import annotations

from tests.api.test_calendar_feeds import DAY, book
from tests.support.province import Province


def test_a_quota_is_set_read_and_kept(province: Province) -> None:
    province.fund()
    park = province.park(1)
    found = park.post("/slots/search", {"offering": "shared-inspection"} | DAY).get_json()["items"]
    instrument = found[0]["instrument_id"]
    assert park.post(f"/instruments/{instrument}/quotas", {"week_hours": 1}).status_code == 403
    made = province.lab.post(f"/instruments/{instrument}/quotas", {"week_hours": 1})
    assert (made.status_code, made.get_json()["quota"]["week_hours"]) == (201, 1)
    assert park.get(f"/instruments/{instrument}/quotas").get_json()["items"][0]["version"] == 1
    assert province.lab.post(f"/instruments/{instrument}/quotas", {"week_hours": 0}).status_code == 422
    order = book(park)
    booking = order["lines"][0]["booking"]
    (use,) = park.get(f"/instruments/{instrument}/quota-use?day=2026-03-03").get_json()["items"]
    assert use == {
        "period": "week", "measure": "hours", "first_day": "2026-03-02", "last_day": "2026-03-08",
        "most": 1, "used": 1, "left": 0,
    }  # fmt: skip
    other = next(each for each in found[1:] if each["instrument_id"] == instrument)
    slot = {"instrument_id": instrument, "starts_at": other["starts_at"], "purpose": "断口分析"}
    asked = park.post("/quotes", {"lines": [{"offering": "shared-inspection", "request": slot}]})
    assert (asked.status_code, asked.get_json()["code"]) == (409, "quota.exceeded")
    assert asked.get_json()["errors"][0]["field"] == "lines[0].request.starts_at"
    moved = park.post(f"/bookings/{booking['id']}/reschedule", {"starts_at": other["starts_at"]})
    assert moved.status_code == 200, "a move within the week takes no more of it"
    assert (
        province.park(2).get(f"/instruments/{instrument}/quota-use?day=2026-03-03").get_json()["items"][0]["used"] == 0
    )
    assert park.get(f"/instruments/{instrument}/quota-use").get_json()["items"][0]["used"] == 1, "today is in that week"
    assert park.get(f"/instruments/{instrument}/quota-use?day=9999-12-31").status_code == 422


def test_two_prices_that_fit_alone_do_not_both_become_orders(province: Province) -> None:
    province.fund()
    park = province.park(1)
    found = park.post("/slots/search", {"offering": "shared-inspection"} | DAY).get_json()["items"]
    instrument = found[0]["instrument_id"]
    province.lab.post(f"/instruments/{instrument}/quotas", {"month_bookings": 1})
    lines = [
        {"offering": "shared-inspection", "request": {
            "instrument_id": instrument, "starts_at": each["starts_at"], "purpose": "断口分析"}}
        for each in found if each["instrument_id"] == instrument
    ]  # fmt: skip
    first, second = (park.post("/quotes", {"lines": [line]}).get_json()["id"] for line in lines[:2])
    both = park.post("/quotes", {"lines": lines[:2]}).get_json()["id"]
    refused = park.post("/orders", {"quote_id": both})
    assert (refused.status_code, refused.get_json()["code"]) == (409, "quota.exceeded")
    placed = park.post("/orders", {"quote_id": first})
    assert placed.status_code == 201
    refused = park.post("/orders", {"quote_id": second})
    assert (refused.status_code, refused.get_json()["code"]) == (409, "quota.exceeded")
    assert "最多预约 1 次" in refused.get_json()["detail"]
    park.post(f"/orders/{placed.get_json()['id']}/cancel")
    assert park.post("/orders", {"quote_id": second}).status_code == 201, "what is cancelled is given back"
