"""Subscriptions: which tier a park has, over which time, and the periods it is billed by; neither ever overlap."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.orm import Mapped, mapped_column

from tenants.kernel.database import Base, Code, TenantOwned, one_of, owned_reference
from tenants.kernel.vocabulary import Tier
from tenants.rules.days import Alignment, BilledEvery


class Subscription(TenantOwned, Base):
    """A tier, held from ``starts_at`` until ``ends_at`` (open when None). One that ends where it starts was taken back
    before its time came.
    """

    __tablename__ = "subscriptions"
    __table_args__ = (
        one_of("tier", Tier),
        one_of("billed_every", BilledEvery),
        one_of("alignment", Alignment),
        CheckConstraint("ends_at IS NULL OR ends_at >= starts_at", name="order"),
        ExcludeConstraint(
            ("tenant_id", "="),
            (func.tstzrange(text("starts_at"), text("ends_at")), "&&"),
            using="gist",
            name="ex_subscriptions_one_at_a_time",
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tier: Mapped[Code]
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime | None]
    created_by: Mapped[UUID | None]
    created_at: Mapped[datetime]
    billed_every: Mapped[Code] = mapped_column(server_default="month")
    alignment: Mapped[Code] = mapped_column(server_default="calendar")
    anchor_on: Mapped[date]
    """The day from which its periods derive, where the park is."""


class SubscriptionPeriod(TenantOwned, Base):
    """A billing period of a subscription that has begun. ``whole_from`` until ``whole_until`` is the whole month or year
    it is a part of; an immediate change cuts it at ``cut_at``, and what follows it says so in ``replaces_id``.
    """

    __tablename__ = "subscription_periods"
    __table_args__ = (
        owned_reference("subscription_id", "subscriptions"),
        owned_reference("replaces_id", "subscription_periods"),
        UniqueConstraint("tenant_id", "subscription_id", "starts_at"),
        one_of("tier", Tier),
        one_of("billed_every", BilledEvery),
        CheckConstraint("starts_at < ends_at AND whole_from < whole_until", name="order"),
        CheckConstraint("cut_at IS NULL OR cut_at BETWEEN starts_at AND ends_at", name="cut"),
        ExcludeConstraint(
            ("tenant_id", "="),
            (text("tstzrange(starts_at, coalesce(cut_at, ends_at))"), "&&"),
            using="gist",
            name="ex_subscription_periods_one_at_a_time",
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    subscription_id: Mapped[UUID]
    tier: Mapped[Code]
    billed_every: Mapped[Code]
    whole_from: Mapped[date]
    whole_until: Mapped[date]
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    cut_at: Mapped[datetime | None]
    replaces_id: Mapped[UUID | None]
    started_at: Mapped[datetime]
