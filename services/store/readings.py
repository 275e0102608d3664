"""Meters of sites, their readings as they stand, and every reading that was replaced by a later one."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    Integer,
    Numeric,
    SmallInteger,
    String,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from tenants.kernel.database import Base, Code, Name, TenantOwned, one_of, owned_reference

MEASURES = ("electricity", "cooling", "heat", "gas", "water", "temperature", "humidity", "other")


class SiteMeter(TenantOwned, Base):
    """A meter of a site: a device that sends readings, or a virtual one made of others by a formula."""

    __tablename__ = "site_meters"
    __table_args__ = (
        owned_reference("site_id", "sites"),
        UniqueConstraint("tenant_id", "code"),
        one_of("measures", MEASURES),
        one_of("readings", ("interval", "cumulative", "instant")),
        one_of("stamps", ("start", "end")),
        CheckConstraint("interval_minutes IN (1, 5, 10, 15, 30, 60)", name="interval"),
        CheckConstraint("multiplier > 0 AND highest > 0 AND register_limit > 0", name="positive"),
        CheckConstraint("(formula IS NULL) = (depth = 0) AND depth BETWEEN 0 AND 5", name="depth"),
        Index(None, "tenant_id", "site_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    site_id: Mapped[UUID]
    code: Mapped[Code]
    """What the device, or its gateway, calls it; unique in the park."""
    name: Mapped[Name]
    measures: Mapped[Code]
    unit: Mapped[str] = mapped_column(String(16))
    readings: Mapped[Code]
    stamps: Mapped[Code]
    interval_minutes: Mapped[int] = mapped_column(SmallInteger)
    multiplier: Mapped[Decimal] = mapped_column(Numeric(14, 6))
    highest: Mapped[Decimal | None] = mapped_column(Numeric(20, 6))
    register_limit: Mapped[Decimal | None] = mapped_column(Numeric(20, 6))
    formula: Mapped[list[Any] | None]
    depth: Mapped[int] = mapped_column(SmallInteger)
    is_main: Mapped[bool]
    """Whether a baseline, anomalies and a forecast are made of it."""
    last_at: Mapped[datetime | None]
    last_value: Mapped[Decimal | None] = mapped_column(Numeric(24, 6))
    last_received_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]


class Reading(TenantOwned, Base):
    """A reading as it stands. ``estimated``: the sender says that it was not measured."""

    __tablename__ = "readings"
    __table_args__ = (owned_reference("meter_id", "site_meters"), CheckConstraint("version > 0", name="version"))

    meter_id: Mapped[UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(primary_key=True)
    value: Mapped[Decimal] = mapped_column(Numeric(24, 6))
    estimated: Mapped[bool]
    version: Mapped[int] = mapped_column(Integer)
    received_at: Mapped[datetime]


class ReadingVersion(TenantOwned, Base):
    """A reading that was replaced by a later one of the same stamp. Never changed."""

    __tablename__ = "reading_versions"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "meter_id", "at"], ["readings.tenant_id", "readings.meter_id", "readings.at"]
        ),
        CheckConstraint("version > 0", name="version"),
    )

    meter_id: Mapped[UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True)
    value: Mapped[Decimal] = mapped_column(Numeric(24, 6))
    estimated: Mapped[bool]
    received_at: Mapped[datetime]
    replaced_at: Mapped[datetime]
