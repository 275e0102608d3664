"""Reads of orders, and the locks their changes stand on."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from marketplace.store.orders import Order, OrderLine


def order_of(session: Session, order_id: UUID) -> Order | None:
    """Return an order that the transaction may see."""
    return session.execute(select(Order).where(Order.id == order_id)).scalar_one_or_none()


def line_of(session: Session, line_id: UUID) -> OrderLine | None:
    """Return an order line that the transaction may see."""
    return session.execute(select(OrderLine).where(OrderLine.id == line_id)).scalar_one_or_none()


def lines_of(session: Session, tenant_id: UUID, order_ids: Sequence[UUID]) -> Sequence[OrderLine]:
    """Return the lines of some orders of one park, in order."""
    where = (OrderLine.tenant_id == tenant_id, OrderLine.order_id.in_(order_ids))
    return (
        session.execute(select(OrderLine).where(*where).order_by(OrderLine.order_id, OrderLine.position))
        .scalars()
        .all()
    )


@dataclass(frozen=True)
class NamedLine:
    """An order line and its order, as people name them."""

    order_id: UUID
    number: str
    title: str


def lines_with_orders(session: Session, tenant_id: UUID, line_ids: Sequence[UUID]) -> dict[UUID, NamedLine]:
    """Return some lines of one park by their ids; ids of no line are left out."""
    if not line_ids:
        return {}
    query = (
        select(OrderLine.id, Order.id, Order.number, OrderLine.title)
        .join(Order, (Order.tenant_id == OrderLine.tenant_id) & (Order.id == OrderLine.order_id))
        .where(OrderLine.tenant_id == tenant_id, OrderLine.id.in_(line_ids))
    )
    return {row[0]: NamedLine(*row[1:]) for row in session.execute(query)}


def lines_by_order(session: Session, orders: Sequence[Order]) -> dict[UUID, list[OrderLine]]:
    """Return the lines of some orders, of whichever parks, by order and in order."""
    if not orders:
        return {}
    keys = [(order.tenant_id, order.id) for order in orders]
    query = select(OrderLine).where(tuple_(OrderLine.tenant_id, OrderLine.order_id).in_(keys))
    found: dict[UUID, list[OrderLine]] = {}
    for line in session.execute(query.order_by(OrderLine.order_id, OrderLine.position)).scalars():
        found.setdefault(line.order_id, []).append(line)
    return found


@dataclass(frozen=True)
class LinePlace:
    """Where an order line stands: its order, that order's number, and what was rented."""

    order_id: UUID
    number: str
    title: str
    offering: str


def places_of_lines(session: Session, tenant_id: UUID, line_ids: Collection[UUID]) -> dict[UUID, LinePlace]:
    """Return where some order lines of a park stand, by line."""
    if not line_ids:
        return {}
    query = (
        select(OrderLine.id, Order.id, Order.number, OrderLine.title, OrderLine.offering)
        .join(Order, (Order.tenant_id == OrderLine.tenant_id) & (Order.id == OrderLine.order_id))
        .where(OrderLine.tenant_id == tenant_id, OrderLine.id.in_(line_ids))
    )
    return {row[0]: LinePlace(*row[1:]) for row in session.execute(query)}


def order_ids(session: Session, line_ids: Collection[UUID]) -> dict[UUID, UUID]:
    """Return the order of each line."""
    found = session.execute(select(OrderLine.id, OrderLine.order_id).where(OrderLine.id.in_(line_ids)))
    return {row.id: row.order_id for row in found}


def places_of_runs(session: Session, run_ids: Collection[UUID]) -> dict[UUID, tuple[UUID, str]]:
    """Return the id and the number of the order that each run was rented by, where the transaction sees it."""
    query = (
        select(OrderLine.run_id, Order.id, Order.number)
        .join(Order, (Order.tenant_id == OrderLine.tenant_id) & (Order.id == OrderLine.order_id))
        .where(OrderLine.run_id.in_(run_ids))
    )
    return {row.run_id: (row.id, row.number) for row in session.execute(query)}


def order_of_booking(session: Session, booking_id: UUID) -> UUID | None:
    """Return the order of a booking that the transaction may see."""
    return session.execute(select(OrderLine.order_id).where(OrderLine.booking_id == booking_id)).scalar_one_or_none()


