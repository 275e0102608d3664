"""The pages of a fund: split, moved, watched, saved and closed by the people who may."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape

from billing.usecases import fund_outlook
from tenants.kernel.clock import ManualClock
from tenants.kernel.context import system_actor
from tests.support.claim_month import claim_month
from tests.support.province import LEADS, YUAN, Province
from tests.support.visitor import Visitor

Enter = Callable[[str], Visitor]


def action(text: str, ending: str) -> str:
    """The address of the form whose address ends so."""
    found = re.search(rf'action="([^"]*/{ending})"', text)
    assert found, f"no form to {ending}"
    return found[1]


def test_an_appropriation_is_split_between_regions_and_rejected_with_a_reason(
    province: Province, signed_in: Enter
) -> None:
    fund = f"/funds/{province.fund()}"
    officer, approver = signed_in("officer"), signed_in("approver")
    officer.get(fund)
    asked = {"amount": "1000", "document_no": "豫财〔2026〕9号", "envelope_2": "central", "share_2": "40"}
    wrong = officer.post(f"{fund}/appropriations", {**asked, "envelope_4": "moon", "share_4": "1"})
    assert wrong.status_code == 422
    assert 'id="e-envelope_4"' in wrong.text
    assert officer.post(f"{fund}/appropriations", {**asked, "share_3": "x"}).status_code == 422
    page = officer.follow(officer.post(f"{fund}/appropriations", asked))
    assert "中部地区 40% ¥400.00" in page.text
    assert "河南省三门峡市卢氏县" in page.text  # a place to choose
    page = approver.get(fund)
    rejected = approver.follow(approver.post(action(page.text, "rejection"), {"reason": "文号有误"}))
    assert "文号有误" in rejected.text
    officer.get(fund)
    page = officer.follow(officer.post(f"{fund}/appropriations", asked))
    assert "写错了" in officer.follow(officer.post(action(page.text, "withdrawal"), {"reason": "写错了"})).text


def test_money_is_moved_returned_and_carried_over_by_two_people(province: Province, signed_in: Enter) -> None:
    fund = f"/funds/{province.fund(amount_fen=10_000 * YUAN)}"
    officer, approver = signed_in("officer"), signed_in("approver")
    officer.get(f"{fund}/transfers")
    wanted = {"envelope": "", "to_envelope": "411200", "amount": "2,500", "reason": "支持三门峡"}
    assert 'id="e-amount"' in officer.post(f"{fund}/transfers", {**wanted, "amount": "10000.01"}).text
    assert 'id="e-reason"' in officer.post(f"{fund}/transfers", {**wanted, "reason": ""}).text
    officer.follow(officer.post(f"{fund}/transfers", wanted))
    assert "支持三门峡" in approver.get("/").text
    page = approver.get(f"{fund}/transfers")
    page = approver.follow(approver.post(action(page.text, "approval")))
    assert "河南省三门峡市" in page.text
    assert "¥2,500.00" in page.text
    officer.get(f"{fund}/transfers")
    officer.follow(officer.post(f"{fund}/returns", {"envelope": "411200", "amount": "1", "reason": "收回"}))
    assert "还没有以后年度的资金池" in officer.get(f"{fund}/transfers").text
    officer.get("/funds")
    following = officer.post("/funds", {"name": "明年", "slug": "next", "year": "2027"}).headers["Location"]
    officer.get(f"{fund}/transfers")
    carried = {"to_fund_id": following.rpartition("/")[2], "reason": "年终结转"}
    page = officer.follow(officer.post(f"{fund}/carry-overs", carried))
    assert "批准时的全部余额" in page.text
    page = approver.get(f"{fund}/transfers")
    page = approver.follow(approver.post(action(page.text, "approval")))
    assert "¥10,000.00" in page.text
    assert all(part in approver.get(following).text for part in ("¥7,500.00", "¥2,500.00"))
    assert action(page.text, "rejection")
    assert officer.post(f"{fund}/transfers/{following[-36:]}/approval").status_code == 403


def test_the_register_is_filtered_and_saved(province: Province, signed_in: Enter) -> None:
    fund = f"/funds/{province.fund(amount_fen=10_000 * YUAN)}"
    finance = signed_in("finance")
    assert "财政拨款" in finance.get(f"{fund}/register?place=available&envelope=&from=2026-03-02").text
    assert "没有符合条件的流水" in finance.get(f"{fund}/register?place=held").text
    assert "没有符合条件的流水" in finance.get(f"{fund}/register?from=2026-03-03&to=x").text
    saved = finance.get(f"{fund}/register.csv?place=available&envelope=*")
    assert saved.data.decode("utf-8-sig").count("\r\n") == 2
    assert finance.get(f"{fund}/register.xlsx").data[:2] == b"PK"
    assert "Movements" in finance.get(f"{fund}/register?lang=en").text


def test_a_fund_warns_freezes_and_says_what_keeps_it_open(province: Province, signed_in: Enter) -> None:
    fund = f"/funds/{province.fund(amount_fen=10_000 * YUAN)}"
    park = province.park()
    quote = park.post("/quotes", {"lines": [LEADS]}).get_json()
    order = park.post("/orders", {"quote_id": quote["id"]}).get_json()
    officer, approver = signed_in("officer"), signed_in("approver")
    life = f"{fund}/life"
    officer.get(life)
    assert officer.post(f"{fund}/thresholds", {"low_share": "120", "low_days": "x"}).status_code == 422
    assert (
        'value="99.5"' in officer.follow(officer.post(f"{fund}/thresholds", {"low_share": "99.5", "low_days": ""})).text
    )
    with province.workshop.work(system_actor("clockwork")) as work:
        fund_outlook.watch_funds(work)
    for address in ("/", "/funds", fund):
        assert "余额不足" in officer.get(address).text, address
    page = officer.get(life)
    page = officer.follow(officer.post(action(page.text, "acknowledgement"), {"note": "已申请追加"}))
    assert "已申请追加" in page.text
    approver.get(life)
    refused = approver.post(f"{fund}/closure", {"reason": "年度结束"})
    assert refused.status_code == 409
    assert f"/orders/{order['id']}" in refused.text
    assert "须先结转或退回财政" in refused.text
    frozen = approver.follow(approver.post(f"{fund}/freeze", {"reason": "审计核查"}))
    assert "审计核查" in frozen.text
    assert "审计核查" in officer.get(fund).text
    assert officer.post(f"{fund}/unfreeze", {"reason": "x"}).status_code == 403
    assert "解冻原因" not in officer.get(life).text
    approver.get(life)
    approver.follow(approver.post(f"{fund}/unfreeze", {"reason": "核查完毕"}))
    empty = officer.post("/funds", {"name": "空", "slug": "empty", "year": "2027"}).headers["Location"]
    approver.get(f"{empty}/life")
    assert "已关闭" in approver.follow(approver.post(f"{empty}/closure", {"reason": "误设"})).text


def test_what_keeps_a_fund_open_leads_to_where_it_is_settled(
    province: Province, signed_in: Enter, clock: ManualClock
) -> None:
    claim_month(province, clock)
    approver = signed_in("approver")
    fund = re.search(r'href="(/funds/[0-9a-f-]{36})"', approver.get("/funds").text)
    assert fund
    life = approver.get(f"{fund[1]}/life").text
    found = re.findall(r'<li><b>([^<]+)</b> <a href="([^"]+)">([^<]+)</a>', life)
    pages = {kind: approver.get(unescape(address)) for kind, address, _ in found}
    assert {answer.status_code for answer in pages.values()} == {200}, found
    batch = pages["未完成的兑付批次"].text
    (said,) = [text for kind, _, text in found if kind == "未完成的兑付批次"]
    assert f"· {said.split()[0]}</h1>" in batch, "the page is that of the month that is named"
    assert "申报明细" in batch
    assert "范围间调剂" in signed_in("officer").get(f"{fund[1]}/transfers?envelope=").text
    assert "已核销" in pages["已核销未拨付"].text
