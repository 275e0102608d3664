"""What providers ask of those who book, version by version, and who came and left when. Both are only added to."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKeyConstraint, Index, Integer, String, text
from sqlalchemy.orm import Mapped, mapped_column

from tenants.kernel.database import Base, Code, TenantOwned, one_of, owned_reference

NUMBERS = (
    "check_in_before_minutes",
    "grace_minutes",
    "free_cancel_minutes",
    "late_cancel_bp",
    "no_show_bp",
    "overrun_unit_minutes",
    "overrun_fee_fen",
    "suspend_after",
    "suspend_window_days",
    "suspend_days",
    "dispute_days",
)


class AttendanceRule(Base):
    """A version of an instrument's rule; it holds for bookings made from ``valid_from`` on, until a later one does."""

    __tablename__ = "attendance_rules"
    __table_args__ = (
        ForeignKeyConstraint(["provider_id", "instrument_id"], ["instruments.provider_id", "instruments.id"]),
        one_of("metering", ("booked", "larger", "actual")),
        CheckConstraint("version >= 1 AND valid_from >= set_at", name="not_backwards"),
        CheckConstraint(
            "least(check_in_before_minutes, grace_minutes, free_cancel_minutes, overrun_fee_fen) >= 0"
            " AND overrun_unit_minutes >= 1 AND late_cancel_bp BETWEEN 0 AND 10000 AND no_show_bp BETWEEN 0 AND 10000",
            name="numbers",
        ),
        CheckConstraint("suspend_after >= 0 AND suspend_window_days >= 1 AND suspend_days >= 1", name="suspension"),
        CheckConstraint("dispute_days BETWEEN 5 AND 180", name="dispute"),
        {"info": {"shared": "terms of an instrument, distributed by its owner, for those who may book it"}},
    )

    provider_id: Mapped[UUID] = mapped_column(primary_key=True)
    instrument_id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True)
    valid_from: Mapped[datetime]
    check_in_before_minutes: Mapped[int] = mapped_column(Integer)
    grace_minutes: Mapped[int] = mapped_column(Integer)
    free_cancel_minutes: Mapped[int] = mapped_column(Integer)
    late_cancel_bp: Mapped[int] = mapped_column(Integer)
    no_show_bp: Mapped[int] = mapped_column(Integer)
    overrun_unit_minutes: Mapped[int] = mapped_column(Integer)
    overrun_fee_fen: Mapped[int] = mapped_column(BigInteger)
    metering: Mapped[Code]
    suspend_after: Mapped[int] = mapped_column(Integer)
    suspend_window_days: Mapped[int] = mapped_column(Integer)
    suspend_days: Mapped[int] = mapped_column(Integer)
    dispute_days: Mapped[int] = mapped_column(Integer)
    set_by: Mapped[UUID]
    set_at: Mapped[datetime]

    def document(self) -> dict[str, Any]:
        """Return the terms as a booking keeps them."""
        numbers = {name: getattr(self, name) for name in NUMBERS}
        return {"version": self.version, **numbers, "metering": self.metering}


class AttendanceExcuse(TenantOwned, Base):
    """A no-show that a person has excused: it counts for no suspension any more."""

    __tablename__ = "attendance_excuses"
    __table_args__ = (owned_reference("booking_id", "bookings"),)

    booking_id: Mapped[UUID] = mapped_column(primary_key=True)
    reason: Mapped[str] = mapped_column(String(200))
    excused_by: Mapped[UUID]
    excused_at: Mapped[datetime]


class AttendanceCorrection(TenantOwned, Base):
    """The times of a booking as an accepted dispute put them right. The notes stay what they were."""

    __tablename__ = "attendance_corrections"
    __table_args__ = (owned_reference("booking_id", "bookings"), CheckConstraint("left_at > came_at", name="order"))

    booking_id: Mapped[UUID] = mapped_column(primary_key=True)
    came_at: Mapped[datetime]
    left_at: Mapped[datetime]
    reason: Mapped[str] = mapped_column(String(200))
    corrected_by: Mapped[UUID]
    corrected_at: Mapped[datetime]


class AttendanceNote(TenantOwned, Base):
    """Somebody checked in or out, or nobody had come when the grace was over. A platform's note names no person."""

    __tablename__ = "attendance_notes"
    __table_args__ = (
        owned_reference("booking_id", "bookings"),
        one_of("step", ("checked_in", "checked_out", "no_show")),
        one_of("side", ("park", "provider", "platform")),
        CheckConstraint("(side = 'platform') = (step = 'no_show')", name="by_whom"),
        CheckConstraint("side = 'platform' OR noted_by IS NOT NULL", name="named"),
        Index("uq_attendance_notes_step", "tenant_id", "booking_id", "step", unique=True),
        # Whoever comes second, the one who checks in or the clock, is refused by the database.
        Index(
            "uq_attendance_notes_came",
            "tenant_id",
            "booking_id",
            unique=True,
            postgresql_where=text("step IN ('checked_in', 'no_show')"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    booking_id: Mapped[UUID]
    step: Mapped[Code]
    at: Mapped[datetime]
    side: Mapped[Code]
    noted_by: Mapped[UUID | None]
