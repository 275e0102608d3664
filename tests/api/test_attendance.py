"""Attendance by the API: the provider sets the rule, both may check in, and the order names the terms."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from marketplace.usecases import fulfilment
from services.usecases import attendance, suspensions
from tenants.kernel.clock import ManualClock
from tenants.kernel.context import system_actor
from tests.api.test_calendar_feeds import book
from tests.support.province import Province
from tests.support.web import Caller

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
    assert gone["back"] == {name: gone[name] for name in ("gross_fen", "subsidy_fen", "payable_fen")}
    assert set(gone["settled"].values()) == {0}
    assert park.get("/orders").get_json()["items"][0]["fees_fen"] == gone["fees_fen"] == fee["amount_fen"]


def used_for_an_hour(province: Province, clock: ManualClock, park: Caller, minutes: int = 50) -> str:
    """Let a park book two hours under a rule of actual use, use some minutes and get its result; return the order."""
    address = f"/instruments/{province.instrument}/attendance-rules"
    made = province.lab.post(address, RULE | {"metering": "actual"})
    assert made.get_json()["terms"]["metering"] == "actual", made.text
    order = book(park, slots=2)
    booking = order["lines"][0]["booking"]
    clock.instant = datetime.fromisoformat(booking["starts_at"])
    assert park.post(f"/bookings/{booking['id']}/check-in").status_code == 200
    clock.advance(timedelta(minutes=minutes))
    assert province.lab.post(f"/bookings/{booking['id']}/check-out").status_code == 200
    province.lab.post(f"/bookings/{booking['id']}/report?name=r.pdf", data=b"%PDF", content_type="application/pdf")
    tenant = UUID(park.get("/me").get_json()["park"]["id"])
    with province.workshop.work(system_actor("worker", tenant_id=tenant)) as work:
        fulfilment.complete_inspection(work, booking_id=UUID(booking["id"]))
    return str(order["id"])


def test_an_order_tells_what_was_booked_used_and_given_back(province: Province, clock: ManualClock) -> None:
    province.fund()
    park = province.park(1)
    order = park.get(f"/orders/{used_for_an_hour(province, clock, park)}").get_json()
    (line,) = order["lines"]
    unused = line["unused"]
    assert (line["status"], line["quantity"], line["booking"]["used_minutes"]) == ("delivered", 2, 50)
    assert (unused["booked_units"], unused["used_units"]) == (2, 1)
    for name in ("gross_fen", "subsidy_fen", "payable_fen"):
        assert unused[name] == line[name] // 2 == order[name] // 2 > 0, name
        assert line["settled"][name] == order["settled"][name] == order["back"][name] == order[name] // 2, name
    (row,) = park.get("/orders").get_json()["items"]
    assert [row[name] for name in ("back", "settled", "fees_fen")] == [order["back"], order["settled"], 0]
    usage = park.get("/usage?from=2026-03-01T00:00:00%2B08:00&to=2026-04-01T00:00:00%2B08:00").get_json()["items"]
    assert [each["gross_fen"] for each in usage if each["key"] == "shared-inspection"] == [line["gross_fen"] // 2]


def suspended(province: Province, clock: ManualClock, park: Caller) -> str:
    """Let a park miss its one booking under a rule that allows none; return its suspension."""
    made = province.lab.post(f"/instruments/{province.instrument}/attendance-rules", RULE | {"suspend_after": 1})
    assert made.status_code == 201, made.text
    booking = book(park)["lines"][0]["booking"]
    clock.instant = datetime.fromisoformat(booking["starts_at"]) + timedelta(minutes=16)
    tenant = UUID(park.get("/me").get_json()["park"]["id"])
    with province.workshop.work(system_actor("clock", tenant_id=tenant)) as work:
        assert attendance.note_no_show(work, booking_id=UUID(booking["id"]))
    with province.workshop.work(system_actor("clock")) as work:
        (suspect,) = suspensions.parks_to_suspend(work)
    with province.workshop.work(system_actor("clock", tenant_id=tenant)) as work:
        view = suspensions.suspend(work, provider_id=suspect.provider_id)
    assert view is not None
    return str(view.id)


def test_a_suspension_is_shown_to_both_sides_and_lifted_by_the_provider(province: Province, clock: ManualClock) -> None:
    province.fund()
    park, other = province.park(1), province.park(2)
    suspension = suspended(province, clock, park)
    for caller, seen in ((park, 1), (province.lab, 1), (province.operator, 1), (other, 0)):
        assert len(caller.get("/suspensions").get_json()["items"]) == seen
    day = {"from": "2026-03-05T00:00:00+08:00", "to": "2026-03-06T00:00:00+08:00"}
    slot = park.post("/slots/search", {"offering": "shared-inspection"} | day).get_json()["items"][0]
    request = {"instrument_id": slot["instrument_id"], "starts_at": slot["starts_at"], "purpose": "断口分析"}
    wish = {"lines": [{"offering": "shared-inspection", "request": request}]}
    refused = park.post("/quotes", wish)
    assert (refused.status_code, refused.get_json()["code"]) == (409, "booking.suspended")
    address = f"/suspensions/{suspension}/lift"
    assert [each.post(address, {"reason": "x"}).status_code for each in (park, other, province.finance)] == [403] * 3
    assert province.lab.post(address, {"reason": ""}).status_code == 422
    lifted = province.lab.post(address, {"reason": "设备交接失误"})
    assert (lifted.status_code, lifted.get_json()["lifted_side"]) == (200, "provider")
    assert province.operator.post(address, {"reason": "x"}).get_json()["code"] == "suspension.over"
    assert park.post("/quotes", wish).status_code == 201
