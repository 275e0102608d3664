"""Invoices: once per park and month, numbered without a gap, and never changed afterwards.

An invoice holds all usage up to its month that is on no invoice yet; usage that came late is on the next one, as a
line that names its own month. It becomes final in the transaction that drafts it anew (``invoice_issue``).
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from billing.store import invoice_queries
from billing.store.invoices import Invoice
from billing.usecases.arrears_charging import METERED_AT_ONCE, charge_metered_use, end_charging
from billing.usecases.invoice_drafts import check_period_begun
from billing.usecases.invoice_issue import PARKS_AT_ONCE, chunks, issue_to, parks_to_invoice
from billing.usecases.invoice_views import (
    InvoiceLineView,
    InvoiceRow,
    InvoiceView,
    invoice_not_found,
    invoice_view,
    row_fields,
)
from billing.usecases.minimums import settle_minimums
from tenants.kernel.paging import Page, check_limit, decode_cursor, page_of
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.usecases import onboarding

__all__ = [
    "InvoiceLineView",
    "InvoiceRow",
    "InvoiceView",
    "invoices_between",
    "issue_invoices",
    "list_invoices",
    "read_invoice",
]


def issue_invoices(work: Work, *, period: str, park_id: UUID | None = None) -> tuple[InvoiceRow, ...]:
    """Issue the invoices of a month (``YYYY-MM``) now, to all parks that used something or to one of them, and return
    that month's invoices (of that park).

    Late use is not waited for: who asks has looked at the drafts (``invoice_runs`` waits). Issuing again changes
    nothing for parks that have theirs. Two who issue at once do so one after the other. Raises Invalid for a text that
    is no month, Conflict for a month that has not begun.
    """
    work.actor.require(Permission.ISSUE_INVOICE)
    check_period_begun(work, period)
    parks = [park_id] if park_id is not None else parks_to_invoice(work, period)
    for some in chunks(parks, METERED_AT_ONCE):
        charge_metered_use(work, period, some)
    if park_id is None:
        end_charging(work, period)
    settle_minimums(work, period, park_id)
    pending = [park_id] if park_id is not None else invoice_queries.pending_parks(work.session, period)
    for some in chunks(pending, PARKS_AT_ONCE):
        issue_to(work, period, some)
    found = invoice_queries.invoice_page(
        work.session, period=period, park_id=park_id, status=None, before=None, limit=None
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
    return invoice_view(invoice, name, invoice_queries.lines_of(work.session, invoice.tenant_id, invoice.id))


def _rows(work: Work, invoices: Sequence[Invoice]) -> tuple[InvoiceRow, ...]:
    names = _names(work, invoices)
    return tuple(InvoiceRow(**row_fields(invoice, names[invoice.tenant_id])) for invoice in invoices)


def _names(work: Work, invoices: Sequence[Invoice]) -> dict[UUID, str]:
    """Return the parks' names, empty for a park that is not entered (tests of money alone have such)."""
    parks = {invoice.tenant_id for invoice in invoices}
    return dict.fromkeys(parks, "") | onboarding.park_names(work, park_ids=parks)
