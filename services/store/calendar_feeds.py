"""Addresses that calendars read bookings from."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, String
from sqlalchemy.orm import Mapped, mapped_column

from tenants.kernel.database import Base, TenantOwned


class CalendarFeed(TenantOwned, Base):
    """A secret address: of a park's bookings, or of one instrument of a provider, who then is the owner.

    Of the secret only its hash is kept; a revoked address is never taken back into use.
    """

    __tablename__ = "calendar_feeds"
    __table_args__ = (CheckConstraint("(revoked_by IS NULL) = (revoked_at IS NULL)", name="revoked"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    instrument_id: Mapped[UUID | None]
    """No foreign key: instruments are distributed by their owner. It is looked at when the address is made."""
    name: Mapped[str] = mapped_column(String(100))
    secret_hash: Mapped[str] = mapped_column(String(64))
    created_by: Mapped[UUID]
    created_at: Mapped[datetime]
    revoked_by: Mapped[UUID | None]
    revoked_at: Mapped[datetime | None]
    last_read_at: Mapped[datetime | None]
    """When a calendar last asked, to the hour: an address that nobody should know shows here."""
