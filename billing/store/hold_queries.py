"""Holds: read, locked in their stable order, settled once, and what came back of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from billing.store.funds import Fund, Hold, HoldReturn
from tenants.kernel.writing import rows_written

OPEN = "held"
_AFTERWARDS = ("recalled_fen", "withdrawn_fen", "disbursed_fen", "returned_fen")


def holds_of_line(session: Session, order_line_id: UUID) -> Sequence[tuple[Hold, str]]:
    """Return the holds of an order line with the slugs of their funds."""
    query = select(Hold, Fund.slug).join(Fund, Fund.id == Hold.fund_id).where(Hold.order_line_id == order_line_id)
    rows = session.execute(query.order_by(Hold.id).execution_options(populate_existing=True))
    return [(hold, slug) for hold, slug in rows]


def lock_holds_of_lines(session: Session, order_line_ids: Collection[UUID]) -> Sequence[Hold]:
    """Lock all holds of some order lines in their stable order, whatever became of them."""
    if not order_line_ids:
        return ()
    query = select(Hold).where(Hold.order_line_id.in_(order_line_ids)).order_by(Hold.id).with_for_update(key_share=True)
    return session.execute(query.execution_options(populate_existing=True)).scalars().all()


def overdue_lines(session: Session, now: datetime, limit: int) -> Sequence[tuple[UUID, UUID]]:
    """Return park and order line of open holds whose time has run out, the longest overdue first."""
    due = (
        select(Hold.tenant_id, Hold.order_line_id)
        .where(Hold.status == OPEN, Hold.expires_at <= now)
        .group_by(Hold.tenant_id, Hold.order_line_id)
        .order_by(func.min(Hold.expires_at), Hold.order_line_id)
        .limit(limit)
    )
    return [(row.tenant_id, row.order_line_id) for row in session.execute(due)]


def extend(session: Session, order_line_ids: Collection[UUID], until: datetime) -> None:
    """Let the open holds of some order lines wait until a moment; those that wait longer stay."""
    if not order_line_ids:
        return
    session.execute(
        update(Hold)
        .where(Hold.order_line_id.in_(order_line_ids), Hold.status == OPEN, Hold.expires_at < until)
        .values(expires_at=until)
        .execution_options(synchronize_session=False)
    )


def settle(session: Session, hold: Hold, *, status: str, captured_fen: int, at: datetime) -> bool:
    """Close an open hold; False when it was closed before."""
    closing = (
        update(Hold)
        .where(Hold.tenant_id == hold.tenant_id, Hold.id == hold.id, Hold.status == OPEN)
        .values(status=status, captured_fen=captured_fen, settled_at=at)
        .execution_options(synchronize_session=False)
    )
    return rows_written(session, closing) == 1


def lock_holds(session: Session, hold_ids: Collection[UUID]) -> Sequence[Hold]:
    """Lock some holds in their stable order, whatever became of them."""
    if not hold_ids:
        return ()
    query = select(Hold).where(Hold.id.in_(hold_ids)).order_by(Hold.id).with_for_update(key_share=True)
    return session.execute(query.execution_options(populate_existing=True)).scalars().all()


def add_to(session: Session, hold: Hold, **amounts: int) -> bool:
    """Add to amounts of a hold, such as ``returned_fen``; False where that would break one of their limits.

    The limits stand in the UPDATE as well as in the table, so that a refusal leaves the transaction usable.
    """
    after = {name: getattr(Hold, name) + amounts.get(name, 0) for name in _AFTERWARDS}
    recalled, withdrawn, disbursed, returned = after.values()
    adding = (
        update(Hold)
        .where(
            Hold.tenant_id == hold.tenant_id,
            Hold.id == hold.id,
            recalled.between(withdrawn + returned, withdrawn + disbursed),
            withdrawn + disbursed <= Hold.captured_fen,
        )
        .values({name: after[name] for name in amounts})
        .execution_options(synchronize_session=False)
    )
    return rows_written(session, adding) == 1


def insert_return(session: Session, values: Mapping[str, Any]) -> bool:
    """Note money that came back; False when it had been noted for this hold, cause and source before."""
    once = ["tenant_id", "hold_id", "cause", "cause_id", "source"]
    return rows_written(session, insert(HoldReturn).values(values).on_conflict_do_nothing(index_elements=once)) == 1


def returns_for(session: Session, cause: str, cause_id: UUID, source: str) -> Sequence[tuple[UUID, UUID, int]]:
    """Return hold, fund and fen of what came back for one cause from one place, in the order of the holds."""
    query = (
        select(HoldReturn.hold_id, Hold.fund_id, HoldReturn.amount_fen)
        .join(Hold, (Hold.tenant_id == HoldReturn.tenant_id) & (Hold.id == HoldReturn.hold_id))
        .where(HoldReturn.cause == cause, HoldReturn.cause_id == cause_id, HoldReturn.source == source)
        .order_by(HoldReturn.hold_id)
    )
    return [(row[0], row[1], row[2]) for row in session.execute(query)]
