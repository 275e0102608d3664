"""Orders and their lines: where a park, a service and its two payers meet."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, SmallInteger, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from tenants.kernel.database import Base, Code, Fen, Name, TenantOwned, one_of, owned_reference


class Order(TenantOwned, Base):
    """An order of a park. One quote becomes at most one order."""

    __tablename__ = "orders"
    __table_args__ = (
        owned_reference("quote_id", "quotes"),
        UniqueConstraint("tenant_id", "quote_id"),
        UniqueConstraint("tenant_id", "number"),
        one_of("status", ("placed", "completed", "failed", "cancelled")),
        one_of("payment_method", ("invoice", "wallet")),
        CheckConstraint("gross_fen = subsidy_fen + payable_fen", name="two_payers"),
        Index(None, "tenant_id", "placed_at"),
        Index(None, "placed_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[Code]
    quote_id: Mapped[UUID]
    contract_no: Mapped[str | None] = mapped_column(String(100))
    """The contract the order stands on, as the park wrote its number."""
    status: Mapped[Code]
    payment_method: Mapped[Code]
    gross_fen: Mapped[Fen]
    subsidy_fen: Mapped[Fen]
    payable_fen: Mapped[Fen]
    placed_by: Mapped[UUID | None]
    placed_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]


class OrderLine(TenantOwned, Base):
    """One rented service of an order, with both payers' parts and, once delivered, the hash of what was delivered."""

    __tablename__ = "order_lines"
    __table_args__ = (
        owned_reference("order_id", "orders"),
        owned_reference("run_id", "runs"),
        owned_reference("repeats", "runs"),
        owned_reference("booking_id", "bookings"),
        owned_reference("site_month_id", "site_months"),
        owned_reference("sample_batch_id", "sample_batches"),
        one_of("status", ("placed", "delivered", "failed", "cancelled")),
        CheckConstraint("gross_fen = subsidy_fen + payable_fen", name="two_payers"),
        CheckConstraint("included >= 0 AND discount_fen >= 0", name="included"),
        CheckConstraint("repeats IS NULL OR (gross_fen = 0 AND included = quantity)", name="repeats"),
        CheckConstraint(
            "agreed_discount_fen >= 0 AND (agreed_discount_fen > 0) = (agreed_discount_id IS NOT NULL)",
            name="agreed_discount",
        ),
        CheckConstraint("num_nonnulls(run_id, booking_id, site_month_id, sample_batch_id) = 1", name="one_delivery"),
        Index(None, "tenant_id", "order_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    order_id: Mapped[UUID]
    position: Mapped[int] = mapped_column(SmallInteger)
    title: Mapped[Name]
    offering: Mapped[Code]
    quantity: Mapped[int] = mapped_column(Integer)
    price_id: Mapped[UUID]
    vat_bp: Mapped[int] = mapped_column(Integer)
    gross_fen: Mapped[Fen]
    subsidy_fen: Mapped[Fen]
    payable_fen: Mapped[Fen]
    awards: Mapped[list[Any]]
    included: Mapped[int] = mapped_column(Integer, server_default="0")
    """Units that cost nothing: the park's plan includes them, or they repeat a delivery."""
    discount_fen: Mapped[Fen] = mapped_column(server_default="0")
    """What they would have cost; ``gross_fen`` is without it."""
    agreed_discount_fen: Mapped[Fen] = mapped_column(server_default="0")
    """What a discount took off the price before the subsidy; ``gross_fen`` is without it."""
    agreed_discount_id: Mapped[UUID | None] = mapped_column(ForeignKey("discounts.id"))
    repeats: Mapped[UUID | None]
    """The run that is delivered again, which is why the line costs nothing."""
    status: Mapped[Code]
    run_id: Mapped[UUID | None]
    booking_id: Mapped[UUID | None]
    site_month_id: Mapped[UUID | None]
    sample_batch_id: Mapped[UUID | None]
    result_sha256: Mapped[str | None] = mapped_column(String(64))
    failure_code: Mapped[Code | None]
