"""The provider's page of rules, and the park's page of a booking that is cancelled late."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

from tenants.kernel.clock import ManualClock
from tests.api.test_attendance import suspended, used_for_an_hour
from tests.api.test_attendance_disputes import late_fee
from tests.api.test_calendar_feeds import book
from tests.support.province import Province
from tests.support.visitor import Visitor

Enter = Callable[[str], Visitor]
RULE = {
    "check_in_before_minutes": "1440", "grace_minutes": "15", "free_cancel_minutes": "86400", "late_cancel": "25",
    "no_show": "100", "overrun_unit_minutes": "30", "overrun_fee": "50", "metering": "larger", "valid_from": "",
    "suspend_after": "2", "suspend_window_days": "60", "suspend_days": "14",
    "dispute_days": "20",
}  # fmt: skip


def test_a_rule_is_set_on_a_page_and_its_fee_is_seen_before_cancelling(province: Province, signed_in: Enter) -> None:
    province.fund()
    lab = signed_in("lab")
    address = f"/instruments/{province.instrument}/attendance"
    assert address in lab.get(f"/instruments/{province.instrument}").text
    assert "还没有规则" in lab.get(address).text
    assert "请填写整数" in lab.post(address, RULE | {"grace_minutes": "x"}).text
    assert "不能追溯" in lab.post(address, RULE | {"valid_from": "2020-01-01T08:00"}).text
    assert lab.post(address, RULE).status_code == 303
    assert "第 1 版" in lab.get(address).text
    assert "60 天内在同一服务机构爽约 2 次，暂停新预约 14 天" in lab.get(address).text
    assert "在计费后 20 天内提出" in lab.get(address).text
    assert lab.post(address, RULE | {"dispute_days": "4"}).status_code == 422
    order = book(province.park(1))
    booking = order["lines"][0]["booking"]["id"]
    assert lab.post(f"/bookings/{booking}/attendance", {"step": "out"}).status_code == 409
    park = signed_in("admin1")
    page = park.get(f"/orders/{order['id']}").text
    assert "现在取消将收取临时取消费" in page
    park.post(f"/orders/{order['id']}/bookings/{booking}/attendance", {"step": "out"})
    assert park.post(f"/orders/{order['id']}/cancel").status_code == 303
    page = park.get(f"/orders/{order['id']}").text
    assert "只按预约规则收取下列费用" in page
    assert "临时取消费" in page
    assert "另收预约费用" in park.get("/orders").text


def test_a_page_says_what_was_booked_used_and_given_back(
    province: Province, signed_in: Enter, clock: ManualClock
) -> None:
    province.fund()
    order = used_for_an_hour(province, clock, province.park(1))
    rules = signed_in("lab").get(f"/instruments/{province.instrument}/attendance").text
    assert '<option value="actual" selected>' in rules
    assert "按实际使用时长，不满一小时按一小时计，未用部分退回" in rules
    park = signed_in("admin1")
    page = park.get(f"/orders/{order}").text
    assert "按实际使用计费" in page
    for part in ("<caption>下单与实际结算</caption>", "净额"):
        assert part in page
    assert "下单 ¥" in park.get("/orders").text
    assert "2 小时" in page
    assert "1 小时" in page
    page = park.get(f"/orders/{order}?lang=en").text
    assert "Charged by actual use" in page
    assert "of it" in page


def test_nobody_else_opens_the_rules(province: Province, signed_in: Enter) -> None:
    address = f"/instruments/{province.instrument}/attendance"
    assert signed_in("operator").get(address).status_code == 403


def test_both_sides_see_a_suspension_and_the_provider_lifts_it(
    province: Province, signed_in: Enter, clock: ManualClock
) -> None:
    province.fund()
    suspension = suspended(province, clock, province.park(1))
    park, lab = signed_in("admin1"), signed_in("lab")
    page = park.get("/conduct").text
    assert "暂停中" in page
    assert "90 天内爽约 1 次" in page
    assert "解除暂停</button>" not in page
    address = f"/conduct/suspensions/{suspension}/lift"
    assert "解除暂停</button>" in lab.get("/conduct").text
    assert "请用 1 至 500 个字说明解除原因" in lab.post(address, {"reason": ""}).text
    assert park.post(address, {"reason": "x"}).status_code == 403
    assert lab.post(address, {"reason": "设备交接失误"}).status_code == 303
    page = park.get("/conduct").text
    assert "已解除" in page
    assert "设备交接失误" in page


def test_a_fee_is_disputed_answered_and_decided_on_pages(province: Province, signed_in: Enter) -> None:
    province.fund()
    fee = late_fee(province, province.park(1))
    park, lab, operator = signed_in("admin1"), signed_in("lab"), signed_in("operator")
    assert "可提出异议的费用" in park.get("/conduct").text
    address = f"/conduct/fees/{fee}/dispute"
    assert park.post(address, {"reason": ""}).status_code == 422
    assert park.post(address, {"reason": "园区停电，已提前告知"}).status_code == 303
    page = park.get("/conduct").text
    assert "可提出异议的费用" not in page
    assert "园区停电，已提前告知" in page
    said = lab.get("/conduct").text
    (decision,) = set(re.findall(r'action="(/conduct/disputes/[^"]+/decision)"', said))
    assert park.post(decision, {"action": "accept", "reason": "x"}).status_code == 403
    assert "/decision" not in operator.get("/conduct").text
    assert lab.post(decision, {"action": "refuse", "reason": "未收到告知"}).status_code == 303
    assert park.get("/conduct").status_code == 200
    assert park.post(decision.replace("decision", "insistence"), {"reason": "有通话记录"}).status_code == 303
    assert "/decision" in operator.get("/conduct").text
    assert operator.post(decision, {"action": "accept", "reason": "已核对通话记录"}).status_code == 303
    page = park.get("/conduct").text
    assert "已核对通话记录" in page
    assert "异议成立" in page


def test_noted_times_are_disputed_and_put_right_on_pages(
    province: Province, signed_in: Enter, clock: ManualClock
) -> None:  # fmt: skip
    province.fund()
    order = used_for_an_hour(province, clock, province.park(1), minutes=110)
    park, operator = signed_in("admin1"), signed_in("operator")
    page = park.get(f"/orders/{order}").text
    (address,) = set(re.findall(r'href="(/conduct/bookings/[^"]+/times)"', page))
    form = park.get(address).text
    came, left = re.findall(r'name="(?:came|left)_at" type="datetime-local"\s+value="([^"]+)"', form)
    claim = {"came_at": came, "left_at": left, "reason": "离场时未能签退"}
    assert "与登记的时间相同" in park.post(address, claim).text
    assert "请填写日期和时间" in park.post(address, claim | {"left_at": "昨天"}).text
    earlier = f"{left[:11]}{int(left[11:13]) - 1:02}{left[13:]}"
    assert park.post(address, claim | {"left_at": earlier, "reason": ""}).status_code == 422
    assert park.post(address, claim | {"left_at": earlier}).status_code == 303
    assert address not in park.get(f"/orders/{order}").text
    assert "已提出过" in park.get(address).text
    seen = park.get("/conduct").text
    for part in ("园区主张", "离场时未能签退", "使用时间"):
        assert part in seen
    clock.advance(timedelta(days=15))
    (insistence,) = set(re.findall(r'action="(/conduct/disputes/[^"]+/insistence)"', park.get("/conduct").text))
    assert park.post(insistence, {"reason": "服务机构未答复"}).status_code == 303
    decision = insistence.replace("insistence", "decision")
    assert "异议成立，更正时间并冲回" in operator.get("/conduct").text
    assert operator.post(decision, {"action": "accept", "reason": "门禁记录为准"}).status_code == 303
    assert "已冲回" in park.get("/conduct").text
    assert "经异议更正为" in park.get(f"/orders/{order}").text
    assert "Corrected after a dispute" in park.get(f"/orders/{order}?lang=en").text
