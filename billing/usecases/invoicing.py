"""Invoices: once per park and month, numbered without a gap, and never changed afterwards.

An invoice holds all usage up to its month that is on no invoice yet; usage that came late is on the next one, as a
line that names its own month. It becomes final in the transaction that drafts it, so no draft is ever seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from billing.rules import ledger
from billing.rules.invoices import (
    LEGAL_ENTITY,
    BilledLine,
    InvoiceStatus,
    Totals,
    due_on,
    invoice_number,
    totals,
)
from billing.rules.money import vat_of_gross
from billing.rules.periods import DEFAULT_ZONE, local_day, month_name, parse_month
from billing.store import invoice_queries, return_queries
from billing.store.books import post_journal
from billing.store.invoices import Invoice, InvoiceLine
from billing.store.payments import Allocation, Payment
from billing.store.usage import RatedUsage
from billing.usecases.invoice_views import InvoiceLineView, InvoiceRow, InvoiceView, line_view, row_fields
from tenants.kernel.errors import Conflict, FieldError, Invalid, NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import msg
from tenants.kernel.paging import Page, check_limit, decode_cursor, page_of
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.usecases import audit, onboarding

__all__ = [
    "InvoiceLineView",
    "InvoiceRow",
    "InvoiceView",
    "invoices_between",
    "issue_invoices",
    "list_invoices",
    "read_invoice",
]

WRITTEN_AT_ONCE = 200


def issue_invoices(work: Work, *, period: str) -> tuple[InvoiceRow, ...]:
    """Issue the invoices of a month (``YYYY-MM``) to all parks that used something, and return that month's invoices.

    Issuing again changes nothing for parks that have theirs. Two who issue at once do so one after the other. Raises
    Invalid for a text that is no month, Conflict for a month that has not begun.
    """
    work.actor.require(Permission.ISSUE_INVOICE)
    check_period(period)
    if period > month_name(work.now):
        raise Conflict(
            "invoice.period_not_begun", msg("{period} 尚未开始，不能开票。请选择已有用量的月份。", period=period)
        )
    year = local_day(work.now, DEFAULT_ZONE).year
    last = invoice_queries.lock_counter(work.session, LEGAL_ENTITY, year)
    serial = last
    rows = _empty_rows()
    credits_of = return_queries.waiting_credits(work.session)
    for tenant_id, usages in invoice_queries.pending_usage(work.session, period):
        serial += 1
        credited = [each for usage in usages for each in credits_of.get(usage.id, ())]
        _finalise(work, rows, tenant_id, period, usages, invoice_number(LEGAL_ENTITY, year, serial), credited)
        if len(rows[Invoice]) >= WRITTEN_AT_ONCE:
            invoice_queries.insert_rows(work.session, rows)
            rows = _empty_rows()
    invoice_queries.insert_rows(work.session, rows)
    if serial > last:
        invoice_queries.set_counter(work.session, LEGAL_ENTITY, year, serial)
        audit.record(work, "invoice.issue", "period", period, count=serial - last)
    found = invoice_queries.invoice_page(
        work.session, period=period, park_id=None, status=None, before=None, limit=None
    )
    return _rows(work, found)


def list_invoices(
    work: Work,
    *,
    period: str | None = None,
    park_id: UUID | None = None,
    status: str | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> Page[InvoiceRow]:
    """Return invoices, newest first: a park's own, for staff those of ``park_id`` or of all parks."""
    work.actor.require(Permission.READ_INVOICE)
    found = invoice_queries.invoice_page(
        work.session,
        period=period,
        park_id=park_id,
        status=status,
        before=decode_cursor(cursor),
        limit=check_limit(limit) + 1,
    )
    page = page_of(found, limit, lambda row: row, lambda row: (row.created_at, row.id))
    return Page(_rows(work, page.items), page.next_cursor)


def invoices_between(
    work: Work, *, first_period: str, last_period: str, park_id: UUID | None, limit: int
) -> tuple[InvoiceRow, ...]:
    """Return the issued invoices of the months from ``first_period`` to ``last_period``, by number; void ones left out."""
    work.actor.require(Permission.READ_INVOICE)
    found = invoice_queries.issued_between(
        work.session, first_period=first_period, last_period=last_period, park_id=park_id, limit=limit
    )
    return _rows(work, found)


def read_invoice(work: Work, *, invoice_id: UUID) -> InvoiceView:
    """Return an invoice with its lines; NotFound for another park's."""
    work.actor.require(Permission.READ_INVOICE)
    invoice = invoice_queries.invoice_of(work.session, invoice_id)
    if invoice is None:
        raise invoice_not_found()
    (name,) = _names(work, [invoice]).values()
    lines = invoice_queries.lines_of(work.session, invoice.tenant_id, invoice.id)
    return InvoiceView(**row_fields(invoice, name), lines=tuple(line_view(row) for row in lines))


def check_period(period: str) -> None:
    """Raise Invalid unless ``period`` is a month."""
    if parse_month(period) is None:
        raise Invalid(
            "period.not_a_month",
            msg("月份须写作 YYYY-MM，如 2026-03。请改正。"),
            errors=[FieldError("period", "period.not_a_month", msg("须为 YYYY-MM"))],
        )


