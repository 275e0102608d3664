"""Batches of claims: read with the sums of their lines, locked, and moved on; their payouts and objections."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, cast, exists, func, select, true, update
from sqlalchemy.orm import Session

from billing.store.claims import ClaimBatch, ClaimLine, ClaimObjection, Payout
from billing.store.funds import Fund, Hold
from tenants.kernel.database import AnyRow
from tenants.kernel.writing import rows_written

DUE_FEN = ClaimLine.amount_fen - Hold.withdrawn_fen
"""What of a line is still to be paid, or was: its hold's money, less what went back to the fund before payment."""
_IN_BATCH = ClaimLine.status.in_(("claimed", "paid"))


def batch_rows(
    session: Session,
    *,
    batch_id: UUID | None = None,
    fund_id: UUID | None = None,
    status: str | None = None,
    before: tuple[datetime, UUID] | None = None,
    limit: int | None = None,
) -> Sequence[AnyRow]:
    """Return batches with fund and sums, newest first."""

    def total(value: Any, condition: Any) -> Any:
        return cast(func.coalesce(func.sum(value).filter(condition), 0), BigInteger)

    lines = (
        select(
            func.count().filter(_IN_BATCH).label("lines"),
            total(DUE_FEN, _IN_BATCH).label("amount_fen"),
            func.count().filter(ClaimLine.status == "returned").label("returned_lines"),
            total(DUE_FEN, ClaimLine.status == "returned").label("returned_fen"),
            total(DUE_FEN, ClaimLine.status == "paid").label("paid_fen"),
        )
        .join(Hold, (Hold.tenant_id == ClaimLine.tenant_id) & (Hold.id == ClaimLine.hold_id))
        .where(ClaimLine.batch_id == ClaimBatch.id)
        .lateral("sums")
    )
    objections = (
        select(func.count())
        .where(ClaimObjection.batch_id == ClaimBatch.id, ClaimObjection.status == "open")
        .correlate(ClaimBatch)
        .scalar_subquery()
    )
    columns = ClaimBatch.__table__.columns
    query: Any = (
        select(
            *columns,
            Fund.slug.label("fund"),
            Fund.name.label("fund_name"),
            Fund.name_en.label("fund_name_en"),
            lines.c.lines,
            lines.c.amount_fen,
            lines.c.returned_lines,
            lines.c.returned_fen,
            lines.c.paid_fen,
            objections.label("open_objections"),
        )
        .select_from(ClaimBatch)
        .join(Fund, Fund.id == ClaimBatch.fund_id)
        .join(lines, true())
        .order_by(ClaimBatch.created_at.desc(), ClaimBatch.id.desc())
    )
    if batch_id is not None:
        query = query.where(ClaimBatch.id == batch_id)
    if fund_id is not None:
        query = query.where(ClaimBatch.fund_id == fund_id)
    if status is not None:
        query = query.where(ClaimBatch.status == status)
    if before is not None:
        at, row_id = before
        query = query.where((ClaimBatch.created_at < at) | ((ClaimBatch.created_at == at) & (ClaimBatch.id < row_id)))
    if limit is not None:
        query = query.limit(limit)
    found: Sequence[AnyRow] = session.execute(query).all()
    return found


def fund_of_batch(session: Session, batch_id: UUID) -> UUID | None:
    """Return the fund of a batch."""
    return session.execute(select(ClaimBatch.fund_id).where(ClaimBatch.id == batch_id)).scalar_one_or_none()


def lock_batch(session: Session, batch_id: UUID) -> ClaimBatch | None:
    """Return a batch under lock, as it is now."""
    query = select(ClaimBatch).where(ClaimBatch.id == batch_id).with_for_update()
    return session.execute(query.execution_options(populate_existing=True)).scalar_one_or_none()


def batch_of_payout(session: Session, payout_id: UUID) -> UUID | None:
    """Return the batch of a payout."""
    return session.execute(select(Payout.batch_id).where(Payout.id == payout_id)).scalar_one_or_none()


def lock_payout(session: Session, payout_id: UUID) -> Payout | None:
    """Return a payout under lock, as it is now."""
    query = select(Payout).where(Payout.id == payout_id).with_for_update()
    return session.execute(query.execution_options(populate_existing=True)).scalar_one_or_none()


def payouts_of_batch(session: Session, batch_id: UUID) -> Sequence[tuple[Payout, int]]:
    """Return a batch's payouts in the order in which they were made, each with the number of its lines."""
    lines = select(func.count()).where(ClaimLine.payout_id == Payout.id).correlate(Payout).scalar_subquery()
    query = select(Payout, lines).where(Payout.batch_id == batch_id).order_by(Payout.created_at, Payout.id)
    return [(payout, count) for payout, count in session.execute(query)]


def payouts_page(
    session: Session, *, payee_id: UUID | None, before: tuple[datetime, UUID] | None, limit: int
) -> Sequence[tuple[Payout, int]]:
    """Return payouts, of one payee or all, newest first, each with the number of its lines; cancelled ones are left out."""
    lines = select(func.count()).where(ClaimLine.payout_id == Payout.id).correlate(Payout).scalar_subquery()
    query = (
        select(Payout, lines)
        .where(Payout.status != "cancelled")
        .order_by(Payout.created_at.desc(), Payout.id.desc())
        .limit(limit)
    )
    if payee_id is not None:
        query = query.where(Payout.payee_id == payee_id)
    if before is not None:
        at, row_id = before
        query = query.where((Payout.created_at < at) | ((Payout.created_at == at) & (Payout.id < row_id)))
    return [(payout, count) for payout, count in session.execute(query)]


def reference_in_use(session: Session, reference: str) -> bool:
    """Tell whether a payment reference is recorded already."""
    return bool(session.execute(select(exists().where(Payout.payment_reference == reference))).scalar_one())


def set_lines_of_payout(session: Session, paid_by: UUID, **changes: Any) -> int:
    """Change all lines of a payout; return how many."""
    changed = (
        update(ClaimLine)
        .where(ClaimLine.payout_id == paid_by)
        .values(**changes)
        .execution_options(synchronize_session=False)
    )
    return rows_written(session, changed)


def lines_left(session: Session, batch_id: UUID) -> int:
    """Return how many lines of a batch still wait for their money. One whose money went back to the fund does not."""
    query = (
        select(func.count())
        .select_from(ClaimLine)
        .join(Hold, (Hold.tenant_id == ClaimLine.tenant_id) & (Hold.id == ClaimLine.hold_id))
        .where(ClaimLine.batch_id == batch_id, ClaimLine.status == "claimed", DUE_FEN > 0)
    )
    return session.execute(query).scalar_one()


def lock_objection(session: Session, objection_id: UUID) -> ClaimObjection | None:
    """Return an objection under lock, as it is now."""
    query = select(ClaimObjection).where(ClaimObjection.id == objection_id).with_for_update()
    return session.execute(query.execution_options(populate_existing=True)).scalar_one_or_none()


def objections_of_batch(session: Session, batch_id: UUID) -> Sequence[ClaimObjection]:
    """Return a batch's objections, oldest first."""
    query = select(ClaimObjection).where(ClaimObjection.batch_id == batch_id).order_by(ClaimObjection.recorded_at)
    return session.execute(query).scalars().all()
