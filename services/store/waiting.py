"""Waiting lists of instruments: the order in which parks wait, their places, and what became of each."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import Boolean, CheckConstraint, ForeignKeyConstraint, Index, SmallInteger, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import TSTZRANGE, Range
from sqlalchemy.orm import Mapped, mapped_column

from services.rules.waiting import WaitingStep
from tenants.kernel.database import Base, Code, Name, TenantOwned, one_of, owned_reference


class WaitingList(Base):
    """An instrument's list: the last number that was given. Who joins locks it, so numbers follow the commits."""

    __tablename__ = "waiting_lists"
    __table_args__ = (
        ForeignKeyConstraint(["provider_id", "instrument_id"], ["instruments.provider_id", "instruments.id"]),
        {"info": {"shared": "a counter for each instrument, distributed by its owner"}},
    )

    provider_id: Mapped[UUID] = mapped_column(primary_key=True)
    instrument_id: Mapped[UUID] = mapped_column(primary_key=True)
    last_number: Mapped[int]


class WaitingTurn(Base):
    """That somebody waits for a time on an instrument, without a name: whoever takes a slot looks here first.

    Number, wish and moment never change, by grants; a turn is open until it is offered a slot, left or over.
    """

    __tablename__ = "waiting_turns"
    __table_args__ = (
        ForeignKeyConstraint(
            ["provider_id", "instrument_id"], ["waiting_lists.provider_id", "waiting_lists.instrument_id"]
        ),
        CheckConstraint("number >= 1 AND slots BETWEEN 1 AND 8 AND NOT isempty(wished)", name="wish"),
        Index(
            "ix_waiting_turns_open", "provider_id", "instrument_id", "number", postgresql_where=text("open")
        ),
        {"info": {"shared": "the order of an instrument's list, distributed by its owner, without the waiting park's name"}},
    )  # fmt: skip

    provider_id: Mapped[UUID] = mapped_column(primary_key=True)
    instrument_id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    wished: Mapped[Range[datetime]] = mapped_column(TSTZRANGE)
    """Within which the whole booking must lie."""
    slots: Mapped[int] = mapped_column(SmallInteger)
    """How many in a row, at least."""
    open: Mapped[bool] = mapped_column(Boolean)
    passed_until: Mapped[datetime | None]
    """Until when it keeps nobody away, since it was passed over."""
    joined_at: Mapped[datetime]


class WaitingPlace(TenantOwned, Base):
    """A park's place on a list: whose the turn is. Never changed."""

    __tablename__ = "waiting_places"
    __table_args__ = (
        CheckConstraint("from_at < to_at", name="span"),
        UniqueConstraint("tenant_id", "instrument_id", "number"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    provider_id: Mapped[UUID]
    instrument_id: Mapped[UUID]
    instrument_name: Mapped[Name]
    offering: Mapped[Code]
    number: Mapped[int]
    """Its turn. No foreign key: that is distributed by the instrument's owner; an invariant checks it."""
    from_at: Mapped[datetime]
    to_at: Mapped[datetime]
    slots: Mapped[int] = mapped_column(SmallInteger)
    joined_by: Mapped[UUID | None]
    joined_at: Mapped[datetime]


class WaitingStepRow(TenantOwned, Base):
    """What happened to a place, only added: slots for which it was passed over and why, and the one thing that ended it."""

    __tablename__ = "waiting_steps"
    __table_args__ = (
        owned_reference("place_id", "waiting_places"),
        one_of("kind", WaitingStep),
        CheckConstraint(
            "(kind = 'passed') = (reason IS NOT NULL) AND (kind = 'offered') = (hold_id IS NOT NULL)"
            " AND (kind IN ('passed', 'offered')) = (starts_at IS NOT NULL)"
            " AND (starts_at IS NULL) = (ends_at IS NULL)",
            name="says",
        ),
        # A place ends once: of two clocks, or a clock and a person who leaves, one finds nothing to do.
        Index("uq_waiting_steps_end", "tenant_id", "place_id", unique=True, postgresql_where=text("kind <> 'passed'")),
        Index(
            "uq_waiting_steps_passed",
            "tenant_id",
            "place_id",
            "reason",
            "starts_at",
            unique=True,
            postgresql_where=text("kind = 'passed'"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    place_id: Mapped[UUID]
    kind: Mapped[Code]
    reason: Mapped[Code | None]
    starts_at: Mapped[datetime | None]
    ends_at: Mapped[datetime | None]
    hold_id: Mapped[UUID | None]
    noted_by: Mapped[UUID | None]
    noted_at: Mapped[datetime]


IS_ITS_TURN = (
    (WaitingTurn.provider_id == WaitingPlace.provider_id)
    & (WaitingTurn.instrument_id == WaitingPlace.instrument_id)
    & (WaitingTurn.number == WaitingPlace.number)
)
"""That a turn is that of a place."""
