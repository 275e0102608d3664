"""What a settlement reads and writes beside holds, wallets and books."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from billing.rules import meters
from billing.store import usage
from billing.store.programmes import Price
from billing.store.usage import RatedUsage


def meter_of(row: usage.Meter) -> meters.Meter:
    """Return a stored meter as the rules know it."""
    return meters.Meter(
        slug=row.slug,
        event_type=row.event_type,
        aggregation=meters.Aggregation(row.aggregation),
        value_path=row.value_property,
        group_by=row.group_by,
        filters={path: tuple(meters.text_of(value) or "" for value in values) for path, values in row.filters.items()},
        allow_negative=row.allow_negative,
    )


def meter_of_type(session: Session, event_type: str) -> meters.Meter | None:
    """Return the meter that bills events of a type: the first one by slug that adds up."""
    query = (
        select(usage.Meter)
        .where(usage.Meter.event_type == event_type, usage.Meter.aggregation.in_(("sum", "count")))
        .order_by(usage.Meter.slug)
        .limit(1)
    )
    found = session.execute(query).scalar_one_or_none()
    return None if found is None else meter_of(found)


def price_of(session: Session, price_id: UUID) -> Price | None:
    """Return a price."""
    return session.execute(select(Price).where(Price.id == price_id)).scalar_one_or_none()


def rated_of_line(session: Session, tenant_id: UUID, order_line_id: UUID) -> RatedUsage | None:
    """Return what an order line was charged, if it was."""
    query = select(RatedUsage).where(RatedUsage.tenant_id == tenant_id, RatedUsage.order_line_id == order_line_id)
    return session.execute(query).scalar_one_or_none()


def insert_rated(session: Session, values: Mapping[str, Any]) -> tuple[RatedUsage, bool]:
    """Write rated usage unless its order line or event has some; return the row that stands, and whether it is new."""
    written = session.execute(insert(RatedUsage).values(values).on_conflict_do_nothing().returning(RatedUsage.id))
    is_new = written.scalar_one_or_none() is not None
    found = rated_of_line(session, values["tenant_id"], values["order_line_id"])
    if found is None:  # the event was rated for another line
        query = select(RatedUsage).where(
            RatedUsage.tenant_id == values["tenant_id"],
            RatedUsage.event_source == values["event_source"],
            RatedUsage.event_id == values["event_id"],
        )
        found = session.execute(query).scalar_one()
    return found, is_new
