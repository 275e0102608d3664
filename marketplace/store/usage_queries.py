"""What delivered services cost, with who ordered them: usage is billing's, orders are the marketplace's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Date, Table, cast, func, literal, select
from sqlalchemy.orm import Session
from sqlalchemy.sql import ColumnElement

from marketplace.store.orders import Order, OrderLine
from tenants.kernel.database import Base

_ZONE = "Asia/Shanghai"


@dataclass(frozen=True)
class UsageFact:
    """What one person's orders of one service, delivered on one day, came to. ``person`` is None where nobody ordered."""

    offering: str
    day: date
    person: UUID | None
    deliveries: int
    quantity: Decimal
    gross_fen: int
    subsidy_fen: int
    payable_fen: int


def usage_facts(session: Session, start: datetime, end: datetime, park_id: UUID | None) -> Sequence[UsageFact]:
    """Return what was used from ``start`` until just before ``end``, by service, day (in Shanghai) and person."""
    rated, event = _table("rated_usage").c, _table("usage_events").c
    day = _day(event.time)
    sums = [func.sum(rated[name]) for name in ("quantity", "gross_fen", "subsidy_fen", "payable_fen")]
    query = (
        select(rated.offering, day, Order.placed_by, func.count(), *sums)
        .select_from(_table("rated_usage"))
        .join(
            _table("usage_events"),
            (event.tenant_id == rated.tenant_id)
            & (event.source == rated.event_source)
            & (event.event_id == rated.event_id),
        )
        .outerjoin(OrderLine, (OrderLine.tenant_id == rated.tenant_id) & (OrderLine.id == rated.order_line_id))
        .outerjoin(Order, (Order.tenant_id == OrderLine.tenant_id) & (Order.id == OrderLine.order_id))
        .where(event.time >= start, event.time < end)
        .group_by(rated.offering, day, Order.placed_by)
        .order_by(rated.offering, day)
    )
    if park_id is not None:
        query = query.where(rated.tenant_id == park_id)
    return [
        UsageFact(offering, on, person, count, quantity, int(gross), int(subsidy), int(payable))
        for offering, on, person, count, quantity, gross, subsidy, payable in session.execute(query)
    ]


def first_use(session: Session, park_id: UUID) -> date | None:
    """Return the day on which a park first used anything that was charged."""
    rated, event = _table("rated_usage").c, _table("usage_events").c
    joined = (
        (event.tenant_id == rated.tenant_id) & (event.source == rated.event_source) & (event.event_id == rated.event_id)
    )
    query = select(_day(func.min(event.time))).select_from(_table("rated_usage")).join(_table("usage_events"), joined)
    return session.execute(query.where(rated.tenant_id == park_id)).scalar_one()


def _day(at: ColumnElement[Any]) -> ColumnElement[date]:
    return cast(func.timezone(literal(_ZONE, literal_execute=True), at), Date)


def _table(name: str) -> Table:
    return Base.metadata.tables[name]
