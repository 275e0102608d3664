"""Disputes of fees and times by the API: the park asks, the provider refuses, the park insists, the operator gives the fee back."""

from __future__ import annotations

from datetime import datetime, timedelta

from tenants.kernel.clock import ManualClock
from tests.api.test_attendance import RULE, used_for_an_hour
from tests.api.test_calendar_feeds import book
from tests.support.province import Province
from tests.support.web import Caller


def late_fee(province: Province, park: Caller) -> str:
    """Let a park book and cancel too late; return the id of the fee for it."""
    made = province.lab.post(f"/instruments/{province.instrument}/attendance-rules", RULE)
    assert made.status_code == 201, made.text
    gone = park.post(f"/orders/{book(park)['id']}/cancel").get_json()
    (fee,) = gone["lines"][0]["fees"]
    return str(fee["id"])


def test_a_dispute_goes_from_the_park_to_the_provider_and_the_operator(province: Province) -> None:
    province.fund()
    park, other = province.park(1), province.park(2)
    fee = late_fee(province, park)
    asked = park.post("/attendance-disputes", {"fee_id": fee, "reason": "园区停电，已提前告知"})
    assert (asked.status_code, asked.get_json()["status"]) == (201, "open")
    address = f"/attendance-disputes/{asked.get_json()['id']}"
    for caller, seen in ((park, 1), (province.lab, 1), (province.operator, 1), (other, 0)):
        assert len(caller.get("/attendance-disputes").get_json()["items"]) == seen
    early = park.post(f"{address}/insistence", {"reason": "请裁定"})
    assert (early.status_code, early.get_json()["code"]) == (409, "dispute.unanswered")
    no = {"accept": False, "reason": "未收到告知"}
    assert [caller.post(f"{address}/decision", no).status_code for caller in (park, other, province.finance)] == [
        403
    ] * 3
    refused = province.lab.post(f"{address}/decision", no)
    assert (refused.status_code, refused.get_json()["status"]) == (200, "refused")
    assert other.post(f"{address}/insistence", {"reason": "x"}).status_code == 404
    assert park.post(f"{address}/insistence", {"reason": "有通话记录"}).get_json()["status"] == "insisted"
    decided = province.operator.post(f"{address}/decision", {"accept": True, "reason": "已核对"}).get_json()
    assert (decided["status"], [step["number"] for step in decided["steps"]]) == ("accepted", [1, 2, 3])
    again = province.operator.post(f"{address}/decision", no)
    assert (again.status_code, again.get_json()["code"]) == (409, "dispute.decided")


def test_a_dispute_names_what_is_wrong_with_it(province: Province) -> None:
    province.fund()
    park, other = province.park(1), province.park(2)
    fee = late_fee(province, park)
    silent = park.post("/attendance-disputes", {"fee_id": fee, "reason": " "})
    assert silent.status_code == 422
    assert silent.get_json()["errors"][0]["field"] == "reason"
    assert other.post("/attendance-disputes", {"fee_id": fee, "reason": "x"}).status_code == 404
    assert province.lab.post("/attendance-disputes", {"fee_id": fee, "reason": "x"}).status_code == 403
    assert park.post("/attendance-disputes", {"fee_id": fee, "reason": "x"}).status_code == 201
    twice = park.post("/attendance-disputes", {"fee_id": fee, "reason": "x"})
    assert (twice.status_code, twice.get_json()["code"]) == (409, "dispute.asked")


def test_noted_times_are_disputed_and_put_right(province: Province, clock: ManualClock) -> None:
    province.fund()
    park, other = province.park(1), province.park(2)
    order = park.get(f"/orders/{used_for_an_hour(province, clock, park, minutes=110)}").get_json()
    booking = order["lines"][0]["booking"]
    came = datetime.fromisoformat(booking["checked_in_at"])
    claim = {
        "booking_id": booking["id"], "came_at": came.isoformat(), "left_at": (came + timedelta(minutes=30)).isoformat(),
        "reason": "漏签退",
    }  # fmt: skip
    for body in (claim | {"fee_id": booking["id"]}, {"reason": "x"}, {"booking_id": booking["id"], "reason": "x"}):
        assert park.post("/attendance-disputes", body).status_code == 422, body
    assert other.post("/attendance-disputes", claim).status_code == 404
    late = park.post("/attendance-disputes", claim | {"left_at": (came + timedelta(hours=3)).isoformat()})
    assert (late.status_code, late.get_json()["errors"][0]["field"]) == (422, "left_at")
    asked = park.post("/attendance-disputes", claim)
    assert asked.status_code == 201, asked.text
    half = order["gross_fen"] // 2
    assert [asked.get_json()[name] for name in ("kind", "fee_id", "amount_fen", "given_back_fen")] == [
        "times", None, half, 0,
    ]  # fmt: skip
    address = f"/attendance-disputes/{asked.get_json()['id']}"
    same = province.lab.post(f"{address}/decision", {"accept": True, "reason": "x"})
    assert (same.status_code, same.get_json()["code"]) == (409, "dispute.same_person")
    clock.advance(timedelta(days=15))
    assert park.post(f"{address}/insistence", {"reason": "未答复"}).status_code == 200
    decided = province.operator.post(f"{address}/decision", {"accept": True, "reason": "门禁记录为准"}).get_json()
    assert (decided["status"], decided["given_back_fen"]) == ("accepted", half)
    (line,) = park.get(f"/orders/{order['id']}").get_json()["lines"]
    assert (line["booking"]["used_minutes"], line["returns"][0]["amount_fen"]) == (30, half)
    assert line["booking"]["checked_out_at"] == booking["checked_out_at"], "what was noted stays"
