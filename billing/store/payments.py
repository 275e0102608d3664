"""Money that came in: bank statements, payments and what they paid."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Date, ForeignKey, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from tenants.kernel.database import Base, Code, Fen, Name, TenantOwned, one_of, owned_reference

BANK = {"info": {"shared": "the operator's bank account; staff only, the tenant role has no grant on it"}}


class BankStatement(Base):
    """One statement file of the bank, imported once."""

    __tablename__ = "bank_statements"
    __table_args__ = (BANK,)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[Name]
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    imported_by: Mapped[UUID | None]
    imported_at: Mapped[datetime]


class BankLine(Base):
    """One receipt on a statement, known by the bank's own reference whichever file it comes in."""

    __tablename__ = "bank_lines"
    __table_args__ = (
        UniqueConstraint("account", "bank_reference"),
        one_of("status", ("matched", "unmatched")),
        CheckConstraint("amount_fen > 0", name="positive"),
        BANK,
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    statement_id: Mapped[UUID] = mapped_column(ForeignKey("bank_statements.id"))
    row: Mapped[int] = mapped_column(Integer)
    account: Mapped[Code]
    bank_reference: Mapped[Name]
    booked_on: Mapped[date] = mapped_column(Date)
    amount_fen: Mapped[Fen]
    payer: Mapped[Name]
    remittance: Mapped[str] = mapped_column(String(500))
    arrived_on: Mapped[Code] = mapped_column(server_default="")
    """The account it arrived on, where the bank names one."""
    status: Mapped[Code]


class Payment(TenantOwned, Base):
    """Money received from a park, or credited to it. What is not allocated to an invoice is in the park's wallet."""

    __tablename__ = "payments"
    __table_args__ = (
        one_of("method", ("bank_transfer", "wallet", "return")),
        CheckConstraint("amount_fen > 0", name="positive"),
        UniqueConstraint("tenant_id", "reference"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    method: Mapped[Code]
    reference: Mapped[Name]
    """The bank's reference, the invoice that the wallet paid, or the return that is credited: one payment each."""
    amount_fen: Mapped[Fen]
    received_at: Mapped[datetime]
    recorded_by: Mapped[UUID | None]


class Allocation(TenantOwned, Base):
    """The part of a payment that pays an invoice."""

    __tablename__ = "allocations"
    __table_args__ = (
        owned_reference("payment_id", "payments"),
        owned_reference("invoice_id", "invoices"),
        CheckConstraint("amount_fen > 0", name="positive"),
    )

    payment_id: Mapped[UUID] = mapped_column(primary_key=True)
    invoice_id: Mapped[UUID] = mapped_column(primary_key=True)
    amount_fen: Mapped[Fen]
    created_at: Mapped[datetime]
