"""Slots that parks hold while they confirm a price, and the operator's limits for it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, SmallInteger, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from services.rules.slot_holds import HoldOutcome
from tenants.kernel.database import Base, Code, Name, TenantOwned, one_of


class SlotHold(TenantOwned, Base):
    """A park's hold of one reservation, which stands as ``held_until`` in the instrument owner's row."""

    __tablename__ = "slot_holds"
    __table_args__ = (
        one_of("outcome", HoldOutcome),
        CheckConstraint("(outcome IS NULL) = (ended_at IS NULL)", name="ended"),
        CheckConstraint("starts_at < ends_at AND held_at < expires_at", name="span"),
        UniqueConstraint("tenant_id", "reservation_id"),
        # A park that asks for many at once fills its places, and the next one finds none.
        Index("uq_slot_holds_place", "tenant_id", "place", unique=True, postgresql_where=text("outcome IS NULL")),
        # By another word than the outcome: a plan made while there were few would look through all parks' for one park's.
        Index("ix_slot_holds_expiring", "expires_at", postgresql_where=text("ended_at IS NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    provider_id: Mapped[UUID]
    instrument_id: Mapped[UUID]
    instrument_name: Mapped[Name]
    offering: Mapped[Code]
    reservation_id: Mapped[UUID]
    """No foreign key: the reservation is distributed by its owner, this row by the park; the invariants check it."""
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    place: Mapped[int | None] = mapped_column(SmallInteger)
    """Which of the park's at once it is, from 1; NULL for one that does not count."""
    quote_id: Mapped[UUID | None]
    """The price it is held for; billing owns that table."""
    held_by: Mapped[UUID | None]
    held_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    outcome: Mapped[Code | None]
    """What became of it; NULL while it is held, or has expired and nobody has noted that."""
    ended_at: Mapped[datetime | None]


class SlotHoldLimit(Base):
    """How long a slot is held and how many a park holds at once; the one with the highest number counts."""

    __tablename__ = "slot_hold_limits"
    __table_args__ = (
        CheckConstraint("minutes BETWEEN 1 AND 60 AND per_park BETWEEN 1 AND 100", name="in_reach"),
        CheckConstraint("offer_hours BETWEEN 1 AND 72", name="offer_hours"),
        CheckConstraint("number = 0 OR (set_by IS NOT NULL AND set_at IS NOT NULL)", name="named"),
        {"info": {"shared": "the operator's rule, the same for every park"}},
    )

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    minutes: Mapped[int] = mapped_column(SmallInteger)
    per_park: Mapped[int] = mapped_column(SmallInteger)
    offer_hours: Mapped[int] = mapped_column(SmallInteger, server_default="4")
    """How long a freed slot is offered to who has waited for it."""
    set_by: Mapped[UUID | None]
    set_at: Mapped[datetime | None]
