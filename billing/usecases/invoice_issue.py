"""Finalising drafts, many parks at a time: what they come to is worked out park by park, and written table by table.

A chunk of parks costs a handful of statements, whatever it holds; what is in memory is bounded by ``LINES_AT_ONCE``
and the lines of one park.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from billing.rules import ledger
from billing.rules.invoices import LEGAL_ENTITY, InvoiceStatus, due_on, invoice_number
from billing.rules.ledger import JournalDraft
from billing.rules.money import vat_of_gross
from billing.rules.periods import DEFAULT_ZONE, local_day
from billing.store import credit_note_queries, invoice_queries, return_queries
from billing.store.books import post_journals
from billing.store.invoice_queries import NewLine
from billing.store.invoices import Invoice
from billing.store.payments import Allocation, Payment
from billing.store.returns import LineReturn
from billing.usecases import credit_note_issue
from billing.usecases.arrears import metered_parks
from billing.usecases.invoice_drafts import Draft, drafts
from tenants.kernel.identifiers import new_id
from tenants.kernel.work import Work
from tenants.kernel.writing import insert_columns, on_their_way
from tenants.usecases import audit

PARKS_AT_ONCE = 1000
"""How many parks one transaction issues to: what a kill undoes, and how long others wait for the numbers (a third of a
second, with a line each). A transaction costs two dozen statements and a flush to the disk, however many parks it has."""
LINES_AT_ONCE = 5000

Row = dict[str, Any]


@dataclass
class _Sheet:
    """Rows that wait to be written, by table."""

    invoices: list[Row] = field(default_factory=list)
    payments: list[Row] = field(default_factory=list)
    allocations: list[Row] = field(default_factory=list)
    lines: list[NewLine] = field(default_factory=list)
    journals: list[JournalDraft] = field(default_factory=list)

    def write(self, work: Work) -> None:
        """Write everything, and hold nothing any more."""
        with on_their_way(work.session):
            insert_columns(work.session, Invoice, self.invoices)
            insert_columns(work.session, Payment, self.payments)
            insert_columns(work.session, Allocation, self.allocations)
            invoice_queries.insert_lines(work.session, self.lines)
            post_journals(work.session, self.journals, user_id=work.actor.user_id)
        for rows in (self.invoices, self.payments, self.allocations, self.lines, self.journals):
            rows.clear()


def parks_to_invoice(work: Work, period: str) -> list[UUID]:
    """Return the parks that may have something to be invoiced for a month, in order; for use cases that have asked for
    their own permission. What was used by meter is known only when it is charged, so some may have nothing.
    """
    pending, metered = invoice_queries.pending_parks(work.session, period), metered_parks(work, period)
    return sorted({*pending, *metered}) if metered else list(pending)


def chunks(parks: Sequence[UUID], size: int) -> Iterator[Sequence[UUID]]:
    """Yield parks in groups of ``size``, in order."""
    for first in range(0, len(parks), size):
        yield parks[first : first + size]


def issue_to(work: Work, period: str, parks: Sequence[UUID]) -> int:
    """Finalise the drafts of some parks and return how many there were, for use cases that have asked for their own
    permission. What they used by meter is charged before (``charge_metered_use``).
    """
    year = local_day(work.now, DEFAULT_ZONE).year
    last = invoice_queries.lock_counter(work.session, LEGAL_ENTITY, year)
    serial = last
    returned = credit_note_queries.uncredited_returns(work.session, parks)
    credited: list[tuple[UUID, LineReturn]] = []
    sheet = _Sheet()
    for serial, draft in enumerate(drafts(work, period, parks), start=last + 1):
        _finalise(work, sheet, draft, invoice_number(LEGAL_ENTITY, year, serial))
        credited += _returned_of(draft, returned)
        if len(sheet.lines) >= LINES_AT_ONCE:
            sheet.write(work)
    sheet.write(work)
    if serial > last:
        invoice_queries.set_counter(work.session, LEGAL_ENTITY, year, serial)
        audit.record(work, "invoice.issue", "period", period, count=serial - last)
    _credit_what_was_returned(work, credited)
    return serial - last


def _returned_of(draft: Draft, returned: Mapping[UUID, Sequence[LineReturn]]) -> list[tuple[UUID, LineReturn]]:
    """Return the returns of deliveries that stood on no invoice until now, with their deliveries."""
    if not returned:
        return []
    return [(usage.id, each) for usage in draft.usages for each in returned.get(usage.id, ())]


def _credit_what_was_returned(work: Work, credited: Sequence[tuple[UUID, LineReturn]]) -> None:
    """Issue a credit note for each of those returns."""
    for usage_id, each in credited:
        line = return_queries.invoice_line_of_usage(work.session, each.tenant_id, usage_id)
        assert line is not None, "it was just written"  # noqa: S101 - for the type checker
        credit_note_issue.issue_for_returns(work, [(each, line)])


def _finalise(work: Work, sheet: _Sheet, draft: Draft, number: str) -> None:
    """Put a draft's invoice on the sheet. What the wallet has paid stands on it as paid, and so does what was returned."""
    billed, tenant_id = draft.billed, draft.park_id
    invoice_id = new_id()
    sheet.invoices.append(
        {
            "tenant_id": tenant_id,
            "id": invoice_id,
            "legal_entity": LEGAL_ENTITY,
            "period": draft.period,
            "status": (InvoiceStatus.PAID if draft.paid_fen == billed.payable_fen else InvoiceStatus.FINALIZED).value,
            "number": number,
            "gross_fen": billed.gross_fen,
            "subsidy_fen": billed.subsidy_fen,
            "discount_fen": billed.discount_fen,
            "discount_id": draft.taken_off.discount_id,
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
        _paid_before(work, sheet, tenant_id, invoice_id, ("wallet", f"delivery:{invoice_id}", draft.prepaid_fen))
    for return_id, fen in draft.credited:
        _paid_before(work, sheet, tenant_id, invoice_id, ("return", f"return:{return_id}", fen))
    parts = zip(draft.usages, billed.line_vat_fen, draft.taken_off.by_line, strict=True)
    sheet.lines += [
        NewLine(tenant_id, invoice_id, place, usage.id, vat_fen, discount_fen)
        for place, (usage, vat_fen, discount_fen) in enumerate(parts, start=1)
    ]
    _post_discount(work, sheet, invoice_id, draft)
    _post_vat_rounding(work, sheet, invoice_id, draft)


def _paid_before(
    work: Work, sheet: _Sheet, tenant_id: UUID, invoice_id: UUID, payment: tuple[str, str, int]
) -> None:  # fmt: skip
    """Note a payment (method, reference, fen) that was made before the invoice; the books know it since then."""
    payment_id = new_id()
    method, reference, amount_fen = payment
    sheet.payments.append(
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
    sheet.allocations.append(
        {
            "tenant_id": tenant_id,
            "payment_id": payment_id,
            "invoice_id": invoice_id,
            "amount_fen": amount_fen,
            "created_at": work.now,
        }
    )


def _post_discount(work: Work, sheet: _Sheet, invoice_id: UUID, draft: Draft) -> None:
    """Post what the invoice's discount takes off the park's debt."""
    journal = ledger.invoice_discount(
        park_id=draft.park_id,
        source_id=str(invoice_id),
        occurred_at=work.now,
        less_fen=draft.billed.discount_fen,
    )
    if journal is not None:
        sheet.journals.append(journal)


def _post_vat_rounding(work: Work, sheet: _Sheet, invoice_id: UUID, draft: Draft) -> None:
    """Post the difference between the VAT of the whole and the VAT that was posted delivery by delivery."""
    posted = sum(vat_of_gross(each.gross_fen, each.vat_bp) for each in draft.usages)
    journal = ledger.vat_adjustment(
        park_id=draft.park_id,
        source_id=str(invoice_id),
        occurred_at=work.now,
        more_vat_fen=draft.billed.vat_fen - posted,
    )
    if journal is not None:
        sheet.journals.append(journal)
