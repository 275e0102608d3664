"""What became of a booking between its order and its end: rows that are added and never changed."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, SmallInteger, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from tenants.kernel.database import Base, Code, TenantOwned, one_of, owned_reference


class BookingChange(TenantOwned, Base):
    """A booking that moved to another slot, or was handed over to a colleague; ``revision`` counts from 1."""

    __tablename__ = "booking_changes"
    __table_args__ = (
        owned_reference("booking_id", "bookings"),
        one_of("kind", ("moved", "handed_over")),
        UniqueConstraint("tenant_id", "booking_id", "revision"),
        CheckConstraint(
            "num_nonnulls(old_starts_at, old_ends_at, new_starts_at, new_ends_at) = CASE kind WHEN 'moved' THEN 4 ELSE 0 END",
            name="moved",
        ),
        CheckConstraint("(kind = 'handed_over') = (new_person IS NOT NULL)", name="handed_over"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    booking_id: Mapped[UUID]
    revision: Mapped[int] = mapped_column(SmallInteger)
    kind: Mapped[Code]
    old_starts_at: Mapped[datetime | None]
    old_ends_at: Mapped[datetime | None]
    new_starts_at: Mapped[datetime | None]
    new_ends_at: Mapped[datetime | None]
    old_person: Mapped[UUID | None]
    new_person: Mapped[UUID | None]
    changed_by: Mapped[UUID]
    changed_at: Mapped[datetime]
