"""Credit notes (红字账单): what of an invoice is taken back, by whom, numbered without a gap within their own series."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Date,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    String,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from billing.store.returns import DAYS
from tenants.kernel.database import Base, Code, Fen, Name, TenantOwned, one_of, owned_reference


class CreditNote(TenantOwned, Base):
    """Some lines of one invoice, taken back in whole or part. Once issued, nothing on it changes.

    ``amount_fen`` is of the list price, VAT included; while it is asked for, what was asked. ``by_two`` says that it is
    above what one person may issue.
    """

    __tablename__ = "credit_notes"
    __table_args__ = (
        owned_reference("invoice_id", "invoices"),
        one_of("status", ("asked", "issued", "refused")),
        one_of("cause", ("returned", "undelivered", "wrong")),
        UniqueConstraint("tenant_id", "number"),
        UniqueConstraint("tenant_id", "id", "invoice_id"),
        CheckConstraint("(status = 'issued') = (number IS NOT NULL)", name="numbered"),
        CheckConstraint("(status = 'asked') = (decided_at IS NULL)", name="decided"),
        CheckConstraint("amount_fen > 0", name="positive"),
        CheckConstraint("status <> 'issued' OR amount_fen = park_fen + public_fen", name="two_payers"),
        CheckConstraint("least(park_fen, public_fen, vat_fen) >= 0 AND vat_fen <= amount_fen", name="not_negative"),
        CheckConstraint("NOT by_two OR status <> 'issued' OR decided_by <> asked_by", name="four_eyes"),
        Index(None, "tenant_id", "invoice_id"),
        Index(None, "asked_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    legal_entity: Mapped[str] = mapped_column(String(64), ForeignKey("legal_entities.slug"))
    invoice_id: Mapped[UUID]
    status: Mapped[Code]
    number: Mapped[Code | None]
    amount_fen: Mapped[Fen]
    park_fen: Mapped[Fen]
    public_fen: Mapped[Fen]
    vat_fen: Mapped[Fen]
    by_two: Mapped[bool] = mapped_column(Boolean)
    cause: Mapped[Code]
    reason: Mapped[str] = mapped_column(String(500))
    agreement: Mapped[Name]
    asked_by: Mapped[UUID]
    asked_at: Mapped[datetime]
    decided_by: Mapped[UUID | None]
    decided_at: Mapped[datetime | None]


class CreditNoteLine(TenantOwned, Base):
    """A part of an invoice line that is taken back, and the return that moved the money, once it has."""

    __tablename__ = "credit_note_lines"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "credit_note_id", "invoice_id"],
            ["credit_notes.tenant_id", "credit_notes.id", "credit_notes.invoice_id"],
            name="fk_credit_note_lines_note",
        ),
        ForeignKeyConstraint(
            ["tenant_id", "invoice_id", "invoice_line"],
            ["invoice_lines.tenant_id", "invoice_lines.invoice_id", "invoice_lines.line"],
            name="fk_credit_note_lines_invoice_line",
        ),
        owned_reference("return_id", "line_returns"),
        UniqueConstraint("tenant_id", "return_id"),
        CheckConstraint("amount_fen > 0", name="positive"),
        CheckConstraint(DAYS, name="days"),
    )

    credit_note_id: Mapped[UUID] = mapped_column(primary_key=True)
    invoice_line: Mapped[int] = mapped_column(Integer, primary_key=True)
    invoice_id: Mapped[UUID]
    amount_fen: Mapped[Fen]
    from_day: Mapped[date | None] = mapped_column(Date)
    until_day: Mapped[date | None] = mapped_column(Date)
    return_id: Mapped[UUID | None]


class CreditNoteCounter(Base):
    """The last number given to a credit note of a legal entity in a year; taken under its row's lock."""

    __tablename__ = "credit_note_counters"
    __table_args__ = ({"info": {"shared": "numbers run over all parks of a legal entity"}},)

    legal_entity: Mapped[str] = mapped_column(String(64), primary_key=True)
    year: Mapped[int] = mapped_column(Integer, primary_key=True)
    last_number: Mapped[int] = mapped_column(Integer)
