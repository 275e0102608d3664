"""Invoices per park and month, and the counter that numbers them without a gap."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Computed,
    Date,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    Numeric,
    SmallInteger,
    String,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from tenants.kernel.database import Base, Code, Fen, Name, TenantOwned, one_of


class LegalEntity(Base):
    """In whose name invoices are issued, and the rules it issues them by."""

    __tablename__ = "legal_entities"
    __table_args__ = (
        CheckConstraint("grace_days BETWEEN 0 AND 27", name="grace"),
        CheckConstraint("alone_up_to_fen >= 0", name="alone"),
        CheckConstraint("discount_alone_bp BETWEEN 0 AND 10000", name="discount_alone"),
        {"info": {"shared": "the sellers' own settings, the same for every park"}},
    )

    slug: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[Name]
    grace_days: Mapped[int] = mapped_column(SmallInteger)
    """Days of the next month in which late usage of a month is waited for."""
    alone_up_to_fen: Mapped[Fen]
    """The largest credit note that one person may issue; above it takes two."""
    discount_alone_bp: Mapped[int] = mapped_column(Integer, server_default="1000")
    """The largest share that one person may grant a park as a discount."""
    changed_by: Mapped[UUID | None]
    changed_at: Mapped[datetime | None]


class Invoice(TenantOwned, Base):
    """What a park owes for one month: list price, the fund's part, and the rest.

    It goes ``draft -> finalized -> paid | void``: CHECKs tie each state to what is paid and to the two people who void
    it, and no role of the application may change anything else on it.
    """

    __tablename__ = "invoices"
    __table_args__ = (
        one_of("status", ("draft", "finalized", "paid", "void")),
        UniqueConstraint("tenant_id", "number"),
        Index("uq_invoices_one_a_period", "tenant_id", "period", unique=True, postgresql_where="status <> 'void'"),
        CheckConstraint("gross_fen = subsidy_fen + discount_fen + payable_fen", name="two_payers"),
        CheckConstraint("discount_fen >= 0 AND payable_fen >= 0 AND subsidy_fen >= 0", name="discount"),
        CheckConstraint("(discount_fen > 0) = (discount_id IS NOT NULL)", name="discounted"),
        CheckConstraint("paid_fen BETWEEN 0 AND payable_fen", name="paid"),
        CheckConstraint("(status = 'draft') = (number IS NULL)", name="numbered"),
        CheckConstraint("(status <> 'paid') OR (paid_fen = payable_fen)", name="paid_in_full"),
        CheckConstraint(
            "status IN ('draft', 'void') OR (status = 'paid') = (paid_fen = payable_fen)", name="paid_is_paid"
        ),
        UniqueConstraint("tenant_id", "id", "is_void"),
        CheckConstraint("status <> 'void' OR paid_fen = 0", name="void_unpaid"),
        CheckConstraint("(status = 'void') = (voided_by IS NOT NULL)", name="void"),
        CheckConstraint(
            "voided_by IS NULL OR (void_asked_by IS NOT NULL AND void_asked_by <> voided_by)", name="void_by_two"
        ),
        CheckConstraint("num_nonnulls(void_asked_by, void_asked_at, void_reason) IN (0, 3)", name="void_asked"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    legal_entity: Mapped[Code] = mapped_column(ForeignKey("legal_entities.slug"))
    period: Mapped[str] = mapped_column(String(7))
    status: Mapped[Code]
    number: Mapped[Code | None]
    gross_fen: Mapped[Fen]
    subsidy_fen: Mapped[Fen]
    discount_fen: Mapped[Fen] = mapped_column(server_default="0")
    """What a discount of the whole invoice takes off the park's own part."""
    discount_id: Mapped[UUID | None] = mapped_column(ForeignKey("discounts.id"))
    payable_fen: Mapped[Fen]
    vat_fen: Mapped[Fen]
    """VAT contained in ``gross_fen`` less ``discount_fen``."""
    paid_fen: Mapped[Fen]
    due_on: Mapped[date | None] = mapped_column(Date)
    created_at: Mapped[datetime]
    finalized_at: Mapped[datetime | None]
    finalized_by: Mapped[UUID | None]
    void_reason: Mapped[str | None] = mapped_column(String(500))
    void_asked_by: Mapped[UUID | None]
    void_asked_at: Mapped[datetime | None]
    voided_by: Mapped[UUID | None]
    voided_at: Mapped[datetime | None]
    is_void: Mapped[bool] = mapped_column(Boolean, Computed("status = 'void'", persisted=True))


