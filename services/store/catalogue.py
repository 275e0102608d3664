"""Offerings that can be rented, and the instruments behind bookable ones."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, SmallInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from tenants.kernel.database import Base, Code, Fen, Name, one_of
from tenants.kernel.vocabulary import Tier, UsageUnit

CATALOGUE = {"info": {"shared": "the catalogue is the same for every park"}}


class Offering(Base):
    """A service that can be rented."""

    __tablename__ = "offerings"
    __table_args__ = (
        one_of("tier", Tier),
        one_of("usage_unit", UsageUnit),
        one_of("delivery", ("twin", "schedule", "leads", "inspection", "samples", "monitoring", "alarms", "carbon")),
        CATALOGUE,
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(String(64), unique=True)
    provider_id: Mapped[UUID] = mapped_column(ForeignKey("organisations.id"), index=True)
    tier: Mapped[Code]
    delivery: Mapped[Code]
    """How it is delivered: by an engine (twin, schedule, leads), on an instrument (inspection), on
    samples that the park sends (samples), or for a site by the month (monitoring, alarms, carbon)."""
    name: Mapped[Name]
    name_en: Mapped[Name]
    summary: Mapped[str] = mapped_column(String(1000))
    summary_en: Mapped[str] = mapped_column(String(1000))
    usage_unit: Mapped[Code]
    build_cost_fen: Mapped[Fen]
    """What a park would pay to build the same for itself, for the rent-to-build ratio."""
    orderable: Mapped[bool]
    created_at: Mapped[datetime]


class Instrument(Base):
    """An instrument of a provider, bookable in slots during its opening hours."""

    __tablename__ = "instruments"
    __table_args__ = (CATALOGUE,)

    provider_id: Mapped[UUID] = mapped_column(ForeignKey("organisations.id"), primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    offering: Mapped[str] = mapped_column(ForeignKey("offerings.slug"), index=True)
    name: Mapped[Name]
    region_code: Mapped[str] = mapped_column(String(6))
    methods: Mapped[list[Any]]
    opens_hour: Mapped[int] = mapped_column(SmallInteger)
    closes_hour: Mapped[int] = mapped_column(SmallInteger)
    slot_minutes: Mapped[int] = mapped_column(SmallInteger)
