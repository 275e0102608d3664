"""Reads that join what tenants and billing hold of subscriptions, by the names of their tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session


@dataclass(frozen=True)
class RunningPlan:
    """A park's running tier, the day its periods derive from, and what its plan gives."""

    tier: str
    anchor_on: date
    entitlements: dict[str, Any]


_RUNNING_PLAN = text(
    """
    SELECT s.tier, s.anchor_on, q.entitlements FROM subscriptions s
    LEFT JOIN subscription_periods p ON p.tenant_id = s.tenant_id AND p.subscription_id = s.id
        AND p.starts_at <= :now AND coalesce(p.cut_at, p.ends_at) > :now
    JOIN LATERAL (SELECT entitlements FROM plans WHERE tier = s.tier AND valid_from <= coalesce(p.starts_at, :now)
                  ORDER BY valid_from DESC LIMIT 1) q ON true
    WHERE s.tenant_id = :tenant_id AND s.starts_at <= :now AND (s.ends_at IS NULL OR s.ends_at > :now)
    """
)
_UNCHARGED = text(
    """
    SELECT DISTINCT p.tenant_id FROM subscription_periods p
    WHERE NOT EXISTS (SELECT FROM subscription_charges c WHERE c.tenant_id = p.tenant_id AND c.period_id = p.id)
    ORDER BY p.tenant_id
    """
)


def parks_with_uncharged_periods(session: Session) -> Sequence[UUID]:
    """Return the parks with a period that was not charged."""
    return session.execute(_UNCHARGED).scalars().all()


def running_plan(session: Session, tenant_id: UUID, now: datetime) -> RunningPlan | None:
    """Return a park's running tier with what its plan gives, in one statement over indexes."""
    row = session.execute(_RUNNING_PLAN, {"tenant_id": tenant_id, "now": now}).one_or_none()
    return None if row is None else RunningPlan(row.tier, row.anchor_on, row.entitlements)
