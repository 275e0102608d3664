"""What is asked of claims: batches, lines with all their evidence, and what became of a hold's claim."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.store.claims import ClaimBatch, ClaimLine, ClaimLineEvent
from tenants.kernel.database import AnyRow


def states_of_holds(session: Session, hold_ids: Collection[UUID]) -> Sequence[AnyRow]:
    """Return hold, line, batch, month, both statuses, and why the line was sent back last."""
    reason = (
        select(ClaimLineEvent.reason)
        .where(
            ClaimLineEvent.tenant_id == ClaimLine.tenant_id,
            ClaimLineEvent.line_id == ClaimLine.id,
            ClaimLineEvent.kind == "returned",
        )
        .order_by(ClaimLineEvent.at.desc(), ClaimLineEvent.id.desc())
        .limit(1)
        .correlate(ClaimLine)
        .scalar_subquery()
    )
    query: Any = (
        select(
            ClaimLine.hold_id,
            ClaimLine.id.label("line_id"),
            ClaimLine.batch_id,
            ClaimBatch.period,
            ClaimBatch.status.label("batch_status"),
            ClaimLine.status,
            reason.label("reason"),
        )
        .join(ClaimBatch, ClaimBatch.id == ClaimLine.batch_id)
        .where(ClaimLine.hold_id.in_(hold_ids))
    )
    found: Sequence[AnyRow] = session.execute(query).all()
    return found


def place_of_line(session: Session, tenant_id: UUID, line_id: UUID) -> AnyRow | None:
    """Return a line's status and batch, and that batch's fund and month."""
    query: Any = (
        select(ClaimLine.status, ClaimLine.batch_id, ClaimBatch.fund_id, ClaimBatch.period)
        .join(ClaimBatch, ClaimBatch.id == ClaimLine.batch_id)
        .where(ClaimLine.tenant_id == tenant_id, ClaimLine.id == line_id)
    )
    found: AnyRow | None = session.execute(query).one_or_none()
    return found
