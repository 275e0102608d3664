"""Reads of past orders in the order in which they were placed, for trying rules on them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from sqlalchemy import func, select, tuple_
from sqlalchemy.orm import Session

from marketplace.store.orders import Order, OrderLine
from tenants.kernel.database import AnyRow

ORDER = Order.__table__.c
LINE = OrderLine.__table__.c
AT_ONCE = 500


def count_orders(session: Session, since: datetime, until: datetime) -> int:
    """Return how many orders were placed in a period."""
    query = select(func.count()).select_from(Order).where(ORDER.placed_at >= since, ORDER.placed_at < until)
    return session.execute(query).scalar_one()


def orders_in(session: Session, since: datetime, until: datetime) -> Iterator[Sequence[AnyRow]]:
    """Return the orders of a period, oldest first, in batches, each with its lines' rows in ``lines`` by position."""
    columns = (ORDER.tenant_id, ORDER.id, ORDER.quote_id, ORDER.placed_at, ORDER.closed_at)
    query = select(*columns).order_by(ORDER.placed_at, ORDER.id).limit(AT_ONCE)
    after = None
    while True:
        part = query.where(ORDER.placed_at >= since, ORDER.placed_at < until)
        if after is not None:
            part = part.where(tuple_(ORDER.placed_at, ORDER.id) > after)
        rows = session.execute(part).all()
        if rows:
            yield rows
            after = rows[-1].placed_at, rows[-1].id
        if len(rows) < AT_ONCE:
            return


def lines_of_orders(session: Session, orders: Sequence[AnyRow]) -> Sequence[AnyRow]:
    """Return the lines of orders of whichever parks, in order."""
    columns = (LINE.id, LINE.order_id, LINE.offering, LINE.gross_fen, LINE.vat_bp, LINE.awards, LINE.status)
    keys = [(row.tenant_id, row.id) for row in orders]
    query = select(*columns).where(tuple_(LINE.tenant_id, LINE.order_id).in_(keys))
    return session.execute(query.order_by(LINE.order_id, LINE.position)).all()
