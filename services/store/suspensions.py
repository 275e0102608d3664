"""Suspensions of parks from a provider's new bookings, and their early ends. Both are only added to.

What keeps a suspended park out is a policy of ``bookings``: it waits for a suspension that is being noted and then looks.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import Boolean, CheckConstraint, Index, Integer, String, UniqueConstraint, Uuid, false, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, Session, mapped_column

from tenants.kernel.database import Base, Code, Name, TenantOwned, one_of, owned_reference

_LOCK = text(
    "SELECT pg_advisory_xact_lock(hashtextextended('suspension:' || CAST(:park AS text) || ':' || CAST(:provider AS text), 0))"
)


class BookingSuspension(TenantOwned, Base):
    """A park books nothing new at a provider within ``[began_at, ends_at)``, for the no-shows that it names."""

    __tablename__ = "booking_suspensions"
    __table_args__ = (
        # The latest no-show suspends once, however many clocks look at it.
        UniqueConstraint("tenant_id", "booking_id"),
        owned_reference("booking_id", "bookings"),
        CheckConstraint("ends_at > began_at AND window_days >= 1", name="span"),
        CheckConstraint("no_shows >= 1 AND no_shows = cardinality(booking_ids)", name="counted"),
        CheckConstraint("booking_id = ANY (booking_ids)", name="latest"),
        Index(None, "tenant_id", "provider_id"),
        Index(None, "provider_id", "began_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    provider_id: Mapped[UUID]
    provider_name: Mapped[Name]
    booking_id: Mapped[UUID]
    """The latest of them, whose terms decide."""
    booking_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    no_shows: Mapped[int] = mapped_column(Integer)
    window_days: Mapped[int] = mapped_column(Integer)
    rule_version: Mapped[int] = mapped_column(Integer)
    began_at: Mapped[datetime]
    ends_at: Mapped[datetime]


class SuspensionLift(TenantOwned, Base):
    """A suspension ended early by a named person, once, with the reason."""

    __tablename__ = "suspension_lifts"
    __table_args__ = (
        owned_reference("suspension_id", "booking_suspensions"),
        one_of("side", ("provider", "operator")),
        CheckConstraint("length(reason) >= 1", name="reason"),
    )

    suspension_id: Mapped[UUID] = mapped_column(primary_key=True)
    side: Mapped[Code]
    unfounded: Mapped[bool] = mapped_column(Boolean, server_default=false())
    """Lifted because no-shows were excused: the others that it stood on count again."""
    lifted_by: Mapped[UUID]
    lifted_at: Mapped[datetime]
    reason: Mapped[str] = mapped_column(String(500))


def lock_out_bookings(session: Session, park_id: UUID, provider_id: UUID) -> None:
    """Let no booking of a park at a provider be made until the transaction ends; waits for those that are being made.

    Who calls this holds no other lock: a checkout that waits here may hold any.
    """
    session.execute(_LOCK, {"park": park_id, "provider": provider_id})
