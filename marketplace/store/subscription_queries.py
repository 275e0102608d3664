"""Reads that join what tenants and billing hold of subscriptions, by the names of their tables."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

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
