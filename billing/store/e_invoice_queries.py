"""Reads and writes of e-invoices."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from billing.store.credit_notes import CreditNote, CreditNoteLine
from billing.store.e_invoices import EInvoice, EInvoiceLayout, EInvoiceRequest
from billing.store.invoices import Invoice, InvoiceLine
from tenants.kernel.writing import rows_written


def newest_layout(session: Session) -> EInvoiceLayout | None:
    """Return the layout that counts."""
    query = select(EInvoiceLayout).order_by(EInvoiceLayout.set_at.desc(), EInvoiceLayout.id.desc()).limit(1)
    return session.execute(query).scalar_one_or_none()


def insert_layout(session: Session, values: Mapping[str, Any]) -> None:
    """Write a layout."""
    session.execute(insert(EInvoiceLayout).values(values))


def note_requests(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Note that invoices stood in a request; those that did before stay as they are."""
    session.execute(insert(EInvoiceRequest).values([dict(row) for row in rows]).on_conflict_do_nothing())


def requested_at(session: Session, invoice_ids: Collection[UUID]) -> dict[UUID, datetime]:
    """Return when each invoice was first asked for."""
    query = select(EInvoiceRequest.invoice_id, EInvoiceRequest.requested_at)
    rows = session.execute(query.where(EInvoiceRequest.invoice_id.in_(invoice_ids)))
    return {row.invoice_id: row.requested_at for row in rows}


def e_invoices_of(session: Session, invoice_ids: Collection[UUID]) -> Sequence[EInvoice]:
    """Return the e-invoices of some invoices, red ones after the blue."""
    query = select(EInvoice).where(EInvoice.invoice_id.in_(invoice_ids))
    return session.execute(query.order_by(EInvoice.imported_at, EInvoice.number)).scalars().all()


def e_invoice(session: Session, number: str) -> EInvoice | None:
    """Return an e-invoice by its number."""
    query = select(EInvoice).where(EInvoice.number == number).execution_options(populate_existing=True)
    return session.execute(query).scalar_one_or_none()


def insert_e_invoice(session: Session, values: Mapping[str, Any]) -> bool:
    """Write an e-invoice; tell whether neither its number nor its document was there."""
    return bool(rows_written(session, insert(EInvoice).values(values).on_conflict_do_nothing()))


def issued_invoice(session: Session, number: str, *, lock: bool = False) -> Invoice | None:
    """Return an issued invoice by its number, under lock where asked; None for a void one."""
    query = select(Invoice).where(Invoice.number == number, Invoice.status.in_(("finalized", "paid")))
    return session.execute(query.with_for_update(key_share=True) if lock else query).scalar_one_or_none()


def lines_counted(session: Session, tenant_id: UUID, invoice_id: UUID) -> int:
    """Return how many lines an invoice has."""
    query = select(func.count()).where(InvoiceLine.tenant_id == tenant_id, InvoiceLine.invoice_id == invoice_id)
    return session.execute(query).scalar_one()


def taken_back_fen(session: Session, blue_number: str) -> int:
    """Return what red e-invoices have taken back of a blue one, as a positive amount."""
    query = select(func.coalesce(func.sum(-EInvoice.gross_fen), 0)).where(EInvoice.blue_number == blue_number)
    return int(session.execute(query).scalar_one())


def issued_note(session: Session, tenant_id: UUID, number: str) -> CreditNote | None:
    """Return an issued credit note of a park by its number."""
    query = select(CreditNote).where(
        CreditNote.tenant_id == tenant_id, CreditNote.number == number, CreditNote.status == "issued"
    )
    return session.execute(query).scalar_one_or_none()


def note_lines_counted(session: Session, note: CreditNote) -> int:
    """Return how many lines a credit note has."""
    of_note = (CreditNoteLine.tenant_id == note.tenant_id, CreditNoteLine.credit_note_id == note.id)
    return session.execute(select(func.count()).where(*of_note)).scalar_one()


def notes_without_red(session: Session, invoice_ids: Collection[UUID]) -> Sequence[tuple[UUID, str]]:
    """Return the issued credit notes on some invoices that no red e-invoice is there for: invoice and number."""
    red = select(EInvoice.number).where(
        EInvoice.tenant_id == CreditNote.tenant_id, EInvoice.credit_note_id == CreditNote.id
    )
    query = select(CreditNote.invoice_id, CreditNote.number).where(
        CreditNote.invoice_id.in_(invoice_ids), CreditNote.status == "issued", ~red.exists()
    )
    rows = session.execute(query.order_by(CreditNote.number))
    return [(row.invoice_id, row.number) for row in rows if row.number is not None]
