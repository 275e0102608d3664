"""Reads of quotes."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.store.quotes import Quote


def quote_of(session: Session, tenant_id: UUID, quote_id: UUID) -> Quote | None:
    """Return a park's quote."""
    query = select(Quote).where(Quote.tenant_id == tenant_id, Quote.id == quote_id)
    return session.execute(query).scalar_one_or_none()
