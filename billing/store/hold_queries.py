"""Holds: written in one statement, locked in their stable order, settled once."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from billing.store.funds import Fund, Hold
from tenants.kernel.writing import rows_written

OPEN = "held"
_COLUMNS = tuple(column.name for column in Hold.__table__.columns)
_INSERT = f"INSERT INTO holds ({', '.join(_COLUMNS)}) VALUES ({', '.join(f'%({name})s' for name in _COLUMNS)})"  # noqa: S608 - names from the table itself


def insert_holds(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Write new holds; all columns are given. Goes to the driver as it is written: a checkout's last step but one."""
    written = [{**row, "ceilings": json.dumps(row["ceilings"])} for row in rows]
    session.connection().exec_driver_sql(_INSERT, written if len(written) > 1 else written[0])


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


def settle(session: Session, hold: Hold, *, status: str, captured_fen: int, at: datetime) -> bool:
    """Close an open hold; False when it was closed before."""
    closing = (
        update(Hold)
        .where(Hold.tenant_id == hold.tenant_id, Hold.id == hold.id, Hold.status == OPEN)
        .values(status=status, captured_fen=captured_fen, settled_at=at)
        .execution_options(synchronize_session=False)
    )
    return rows_written(session, closing) == 1