def invoice_not_found() -> NotFound:
    """Return the refusal for an invoice that is not there, or not the caller's."""
    return NotFound("invoice.not_found", msg("没有找到该账单。请核对账单编号。"))


def _empty_rows() -> dict[type[Any], list[dict[str, Any]]]:
    return {Invoice: [], InvoiceLine: [], Payment: [], Allocation: []}


def _finalise(
    work: Work,
    rows: dict[type[Any], list[dict[str, Any]]],
    tenant_id: UUID,
    period: str,
    usages: Sequence[RatedUsage],
    number: str,
    credited: Sequence[tuple[UUID, int]],
) -> None:
    """Add a park's invoice to ``rows``. What the wallet has paid stands on it as paid, and so does what was returned:
    ``credited`` are the returns of its lines, with their fen.
    """
    billed = totals([BilledLine(each.gross_fen, each.subsidy_fen, each.payable_fen, each.vat_bp) for each in usages])
    invoice_id = new_id()
    prepaid = sum(each.payable_fen for each in usages if each.payment_method == "wallet")
    paid = prepaid + sum(fen for _, fen in credited)
    rows[Invoice].append(
        {
            "tenant_id": tenant_id,
            "id": invoice_id,
            "legal_entity": LEGAL_ENTITY,
            "period": period,
            "status": InvoiceStatus.PAID if paid == billed.payable_fen else InvoiceStatus.FINALIZED,
            "number": number,
            "gross_fen": billed.gross_fen,
            "subsidy_fen": billed.subsidy_fen,
            "payable_fen": billed.payable_fen,
            "vat_fen": billed.vat_fen,
            "paid_fen": paid,
            "due_on": due_on(local_day(work.now, DEFAULT_ZONE)),
            "created_at": work.now,
            "finalized_at": work.now,
            "finalized_by": work.actor.user_id,
        }
    )
    rows[InvoiceLine] += [
        _line(tenant_id, invoice_id, place, usage, vat_fen)
        for place, (usage, vat_fen) in enumerate(zip(usages, billed.line_vat_fen, strict=True), start=1)
    ]
    if prepaid:
        _paid_before(work, rows, tenant_id, invoice_id, ("wallet", f"delivery:{invoice_id}", prepaid))
    for return_id, fen in credited:
        _paid_before(work, rows, tenant_id, invoice_id, ("return", f"return:{return_id}", fen))
    _post_vat_rounding(work, tenant_id, invoice_id, usages, billed)


def _line(tenant_id: UUID, invoice_id: UUID, place: int, usage: RatedUsage, vat_fen: int) -> dict[str, Any]:
    return {
        "tenant_id": tenant_id,
        "invoice_id": invoice_id,
        "line": place,
        "rated_usage_id": usage.id,
        "offering": usage.offering,
        "title": usage.title,
        "quantity": usage.quantity,
        "gross_fen": usage.gross_fen,
        "subsidy_fen": usage.subsidy_fen,
        "payable_fen": usage.payable_fen,
        "vat_bp": usage.vat_bp,
        "vat_fen": vat_fen,
        "awards": usage.awards,
    }


def _paid_before(
    work: Work,
    rows: dict[type[Any], list[dict[str, Any]]],
    tenant_id: UUID,
    invoice_id: UUID,
    payment: tuple[str, str, int],
) -> None:
    """Note a payment (method, reference, fen) that was made before the invoice; the books know it since then."""
    payment_id = new_id()
    method, reference, amount_fen = payment
    rows[Payment].append(
        {
            "tenant_id": tenant_id,
            "id": payment_id,
            "method": method,
            "reference": reference,
            "amount_fen": amount_fen,
            "received_at": work.now,
            "recorded_by": work.actor.user_id,
        }
    )
    rows[Allocation].append(
        {
            "tenant_id": tenant_id,
            "payment_id": payment_id,
            "invoice_id": invoice_id,
            "amount_fen": amount_fen,
            "created_at": work.now,
        }
    )


def _post_vat_rounding(
    work: Work, tenant_id: UUID, invoice_id: UUID, usages: Sequence[RatedUsage], billed: Totals
) -> None:
    """Post the difference between the VAT of the whole and the VAT that was posted delivery by delivery."""
    posted = sum(vat_of_gross(each.gross_fen, each.vat_bp) for each in usages)
    draft = ledger.vat_adjustment(
        park_id=tenant_id, source_id=str(invoice_id), occurred_at=work.now, more_vat_fen=billed.vat_fen - posted
    )
    if draft is not None:
        post_journal(work.session, draft, user_id=work.actor.user_id)


def _rows(work: Work, invoices: Sequence[Invoice]) -> tuple[InvoiceRow, ...]:
    names = _names(work, invoices)
    return tuple(InvoiceRow(**row_fields(invoice, names[invoice.tenant_id])) for invoice in invoices)


def _names(work: Work, invoices: Sequence[Invoice]) -> dict[UUID, str]:
    """Return the parks' names, empty for a park that is not entered (tests of money alone have such)."""
    parks = {invoice.tenant_id for invoice in invoices}
    return dict.fromkeys(parks, "") | onboarding.park_names(work, park_ids=parks)
