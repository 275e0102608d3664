"""Sites of a park, the months for which a standing service is rented for one, and on which days it worked."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, Numeric, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from tenants.kernel.database import Base, Code, Name, TenantOwned, one_of, owned_reference

KINDS = ("monitoring", "alarms", "carbon")


class Site(TenantOwned, Base):
    """A place of a park that has meters: a plant, an office, a substation."""

    __tablename__ = "sites"
    __table_args__ = (
        UniqueConstraint("tenant_id", "name"),
        CheckConstraint("latitude BETWEEN -90 AND 90 AND longitude BETWEEN -180 AND 180", name="position"),
        CheckConstraint("floor_area_m2 > 0", name="floor_area"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[Name]
    address: Mapped[str] = mapped_column(String(200), server_default="")
    latitude: Mapped[Decimal | None] = mapped_column(Numeric(9, 6))
    longitude: Mapped[Decimal | None] = mapped_column(Numeric(9, 6))
    floor_area_m2: Mapped[Decimal | None] = mapped_column(Numeric(12, 2))
    created_by: Mapped[UUID | None]
    created_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    """From when nothing can be rented for it any more."""


class SiteMonth(TenantOwned, Base):
    """One service for one site in one month. The database keeps a month from being rented twice."""

    __tablename__ = "site_months"
    __table_args__ = (
        owned_reference("site_id", "sites"),
        one_of("delivery", KINDS),
        one_of("status", ("booked", "delivered", "failed", "cancelled")),
        CheckConstraint("extract(day FROM month) = 1 AND starts_at < ends_at", name="month"),
        CheckConstraint("(status = 'delivered') = (record_sha256 IS NOT NULL)", name="record"),
        CheckConstraint("(status = 'booked') = (closed_at IS NULL)", name="closed"),
        Index(
            "uq_site_months_taken",
            "tenant_id",
            "site_id",
            "delivery",
            "month",
            unique=True,
            postgresql_where=text("status IN ('booked', 'delivered')"),
        ),
        Index("ix_site_months_open", "ends_at", postgresql_where=text("status = 'booked'")),
        Index(None, "closed_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    site_id: Mapped[UUID]
    offering: Mapped[Code]
    delivery: Mapped[Code]
    month: Mapped[date]
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    status: Mapped[Code]
    order_line_id: Mapped[UUID]
    """The line of the order it was rented by; the marketplace owns that table, so this is no foreign key."""
    record_sha256: Mapped[str | None] = mapped_column(String(64))
    """Hash of the file that says on which days the service worked."""
    booked_by: Mapped[UUID | None]
    created_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]


class SiteActivity(TenantOwned, Base):
    """That a service worked for a site on a day, how often, and first and last when."""

    __tablename__ = "site_activities"
    __table_args__ = (
        owned_reference("site_id", "sites"),
        one_of("delivery", KINDS),
        CheckConstraint("count > 0 AND first_at <= last_at", name="count"),
    )

    site_id: Mapped[UUID] = mapped_column(primary_key=True)
    delivery: Mapped[Code] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    count: Mapped[int] = mapped_column(BigInteger)
    first_at: Mapped[datetime]
    last_at: Mapped[datetime]
