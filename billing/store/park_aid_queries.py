"""A park's public money over a period: its holds with their funds, and their sums by programme."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from billing.store.funds import Fund, Hold
from tenants.kernel.database import AnyRow

_SPENT = Hold.captured_fen - Hold.withdrawn_fen - Hold.returned_fen
_PAID = Hold.disbursed_fen - Hold.returned_fen


def sums_by_programme(session: Session, tenant_id: UUID, start: datetime, end: datetime) -> Sequence[AnyRow]:
    """Return programme, number of lines, and what was reserved, is held, is spent and is paid out of it."""
    held = func.sum(case((Hold.status == "held", Hold.amount_fen), else_=0))
    query = (
        select(
            Hold.programme,
            func.count(Hold.order_line_id.distinct()).label("lines"),
            func.sum(Hold.amount_fen).label("reserved_fen"),
            held.label("held_fen"),
            func.sum(_SPENT).label("captured_fen"),
            func.sum(_PAID).label("paid_fen"),
        )
        .where(Hold.tenant_id == tenant_id, Hold.created_at >= start, Hold.created_at < end)
        .group_by(Hold.programme)
        .order_by(Hold.programme)
    )
    return session.execute(query).all()


def holds_between(session: Session, tenant_id: UUID, start: datetime, end: datetime, most: int) -> Sequence[AnyRow]:
    """Return up to ``most`` holds of a park, newest first, each with its fund."""
    query = (
        select(
            Hold.id,
            Hold.order_line_id,
            Hold.programme,
            Hold.version,
            Fund.slug,
            Fund.name,
            Fund.name_en,
            Hold.amount_fen,
            _SPENT.label("captured_fen"),
            _PAID.label("paid_fen"),
            Hold.status,
            Hold.created_at,
            Hold.settled_at,
        )
        .join(Fund, Fund.id == Hold.fund_id)
        .where(Hold.tenant_id == tenant_id, Hold.created_at >= start, Hold.created_at < end)
        .order_by(Hold.created_at.desc(), Hold.id.desc())
        .limit(most)
    )
    return session.execute(query).all()
