"""Reservations of instruments, which the database keeps from overlapping, and the parks' bookings of them.

A reservation belongs to the instrument's owner and says nothing of who holds it, so every park can be shown what is
free; the booking belongs to the park.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, CheckConstraint, ColumnElement, ForeignKeyConstraint, Index, SmallInteger, String, text
from sqlalchemy.dialects.postgresql import JSONB, TSTZRANGE, ExcludeConstraint, Range
from sqlalchemy.orm import Mapped, mapped_column

from tenants.kernel.database import Base, Code, Name, TenantOwned, one_of, owned_reference


class Reservation(Base):
    """A span of time on one unit of an instrument: a booking or a hold, with its buffers, or maintenance.

    Two active ones never overlap, whoever asks and however many at once.
    """

    __tablename__ = "reservations"
    __table_args__ = (
        ForeignKeyConstraint(["provider_id", "instrument_id"], ["instruments.provider_id", "instruments.id"]),
        ExcludeConstraint(
            ("provider_id", "="),
            ("instrument_id", "="),
            ("unit", "="),
            ("during", "&&"),
            where=text("active"),
            using="gist",
            name="ex_reservations_no_overlap",
        ),
        CheckConstraint("unit >= 1 AND NOT isempty(during)", name="unit"),
        CheckConstraint("held_until IS NULL OR maintenance IS NULL", name="held"),
        {"info": {"shared": "busy times of an instrument, distributed by its owner, without the holder's name"}},
    )

    provider_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    instrument_id: Mapped[UUID]
    unit: Mapped[int] = mapped_column(SmallInteger)
    during: Mapped[Range[datetime]] = mapped_column(TSTZRANGE)
    maintenance: Mapped[str | None] = mapped_column(String(200))
    """Why the unit is down; NULL for a booking. A park's transaction writes bookings only."""
    held_until: Mapped[datetime | None]
    """Until when it is only held; after that it is in nobody's way, and who wants the time gives it up. NULL for good."""
    active: Mapped[bool] = mapped_column(Boolean)
    created_at: Mapped[datetime]


def in_the_way(now: datetime) -> ColumnElement[bool]:
    """Return what is true of the reservations that keep others away at ``now``."""
    return Reservation.active & (Reservation.held_until.is_(None) | (Reservation.held_until > now))


class Booking(TenantOwned, Base):
    """A park's booking of one reservation."""

    __tablename__ = "bookings"
    __table_args__ = (
        one_of("status", ("booked", "reported", "cancelled", "failed", "no_show")),
        # A provider finds its work across parks; nothing else of a park's rows is read by another key.
        Index(None, "provider_id", "starts_at"),
        owned_reference("series_id", "booking_series"),
        CheckConstraint("(series_id IS NULL) = (series_number IS NULL) AND series_number >= 1", name="series"),
        # An occurrence is booked once, until it is given back.
        Index(
            "uq_bookings_occurrence",
            "tenant_id",
            "series_id",
            "series_number",
            unique=True,
            postgresql_where=text("status NOT IN ('cancelled', 'failed')"),
        ),
        # What a park holds of an instrument is added up before it books more of it.
        Index(None, "tenant_id", "instrument_id", "starts_at"),
        # What the clock looks through for people who did not come.
        Index(
            "ix_bookings_awaited",
            "starts_at",
            postgresql_where=text("status = 'booked' AND attendance IS NOT NULL"),
        ),
        # What suspends a park at a provider.
        Index(
            "ix_bookings_missed",
            "tenant_id",
            "provider_id",
            "starts_at",
            postgresql_where=text("status = 'no_show'"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    provider_id: Mapped[UUID]
    reservation_id: Mapped[UUID]
    """No foreign key: the reservation is distributed by its owner, this row by the park; the invariants check it."""
    instrument_id: Mapped[UUID]
    instrument_name: Mapped[Name]
    """As it was booked: the instrument may be closed to the park since."""
    region_code: Mapped[str] = mapped_column(String(6))
    offering: Mapped[Code]
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    purpose: Mapped[str] = mapped_column(String(500))
    status: Mapped[Code]
    order_line_id: Mapped[UUID]
    """The line of the order it was booked by; the marketplace owns that table, so this is no foreign key."""
    booked_by: Mapped[UUID | None]
    responsible_id: Mapped[UUID | None]
    """Who of the park takes care of it: who booked it, until it is handed over."""
    revision: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    """How often it was changed since; calendars tell a newer entry by it."""
    changed_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    closed_by: Mapped[UUID | None]
    closed_at: Mapped[datetime | None]
    passed: Mapped[bool | None]
    """What the report says of the sample; None while there is none, or where the method gives no verdict."""
    failure_reason: Mapped[str | None] = mapped_column(String(500))
    """Why the provider could not do it, in the provider's words."""
    attendance: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    """The rule of attendance that it was made under, which no later rule changes; None for none."""
    series_id: Mapped[UUID | None]
    series_number: Mapped[int | None] = mapped_column(SmallInteger)
    """Which occurrence of its series it is, from 1 on, wherever it has moved since; None for a booking of its own."""
