"""Invoices as files, behind the API and the pages: issuers by two people, workbooks, batches."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from uuid import UUID

import openpyxl
import pytest

from marketplace.usecases import invoice_batches
from tenants.kernel.context import system_actor
from tests.billing.test_issuers import ISSUER
from tests.support.province import Province
from tests.support.sales import sold_inspection
from tests.support.visitor import Visitor
from tests.support.web import Caller
from tests.web.conftest import signed_in

__all__ = ["signed_in"]

Enter = Callable[[str], Visitor]


@pytest.fixture
def park(province: Province) -> Caller:
    """A park with an invoice for March."""
    province.fund()
    park = province.park(1)
    sold_inspection(province, park)
    issued = province.finance.post("/invoices", {"period": "2026-03"})
    assert issued.status_code == 200, issued.text
    return park


def work_off(province: Province, batch: str) -> None:
    """Do what the queue's worker does."""
    invoice_batches.run_batch(province.workshop, system_actor("job"), batch_id=UUID(batch))


def test_an_issuer_is_proposed_by_the_operator_and_confirmed_by_finance(province: Province, park: Caller) -> None:
    proposed = province.operator.post("/invoice-issuers", ISSUER)
    assert proposed.status_code == 201, proposed.text
    address = f"/invoice-issuers/{proposed.get_json()['id']}/confirmation"
    assert province.operator.post(address).status_code == 403
    assert province.finance.post(address).get_json()["is_current"] is True
    assert province.finance.post(address).get_json()["code"] == "issuer.confirmed"
    wrong = province.operator.post("/invoice-issuers", ISSUER | {"uscc": "1", "account": "x"}).get_json()
    assert {each["field"] for each in wrong["errors"]} == {"uscc", "account"}
    assert [each["account"] for each in province.finance.get("/invoice-issuers").get_json()["items"]] == [
        "4199050101000175"
    ]
    for nobody in (park, province.officer, province.lab):
        assert nobody.get("/invoice-issuers").status_code == 403
    park_id = park.get("/me").get_json()["park"]["id"]
    given = province.finance.post(f"/parks/{park_id}/virtual-account", {"account": "6222000011"})
    assert given.get_json() == {"park_id": park_id, "account": "6222000011"}
    assert province.operator.post(f"/parks/{park_id}/virtual-account", {"account": "1"}).status_code == 403
    assert park.post(f"/parks/{park_id}/virtual-account", {"account": "6222000012"}).status_code == 403
    (row,) = park.get("/invoices").get_json()["items"]
    workbook = park.get(f"/invoices/{row['id']}.xlsx")
    sheet = openpyxl.load_workbook(io.BytesIO(workbook.data))["账单"]
    front = {row[0]: row[1] for row in sheet.iter_rows(min_row=2, values_only=True)}
    assert (front["开具方"], front["贵方专用账号"]) == ("园区技术服务有限公司", "6222000011")
    assert province.park(2).get(f"/invoices/{row['id']}.xlsx").status_code == 404


def test_a_batch_is_asked_for_watched_and_downloaded(province: Province, park: Caller) -> None:
    wish = {"kind": "pdf", "first_period": "2026-03"}
    asked = province.finance.post("/invoice-batches", wish, key="k")
    assert (asked.status_code, asked.get_json()["status"], asked.get_json()["total"]) == (202, "queued", 1)
    batch = asked.get_json()["id"]
    early = province.finance.get(f"/invoice-batches/{batch}.zip")
    assert (early.status_code, early.get_json()["code"]) == (409, "invoice_batch.not_done")
    work_off(province, batch)
    read = province.finance.get(f"/invoice-batches/{batch}").get_json()
    assert (read["status"], read["done"]) == ("done", 1)
    sent = province.finance.get(f"/invoice-batches/{batch}.zip")
    assert sent.headers["ETag"] == f'"{read["sha256"]}"'
    assert len(zipfile.ZipFile(io.BytesIO(sent.data)).namelist()) == 2
    assert province.finance.post(f"/invoice-batches/{batch}/cancel").get_json()["code"] == "invoice_batch.ended"
    assert park.get(f"/invoice-batches/{batch}").status_code == 404
    assert park.get(f"/invoice-batches/{batch}.zip").status_code == 404
    assert park.get("/invoice-batches").get_json()["items"] == []
    assert province.operator.post("/invoice-batches", wish).status_code == 403
    none = province.finance.post("/invoice-batches", wish | {"first_period": "2025-01"})
    assert (none.status_code, none.get_json()["code"]) == (404, "invoice_batch.empty")


@pytest.mark.usefixtures("park")
def test_pages_lead_from_the_issuer_to_the_zip(province: Province, signed_in: Enter) -> None:
    operator, finance = signed_in("operator"), signed_in("finance")
    operator.get("/issuer")
    refused = operator.post("/issuer", ISSUER | {"account": "12"})
    assert (refused.status_code, 'id="e-account"' in refused.text) == (422, True)
    page = operator.follow(operator.post("/issuer", ISSUER))
    assert "待财务确认" in page.text
    assert "园区专用账号" not in page.text
    page = finance.get("/issuer")
    address = page.text.partition('action="/issuer/')[2]
    confirmation = next(
        part.partition('"')[0] for part in page.text.split('action="')[1:] if part.partition('"')[0].endswith("ation")
    )
    assert address
    assert ISSUER["name"] in finance.follow(finance.post(confirmation)).text
    empty = finance.post("/invoice-batches", {"kind": "pdf", "first_period": "2025-01"})
    assert (empty.status_code, "没有已开具的账单" in empty.text) == (404, True)
    finance.get("/invoice-batches")
    led = finance.post("/invoice-batches", {"kind": "xlsx", "first_period": "2026-03"})
    where = led.headers["Location"]
    assert 'hx-trigger="every 1s"' in finance.follow(led).text
    work_off(province, where.rsplit("/", 1)[-1])
    live = finance.get(f"{where}/live")
    assert ("下载压缩文件" in live.text, "hx-get" in live.text) == (True, False)
    assert finance.get(f"{where}.zip").mimetype == "application/zip"
    assert "XLSX" in finance.get("/invoice-batches").text
    assert "Download invoices in bulk" in finance.get("/invoice-batches?lang=en").text
    assert "Dedicated accounts of parks" in finance.get("/issuer?lang=en").text
    assert signed_in("admin1").get("/issuer").status_code == 403
    assert signed_in("admin1").get(where).status_code == 404
