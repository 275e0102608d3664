"""Entering claim lines: into the batch of their month, or of the first later month that is not under review yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from billing.rules.claims import LineStatus
from billing.store.claims import ClaimBatch, ClaimLine, ClaimLineEvent
from tenants.kernel.identifiers import new_id
from tenants.kernel.writing import rows_written
from tenants.rules.days import add_months


def share_fund(session: Session, fund_id: UUID) -> None:
    """Keep a fund's open batches open until this transaction ends; whoever submits one waits for that.

    An advisory lock, because a park's transaction may not lock rows that it may not change.
    """
    session.execute(select(func.pg_advisory_xact_lock_shared(_key(fund_id))))


def own_fund(session: Session, fund_id: UUID) -> None:
    """Wait until nobody enters lines into a fund's batches, and keep everybody from it until this transaction ends."""
    session.execute(select(func.pg_advisory_xact_lock(_key(fund_id))))


def open_batch(session: Session, fund_id: UUID, period: str, now: datetime) -> UUID:
    """Return the claim batch of a fund and month, or of the first later month whose batch is not under review yet.

    The caller has taken ``share_fund`` or ``own_fund``.
    """
    query = select(ClaimBatch.id, ClaimBatch.status, ClaimBatch.period).where(
        ClaimBatch.fund_id == fund_id, ClaimBatch.period >= period
    )
    known = {row.period: row for row in session.execute(query)}
    while period in known and known[period].status != "open":
        period = next_month(period)
    if period in known:
        found: UUID = known[period].id
        return found
    session.execute(
        insert(ClaimBatch)
        .values(id=new_id(), fund_id=fund_id, period=period, status="open", created_at=now)
        .on_conflict_do_nothing(index_elements=["fund_id", "period"])
    )
    made = select(ClaimBatch.id).where(ClaimBatch.fund_id == fund_id, ClaimBatch.period == period)
    return session.execute(made).scalar_one()


def next_month(period: str) -> str:
    """Return the month after ``period`` (``YYYY-MM``)."""
    return f"{add_months(date.fromisoformat(f'{period}-01'), 1, 1):%Y-%m}"


def insert_claim_line(session: Session, values: Mapping[str, Any]) -> None:
    """Write a claim line."""
    session.execute(insert(ClaimLine).values(values))


def set_line(
    session: Session, tenant_id: UUID, line_id: UUID, *, before: LineStatus, status: LineStatus, **changes: Any
) -> bool:
    """Change a line's state if it is ``before``; False when it is not."""
    changed = (
        update(ClaimLine)
        .where(ClaimLine.tenant_id == tenant_id, ClaimLine.id == line_id, ClaimLine.status == before)
        .values(status=status, **changes)
        .execution_options(synchronize_session=False)
    )
    return rows_written(session, changed) == 1


def step_row(
    at: datetime,
    user_id: UUID | None,
    tenant_id: UUID,
    line_id: UUID,
    batch_id: UUID,
    kind: str,
    reason: str = "",
    details: Mapping[str, Any] | None = None,
    evidence_id: UUID | None = None,
) -> dict[str, Any]:
    """Return the row of one step in a line's history."""
    return {
        "tenant_id": tenant_id,
        "id": new_id(),
        "line_id": line_id,
        "batch_id": batch_id,
        "kind": kind,
        "reason": reason[:500],
        "details": dict(details or {}),
        "evidence_id": evidence_id,
        "user_id": user_id,
        "at": at,
    }


def insert_steps(session: Session, steps: Sequence[Mapping[str, Any]]) -> None:
    """Add steps to lines' histories."""
    if steps:
        session.execute(insert(ClaimLineEvent), list(steps))


def _key(fund_id: UUID) -> int:
    """A bigint of the fund's last random bits, kept apart from other advisory locks by chance alone: waiting is all
    that a collision would do.
    """
    return int.from_bytes(fund_id.bytes[8:], "big", signed=True)
