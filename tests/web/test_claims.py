"""The pages of claims: whose turn it is, reviews with returned lines, public notice, payments, one's own lines."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from datetime import timedelta

import pytest

from tenants.kernel.clock import CHINA, ManualClock
from tests.support.claim_month import ClaimMonth, claim_month
from tests.support.province import Province
from tests.support.visitor import Visitor

Enter = Callable[[str], Visitor]


@pytest.fixture
def month(province: Province, clock: ManualClock) -> ClaimMonth:
    return claim_month(province, clock)


def link(page: str, start: str) -> str:
    found = re.search(rf'href="({start}/[0-9a-f-]{{36}})"', page)
    assert found, start
    return found[1]


def test_a_batch_is_led_through_the_pages(
    month: ClaimMonth, signed_in: Enter, visitor: Visitor, clock: ManualClock
) -> None:
    finance, reviewer, approver = (signed_in(login) for login in ("finance", "reviewer", "approver"))
    waiting = finance.get("/claims").text
    assert "等我处理" in waiting
    path = link(waiting, "/claims")
    page = finance.get(path).text
    assert "材料不全（1 笔）" in page
    assert "缺 验收" in page
    line = finance.get(link(page, "/claim-lines")).text
    assert "使用凭证" in line
    assert re.search(r"2026-03-03 \d\d:\d\d – 2026-03-03 \d\d:\d\d · 60 分钟", line)
    assert "未登记" in line
    done = finance.follow(finance.post(f"{path}/submission"))
    assert 'aria-current="step">初审' in done.text
    assert finance.post(f"{path}/review", {"stage": "first", "action": "approve"}).status_code == 403
    assert "提交审核</b>" not in reviewer.get("/claims").text
    opened = reviewer.get(path)
    assert "初审通过" in opened.text
    reviewer.follow(reviewer.post(f"{path}/review", {"stage": "first", "action": "approve"}))
    refused = reviewer.post(f"{path}/review", {"stage": "second", "action": "approve"})
    assert (refused.status_code, "初审人不能复审" in refused.text) == (409, True)
    approver.get(path)
    wrong = approver.post(f"{path}/review", {"stage": "second", "action": "approve", "notice_days": "3"})
    assert wrong.status_code == 422
    assert 'id="e-notice_days"' in wrong.text
    approver.follow(approver.post(f"{path}/review", {"stage": "second", "action": "approve", "notice_days": "7"}))

    board = visitor.get("/notices")
    assert board.status_code == 200
    notice = visitor.get(link(board.text, "/notices"))
    assert "¥360.00" in notice.text
    assert "admin1" not in notice.text
    assert "生成拨付单" not in finance.get(path).text
    clock.advance(timedelta(days=8))
    assert visitor.get(link(board.text, "/notices")).status_code == 404
    assert "拨付" in finance.get("/claims").text
    ready = finance.follow(finance.post(f"{path}/payouts"))
    payout = re.search(rf'action="({path}/payouts/[0-9a-f-]{{36}}/payment)"', ready.text)
    assert payout
    bad = finance.post(payout[1], {"payment_reference": "国库-1", "paid_on": "soon"})
    assert bad.status_code == 422
    day = clock.now().astimezone(CHINA).date().isoformat()
    paid = finance.follow(finance.post(payout[1], {"payment_reference": "国库-1", "paid_on": day}))
    assert 'aria-current="step">已办结' in paid.text
    for kind, start in (("csv", b"\xef\xbb\xbf"), ("xlsx", b"PK")):
        assert finance.get(f"{path}/list.{kind}").data.startswith(start)
    assert finance.get(f"{path}/list.exe").status_code == 404
    pack = finance.get(f"{path}/pack.zip", buffered=True)
    assert (pack.mimetype, pack.data[:2]) == ("application/zip", b"PK")
    assert signed_in("admin1").get("/claim-lines").text.count("已拨付") >= 1


def test_a_line_goes_back_and_is_completed_on_its_page(month: ClaimMonth, signed_in: Enter) -> None:
    finance, reviewer = signed_in("finance"), signed_in("reviewer")
    path = link(finance.get("/claims").text, "/claims")
    finance.get(path)
    finance.follow(finance.post(f"{path}/submission"))
    line = link(reviewer.get(path).text, "/claim-lines")
    line_id = line.rpartition("/")[2]
    unexplained = reviewer.post(f"{path}/review", {"stage": "first", "action": "return", "line": line_id})
    assert unexplained.status_code == 422
    assert 'id="e-reason"' in unexplained.text
    assert re.search(rf'value="{line_id}"[^>]* checked', unexplained.text), "what was chosen is kept"
    reviewer.follow(
        reviewer.post(f"{path}/review", {"stage": "first", "action": "return", "line": line_id, "reason": "请补合同"})
    )
    assert "退回原因：请补合同" in signed_in("admin1").get(line).text
    assert finance.get(line).status_code == 200
    empty = finance.post(f"{line}/evidence", {"kind": "contract"})
    assert empty.status_code == 422
    file = {"kind": "contract", "file": (io.BytesIO(b"%PDF contract"), "合同.pdf")}
    assert "contract: 合同.pdf" in finance.follow(finance.post(f"{line}/evidence", file)).text
    done = finance.follow(finance.post(f"{line}/completion", {"note": "已补合同"}))
    assert "补正后重新申报" in done.text
    assert "2026-04" in done.text


def test_a_returned_line_can_be_given_up(month: ClaimMonth, signed_in: Enter) -> None:
    finance, reviewer = signed_in("finance"), signed_in("reviewer")
    path = link(finance.get("/claims").text, "/claims")
    finance.get(path)
    finance.follow(finance.post(f"{path}/submission"))
    line = link(reviewer.get(path).text, "/claim-lines")
    chosen = {"stage": "first", "action": "return", "line": line.rpartition("/")[2], "reason": "未交付"}
    reviewer.follow(reviewer.post(f"{path}/review", chosen))
    finance.get(line)
    assert finance.post(f"{line}/withdrawal", {"reason": ""}).status_code == 422
    gone = finance.follow(finance.post(f"{line}/withdrawal", {"reason": "服务机构放弃"}))
    assert "已放弃" in gone.text


def test_an_objection_on_its_page(month: ClaimMonth, signed_in: Enter) -> None:
    finance, reviewer, approver = (signed_in(login) for login in ("finance", "reviewer", "approver"))
    path = link(finance.get("/claims").text, "/claims")
    finance.get(path)
    finance.follow(finance.post(f"{path}/submission"))
    reviewer.get(path)
    reviewer.follow(reviewer.post(f"{path}/review", {"stage": "first", "action": "approve"}))
    approver.get(path)
    approver.follow(approver.post(f"{path}/review", {"stage": "second", "action": "approve"}))
    line = link(finance.get(path).text, "/claim-lines")
    finance.get(line)
    assert finance.post(f"{line}/objections", {"objector": "", "objection": ""}).status_code == 422
    finance.follow(finance.post(f"{line}/objections", {"objector": "某企业", "objection": "未使用"}))
    assert "某企业" not in signed_in("admin1").get(line).text
    page = reviewer.get(line)
    decide = re.search(rf'action="({line}/objections/[0-9a-f-]{{36}}/decision)"', page.text)
    assert decide
    decided = reviewer.follow(reviewer.post(decide[1], {"action": "dismiss", "decision": "经核实已使用"}))
    assert "不成立" in decided.text


def test_a_park_accepts_or_disputes_on_its_order(month: ClaimMonth, signed_in: Enter) -> None:
    admin = signed_in("admin1")
    order = link(admin.get("/orders").text, "/orders")
    page = admin.get(order)
    action = re.search(rf'action="({order}/lines/[0-9a-f-]{{36}}/acceptance)"', page.text)
    assert action
    assert admin.post(action[1], {"action": "dispute", "note": ""}).status_code == 422
    disputed = admin.follow(admin.post(action[1], {"action": "dispute", "note": "报告缺页"}))
    assert "报告缺页" in disputed.text
    accepted = admin.follow(admin.post(action[1], {"action": "accept"}))
    assert "园区已验收" in accepted.text
    assert "acceptance" not in signed_in("finance").get(order).text.partition("<main")[2].partition("/acceptance")[1]


def test_each_person_sees_the_claims_that_concern_them(month: ClaimMonth, signed_in: Enter) -> None:
    opens = {
        "/claims": {"officer", "approver", "reviewer", "finance"},
        "/claim-lines": {"admin1", "lab", "officer", "approver", "reviewer", "finance"},
    }
    people = {"admin1", "lab", "officer", "approver", "reviewer", "finance", "operator"}
    somebody = {login: signed_in(login) for login in people}
    for path, may in opens.items():
        answers = {login: each.get(path).status_code for login, each in somebody.items()}
        assert answers == {login: 200 if login in may else 403 for login in people}, path
    month.province.park(2)
    line = link(somebody["lab"].get("/claim-lines").text, "/claim-lines")
    assert signed_in("admin2").get(line).status_code == 404
