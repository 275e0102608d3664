"""Invoices: what parks owe for a month, list price, the funds' part and the rest."""

from __future__ import annotations

from datetime import date
from typing import Literal
from uuid import UUID

from flask import Response
from pydantic import Field

from billing.usecases import invoice_papers, invoice_voids
from billing.usecases import invoicing as use_cases
from marketplace.api.artefacts import download
from marketplace.api.calls import call, command, noun, read
from marketplace.api.fields import (
    Amount,
    Answer,
    Body,
    ById,
    Idempotent,
    Moment,
    Name,
    Paged,
    Parameters,
    Period,
    Quantity,
)
from marketplace.api.quotes import Award
from marketplace.doors.identity import working
from marketplace.formats.invoice_tables import invoice_book
from marketplace.formats.tables import XLSX
from tenants.kernel.work import Work

invoices = noun("invoices", "What parks owe.")


class Issue(Body):
    """The month to issue now, to all parks or to one."""

    period: Period
    park_id: UUID | None = None


class InvoiceVoidWish(Body):
    """Why an invoice is to be voided."""

    reason: Name


class InvoiceRow(Answer):
    """An invoice in a list. ``gross_fen`` less ``discount_fen`` (of the whole invoice) contains ``vat_fen``, and is what fund
    and park pay; a transfer quotes ``payment_reference``.
    """

    id: UUID
    number: str
    park_id: UUID
    park_name: str
    period: str
    status: str
    gross_fen: Amount
    subsidy_fen: Amount
    discount_fen: Amount
    payable_fen: Amount
    vat_fen: Amount
    paid_fen: Amount
    due_on: date | None
    finalized_at: Moment | None
    payment_reference: str


class InvoiceLine(Answer):
    """One delivered service. ``paid`` says that the wallet paid it."""

    line: int
    offering: str
    title: str
    quantity: Quantity
    list_fen: Amount = Field(description="Less included_fen and agreed_discount_fen it is gross_fen")
    included: int = Field(
        description="Units that cost nothing: the park's plan includes them, or they repeat a delivery"
    )
    repeats: UUID | None = Field(description="The earlier run that was delivered again")
    included_fen: Amount = Field(description="What they would have cost")
    agreed_discount_fen: Amount = Field(description="What a discount took off before any subsidy")
    gross_fen: Amount
    subsidy_fen: Amount
    discount_fen: Amount = Field(description="The line's part of the invoice's discount, off the park's own part")
    payable_fen: Amount
    vat_bp: int
    vat_fen: Amount
    awards: list[Award]
    period: str
    paid: bool
    event_source: str
    event_id: str = Field(description="Empty in a draft for metered use that is charged when the invoice is issued")
    used_at: Moment


class Invoice(InvoiceRow):
    """An invoice with its lines. Somebody may have asked for it to be voided; a void one says why."""

    void_reason: str | None
    void_asked_at: Moment | None
    voided_at: Moment | None
    discount_id: UUID | None
    list_fen: Amount
    included_fen: Amount
    agreed_discount_fen: Amount
    lines: list[InvoiceLine]


class Invoices(Answer):
    """Invoices, newest first, a part of the list."""

    items: list[InvoiceRow]
    next_cursor: str | None = None


class InvoiceQuery(Paged):
    """Which invoices."""

    period: Period | None = None
    status: Literal["finalized", "paid", "void"] | None = None
    park_id: UUID | None = Field(None, description="For staff: one park's invoices")


@invoices.post("/invoices", **call(Invoices))
def issue_invoices(body: Issue, header: Idempotent) -> Response:
    """Issue a month's invoices now; those who have theirs keep it. Late use is not waited for: see /invoice-runs."""

    def issue(work: Work) -> Invoices:
        issued = use_cases.issue_invoices(work, period=body.period, park_id=body.park_id)
        return Invoices(items=[InvoiceRow.of(each) for each in issued])

    return command("invoice.issue", header, body, issue)


@invoices.get("/invoices", **call(Invoices))
def list_invoices(query: InvoiceQuery) -> Response:
    """List invoices."""
    return read(Invoices, lambda work: use_cases.list_invoices(work, **query.model_dump()))


@invoices.get("/invoices/<id>", **call(Invoice))
def read_invoice(path: ById) -> Response:
    """Read an invoice."""
    return read(Invoice, lambda work: use_cases.read_invoice(work, invoice_id=path.id))


@invoices.get("/invoices/<id>.pdf", **call(files=["application/pdf"]))
def invoice_pdf(path: ById) -> Response:
    """Download an invoice as a page."""
    with working() as work:
        content = invoice_papers.invoice_pdf(work, invoice_id=path.id)
    return download(f"invoice-{path.id}.pdf", "application/pdf", content)


@invoices.get("/invoices/<id>.xlsx", **call(files=[XLSX]))
def invoice_xlsx(path: ById) -> Response:
    """Download an invoice as a workbook."""
    with working() as work:
        paper = invoice_papers.read_paper(work, invoice_id=path.id)
        made_at = work.now
    return download(f"invoice-{path.id}.xlsx", XLSX, invoice_book(paper, made_at))


@invoices.post("/invoices/<id>/void", **call(Invoice))
def ask_void(path: ById, body: InvoiceVoidWish, header: Idempotent) -> Response:
    """Ask for an invoice of which nothing is paid to be voided; another person decides."""
    return command(
        "invoice.ask_void",
        header,
        body,
        lambda work: Invoice.of(invoice_voids.ask_void(work, invoice_id=path.id, reason=body.reason)),
        about={"id": str(path.id)},
    )


class VoidParameters(Parameters):
    """What the deciding person has looked at."""

    none_issued: bool = Field(False, description="The tax bureau has issued no e-invoice, where one was asked for")


@invoices.post("/invoices/<id>/void/approval", **call(Invoice))
def void_invoice(path: ById, query: VoidParameters, header: Idempotent) -> Response:
    """Void an invoice that another person asked to be voided; its deliveries go to the next one."""
    return command(
        "invoice.void",
        header,
        None,
        lambda work: Invoice.of(invoice_voids.void_invoice(work, invoice_id=path.id, none_issued=query.none_issued)),
        about={"id": str(path.id), "none_issued": query.none_issued},
    )


@invoices.post("/invoices/<id>/void/refusal", **call(Invoice))
def refuse_void(path: ById, header: Idempotent) -> Response:
    """Let an invoice stand that somebody asked to be voided."""
    return command(
        "invoice.refuse_void",
        header,
        None,
        lambda work: Invoice.of(invoice_voids.refuse_void(work, invoice_id=path.id)),
        about={"id": str(path.id)},
    )