def line_of_booking(session: Session, booking_id: UUID) -> OrderLine | None:
    """Return the line that a booking delivers, where the transaction sees it."""
    return session.execute(select(OrderLine).where(OrderLine.booking_id == booking_id)).scalar_one_or_none()


def orders_of_bookings(session: Session, booking_ids: Collection[UUID]) -> dict[UUID, UUID]:
    """Return the order of each booking, where the transaction sees it."""
    query = select(OrderLine.booking_id, OrderLine.order_id).where(OrderLine.booking_id.in_(booking_ids))
    return {row.booking_id: row.order_id for row in session.execute(query)}


def locked_order(session: Session, order_id: UUID) -> Order | None:
    """Return an order under lock: whoever closes one of its lines holds this, so no line is closed twice."""
    fresh = select(Order).where(Order.id == order_id).with_for_update().execution_options(populate_existing=True)
    return session.execute(fresh).scalar_one_or_none()


def locked_line(
    session: Session,
    *,
    run_id: UUID | None = None,
    booking_id: UUID | None = None,
    site_month_id: UUID | None = None,
    sample_batch_id: UUID | None = None,
) -> OrderLine | None:
    """Return the line that a run, a booking, a site's month or a test request delivers, with its order under lock."""
    where = (
        OrderLine.run_id == run_id
        if run_id is not None
        else OrderLine.booking_id == booking_id
        if booking_id is not None
        else OrderLine.site_month_id == site_month_id
        if site_month_id is not None
        else OrderLine.sample_batch_id == sample_batch_id
    )
    order_id = session.execute(select(OrderLine.order_id).where(where)).scalar_one_or_none()
    if order_id is None or locked_order(session, order_id) is None:
        return None
    return session.execute(select(OrderLine).where(where).execution_options(populate_existing=True)).scalar_one()


def line_with_order(session: Session, line_id: UUID) -> tuple[OrderLine, Order] | None:
    """Return a line that the transaction may see, with its order."""
    query = (
        select(OrderLine, Order)
        .join(Order, (Order.tenant_id == OrderLine.tenant_id) & (Order.id == OrderLine.order_id))
        .where(OrderLine.id == line_id)
    )
    found = session.execute(query).one_or_none()
    return None if found is None else (found[0], found[1])


@dataclass(frozen=True)
class WaitingLine:
    """An open line, and the run, booking or test request that delivers it."""

    tenant_id: UUID
    id: UUID
    run_id: UUID | None
    booking_id: UUID | None
    sample_batch_id: UUID | None


def waiting_lines(session: Session, before: datetime, limit: int) -> Sequence[WaitingLine]:
    """Return open lines of orders placed before a moment: runs first, as bookings may rightly wait for months.

    Months of sites all wait for their end; they are followed up by who ends them.
    """
    query = (
        select(OrderLine.tenant_id, OrderLine.id, OrderLine.run_id, OrderLine.booking_id, OrderLine.sample_batch_id)
        .join(Order, (Order.tenant_id == OrderLine.tenant_id) & (Order.id == OrderLine.order_id))
        .where(Order.status == "placed", OrderLine.status == "placed", Order.placed_at < before)
        .where(OrderLine.site_month_id.is_(None))
        .order_by(OrderLine.run_id.is_(None), Order.placed_at, OrderLine.id)
        .limit(limit)
    )
    return [WaitingLine(*row) for row in session.execute(query)]


def still_open(session: Session, line_ids: Collection[UUID]) -> set[UUID]:
    """Return which of some lines are neither delivered, failed nor cancelled."""
    if not line_ids:
        return set()
    query = select(OrderLine.id).where(OrderLine.id.in_(line_ids), OrderLine.status == "placed")
    return set(session.execute(query).scalars())


def order_page(
    session: Session, park_id: UUID | None, before: tuple[object, UUID] | None, limit: int
) -> Sequence[Order]:
    """Return up to ``limit`` orders, newest first, of one park or of all that the transaction sees."""
    query = select(Order).order_by(Order.placed_at.desc(), Order.id.desc()).limit(limit)
    if park_id is not None:
        query = query.where(Order.tenant_id == park_id)
    if before is not None:
        placed_at, order_id = before
        query = query.where((Order.placed_at < placed_at) | ((Order.placed_at == placed_at) & (Order.id < order_id)))
    return session.execute(query).scalars().all()