class InvoiceLine(TenantOwned, Base):
    """One delivered service on an invoice, with both payers' parts."""

    __tablename__ = "invoice_lines"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "invoice_id", "voided"],
            ["invoices.tenant_id", "invoices.id", "invoices.is_void"],
            onupdate="CASCADE",
        ),
        ForeignKeyConstraint(["tenant_id", "rated_usage_id"], ["rated_usage.tenant_id", "rated_usage.id"]),
        Index(
            "uq_invoice_lines_one_a_delivery",
            "tenant_id",
            "rated_usage_id",
            unique=True,
            postgresql_where="NOT voided",
        ),
        CheckConstraint("gross_fen = subsidy_fen + discount_fen + payable_fen", name="two_payers"),
        CheckConstraint("discount_fen >= 0 AND payable_fen >= 0 AND subsidy_fen >= 0", name="discount"),
    )

    invoice_id: Mapped[UUID] = mapped_column(primary_key=True)
    line: Mapped[int] = mapped_column(Integer, primary_key=True)
    rated_usage_id: Mapped[UUID]
    offering: Mapped[Code]
    title: Mapped[Name]
    quantity: Mapped[Decimal] = mapped_column(Numeric(24, 6))
    gross_fen: Mapped[Fen]
    subsidy_fen: Mapped[Fen]
    discount_fen: Mapped[Fen] = mapped_column(server_default="0")
    """The line's part of the invoice's discount."""
    payable_fen: Mapped[Fen]
    vat_bp: Mapped[int] = mapped_column(Integer)
    vat_fen: Mapped[Fen]
    awards: Mapped[list[Any]]
    voided: Mapped[bool] = mapped_column(Boolean, server_default="false")
    """Its invoice is void, which the foreign key tells it: the delivery goes to another one."""


class InvoiceCounter(Base):
    """The last number given by a legal entity in a year; taken under its row's lock, so no number is skipped."""

    __tablename__ = "invoice_counters"
    __table_args__ = ({"info": {"shared": "numbers run over all parks of a legal entity"}},)

    legal_entity: Mapped[str] = mapped_column(String(64), primary_key=True)
    year: Mapped[int] = mapped_column(Integer, primary_key=True)
    last_number: Mapped[int] = mapped_column(Integer)


class InvoiceRun(Base):
    """Issuing a month's invoices to all parks, as a job. What is done is counted with the invoices it issued."""

    __tablename__ = "invoice_runs"
    __table_args__ = (
        one_of("status", ("queued", "done")),
        CheckConstraint("parks_done BETWEEN 0 AND parks_total", name="progress"),
        CheckConstraint("(status = 'done') = (finished_at IS NOT NULL)", name="done"),
        Index(
            "uq_invoice_runs_one_at_a_time", "legal_entity", "period", unique=True, postgresql_where="status = 'queued'"
        ),
        {"info": {"shared": "over all parks; only staff may read it"}},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    legal_entity: Mapped[str] = mapped_column(String(64), ForeignKey("legal_entities.slug"))
    period: Mapped[str] = mapped_column(String(7))
    status: Mapped[Code]
    parks_total: Mapped[int] = mapped_column(Integer)
    parks_done: Mapped[int] = mapped_column(Integer)
    asked_by: Mapped[UUID | None]
    asked_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
