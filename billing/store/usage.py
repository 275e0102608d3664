"""Meters, usage events, and what was charged for them. Events are added and never changed."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    Numeric,
    String,
    UniqueConstraint,
    false,
    func,
    text,
    true,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import UserDefinedType

from tenants.kernel.database import Base, Code, Fen, Name, TenantOwned, one_of


class TransactionId(UserDefinedType[int]):
    """PostgreSQL's 64-bit transaction id: it tells a roll-up which rows came after the ones it has seen."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """Return the column type's name."""
        return "xid8"


class Snapshot(UserDefinedType[str]):
    """PostgreSQL's name of a snapshot: which transactions one that looks at the database at a moment sees."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """Return the type's name."""
        return "pg_snapshot"


class Meter(Base):
    """How events of one type become a quantity."""

    __tablename__ = "meters"
    __table_args__ = (
        one_of("aggregation", ("count", "sum", "max", "min", "avg", "unique_count", "latest", "weighted_sum")),
        {"info": {"shared": "meters are the same for every park"}},
    )

    slug: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[Name]
    event_type: Mapped[Code]
    aggregation: Mapped[Code]
    value_property: Mapped[str | None] = mapped_column(String(200))
    group_by: Mapped[dict[str, Any]]
    filters: Mapped[dict[str, Any]]
    allow_negative: Mapped[bool] = mapped_column(server_default=true())
    unit: Mapped[str] = mapped_column(String(32), server_default="")
    """What its quantities are shown in."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    archived_at: Mapped[datetime | None]


class UsageEvent(TenantOwned, Base):
    """A CloudEvent of a park's usage, unique by (tenant, source, id) for good."""

    __tablename__ = "usage_events"
    __table_args__ = (
        Index(None, "tenant_id", "type", "time"),
        Index(None, "tenant_id", "received_at"),
        # What a roll-up has not seen yet. Rows of a transaction are alike in it, so it stays small.
        Index(None, "type", "written_in", "tenant_id"),
    )

    source: Mapped[str] = mapped_column(String(200), primary_key=True)
    event_id: Mapped[str] = mapped_column(String(200), primary_key=True)
    type: Mapped[str] = mapped_column(String(100))
    subject: Mapped[str] = mapped_column(String(200))
    time: Mapped[datetime]
    data: Mapped[Any] = mapped_column(JSONB)
    body_hash: Mapped[str] = mapped_column(String(64))
    received_at: Mapped[datetime]
    written_in: Mapped[int] = mapped_column(TransactionId(), server_default=text("pg_current_xact_id()"))


class EventCorrection(TenantOwned, Base):
    """Which event another one takes the place of. One is corrected once: a second correction corrects the first.

    Both are of one type. What is corrected does not count any more, nor does a void correction itself.
    """

    __tablename__ = "event_corrections"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "source", "event_id"],
            ["usage_events.tenant_id", "usage_events.source", "usage_events.event_id"],
        ),
        ForeignKeyConstraint(
            ["tenant_id", "corrected_source", "corrected_id"],
            ["usage_events.tenant_id", "usage_events.source", "usage_events.event_id"],
            name="fk_event_corrections_corrected",
        ),
        UniqueConstraint("tenant_id", "corrected_source", "corrected_id"),
        CheckConstraint("(source, event_id) <> (corrected_source, corrected_id)", name="not_itself"),
        Index(None, "written_in"),
    )

    source: Mapped[str] = mapped_column(String(200), primary_key=True)
    event_id: Mapped[str] = mapped_column(String(200), primary_key=True)
    corrected_source: Mapped[str] = mapped_column(String(200))
    corrected_id: Mapped[str] = mapped_column(String(200))
    void: Mapped[bool] = mapped_column(server_default=false())
    written_in: Mapped[int] = mapped_column(TransactionId(), server_default=text("pg_current_xact_id()"))


class RejectedEvent(TenantOwned, Base):
    """An event that was refused while the rest of its batch was kept: what its sender was told, for those who help."""

    __tablename__ = "rejected_events"
    __table_args__ = (Index(None, "tenant_id", "received_at"), Index(None, "received_at"))

    id: Mapped[UUID] = mapped_column(primary_key=True)
    received_at: Mapped[datetime]
    source: Mapped[str] = mapped_column(String(200))
    event_id: Mapped[str] = mapped_column(String(200))
    field: Mapped[str] = mapped_column(String(200))
    code: Mapped[Code]
    reason: Mapped[str] = mapped_column(String(1000))
    """The sentence with places for ``reason_values``; without them it is whole, as it was told."""
    reason_values: Mapped[dict[str, Any] | None]


class RatedUsage(TenantOwned, Base):
    """What one delivered order line cost whom, from which event, by which price and policy versions."""

    __tablename__ = "rated_usage"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "event_source", "event_id"],
            ["usage_events.tenant_id", "usage_events.source", "usage_events.event_id"],
        ),
        UniqueConstraint("tenant_id", "event_source", "event_id"),
        UniqueConstraint("tenant_id", "order_line_id"),
        CheckConstraint("gross_fen = subsidy_fen + payable_fen", name="two_payers"),
        CheckConstraint("quantity >= 0", name="quantity"),
        CheckConstraint("included >= 0 AND discount_fen >= 0", name="included"),
        CheckConstraint("repeats IS NULL OR (gross_fen = 0 AND included = quantity)", name="repeats"),
        CheckConstraint(
            "agreed_discount_fen >= 0 AND (agreed_discount_fen > 0) = (agreed_discount_id IS NOT NULL)",
            name="agreed_discount",
        ),
        Index(None, "tenant_id", "period"),
        Index(None, "rated_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    event_source: Mapped[str] = mapped_column(String(200))
    event_id: Mapped[str] = mapped_column(String(200))
    order_line_id: Mapped[UUID]
    offering: Mapped[Code]
    title: Mapped[Name]
    price_id: Mapped[UUID]
    quantity: Mapped[Decimal] = mapped_column(Numeric(24, 6))
    vat_bp: Mapped[int] = mapped_column(Integer)
    gross_fen: Mapped[Fen]
    subsidy_fen: Mapped[Fen]
    payable_fen: Mapped[Fen]
    awards: Mapped[list[Any]]
    payment_method: Mapped[Code]
    included: Mapped[int] = mapped_column(Integer, server_default="0")
    """Units that cost nothing, as the park's plan includes them or as they repeat a delivery."""
    discount_fen: Mapped[Fen] = mapped_column(server_default="0")
    """What they would have cost; ``gross_fen`` is without it."""
    agreed_discount_fen: Mapped[Fen] = mapped_column(server_default="0")
    """What a discount took off the price before the subsidy; ``gross_fen`` is without it."""
    agreed_discount_id: Mapped[UUID | None] = mapped_column(ForeignKey("discounts.id"))
    repeats: Mapped[UUID | None]
    """The delivery that this one repeats for nothing; services owns that table, so this is no foreign key."""
    period: Mapped[str] = mapped_column(String(7))
    rated_at: Mapped[datetime]
