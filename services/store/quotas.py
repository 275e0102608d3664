"""How much of an instrument one park may hold, version by version, and the row at which a park's bookings take turns."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Integer
from sqlalchemy.orm import Mapped, mapped_column

from tenants.kernel.database import Base, TenantOwned

LIMITS = ("week_hours", "week_bookings", "month_hours", "month_bookings")


class QuotaRule(Base):
    """A version of an instrument's quota; it counts for bookings made or moved from ``valid_from`` on, until a later one.

    Added to and never changed. A limit that is NULL is none.
    """

    __tablename__ = "quota_rules"
    __table_args__ = (
        ForeignKeyConstraint(["provider_id", "instrument_id"], ["instruments.provider_id", "instruments.id"]),
        CheckConstraint("version >= 1 AND valid_from >= set_at", name="not_backwards"),
        CheckConstraint(
            "coalesce(week_hours, 1) BETWEEN 1 AND 10000 AND coalesce(month_hours, 1) BETWEEN 1 AND 10000"
            " AND coalesce(week_bookings, 1) BETWEEN 1 AND 1000 AND coalesce(month_bookings, 1) BETWEEN 1 AND 1000",
            name="numbers",
        ),
        {"info": {"shared": "terms of an instrument, distributed by its owner, for those who may book it"}},
    )

    provider_id: Mapped[UUID] = mapped_column(primary_key=True)
    instrument_id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True)
    valid_from: Mapped[datetime]
    week_hours: Mapped[int | None] = mapped_column(Integer)
    week_bookings: Mapped[int | None] = mapped_column(Integer)
    month_hours: Mapped[int | None] = mapped_column(Integer)
    month_bookings: Mapped[int | None] = mapped_column(Integer)
    set_by: Mapped[UUID]
    set_at: Mapped[datetime]


class QuotaTurn(TenantOwned, Base):
    """A park at an instrument with a quota: who books writes this row first, so that one counts after the other."""

    __tablename__ = "quota_turns"

    instrument_id: Mapped[UUID] = mapped_column(primary_key=True)
    taken_at: Mapped[datetime]
