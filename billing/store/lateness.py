"""What tells whether a use came late: the park's invoices that are final, and how long late use is waited for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Uuid, bindparam, select
from sqlalchemy.orm import Session

from billing.rules.invoices import LEGAL_ENTITY, Closed
from billing.store.invoices import Invoice, LegalEntity

# Made once: every batch of events asks it, and making it takes longer than asking.
_CLOSED = (
    select(LegalEntity.grace_days, Invoice.period, Invoice.finalized_at)
    .outerjoin(
        Invoice,
        (Invoice.legal_entity == LegalEntity.slug)
        & (Invoice.tenant_id == bindparam("tenant", type_=Uuid()))
        & Invoice.status.in_(("finalized", "paid")),
    )
    .where(LegalEntity.slug == LEGAL_ENTITY)
)


def closed_of(session: Session, tenant_id: UUID) -> Closed:
    """Return how far a park's months are closed: its invoices that are not void, and the days of grace, in one read."""
    rows: Sequence[tuple[int, str | None, datetime | None]] = [
        (row[0], row[1], row[2]) for row in session.execute(_CLOSED, {"tenant": tenant_id})
    ]
    invoices = tuple((period, at) for _, period, at in rows if period is not None and at is not None)
    return Closed(rows[0][0], invoices)
