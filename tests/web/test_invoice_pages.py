"""Pages of invoices: what finance issues, and what a park finds behind a line in two clicks."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape

from tenants.kernel.vocabulary import Role
from tests.support.parks import colleague
from tests.support.province import Province
from tests.support.sales import sold_inspection
from tests.support.visitor import Visitor, form_value

Enter = Callable[[str], Visitor]


def links(text: str, pattern: str) -> list[str]:
    """Return the addresses on a page that match."""
    return [unescape(each) for each in re.findall(r'href="([^"]+)"', text) if re.search(pattern, unescape(each))]


def test_a_line_leads_to_its_event_and_the_use_to_its_line(province: Province, signed_in: Enter) -> None:
    province.fund()
    order, _ = sold_inspection(province, province.park())
    (row,) = province.finance.post("/invoices", {"period": "2026-03"}).get_json()["items"]
    park = signed_in("admin1")
    (address,) = links(park.get(f"/invoices/{row['id']}").text, "/lines/")
    page = park.get(address)
    assert page.status_code == 200, page.text
    for said in ("已列入账单", "v1", "r.pdf", "inspection-hours", row["number"], f"/orders/{order}"):
        assert said in page.text
    (back,) = links(park.get("/usage").text, r"/usage/event\?")
    assert row["number"] in park.get(back).text
    assert park.get(f"/invoices/{row['id']}/lines/9").status_code == 404
    assert park.get(f"/invoices/{row['id']}/lines/99999999999999999999").status_code == 404
    park.get("/language/en")
    assert "On an invoice" in park.get(address).text


def test_finance_looks_at_drafts_and_lets_a_run_issue_them(province: Province, signed_in: Enter) -> None:
    province.fund()
    parks = [province.park(number) for number in (1, 2)]
    for park in parks:
        sold_inspection(province, park)
    finance = signed_in("finance")
    page = finance.get("/invoices/drafts?period=2026-03")
    assert "迟到的用量等候至" in page.text
    first, second = links(page.text, "/invoices/drafts/2026-03/")
    assert "扫描" in finance.get(first).text or "检测" in finance.get(first).text
    issued = finance.follow(finance.post(first))
    assert "PTM-2026-000001" in issued.text
    finance.get("/invoices/drafts?period=2026-03")
    early = finance.post("/invoices/runs", {"period": "2026-03"})
    assert (early.status_code, "确认不再等候" in early.text) == (409, True)
    started = finance.follow(finance.post("/invoices/runs", {"period": "2026-03", "before_grace_ends": "yes"}))
    assert "0 / 1" in started.text
    assert finance.get("/invoices/drafts?period=nonsense").status_code == 200
    own = signed_in("admin2").get("/invoices/drafts?period=2026-03")
    assert second in unescape(own.text)
    assert first not in unescape(own.text)
    assert "/invoices/runs" not in own.text
    assert signed_in("admin2").get(first).status_code == 404


def test_an_invoice_is_voided_on_its_page_by_two(province: Province, signed_in: Enter) -> None:
    province.fund()
    sold_inspection(province, province.park())
    (row,) = province.finance.post("/invoices", {"period": "2026-03"}).get_json()["items"]
    address, finance = f"/invoices/{row['id']}", signed_in("finance")
    finance.get(address)
    bare = finance.post(f"{address}/void", {"reason": ""})
    assert (bare.status_code, 'id="e-reason"' in bare.text) == (422, True)
    finance.follow(finance.post(f"{address}/void", {"reason": "抬头有误"}))
    refused = finance.post(f"{address}/void/decision", {"decision": "void"})
    assert (refused.status_code, "申请人以外的人" in refused.text) == (409, True)
    second = signed_in(colleague(province.workshop, "finance", Role.FINANCE))
    second.get(address)
    assert "已于" in second.follow(second.post(f"{address}/void/decision", {"decision": "void"})).text
    assert "抬头有误" in signed_in("admin1").get(address).text


def test_the_operator_sets_the_days_of_grace(province: Province, signed_in: Enter) -> None:
    assert signed_in("finance").get("/invoices/settings").status_code == 403
    operator = signed_in("operator")
    assert 'value="3"' in operator.get("/invoices/settings").text
    wrong = operator.post("/invoices/settings", {"grace_days": "x", "alone_up_to": "1"})
    assert (wrong.status_code, 'id="e-grace_days"' in wrong.text) == (422, True)
    saved = operator.follow(operator.post("/invoices/settings", {"grace_days": "5", "alone_up_to": "2000.50"}))
    assert 'value="5"' in saved.text
    assert 'value="2000.50"' in saved.text


def test_a_credit_note_is_made_from_the_invoice_and_confirmed_by_another(province: Province, signed_in: Enter) -> None:
    province.fund()
    sold_inspection(province, province.park())
    (row,) = province.finance.post("/invoices", {"period": "2026-03"}).get_json()["items"]
    address, finance = f"/invoices/{row['id']}/credit-note", signed_in("finance")
    assert address in finance.get(f"/invoices/{row['id']}").text
    assert signed_in("admin1").get(address).status_code == 403
    key = form_value(finance.get(address), "key")
    wanted = {"key": key, "cause": "wrong", "reason": "样品不符", "agreement": "来函 3 号"}
    empty = finance.post(address, wanted)
    assert (empty.status_code, "至少选择一行" in empty.text) == (422, True)
    much = finance.post(address, wanted | {"line_1": "600.01"})
    assert (much.status_code, 'id="e-line_1"' in much.text) == (422, True)
    shown = [finance.follow(finance.post(address, wanted | {"line_1": "100"})).text for _ in range(2)]
    assert all("PTM-CN-2026-000001" in text for text in shown)
    province.operator.post("/invoice-settings", {"grace_days": 3, "alone_up_to_fen": 0})
    waiting = finance.post(address, wanted | {"key": "", "line_1": "50"}).headers["Location"]
    refused = finance.post(f"{waiting}/decision", {"decision": "issue"})
    assert (refused.status_code, "申请人以外的人" in refused.text) == (409, True)
    second = signed_in(colleague(province.workshop, "finance", Role.FINANCE))
    second.get(waiting)
    assert "PTM-CN-2026-000002" in second.follow(second.post(f"{waiting}/decision", {"decision": "issue"})).text
    park = signed_in("admin1")
    assert "PTM-CN-2026-000001" in park.get("/credit-notes").text
    assert "PTM-CN-2026-000002" in park.get(f"/invoices/{row['id']}").text
    assert park.get(f"{waiting}.pdf").data.startswith(b"%PDF")


def test_a_line_is_charged_the_rest_from_the_invoice_and_found_on_the_next(
    province: Province, signed_in: Enter
) -> None:
    province.fund()
    sold_inspection(province, province.park())
    (row,) = province.finance.post("/invoices", {"period": "2026-03"}).get_json()["items"]
    address, finance = f"/invoices/{row['id']}/adjustment", signed_in("finance")
    assert address in finance.get(f"/invoices/{row['id']}").text
    assert signed_in("admin1").get(address).status_code == 403
    wanted = {"key": form_value(finance.get(address), "key"), "line": "1", "amount": "80.00", "reason": "漏计一小时"}
    wrong = finance.post(address, wanted | {"amount": "0", "reason": ""})
    assert (wrong.status_code, 'id="e-amount"' in wrong.text, 'id="e-reason"' in wrong.text) == (422, True, True)
    assert finance.post(address, wanted | {"line": "abc"}).status_code == 404
    shown = [finance.follow(finance.post(address, wanted)).text for _ in range(2)]
    assert all("将列入下一张账单" in text for text in shown)
    province.operator.post("/invoice-settings", {"grace_days": 3, "alone_up_to_fen": 0})
    waiting = finance.post(address, wanted | {"key": ""}).headers["Location"]
    refused = finance.post(f"{waiting}/decision", {"decision": "charge"})
    assert (refused.status_code, "申请人以外的人" in refused.text) == (409, True)
    assert "已补收" in finance.get("/adjustments").text
    park = signed_in("admin1")
    (mine,) = links(park.get("/adjustments").text, r"/adjustments/[0-9a-f-]{36}")
    (event,) = links(park.get(mine).text, r"/usage/event\?")
    assert "漏计一小时" in park.get(event).text
    assert mine in park.get(f"/invoices/{row['id']}").text
    park.get("/language/en")
    assert "Charged" in park.get("/adjustments").text
    assert park.get(waiting).status_code == 404
