"""What delivered services cost, with who ordered them: usage is billing's, orders are the marketplace's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Date, Subquery, Table, cast, func, literal, select
from sqlalchemy.orm import Session
from sqlalchemy.sql import ColumnElement

from marketplace.store.orders import Order, OrderLine
from tenants.kernel.database import Base

_ZONE = "Asia/Shanghai"
_AMOUNTS = ("gross_fen", "subsidy_fen", "payable_fen")


@dataclass(frozen=True)
class UsageFact:
    """What one person's orders of one service, delivered on one day, came to. ``person`` is None where nobody ordered.

    ``returned_fen`` of the list price was taken back since; the other amounts are without it.
    """

    offering: str
    day: date
    person: UUID | None
    deliveries: int
    quantity: Decimal
    gross_fen: int
    subsidy_fen: int
    payable_fen: int
    returned_fen: int = 0


def usage_facts(session: Session, start: datetime, end: datetime, park_id: UUID | None) -> Sequence[UsageFact]:
    """Return what was used from ``start`` until just before ``end``, by service, day (in Shanghai) and person."""
    rated, event = _table("rated_usage").c, _table("usage_events").c
    day = _day(event.time)
    back = _returned().c
    sums = [func.sum(rated[name] - func.coalesce(back[name], 0)) for name in _AMOUNTS]
    sums = [func.sum(rated.quantity), *sums, func.sum(func.coalesce(back.gross_fen, 0))]
    query = (
        select(rated.offering, day, Order.placed_by, func.count(), *sums)
        .select_from(_table("rated_usage"))
        .join(
            _table("usage_events"),
            (event.tenant_id == rated.tenant_id)
            & (event.source == rated.event_source)
            & (event.event_id == rated.event_id),
        )
        .outerjoin(back.gross_fen.table, (back.tenant_id == rated.tenant_id) & (back.rated_usage_id == rated.id))
        .outerjoin(OrderLine, (OrderLine.tenant_id == rated.tenant_id) & (OrderLine.id == rated.order_line_id))
        .outerjoin(Order, (Order.tenant_id == OrderLine.tenant_id) & (Order.id == OrderLine.order_id))
        .where(event.time >= start, event.time < end)
        .group_by(rated.offering, day, Order.placed_by)
        .order_by(rated.offering, day)
    )
    if park_id is not None:
        query = query.where(rated.tenant_id == park_id)
    return [
        UsageFact(offering, on, person, count, quantity, int(gross), int(subsidy), int(payable), int(returned))
        for offering, on, person, count, quantity, gross, subsidy, payable, returned in session.execute(query)
    ]


def first_use(session: Session, park_id: UUID) -> date | None:
    """Return the day on which a park first used anything that was charged."""
    rated, event = _table("rated_usage").c, _table("usage_events").c
    joined = (
        (event.tenant_id == rated.tenant_id) & (event.source == rated.event_source) & (event.event_id == rated.event_id)
    )
    query = select(_day(func.min(event.time))).select_from(_table("rated_usage")).join(_table("usage_events"), joined)
    return session.execute(query.where(rated.tenant_id == park_id)).scalar_one()


def _returned() -> Subquery:
    """Return what was taken back of each delivery, by the names of its amounts."""
    made = _table("line_returns").c
    sums = zip(_AMOUNTS, ("amount_fen", "public_fen", "park_fen"), strict=True)
    query = select(made.tenant_id, made.rated_usage_id, *(func.sum(made[own]).label(name) for name, own in sums))
    return query.group_by(made.tenant_id, made.rated_usage_id).subquery()


def _day(at: ColumnElement[Any]) -> ColumnElement[date]:
    return cast(func.timezone(literal(_ZONE, literal_execute=True), at), Date)


def _table(name: str) -> Table:
    return Base.metadata.tables[name]
