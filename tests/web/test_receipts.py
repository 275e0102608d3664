"""Money that arrives on a park's virtual account, and an invoice that an e-invoice was asked for: by API and on pages."""

from __future__ import annotations

from collections.abc import Callable

from tenants.kernel.vocabulary import Role
from tests.billing.test_issuers import ISSUER
from tests.support.parks import colleague
from tests.support.province import Province
from tests.support.sales import sold_inspection
from tests.support.visitor import Visitor

Enter = Callable[[str], Visitor]


def test_a_receipt_is_of_the_account_it_arrived_on_and_a_contradiction_waits(
    province: Province, signed_in: Enter
) -> None:
    parks = [province.park(number).get("/me").get_json()["park"] for number in (1, 2)]
    for number, park in enumerate(parks):
        account = {"account": f"622200000000000{number}"}
        assert province.finance.post(f"/parks/{park['id']}/virtual-account", account).status_code == 200
    content = (
        "交易日期,交易流水号,贷方金额,对方户名,摘要,虚拟账号\n"
        "2026-03-02,R1,10,某园区,货款,6222000000000000\n"
        f"2026-03-02,R2,10,某园区,{parks[1]['payment_reference']},6222000000000000\n"
    ).encode()
    taken = province.finance.post("/bank-statements?name=a.csv", data=content, content_type="text/csv").get_json()
    assert [(each["park_id"], each["disagrees"]) for each in taken["lines"]] == [(parks[0]["id"], False), (None, True)]
    assert {each["park_by_account"] for each in taken["lines"]} == {parks[0]["id"]}
    (found,) = province.finance.get("/reconciliation?period=2026-03").get_json()["breaks"]
    assert (found["kind"], found["key"]) == ("payer_disagrees", "R2")
    finance = signed_in("finance")
    page = finance.get("/books?period=2026-03").text
    assert "账号与附言不一致" in page
    assert f"到账账号 6222000000000000 属于 {parks[0]['name']}" in page
    finance.get("/language/en")
    assert "Account and text disagree" in finance.get("/books?period=2026-03").text


def test_a_void_looks_for_the_e_invoice(province: Province, signed_in: Enter) -> None:
    province.fund()
    sold_inspection(province, province.park())
    proposed = province.operator.post("/invoice-issuers", ISSUER).get_json()
    assert province.finance.post(f"/invoice-issuers/{proposed['id']}/confirmation").status_code == 200
    (row,) = province.finance.post("/invoices", {"period": "2026-03"}).get_json()["items"]
    assert province.finance.post("/e-invoices/requests", {"invoice_ids": [row["id"]]}).status_code == 200
    asked = province.finance.post(f"/invoices/{row['id']}/void", {"reason": "抬头有误"})
    assert asked.status_code == 200, asked.text
    login = colleague(province.workshop, "finance", Role.FINANCE)
    second = province.caller(login)
    unsure = second.post(f"/invoices/{row['id']}/void/approval")
    assert (unsure.status_code, unsure.get_json()["code"]) == (409, "invoice.e_invoice_requested")
    page = signed_in(login)
    page.get(f"/invoices/{row['id']}")
    refused = page.post(f"/invoices/{row['id']}/void/decision", {"decision": "void"})
    assert (refused.status_code, 'name="none_issued"' in refused.text) == (409, True)
    done = page.follow(page.post(f"/invoices/{row['id']}/void/decision", {"decision": "void", "none_issued": "yes"}))
    assert "抬头有误" in done.text
    assert province.finance.get(f"/invoices/{row['id']}").get_json()["status"] == "void"
