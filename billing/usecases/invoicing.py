"""Invoices: once per park and month, numbered without a gap, and never changed afterwards.

An invoice holds all usage up to its month that is on no invoice yet; usage that came late is on the next one, as a
line that names its own month. It becomes final in the transaction that drafts it anew (``invoice_drafts``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from billing.rules import ledger
from billing.rules.invoices import LEGAL_ENTITY, InvoiceStatus, Totals, due_on, invoice_number
from billing.rules.money import vat_of_gross
from billing.rules.periods import DEFAULT_ZONE, local_day
from billing.store import credit_note_queries, invoice_queries, return_queries
from billing.store.books import post_journal
from billing.store.invoice_queries import PendingLine
from billing.store.invoices import Invoice
from billing.store.payments import Allocation, Payment
from billing.store.returns import LineReturn
from billing.usecases import credit_note_issue
from billing.usecases.invoice_drafts import Draft, check_period_begun, drafts
from billing.usecases.invoice_views import InvoiceLineView, InvoiceRow, InvoiceView, invoice_view, row_fields
from tenants.kernel.errors import NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import msg
from tenants.kernel.paging import Page, check_limit, decode_cursor, page_of
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.usecases import audit, onboarding

Rows = dict[type[Any], list[dict[str, Any]]]

__all__ = [
    "InvoiceLineView",
    "InvoiceRow",
    "InvoiceView",
    "invoices_between",
    "issue_invoices",
    "list_invoices",
    "read_invoice",
]

PARKS_AT_ONCE = 50


def issue_invoices(work: Work, *, period: str, park_id: UUID | None = None) -> tuple[InvoiceRow, ...]:
    """Issue the invoices of a month (``YYYY-MM``) now, to all parks that used something or to one of them, and return
    that month's invoices (of that park).

    Late use is not waited for: who asks has looked at the drafts (``invoice_runs`` waits). Issuing again changes
    nothing for parks that have theirs. Two who issue at once do so one after the other. Raises Invalid for a text that
    is no month, Conflict for a month that has not begun.
    """
    work.actor.require(Permission.ISSUE_INVOICE)
    check_period_begun(work, period)
    parks = [park_id] if park_id is not None else list(invoice_queries.pending_parks(work.session, period))
    for some in chunks(parks, PARKS_AT_ONCE):
        issue_to(work, period, some)
    found = invoice_queries.invoice_page(
        work.session, period=period, park_id=park_id, status=None, before=None, limit=None
    )
    return _rows(work, found)


def issue_to(work: Work, period: str, parks: Sequence[UUID]) -> int:
    """Finalise the drafts of some parks and return how many there were, for use cases that have asked for their own
    permission. What is held in memory is one park's lines, whatever the number of parks.
    """
    year = local_day(work.now, DEFAULT_ZONE).year
    last = invoice_queries.lock_counter(work.session, LEGAL_ENTITY, year)
    serial = last
    returned = credit_note_queries.uncredited_returns(work.session, parks)
    for serial, draft in enumerate(drafts(work, period, parks), start=last + 1):
        _finalise(work, draft, invoice_number(LEGAL_ENTITY, year, serial))
        _credit_what_was_returned(work, draft, returned)
    if serial > last:
        invoice_queries.set_counter(work.session, LEGAL_ENTITY, year, serial)
        audit.record(work, "invoice.issue", "period", period, count=serial - last)
    return serial - last


def _credit_what_was_returned(work: Work, draft: Draft, returned: Mapping[UUID, Sequence[LineReturn]]) -> None:
    """Issue a credit note for each return of a delivery that stood on no invoice until now."""
    for usage in draft.usages:
        for each in returned.get(usage.id, ()):
            line = return_queries.invoice_line_of_usage(work.session, draft.park_id, usage.id)
            assert line is not None, "it was just written"  # noqa: S101 - for the type checker
            credit_note_issue.issue_for_returns(work, [(each, line)])


def chunks(parks: Sequence[UUID], size: int) -> Iterator[Sequence[UUID]]:
    """Yield parks in groups of ``size``, in order."""
    for first in range(0, len(parks), size):
        yield parks[first : first + size]


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
    return invoice_view(invoice, name, invoice_queries.lines_of(work.session, invoice.tenant_id, invoice.id))


def invoice_not_found() -> NotFound:
    """Return the refusal for an invoice that is not there, or not the caller's."""
    return NotFound("invoice.not_found", msg("没有找到该账单。请核对账单编号。"))


def _finalise(work: Work, draft: Draft, number: str) -> None:
    """Write a draft's invoice. What the wallet has paid stands on it as paid, and so does what was returned."""
    rows: Rows = {Invoice: [], Payment: [], Allocation: []}
    billed, tenant_id, usages = draft.billed, draft.park_id, draft.usages
    invoice_id = new_id()
    rows[Invoice].append(
        {
            "tenant_id": tenant_id,
            "id": invoice_id,
            "legal_entity": LEGAL_ENTITY,
            "period": draft.period,
            "status": InvoiceStatus.PAID if draft.paid_fen == billed.payable_fen else InvoiceStatus.FINALIZED,
            "number": number,
            "gross_fen": billed.gross_fen,
            "subsidy_fen": billed.subsidy_fen,
            "payable_fen": billed.payable_fen,
            "vat_fen": billed.vat_fen,
            "paid_fen": draft.paid_fen,
            "due_on": due_on(local_day(work.now, DEFAULT_ZONE)),
            "created_at": work.now,
            "finalized_at": work.now,
            "finalized_by": work.actor.user_id,
        }
    )
    if draft.prepaid_fen:
        _paid_before(work, rows, tenant_id, invoice_id, ("wallet", f"delivery:{invoice_id}", draft.prepaid_fen))
    for return_id, fen in draft.credited:
        _paid_before(work, rows, tenant_id, invoice_id, ("return", f"return:{return_id}", fen))
    invoice_queries.insert_rows(work.session, rows)
    ids = [usage.id for usage in usages]
    invoice_queries.insert_lines(work.session, tenant_id, invoice_id, ids, billed.line_vat_fen)
    _post_vat_rounding(work, tenant_id, invoice_id, usages, billed)


def _paid_before(
    work: Work,
    rows: Rows,
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
    work: Work, tenant_id: UUID, invoice_id: UUID, usages: Sequence[PendingLine], billed: Totals
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
