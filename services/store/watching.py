"""Baselines, what was found by them, work orders with every step, and forecasts."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Date, Index, Integer, Numeric, SmallInteger, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from tenants.kernel.database import Base, Code, TenantOwned, one_of, owned_reference


class MeterBaseline(TenantOwned, Base):
    """A baseline of a meter, by version; the newest one counts. Never changed."""

    __tablename__ = "meter_baselines"
    __table_args__ = (
        owned_reference("meter_id", "site_meters"),
        UniqueConstraint("tenant_id", "meter_id", "version"),
        CheckConstraint("version > 0 AND trained_from < trained_until", name="trained"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    meter_id: Mapped[UUID]
    version: Mapped[int] = mapped_column(Integer)
    trained_from: Mapped[datetime]
    trained_until: Mapped[datetime]
    document: Mapped[dict[str, Any]]
    fitted_by: Mapped[UUID | None]
    fitted_at: Mapped[datetime]


class MeterWatch(TenantOwned, Base):
    """How far a meter has been evaluated, and from when its sums count: from its baseline on, or its last work order."""

    __tablename__ = "meter_watches"
    __table_args__ = (owned_reference("meter_id", "site_meters"),)

    meter_id: Mapped[UUID] = mapped_column(primary_key=True)
    counted_from: Mapped[datetime | None]
    evaluated_at: Mapped[datetime]
    found: Mapped[dict[str, Any]]
    """What a page shows of it: coverage, the sums, the last days."""


class WorkOrder(TenantOwned, Base):
    """A deviation that somebody has to look after, with a clock. A meter has at most one open one."""

    __tablename__ = "work_orders"
    __table_args__ = (
        owned_reference("site_id", "sites"),
        owned_reference("meter_id", "site_meters"),
        owned_reference("baseline_id", "meter_baselines"),
        one_of("direction", ("high", "low")),
        one_of("status", ("open", "accepted", "closed")),
        one_of("outcome", ("fixed", "no_fault", "accepted_change")),
        CheckConstraint("(status = 'closed') = (closed_at IS NOT NULL AND outcome IS NOT NULL)", name="closed"),
        CheckConstraint("(status = 'open') = (accepted_at IS NULL) OR status = 'closed'", name="accepted"),
        CheckConstraint("level BETWEEN 0 AND 3", name="level"),
        CheckConstraint("(saving IS NULL) = (verified_at IS NULL)", name="verified"),
        Index(
            "uq_work_orders_open",
            "tenant_id",
            "meter_id",
            unique=True,
            postgresql_where=text("status <> 'closed'"),
        ),
        Index("ix_work_orders_due", "respond_by", postgresql_where=text("status = 'open'")),
        Index(None, "tenant_id", "found_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[Code]
    site_id: Mapped[UUID]
    meter_id: Mapped[UUID]
    baseline_id: Mapped[UUID]
    direction: Mapped[Code]
    cause: Mapped[Code]
    first_day: Mapped[date] = mapped_column(Date)
    found_day: Mapped[date] = mapped_column(Date)
    excess: Mapped[Decimal] = mapped_column(Numeric(20, 3))
    share_bp: Mapped[int] = mapped_column(Integer)
    """Excess over the expected use, in basis points."""
    detail: Mapped[dict[str, Any]]
    status: Mapped[Code]
    found_at: Mapped[datetime]
    respond_by: Mapped[datetime]
    level: Mapped[int] = mapped_column(SmallInteger)
    """How often nobody has answered in time."""
    holder: Mapped[UUID | None]
    accepted_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    outcome: Mapped[Code | None]
    saving: Mapped[dict[str, Any] | None]
    verified_at: Mapped[datetime | None]


class WorkOrderStep(TenantOwned, Base):
    """One step of a work order: found, escalated, accepted, handed over, noted, closed, verified. Never changed."""

    __tablename__ = "work_order_steps"
    __table_args__ = (
        owned_reference("work_order_id", "work_orders"),
        one_of("kind", ("found", "escalated", "accepted", "handed_over", "noted", "closed", "verified")),
    )

    work_order_id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    kind: Mapped[Code]
    person: Mapped[UUID | None]
    """Who did it, or to whom it was handed."""
    note: Mapped[str] = mapped_column(String(500))
    at: Mapped[datetime]


class MeterForecast(TenantOwned, Base):
    """A day-ahead forecast of a meter with the back-test that it stands on. One for each day."""

    __tablename__ = "meter_forecasts"
    __table_args__ = (owned_reference("meter_id", "site_meters"),)

    meter_id: Mapped[UUID] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    made_at: Mapped[datetime]
    document: Mapped[dict[str, Any]]
