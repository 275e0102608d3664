"""Attendance by the API: the provider sets the rule, both may check in, and the order names the terms."""

from __future__ import annotations

from tests.api.test_calendar_feeds import book
from tests.support.province import Province

RULE = {
    "check_in_before_minutes": 1440, "grace_minutes": 15, "free_cancel_minutes": 86_400, "late_cancel_bp": 2_500,
    "no_show_bp": 10_000, "overrun_unit_minutes": 30, "overrun_fee_fen": 5_000, "metering": "larger",
}  # fmt: skip


def test_a_rule_is_set_shown_and_kept_by_the_booking(province: Province) -> None:
    province.fund()
    park = province.park(1)
    address = f"/instruments/{province.instrument}/attendance-rules"
    assert park.post(address, RULE).status_code == 403
    made = province.lab.post(address, RULE)
    assert (made.status_code, made.get_json()["version"]) == (201, 1)
    assert park.get(address).get_json()["items"][0]["terms"]["late_cancel_bp"] == 2_500
    wrong = province.lab.post(address, RULE | {"no_show_bp": 10_001})
    assert wrong.status_code == 422
    order = book(park)
    booking = order["lines"][0]["booking"]
    assert (booking["terms"]["version"], booking["checked_in_at"], booking["booked_minutes"]) == (1, None, 60)
    assert province.park(2).post(f"/bookings/{booking['id']}/check-in").status_code == 404
    out = province.lab.post(f"/bookings/{booking['id']}/check-out")
    assert (out.status_code, out.get_json()["code"]) == (409, "attendance.not_in")
    gone = park.post(f"/orders/{order['id']}/cancel").get_json()
    (fee,) = gone["lines"][0]["fees"]
    assert (fee["kind"], fee["amount_fen"]) == ("late_cancel", gone["gross_fen"] * 2_500 // 10_000)
