"""Offerings that can be rented, and the instruments behind bookable ones."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, SmallInteger, String, Uuid
from sqlalchemy.dialects.postgresql import ARRAY
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
    """An instrument of a provider, bookable in slots during its opening hours. It may stand for several like units."""

    __tablename__ = "instruments"
    __table_args__ = (
        CheckConstraint(
            "units BETWEEN 1 AND 50 AND min_slots >= 1 AND min_slots <= max_slots AND before_minutes >= 0"
            " AND after_minutes >= 0 AND min_notice_minutes >= 0 AND max_notice_days >= 1",
            name="terms",
        ),
        CheckConstraint("(qualification = '') = (training = '')", name="training"),
        {"info": {"shared": "the catalogue; row security shows a private instrument to its parks alone"}},
    )

    provider_id: Mapped[UUID] = mapped_column(ForeignKey("organisations.id"), primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    offering: Mapped[str] = mapped_column(ForeignKey("offerings.slug"), index=True)
    name: Mapped[Name]
    facility: Mapped[str] = mapped_column(String(200), server_default="")
    """The laboratory or centre that it stands in, and ``location`` where that is; empty where nobody said."""
    location: Mapped[str] = mapped_column(String(200), server_default="")
    region_code: Mapped[str] = mapped_column(String(6))
    methods: Mapped[list[Any]]
    standards: Mapped[list[Any]] = mapped_column(server_default="[]")
    sample_kinds: Mapped[list[Any]] = mapped_column(server_default="[]")
    qualification: Mapped[str] = mapped_column(String(100), server_default="")
    """What a person must hold to use it, by its name; empty for nothing. ``training`` tells how to come by it."""
    training: Mapped[str] = mapped_column(String(500), server_default="")
    opens_hour: Mapped[int] = mapped_column(SmallInteger)
    closes_hour: Mapped[int] = mapped_column(SmallInteger)
    slot_minutes: Mapped[int] = mapped_column(SmallInteger)
    units: Mapped[int] = mapped_column(SmallInteger)
    min_slots: Mapped[int] = mapped_column(SmallInteger)
    max_slots: Mapped[int] = mapped_column(SmallInteger)
    before_minutes: Mapped[int] = mapped_column(SmallInteger)
    after_minutes: Mapped[int] = mapped_column(SmallInteger)
    min_notice_minutes: Mapped[int]
    max_notice_days: Mapped[int] = mapped_column(SmallInteger)
    parks: Mapped[list[UUID] | None] = mapped_column(ARRAY(Uuid))
    """Who may see and book it; NULL for everybody."""


class InstrumentVersion(Base):
    """What an instrument was like from a change on, with who made it. Rows are only added."""

    __tablename__ = "instrument_versions"
    __table_args__ = (
        ForeignKeyConstraint(["provider_id", "instrument_id"], ["instruments.provider_id", "instruments.id"]),
        CheckConstraint("version >= 1", name="counted"),
        {"info": {"shared": "the history of an instrument, distributed by its owner, for staff alone"}},
    )

    provider_id: Mapped[UUID] = mapped_column(primary_key=True)
    instrument_id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    document: Mapped[dict[str, Any]]
    changed_by: Mapped[UUID | None]
    changed_by_name: Mapped[Name]
    changed_at: Mapped[datetime]


class Workday(Base):
    """What an operator recorded of one day; it goes before the published calendar until it is taken back."""

    __tablename__ = "workdays"
    __table_args__ = (
        CheckConstraint(
            "(removed_at IS NULL) = (removed_why IS NULL) AND (removed_by IS NULL OR removed_at IS NOT NULL)",
            name="removed",
        ),
        CATALOGUE,
    )

    day: Mapped[date] = mapped_column(primary_key=True)
    worked: Mapped[bool]
    name: Mapped[Name]
    recorded_by: Mapped[UUID | None]
    recorded_at: Mapped[datetime]
    removed_by: Mapped[UUID | None]
    removed_at: Mapped[datetime | None]
    removed_why: Mapped[str | None] = mapped_column(String(200))


class WorkdayYear(Base):
    """A year whose working days an operator has completed: what is not recorded of it follows the week."""

    __tablename__ = "workday_years"
    __table_args__ = (CATALOGUE,)

    year: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    source: Mapped[str] = mapped_column(String(500))
    recorded_by: Mapped[UUID | None]
    recorded_at: Mapped[datetime]
