"""Series of bookings: the rule by which a park asked for several at once. Rows are added and never changed."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from tenants.kernel.database import Base, Code, Name, TenantOwned, one_of


class BookingSeries(TenantOwned, Base):
    """A rule of repetition that bookings name; what became of it are the bookings."""

    __tablename__ = "booking_series"
    __table_args__ = (
        one_of("unit", ("day", "week")),
        one_of("choice", ("all", "free")),
        CheckConstraint("slots >= 1 AND every >= 1 AND num_nonnulls(count, until) = 1", name="rule"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    provider_id: Mapped[UUID]
    instrument_id: Mapped[UUID]
    instrument_name: Mapped[Name]
    offering: Mapped[Code]
    first_at: Mapped[datetime]
    slots: Mapped[int] = mapped_column(SmallInteger)
    every: Mapped[int] = mapped_column(SmallInteger)
    unit: Mapped[Code]
    count: Mapped[int | None] = mapped_column(SmallInteger)
    until: Mapped[date | None]
    choice: Mapped[Code]
    made_by: Mapped[UUID | None]
    made_at: Mapped[datetime]
