"""Reads and writes of credit notes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, true, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from billing.store.credit_notes import CreditNote, CreditNoteCounter, CreditNoteLine
from billing.store.invoices import Invoice, InvoiceLine
from billing.store.returns import LineReturn
from billing.store.usage import RatedUsage
from tenants.kernel.writing import array_of_ids


@dataclass(frozen=True)
class NoteLineRow:
    """A line of a credit note with the invoice line it corrects, and its return once there is one."""

    line: CreditNoteLine
    invoice_line: InvoiceLine
    order_line_id: UUID
    period: str
    made: LineReturn | None


def next_number(session: Session, legal_entity: str, year: int) -> int:
    """Take the next number; the counter's row stays locked until the transaction ends, so none is skipped."""
    first = insert(CreditNoteCounter).values(legal_entity=legal_entity, year=year, last_number=0)
    session.execute(first.on_conflict_do_nothing())
    taken = (
        update(CreditNoteCounter)
        .where(CreditNoteCounter.legal_entity == legal_entity, CreditNoteCounter.year == year)
        .values(last_number=CreditNoteCounter.last_number + 1)
        .returning(CreditNoteCounter.last_number)
    )
    return session.execute(taken).scalar_one()


def insert_note(session: Session, note: Mapping[str, Any], lines: Sequence[Mapping[str, Any]]) -> None:
    """Write a credit note with its lines."""
    session.execute(insert(CreditNote).values(note))
    session.execute(insert(CreditNoteLine), lines)


def settle_lines(session: Session, tenant_id: UUID, note_id: UUID, made: Mapping[int, LineReturn]) -> None:
    """Note which return took each line back, and how much it was."""
    for invoice_line, each in made.items():
        session.execute(
            update(CreditNoteLine)
            .where(
                CreditNoteLine.tenant_id == tenant_id,
                CreditNoteLine.credit_note_id == note_id,
                CreditNoteLine.invoice_line == invoice_line,
            )
            .values(return_id=each.id, amount_fen=each.amount_fen)
        )


def note_of(session: Session, note_id: UUID, *, lock: bool = False) -> CreditNote | None:
    """Return a credit note that the transaction may see, under lock where asked."""
    query = select(CreditNote).where(CreditNote.id == note_id).execution_options(populate_existing=True)
    return session.execute(query.with_for_update(key_share=True) if lock else query).scalar_one_or_none()


def notes_page(
    session: Session,
    *,
    park_id: UUID | None,
    invoice_id: UUID | None,
    status: str | None,
    before: tuple[datetime, UUID] | None,
    limit: int | None,
) -> Sequence[tuple[CreditNote, str]]:
    """Return credit notes with their invoices' numbers, newest first."""
    query = (
        select(CreditNote, func.coalesce(Invoice.number, ""))
        .join(Invoice, (Invoice.tenant_id == CreditNote.tenant_id) & (Invoice.id == CreditNote.invoice_id))
        .order_by(CreditNote.asked_at.desc(), CreditNote.id.desc())
        .limit(limit)
    )
    wanted = ((CreditNote.tenant_id, park_id), (CreditNote.invoice_id, invoice_id), (CreditNote.status, status))
    for column, value in wanted:
        if value is not None:
            query = query.where(column == value)
    if before is not None:
        at, note_id = before
        query = query.where((CreditNote.asked_at < at) | ((CreditNote.asked_at == at) & (CreditNote.id < note_id)))
    rows = session.execute(query.execution_options(populate_existing=True))
    return [(row[0], row[1]) for row in rows]


def note_lines(session: Session, note: CreditNote) -> Sequence[NoteLineRow]:
    """Return the lines of a credit note, in the order of the invoice."""
    query = (
        select(CreditNoteLine, InvoiceLine, RatedUsage.order_line_id, RatedUsage.period, LineReturn)
        .join(
            InvoiceLine,
            (InvoiceLine.tenant_id == CreditNoteLine.tenant_id)
            & (InvoiceLine.invoice_id == CreditNoteLine.invoice_id)
            & (InvoiceLine.line == CreditNoteLine.invoice_line),
        )
        .join(
            RatedUsage,
            (RatedUsage.tenant_id == InvoiceLine.tenant_id) & (RatedUsage.id == InvoiceLine.rated_usage_id),
        )
        .outerjoin(
            LineReturn,
            (LineReturn.tenant_id == CreditNoteLine.tenant_id) & (LineReturn.id == CreditNoteLine.return_id),
        )
        .where(CreditNoteLine.tenant_id == note.tenant_id, CreditNoteLine.credit_note_id == note.id)
        .order_by(CreditNoteLine.invoice_line)
    )
    return [NoteLineRow(*row) for row in session.execute(query.execution_options(populate_existing=True))]


def invoice_lines_with_usage(
    session: Session, tenant_id: UUID, invoice_id: UUID, places: Collection[int] | None = None
) -> Sequence[tuple[InvoiceLine, RatedUsage]]:
    """Return all or some lines of an invoice that is not void, with the deliveries they bill, in order."""
    query = (
        select(InvoiceLine, RatedUsage)
        .join(
            RatedUsage,
            (RatedUsage.tenant_id == InvoiceLine.tenant_id) & (RatedUsage.id == InvoiceLine.rated_usage_id),
        )
        .where(
            InvoiceLine.tenant_id == tenant_id,
            InvoiceLine.invoice_id == invoice_id,
            true() if places is None else InvoiceLine.line.in_(places),
            ~InvoiceLine.voided,
        )
        .order_by(InvoiceLine.line)
    )
    return [(row[0], row[1]) for row in session.execute(query)]


def has_issued(session: Session, tenant_id: UUID, invoice_id: UUID) -> bool:
    """Tell whether anything of an invoice was taken back by a credit note."""
    query = select(CreditNote.id).where(
        CreditNote.tenant_id == tenant_id, CreditNote.invoice_id == invoice_id, CreditNote.status == "issued"
    )
    return session.execute(query.limit(1)).scalar_one_or_none() is not None


def uncredited_returns(session: Session, parks: Collection[UUID]) -> dict[UUID, list[LineReturn]]:
    """Return, by rated usage of some parks, the returns that no credit note names: their usage was on no invoice."""
    named = select(CreditNoteLine.return_id).where(
        CreditNoteLine.tenant_id == LineReturn.tenant_id, CreditNoteLine.return_id == LineReturn.id
    )
    query = (
        select(LineReturn)
        .where(LineReturn.tenant_id == func.any(array_of_ids(parks)), ~named.exists())
        .order_by(LineReturn.returned_at, LineReturn.id)
    )
    found: dict[UUID, list[LineReturn]] = {}
    for each in session.execute(query).scalars():
        found.setdefault(each.rated_usage_id, []).append(each)
    return found
