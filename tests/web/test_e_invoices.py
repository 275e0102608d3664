"""E-invoices through the API and the pages: finance asks and imports, a park sees its own, the operator sets columns."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable

import openpyxl
import pytest

from billing.rules.e_invoices import DEFAULT_LAYOUT
from tests.billing.test_e_invoices import BLUE, BOMB, xml
from tests.billing.test_issuers import ISSUER
from tests.support.province import Province
from tests.support.sales import sold_inspection
from tests.support.visitor import Visitor
from tests.support.web import Caller

Enter = Callable[[str], Visitor]


@pytest.fixture
def park(province: Province) -> Caller:
    """A park with an invoice of 600 yuan, 33.96 of it VAT, and a confirmed issuer."""
    province.fund()
    park = province.park(1)
    sold_inspection(province, park)
    assert province.finance.post("/invoices", {"period": "2026-03"}).status_code == 200
    proposed = province.operator.post("/invoice-issuers", ISSUER).get_json()
    assert province.finance.post(f"/invoice-issuers/{proposed['id']}/confirmation").status_code == 200
    return park


def listed(caller: Caller) -> list[tuple[str, str]]:
    items = caller.get("/e-invoices?period=2026-03").get_json()["items"]
    return [(each["number"], each["status"]) for each in items]


def test_finance_asks_and_imports_behind_the_api(province: Province, park: Caller) -> None:
    ((number, missing),) = listed(province.finance)
    assert missing == "missing"
    invoice = province.finance.get("/invoices").get_json()["items"][0]["id"]
    wish = {"invoice_ids": [invoice]}
    book = openpyxl.load_workbook(io.BytesIO(province.finance.post("/e-invoices/requests", wish).data))
    assert book.sheetnames == ["1-发票基本信息", "2-发票明细信息"]
    assert book["1-发票基本信息"]["A2"].value == number
    sent = province.finance.post("/e-invoices/requests", wish | {"format": "csv"})
    rows = list(csv.reader(io.StringIO(sent.data.decode("utf-8-sig"))))
    assert (rows[0][0], rows[1][0], rows[1][rows[0].index("金额")]) == ("发票流水号", number, "600.00")
    assert listed(park) == [(number, "requested")]
    for nobody in (park, province.operator, province.officer, province.lab):
        assert nobody.post("/e-invoices/requests", wish).status_code == 403
        assert nobody.post("/e-invoices/imports", data=b"<a/>", content_type="application/xml").status_code == 403
    content = xml(f"账单 {number}", "600.00", "33.96")
    path = "/e-invoices/imports?name=a.xml"
    done = province.finance.post(path, data=content, content_type="application/xml").get_json()
    assert [(each["outcome"], each["number"]) for each in done["items"]] == [("recorded", BLUE)]
    bad = province.finance.post(path, data=BOMB, content_type="application/xml").get_json()["items"][0]
    assert (bad["outcome"], bad["code"]) == ("refused", "e_invoice.doctype")
    assert "已拒绝" in bad["reason"]
    assert park.get(f"/e-invoices/{BLUE}.xml").data == content
    other = province.park(2)
    assert (listed(other), other.get(f"/e-invoices/{BLUE}.xml").status_code) == ([], 404)
    assert province.finance.post("/e-invoices/requests", wish).get_json()["code"] == "e_invoice.not_to_issue"


def test_the_operator_sets_the_columns(province: Province) -> None:
    found = province.operator.get("/e-invoices/layout").get_json()
    assert (found["layout"], found["set_at"]) == (dict(DEFAULT_LAYOUT), None)
    changed = dict(DEFAULT_LAYOUT) | {"tax_codes": {"ai-leads": "3040201000000000000"}}
    assert province.operator.post("/e-invoices/layout", {"layout": changed}).get_json()["layout"] == changed
    wrong = province.finance.post("/e-invoices/layout", {"layout": {"invoice": []}})
    assert wrong.status_code == 422
    assert "layout.invoice" in {each["field"] for each in wrong.get_json()["errors"]}
    assert province.officer.get("/e-invoices/layout").status_code == 403


@pytest.mark.usefixtures("park")
def test_the_pages_say_what_is_missing_and_what_was_refused(province: Province, signed_in: Enter) -> None:
    finance = signed_in("finance")
    page = finance.get("/e-invoices?period=2026-03").text
    invoice = page.partition('name="invoice_id" value="')[2].partition('"')[0]
    assert "未开具" in page
    nothing = finance.post("/e-invoices/requests", {"period": "2026-03"})
    assert (nothing.status_code, "请选择" in nothing.text) == (422, True)
    sent = finance.post("/e-invoices/requests", {"invoice_id": invoice, "format": "csv"})
    assert sent.mimetype == "text/csv"
    number = province.finance.get("/invoices").get_json()["items"][0]["number"]
    finance.get("/e-invoices")
    files = [
        (io.BytesIO(xml(number, "599.00", "33.91")), "wrong.xml"),
        (io.BytesIO(BOMB), "bomb.xml"),
        (io.BytesIO(xml(number, "600.00", "33.96")), "good.xml"),
    ]
    done = finance.post("/e-invoices/imports", {"files": files, "period": "2026-03"}).text
    for told in ("相差 -1.00", "文档类型", BLUE, "已登记", "已拒收"):
        assert told in done, told
    empty = finance.post("/e-invoices/imports", {"period": "2026-03"})
    assert (empty.status_code, "请选择数电票" in empty.text) == (422, True)
    shown = signed_in("admin1").get("/e-invoices?period=2026-03&lang=en").text
    assert BLUE in shown
    assert "Import issued e-invoices" not in shown
    operator = signed_in("operator")
    operator.get("/e-invoices/layout")
    assert operator.post("/e-invoices/layout", {"layout": "{"}).status_code == 422
    twice = json.dumps(dict(DEFAULT_LAYOUT) | {"lines": []})
    assert "layout.lines" in operator.post("/e-invoices/layout", {"layout": twice}).text
    assert operator.post("/e-invoices/layout", {"layout": json.dumps(dict(DEFAULT_LAYOUT))}).status_code == 303
    assert operator.get("/e-invoices").status_code == 403
    assert signed_in("admin1").get("/e-invoices/layout").status_code == 403
