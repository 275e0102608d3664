"""Quantities of many parks at once, in one statement that also names the snapshot it saw; or as a snapshot saw them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing.rules.meters import Aggregation, Meter, average
from billing.rules.periods import DEFAULT_ZONE, Period
from billing.rules.rollups import Cut, cut
from billing.store.meter_queries import freshest
from billing.store.meter_readings import readings
from billing.store.meter_statements import ALL, SOME, Shape, spans_of, statement
from billing.store.usage import UsageEvent
from tenants.kernel.writing import array_of_ids

MANY = 200
"""From so many parks on, looking each event's park up costs more than reading all parks between the first and the last."""
_EVENTS_ALONE = Cut((), (), ())


@dataclass(frozen=True)
class ParkQuantities:
    """What a meter counted by park, and the name of the snapshot that the statement saw (None: it said nothing).

    Parks without events are left out.
    """

    snapshot: str | None
    by_park: Mapping[UUID, Decimal]


def quantities_by_park(
    session: Session, meter: Meter, period: Period, parks: Sequence[UUID], *, as_of: str | None = None
) -> ParkQuantities:
    """Return what a meter counted of some parks, who are in order; ``as_of`` a snapshot, from events alone."""
    ask = partial(_ask, session, meter, period, parks, as_of)
    if as_of is not None:
        return ask(_EVENTS_ALONE, {})
    return freshest(session, meter, cut(period, DEFAULT_ZONE, None), ask)


def event_values(
    session: Session, meter: Meter, period: Period, parks: Sequence[UUID], *, as_of: str
) -> dict[UUID, list[Decimal]]:
    """Return what the meter reads in each event of some parks, as a snapshot saw them and in the order they happened."""
    read = readings(
        meter,
        UsageEvent.time >= period.start,
        UsageEvent.time < period.end,
        UsageEvent.tenant_id == func.any(array_of_ids(parks)),
        as_of=as_of,
    ).subquery()
    order = (read.c.tenant_id, read.c.time, read.c.received_at, read.c.source, read.c.event_id)
    found: dict[UUID, list[Decimal]] = {}
    for park_id, value in session.execute(select(read.c.tenant_id, read.c.value).order_by(*order)):
        found.setdefault(park_id, []).append(Decimal(value))
    return found


def counted_events(session: Session, meter: Meter, period: Period, park_id: UUID, *, as_of: str) -> int:
    """Return how many events of a park a meter counted, as a snapshot saw them."""
    within = (UsageEvent.time >= period.start, UsageEvent.time < period.end, UsageEvent.tenant_id == park_id)
    return session.execute(
        select(func.count()).select_from(readings(meter, *within, as_of=as_of).subquery())
    ).scalar_one()


def is_counted(session: Session, meter: Meter, event: UsageEvent, *, as_of: str) -> bool:
    """Tell whether a meter counted a stored event, as a snapshot saw it."""
    this = (
        UsageEvent.tenant_id == event.tenant_id,
        UsageEvent.source == event.source,
        UsageEvent.event_id == event.event_id,
    )
    return session.execute(select(readings(meter, *this, as_of=as_of).exists())).scalar_one()


def _ask(
    session: Session,
    meter: Meter,
    period: Period,
    parks: Sequence[UUID],
    as_of: str | None,
    parts: Cut,
    progress: Mapping[str, Any],
) -> ParkQuantities:
    if progress.get("known") == "0":  # nothing is rolled up yet: a part of the statement would be all of it
        parts, progress = _EVENTS_ALONE, {}
    shape = Shape(
        timezone=DEFAULT_ZONE,
        size=None,
        group_by=(),
        of_subjects=False,
        of_one_park=False,
        days=len(parts.days),
        quarters=len(parts.quarters),
        edges=len(parts.edges),
        by_park=ALL if len(parks) > MANY else SOME,
        as_of=as_of is not None,
    )
    asked = statement(meter, shape)
    values = {
        **asked.constants,
        **progress,
        **spans_of(parts),
        "from_": period.start,
        "to": period.end,
        "parks": list(parks),
        "first_park": parks[0],
        "last_park": parks[-1],
        "as_of": as_of,
    }
    snapshot, found, wanted = None, {}, set(parks)
    for park, value, counted, seen in session.connection().exec_driver_sql(asked.text, values):
        snapshot = seen
        if value is not None and park in wanted:
            is_average = meter.aggregation is Aggregation.AVG
            found[park] = average(Decimal(value), int(counted)) if is_average else Decimal(value)
    return ParkQuantities(snapshot, found)
