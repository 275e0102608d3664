"""Bringing in meter readings by the million, for load that is measured: no request is parsed, the store is the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from billing.formats.events import body_hash
from billing.rules.events import IncomingEvent
from billing.rules.meters import Aggregation
from billing.store.event_intake import take_in
from billing.store.usage import Meter, UsageEvent
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.kernel.writing import rows_written
from tenants.usecases import audit


@dataclass(frozen=True, slots=True)
class Reading:
    """What a meter of a park showed. ``data`` is the event's data as compact JSON text."""

    event_id: str
    subject: str
    time: datetime
    data: str


def provide_meter(
    work: Work,
    *,
    slug: str,
    name: str,
    event_type: str,
    aggregation: Aggregation,
    value_property: str | None,
    group_by: Mapping[str, str],
    unit: str = "",
) -> bool:
    """Add a meter unless there is one of this slug; tell whether it was added."""
    work.actor.require(Permission.RUN_PLATFORM)
    row = {
        "slug": slug,
        "name": name,
        "event_type": event_type,
        "aggregation": aggregation,
        "value_property": value_property,
        "group_by": dict(group_by),
        "filters": {},
        "unit": unit,
    }
    added = rows_written(work.session, insert(Meter).values(row).on_conflict_do_nothing()) == 1
    if added:
        audit.record(work, "meter.provide", "meter", slug, event_type=event_type)
    return added


def count_events(work: Work, *, source: str) -> dict[UUID, int]:
    """Return how many events of ``source`` each park has. Reads every event: a second for each few millions."""
    work.actor.require(Permission.RUN_PLATFORM)
    counted = (
        select(UsageEvent.tenant_id, func.count()).where(UsageEvent.source == source).group_by(UsageEvent.tenant_id)
    )
    return {row[0]: row[1] for row in work.session.execute(counted)}


def add_readings(work: Work, *, park_id: UUID, source: str, event_type: str, readings: Iterable[Reading]) -> int:
    """Store readings of one park; return how many were new. Their form is the caller's care, nothing is checked."""
    work.actor.require(Permission.RUN_PLATFORM)
    events = [
        IncomingEvent(
            source, each.event_id, event_type, each.subject, each.time, each.data,
            body_hash(event_type, each.subject, each.data),
        )
        for each in readings
    ]  # fmt: skip
    new, _ = take_in(work.session, park_id, events, work.now)
    return new
