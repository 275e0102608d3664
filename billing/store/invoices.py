"""Invoices per park and month, and the counter that numbers them without a gap."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Date, ForeignKeyConstraint, Index, Integer, Numeric, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from tenants.kernel.database import Base, Code, Fen, Name, TenantOwned, one_of, owned_reference


class Invoice(TenantOwned, Base):
    """What a park owes for one month: list price, the fund's part, and the rest."""

    __tablename__ = "invoices"
    __table_args__ = (
        one_of("status", ("draft", "finalized", "paid", "void")),
        UniqueConstraint("tenant_id", "number"),
        Index("uq_invoices_one_a_period", "tenant_id", "period", unique=True, postgresql_where="status <> 'void'"),
        CheckConstraint("gross_fen = subsidy_fen + payable_fen", name="two_payers"),
        CheckConstraint("paid_fen BETWEEN 0 AND payable_fen", name="paid"),
        CheckConstraint("(status = 'draft') = (number IS NULL)", name="numbered"),
        CheckConstraint("(status <> 'paid') OR (paid_fen = payable_fen)", name="paid_in_full"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    legal_entity: Mapped[Code]
    period: Mapped[str] = mapped_column(String(7))
    status: Mapped[Code]
    number: Mapped[Code | None]
    gross_fen: Mapped[Fen]
    subsidy_fen: Mapped[Fen]
    payable_fen: Mapped[Fen]
    vat_fen: Mapped[Fen]
    """VAT contained in ``gross_fen``."""
    paid_fen: Mapped[Fen]
    due_on: Mapped[date | None] = mapped_column(Date)
    created_at: Mapped[datetime]
    finalized_at: Mapped[datetime | None]
    finalized_by: Mapped[UUID | None]


class InvoiceLine(TenantOwned, Base):
    """One delivered service on an invoice, with both payers' parts."""

    __tablename__ = "invoice_lines"
    __table_args__ = (
        owned_reference("invoice_id", "invoices"),
        ForeignKeyConstraint(["tenant_id", "rated_usage_id"], ["rated_usage.tenant_id", "rated_usage.id"]),
        UniqueConstraint("tenant_id", "rated_usage_id"),
        CheckConstraint("gross_fen = subsidy_fen + payable_fen", name="two_payers"),
    )

    invoice_id: Mapped[UUID] = mapped_column(primary_key=True)
    line: Mapped[int] = mapped_column(Integer, primary_key=True)
    rated_usage_id: Mapped[UUID]
    offering: Mapped[Code]
    title: Mapped[Name]
    quantity: Mapped[Decimal] = mapped_column(Numeric(24, 6))
    gross_fen: Mapped[Fen]
    subsidy_fen: Mapped[Fen]
    payable_fen: Mapped[Fen]
    vat_bp: Mapped[int] = mapped_column(Integer)
    vat_fen: Mapped[Fen]
    awards: Mapped[list[Any]]


class InvoiceCounter(Base):
    """The last number given by a legal entity in a year; taken under its row's lock, so no number is skipped."""

    __tablename__ = "invoice_counters"
    __table_args__ = ({"info": {"shared": "numbers run over all parks of a legal entity"}},)

    legal_entity: Mapped[str] = mapped_column(String(64), primary_key=True)
    year: Mapped[int] = mapped_column(Integer, primary_key=True)
    last_number: Mapped[int] = mapped_column(Integer)
