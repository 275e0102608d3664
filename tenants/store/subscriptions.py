"""Subscriptions: which tier a park has, over which time; two never overlap."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, func, text
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.orm import Mapped, mapped_column

from tenants.kernel.database import Base, Code, TenantOwned, one_of
from tenants.kernel.vocabulary import Tier


class Subscription(TenantOwned, Base):
    """A tier, held from ``starts_at`` until ``ends_at`` (open when None)."""

    __tablename__ = "subscriptions"
    __table_args__ = (
        one_of("tier", Tier),
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
