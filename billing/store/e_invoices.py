"""E-invoices (数电票): the layout of issuing requests, what was asked for, and what the tax bureau issued."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Date, ForeignKeyConstraint, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from tenants.kernel.database import Base, Code, Fen, TenantOwned, owned_reference


class EInvoiceLayout(Base):
    """The columns of an issuing request from a moment on; the newest counts, the older ones stay."""

    __tablename__ = "e_invoice_layouts"
    __table_args__ = ({"info": {"shared": "one tax bureau's template serves all parks"}},)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    layout: Mapped[dict[str, Any]]
    set_by: Mapped[UUID]
    set_at: Mapped[datetime]


class EInvoiceRequest(TenantOwned, Base):
    """An invoice that stood in an issuing request; asking again changes nothing."""

    __tablename__ = "e_invoice_requests"
    __table_args__ = (owned_reference("invoice_id", "invoices"),)

    invoice_id: Mapped[UUID] = mapped_column(primary_key=True)
    requested_by: Mapped[UUID | None]
    requested_at: Mapped[datetime]


class EInvoice(Base):
    """An e-invoice for one document of ours: blue for an invoice, red (negative) for a credit note on it."""

    __tablename__ = "e_invoices"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "invoice_id"], ["invoices.tenant_id", "invoices.id"]),
        ForeignKeyConstraint(["tenant_id", "evidence_id"], ["evidence_files.tenant_id", "evidence_files.id"]),
        ForeignKeyConstraint(["blue_number"], ["e_invoices.number"]),
        ForeignKeyConstraint(
            ["tenant_id", "credit_note_id", "invoice_id"],
            ["credit_notes.tenant_id", "credit_notes.id", "credit_notes.invoice_id"],
        ),
        UniqueConstraint("document_no"),
        CheckConstraint("number ~ '^[0-9]{20}$'", name="number"),
        CheckConstraint("(gross_fen < 0) = (blue_number IS NOT NULL)", name="red"),
        CheckConstraint("(blue_number IS NULL) = (credit_note_id IS NULL)", name="credit_note"),
        CheckConstraint("gross_fen <> 0", name="amount"),
        Index(None, "tenant_id", "invoice_id"),
        {"info": {"shared": "its number is one in the whole country; a row policy shows a park its own"}},
    )

    number: Mapped[str] = mapped_column(String(20), primary_key=True)
    tenant_id: Mapped[UUID]
    invoice_id: Mapped[UUID]
    document_no: Mapped[Code]
    """The number of our invoice, or of our credit note for a red one."""
    blue_number: Mapped[str | None] = mapped_column(String(20))
    credit_note_id: Mapped[UUID | None]
    issued_on: Mapped[date] = mapped_column(Date)
    gross_fen: Mapped[Fen]
    vat_fen: Mapped[Fen]
    evidence_id: Mapped[UUID]
    imported_by: Mapped[UUID | None]
    imported_at: Mapped[datetime]
