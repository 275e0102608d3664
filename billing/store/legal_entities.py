"""Reads and writes of the legal entities' settings."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from billing.store.invoices import LegalEntity


def entity_of(session: Session, slug: str) -> LegalEntity:
    """Return a legal entity as it is now."""
    query = select(LegalEntity).where(LegalEntity.slug == slug).execution_options(populate_existing=True)
    return session.execute(query).scalar_one()


def change_entity(
    session: Session,
    slug: str,
    *,
    grace_days: int,
    alone_up_to_fen: int,
    discount_alone_bp: int,
    by: UUID | None,
    at: datetime,
) -> None:
    """Change a legal entity's settings."""
    session.execute(
        update(LegalEntity)
        .where(LegalEntity.slug == slug)
        .values(
            grace_days=grace_days,
            alone_up_to_fen=alone_up_to_fen,
            discount_alone_bp=discount_alone_bp,
            changed_by=by,
            changed_at=at,
        )
    )
