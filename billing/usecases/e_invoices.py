"""E-invoices: what to ask the tax bureau for, and which invoices have theirs.

An e-invoice is of the list price: what public money pays of a sale belongs to its price.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from billing.rules.e_invoices import unit_price
from billing.rules.meters import plain
from billing.rules.money import format_yuan, yuan
from billing.rules.periods import DEFAULT_ZONE, local_day
from billing.store import e_invoice_queries as store
from billing.store.e_invoices import EInvoice
from billing.usecases.e_invoice_layouts import current_layout
from billing.usecases.evidence import EvidenceContent, open_evidence
from billing.usecases.invoice_documents import InvoicePaper
from billing.usecases.invoice_drafts import check_period
from billing.usecases.invoice_papers import read_paper
from billing.usecases.invoicing import invoices_between
from tenants.kernel.errors import Conflict, FieldError, Invalid, NotFound
from tenants.kernel.messages import Message, msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.usecases import audit

MOST = 1000
Value = str | Decimal | None


@dataclass(frozen=True)
class RequestSheets:
    """An issuing request: headings and rows of the invoices, and of their lines."""

    invoice_header: tuple[str, ...]
    invoice_rows: tuple[tuple[Value, ...], ...]
    line_header: tuple[str, ...]
    line_rows: tuple[tuple[Value, ...], ...]
    lines_of: tuple[int, ...]
    """How many of the line rows belong to each invoice, in order."""


@dataclass(frozen=True)
class IssuedView:
    """An e-invoice; a red one has negative amounts and names the blue one that it takes back."""

    number: str
    document_no: str
    blue_number: str | None
    issued_on: date
    gross_fen: int
    vat_fen: int
    evidence_id: UUID
    imported_at: datetime


@dataclass(frozen=True)
class EInvoiceRow:
    """An invoice and its e-invoices. ``status`` is ``missing``, ``requested`` or ``issued``.

    ``red_missing`` are its credit notes that no red e-invoice is there for; only an invoice with a blue one has any.
    """

    invoice_id: UUID
    number: str
    park_id: UUID
    park_name: str
    period: str
    gross_fen: int
    vat_fen: int
    status: str
    requested_at: datetime | None
    issued: tuple[IssuedView, ...]
    red_missing: tuple[str, ...]


def list_e_invoices(work: Work, *, period: str) -> tuple[EInvoiceRow, ...]:
    """Return a month's invoices with what is issued for them: a park's own, for staff all."""
    work.actor.require(Permission.READ_INVOICE)
    check_period(period)
    rows = invoices_between(
        work, first_period=period, last_period=period, park_id=work.actor.tenant_id, limit=MOST * 10
    )
    ids = [row.id for row in rows]
    asked = store.requested_at(work.session, ids)
    issued: dict[UUID, list[IssuedView]] = {}
    for each in store.e_invoices_of(work.session, ids):
        issued.setdefault(each.invoice_id, []).append(issued_view(each))
    red: dict[UUID, list[str]] = {}
    for invoice_id, number in store.notes_without_red(work.session, issued.keys()):
        red.setdefault(invoice_id, []).append(number)
    return tuple(
        EInvoiceRow(
            invoice_id=row.id,
            number=row.number,
            park_id=row.park_id,
            park_name=row.park_name,
            period=row.period,
            gross_fen=row.gross_fen,
            vat_fen=row.vat_fen,
            status="issued" if row.id in issued else "requested" if row.id in asked else "missing",
            requested_at=asked.get(row.id),
            issued=tuple(issued.get(row.id, ())),
            red_missing=tuple(red.get(row.id, ())),
        )
        for row in rows
    )


def request_e_invoices(work: Work, *, invoice_ids: Sequence[UUID]) -> RequestSheets:
    """Return the issuing request of some invoices in the operator's columns, and note that they were asked for.

    Raises Invalid for none or too many, NotFound for an invoice that is not there, Conflict for one that is not issued
    or has its e-invoice, and while nobody has confirmed who issues.
    """
    work.actor.require(Permission.ISSUE_INVOICE)
    wanted = list(dict.fromkeys(invoice_ids))
    if not 0 < len(wanted) <= MOST:
        wrong = msg("请选择 1 至 {most} 张账单。", most=MOST)
        raise Invalid("e_invoice.choice", wrong, errors=[FieldError("invoice_ids", "e_invoice.choice", wrong)])
    papers = [read_paper(work, invoice_id=invoice_id) for invoice_id in wanted]
    have = {each.invoice_id for each in store.e_invoices_of(work.session, wanted)}
    for paper in papers:
        refused = _refused(paper, have)
        if refused is not None:
            raise Conflict("e_invoice.not_to_issue", refused)
    layout = current_layout(work).layout
    rows = [
        {
            "tenant_id": paper.invoice.park_id,
            "invoice_id": paper.invoice.id,
            "requested_by": work.actor.user_id,
            "requested_at": work.now,
        }
        for paper in papers
    ]
    store.note_requests(work.session, rows)
    numbers = [paper.invoice.number for paper in papers]
    audit.record(work, "e_invoice.request", "e_invoice_request", numbers[0], invoices=numbers)
    return _sheets(papers, layout)


def issued_view(row: EInvoice) -> IssuedView:
    """Return an e-invoice."""
    return IssuedView(**{name: getattr(row, name) for name in IssuedView.__dataclass_fields__})


def _refused(paper: InvoicePaper, have: set[UUID]) -> Message | None:
    invoice = paper.invoice
    if paper.issuer is None:
        return msg("开票信息尚未确认，不能申请开票。请先在「开票信息」中确认。")
    if invoice.status not in {"finalized", "paid"}:
        return msg("账单 {number} 未开具或已作废，不能申请开票。请取消选择。", number=invoice.number or "—")
    if invoice.id in have:
        return msg("账单 {number} 已有数电票。请取消选择。", number=invoice.number)
    return None


def _sheets(papers: Sequence[InvoicePaper], layout: Mapping[str, Any]) -> RequestSheets:
    heads, lines = layout["invoice"], layout["lines"]
    codes: Mapping[str, str] = layout.get("tax_codes") or {}
    per_invoice = [_line_values(paper, codes) for paper in papers]
    return RequestSheets(
        invoice_header=tuple(each["heading"] for each in heads),
        invoice_rows=tuple(_row(heads, _invoice_values(paper)) for paper in papers),
        line_header=tuple(each["heading"] for each in lines),
        line_rows=tuple(_row(lines, values) for rows in per_invoice for values in rows),
        lines_of=tuple(len(rows) for rows in per_invoice),
    )


def _row(columns: Sequence[Mapping[str, str]], values: Mapping[str, Value]) -> tuple[Value, ...]:
    return tuple(values[each["source"]] if "source" in each else each["text"] for each in columns)


def _invoice_values(paper: InvoicePaper) -> dict[str, Value]:
    invoice, issuer = paper.invoice, paper.issuer
    assert issuer is not None and invoice.finalized_at is not None  # noqa: S101, PT018 - refused before
    return {
        "document_no": invoice.number,
        "buyer_name": invoice.park_name,
        "buyer_uscc": paper.buyer_uscc,
        "seller_name": issuer.name,
        "seller_uscc": issuer.uscc,
        "seller_bank": issuer.bank,
        "seller_account": issuer.account,
        "period": invoice.period,
        "issued_on": local_day(invoice.finalized_at, DEFAULT_ZONE).isoformat(),
        "reference": invoice.payment_reference,
        "gross": yuan(invoice.gross_fen - invoice.discount_fen),
        "net": yuan(invoice.gross_fen - invoice.discount_fen - invoice.vat_fen),
        "vat": yuan(invoice.vat_fen),
        "subsidy": yuan(invoice.subsidy_fen),
        "payable": yuan(invoice.payable_fen),
        "remark": f"账单 {invoice.number}，账期 {invoice.period}，其中专项资金补贴 {format_yuan(invoice.subsidy_fen)} 元",
    }


def _line_values(paper: InvoicePaper, codes: Mapping[str, str]) -> list[dict[str, Value]]:
    return [
        {
            "document_no": paper.invoice.number,
            "line": str(line.line),
            "item_name": line.title or line.offering,
            "offering": line.offering,
            "tax_code": codes.get(line.offering, codes.get("", "")),
            "quantity": plain(line.quantity),
            "unit_price": unit_price(line.gross_fen - line.discount_fen, line.quantity),
            "gross": yuan(line.gross_fen - line.discount_fen),
            "net": yuan(line.gross_fen - line.discount_fen - line.vat_fen),
            "vat": yuan(line.vat_fen),
            "rate": f"{Decimal(line.vat_bp).scaleb(-4).normalize():f}",
        }
        for line in paper.invoice.lines
    ]


def open_e_invoice(work: Work, *, number: str) -> EvidenceContent:
    """Return the file of an e-invoice as it came; NotFound for another park's."""
    work.actor.require(Permission.READ_INVOICE)
    row = store.e_invoice(work.session, number)
    if row is None:
        raise NotFound("e_invoice.not_found", msg("没有找到该数电票。请从列表中重新打开。"))
    return open_evidence(work, evidence_id=row.evidence_id)
