"""Invoices: the list, one invoice with both payers' parts, and its PDF and workbook."""

from __future__ import annotations

from flask import Response, make_response, request, url_for

from billing.usecases import adjustments, credit_notes, invoice_papers, invoice_voids, invoicing, payments, wallets
from marketplace.api.artefacts import download
from marketplace.formats.invoice_tables import invoice_book
from marketplace.formats.tables import XLSX
from marketplace.web.pages import field, go, id_of, page_group, page_work
from marketplace.web.refusals import Refusal, refusal_of
from marketplace.web.rendering import show
from tenants.kernel.errors import Conflict, Invalid
from tenants.kernel.vocabulary import Permission

pages = page_group("invoices")


@pages.get("/invoices")
def invoices() -> Response:
    """Show invoices, newest first."""
    with page_work() as work:
        page = invoicing.list_invoices(work, limit=30, cursor=request.args.get("cursor"))
    return show("invoices/list.html", page=page)


@pages.get("/invoices/<invoice_id>")
def invoice(invoice_id: str) -> Response:
    """Show one invoice."""
    return _page(invoice_id, None)


@pages.get("/invoices/<invoice_id>.pdf")
def pdf(invoice_id: str) -> Response:
    """Send an invoice as a PDF."""
    with page_work() as work:
        found = invoicing.read_invoice(work, invoice_id=id_of(invoice_id))
        content = invoice_papers.invoice_pdf(work, invoice_id=found.id)
    response = make_response(content)
    response.headers["Content-Type"] = "application/pdf"
    response.headers.set("Content-Disposition", "inline", filename=f"{found.number or 'draft'}.pdf")
    return response


@pages.get("/invoices/<invoice_id>.xlsx")
def xlsx(invoice_id: str) -> Response:
    """Send an invoice as a workbook."""
    with page_work() as work:
        paper = invoice_papers.read_paper(work, invoice_id=id_of(invoice_id))
        made_at = work.now
    return download(f"{paper.invoice.number or 'draft'}.xlsx", XLSX, invoice_book(paper, made_at))


@pages.post("/invoices/<invoice_id>/pay")
def pay(invoice_id: str) -> Response:
    """Pay an invoice from the wallet."""
    try:
        with page_work() as work:
            payments.pay_invoice_from_wallet(work, invoice_id=id_of(invoice_id))
    except Conflict as problem:
        return _page(invoice_id, refusal_of(problem))
    return go(url_for("invoices.invoice", invoice_id=invoice_id))


@pages.post("/invoices/<invoice_id>/void")
def ask_void(invoice_id: str) -> Response:
    """Ask for an invoice to be voided."""
    try:
        with page_work() as work:
            invoice_voids.ask_void(work, invoice_id=id_of(invoice_id), reason=field("reason"))
    except (Conflict, Invalid) as problem:
        return _page(invoice_id, refusal_of(problem))
    return go(url_for("invoices.invoice", invoice_id=invoice_id))


@pages.post("/invoices/<invoice_id>/void/decision")
def decide_void(invoice_id: str) -> Response:
    """Void an invoice that somebody else asked to be voided, or let it stand."""
    try:
        with page_work() as work:
            if field("decision") == "void":
                sure = field("none_issued") == "yes"
                invoice_voids.void_invoice(work, invoice_id=id_of(invoice_id), none_issued=sure)
            else:
                invoice_voids.refuse_void(work, invoice_id=id_of(invoice_id))
    except Conflict as problem:
        return _page(invoice_id, refusal_of(problem))
    return go(url_for("invoices.invoice", invoice_id=invoice_id))


def _page(invoice_id: str, refusal: Refusal | None) -> Response:
    with page_work() as work:
        paper = invoice_papers.read_paper(work, invoice_id=id_of(invoice_id))
        found = paper.invoice
        notes = credit_notes.list_credit_notes(work, invoice_id=found.id, limit=100).items
        adjusted = adjustments.list_adjustments(work, invoice_id=found.id, limit=100).items
        own = work.actor.tenant_id is not None and work.actor.may(Permission.READ_WALLET)
        wallet = wallets.read_wallet(work, park_id=found.park_id) if own else None
    status = 200 if refusal is None else refusal.status
    return show(
        "invoices/invoice.html",
        status=status,
        refusal=refusal,
        invoice=found,
        funds=paper.fund_names,
        wallet=wallet,
        notes=notes,
        adjusted=adjusted,
    )
