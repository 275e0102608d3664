"""Rules of simple alarms, the alarms that they raised, and how far each went up."""

from __future__ import annotations

from datetime import datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, Integer, Numeric, SmallInteger, String, Time, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from tenants.kernel.database import Base, Code, Name, TenantOwned, one_of, owned_reference


class SiteAlarmRule(TenantOwned, Base):
    """A threshold or heartbeat on a meter, and where it stands: what was seen, whether an alarm is on."""

    __tablename__ = "alarm_rules"
    __table_args__ = (
        owned_reference("meter_id", "site_meters"),
        one_of("kind", ("above", "below", "silent")),
        CheckConstraint("(kind = 'silent') = (threshold IS NULL)", name="threshold"),
        CheckConstraint("hysteresis >= 0 AND hold_minutes BETWEEN 0 AND 1440", name="hold"),
        CheckConstraint("kind <> 'silent' OR hold_minutes > 0", name="heartbeat"),
        CheckConstraint("(quiet_from IS NULL) = (quiet_until IS NULL)", name="quiet"),
        CheckConstraint("crossings >= 0", name="crossings"),
        Index(None, "tenant_id", "meter_id"),
        Index("ix_alarm_rules_running", "tenant_id", postgresql_where=text("ended_at IS NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    meter_id: Mapped[UUID]
    name: Mapped[Name]
    kind: Mapped[Code]
    threshold: Mapped[Decimal | None] = mapped_column(Numeric(20, 6))
    hysteresis: Mapped[Decimal] = mapped_column(Numeric(20, 6))
    hold_minutes: Mapped[int] = mapped_column(SmallInteger)
    quiet_from: Mapped[time | None] = mapped_column(Time)
    quiet_until: Mapped[time | None] = mapped_column(Time)
    steps: Mapped[list[Any]]
    """Minutes after the telling at which an alarm that nobody acknowledged goes up."""
    crossings: Mapped[int] = mapped_column(Integer)
    is_on: Mapped[bool]
    beyond_since: Mapped[datetime | None]
    seen_until: Mapped[datetime | None]
    looked_at: Mapped[datetime | None]
    """Everything that came before it has been looked at."""
    created_by: Mapped[UUID | None]
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class SiteAlarm(TenantOwned, Base):
    """One crossing of a rule. The database keeps a crossing from being raised twice."""

    __tablename__ = "alarms"
    __table_args__ = (
        owned_reference("rule_id", "alarm_rules"),
        UniqueConstraint("tenant_id", "rule_id", "crossing"),
        CheckConstraint("(acknowledged_by IS NULL) = (acknowledged_at IS NULL)", name="acknowledged"),
        CheckConstraint("level BETWEEN 0 AND 5 AND crossing > 0", name="level"),
        Index(None, "tenant_id", "raised_at"),
        Index("ix_alarms_due", "step_due_at", postgresql_where=text("step_due_at IS NOT NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    rule_id: Mapped[UUID]
    crossing: Mapped[int] = mapped_column(Integer)
    raised_at: Mapped[datetime]
    """The stamp of the reading, or the moment at which the heartbeat was missed."""
    value: Mapped[Decimal | None] = mapped_column(Numeric(24, 6))
    found_at: Mapped[datetime]
    told_at: Mapped[datetime]
    """From when it is told: at once, or at the end of the quiet hours."""
    level: Mapped[int] = mapped_column(SmallInteger)
    step_due_at: Mapped[datetime | None]
    """When it is told for the first time (level 0 → 1) or goes up; None once nobody waits for it."""
    acknowledged_by: Mapped[UUID | None]
    acknowledged_at: Mapped[datetime | None]
    note: Mapped[str] = mapped_column(String(500), server_default="")
    ended_at: Mapped[datetime | None]


class AlarmStep(TenantOwned, Base):
    """That an alarm was told, or went up, to a level. Never changed, and each level once."""

    __tablename__ = "alarm_steps"
    __table_args__ = (owned_reference("alarm_id", "alarms"),)

    alarm_id: Mapped[UUID] = mapped_column(primary_key=True)
    level: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    at: Mapped[datetime]
