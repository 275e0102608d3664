"""A province whose programmes pay after the delivery, and deliveries that are paid, behind API and pages."""

from __future__ import annotations

import hashlib
from uuid import UUID

from billing.usecases import invoicing, payments
from marketplace.demo import world
from marketplace.usecases import fulfilment
from services.usecases import runs
from tenants.kernel.context import system_actor
from tests.support.billing_world import statement
from tests.support.province import Province
from tests.support.web import Caller

MANIFEST = b'{"files": []}'
TWIN = {"offering": "digital-twin-run", "request": {"demo": True}}


def later_programme(province: Province, mode: str, rate_bp: int = 2000) -> None:
    """Let the officer write a programme that pays parks after the delivery, and the approver approve it."""
    made = province.officer.post(
        "/programmes", {"slug": mode, "name": f"政策{mode}", "name_en": f"Programme {mode}", "bounds": {}}
    ).get_json()
    document = {
        "mode": mode,
        "base": "gross",
        "window": {"from": "2026-03-02", "to": "2028-01-01"},
        "rates": [{"rate_bp": rate_bp}],
        "funders": [{"fund": world.FUND_SLUG, "share_bp": 10000}],
        "shortfall": "partial",
        "payee": "tenant",
        "claim_days": 180,
    }
    written = province.officer.post(f"/programmes/{made['id']}/versions", {"policy": document})
    assert written.status_code == 201, written.text
    for caller, step in ((province.officer, "submission"), (province.approver, "approval")):
        assert caller.post(f"/programmes/{made['id']}/versions/1/{step}").status_code == 200


def deliver(province: Province, park: Caller) -> str:
    """Order a twin run, let its result come in and settle it; return the order's number."""
    quote = park.post("/quotes", {"lines": [TWIN]}).get_json()
    order = park.post("/orders", {"quote_id": quote["id"]}).get_json()
    run_id = UUID(order["lines"][0]["run"]["id"])
    worker = system_actor("worker", tenant_id=UUID(order["park_id"]))
    with province.workshop.work(worker) as work:
        runs.begin_run(work, run_id=run_id)
    digest = hashlib.sha256(MANIFEST).hexdigest()
    with province.workshop.work(worker) as work:
        files = {"manifest.json": MANIFEST}
        assert runs.finish_run(work, run_id=run_id, files=files, kpis={}, manifest_sha256=digest)
    with province.workshop.work(worker) as work:
        fulfilment.complete_run(work, run_id=run_id)
    return str(order["number"])


def pay(province: Province) -> None:
    """Issue this month's invoices, and let each be paid by bank transfer."""
    finance = system_actor("finance")
    with province.workshop.work(finance) as work:
        issued = invoicing.issue_invoices(work, period=f"{work.now:%Y-%m}")
    for number, invoice in enumerate(issued):
        yuan = f"{invoice.payable_fen // 100}.{invoice.payable_fen % 100:02d}"
        content = statement([(f"T{number}", yuan, invoice.payment_reference)])
        with province.workshop.work(finance) as work:
            assert payments.import_statement(work, name=f"{number}.csv", content=content).matched == 1
