"""Quantities of a meter, in one statement: from roll-ups, and from the events that these do not hold yet.

An answer is always fresh and exact. Of the period, whole days and quarters of an hour come from roll-ups; from events
come the ends, what was written after the roll-ups' last step, and the days of which an event was corrected since then.
All parts see one snapshot of the database, so no event is missed or counted twice while a worker rolls up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    CTE,
    ColumnElement,
    Select,
    Text,
    and_,
    cast,
    exists,
    func,
    literal,
    null,
    or_,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import Session
from sqlalchemy.types import Numeric

from billing.rules.meters import Aggregation, Meter, WindowSize
from billing.rules.periods import Period
from billing.rules.rollups import Cut, cut
from billing.store.meter_readings import readings, transaction
from billing.store.rollup_calls import corrected_days, day_of
from billing.store.rollups import DAY, QUARTER, MeterProgress, MeterRollup
from billing.store.usage import EventCorrection, UsageEvent

SUBJECT = "subject"
_ORDER = ("time", "received_at", "source", "event_id")
_ROLLED_ORDER = ("latest_time", "latest_received", "latest_source", "latest_event")
_ROLLED_VALUE = {
    Aggregation.COUNT: "events",
    Aggregation.SUM: "total",
    Aggregation.AVG: "total",
    Aggregation.MAX: "greatest",
    Aggregation.MIN: "least",
    Aggregation.UNIQUE_COUNT: "value",
    Aggregation.LATEST: "latest",
}
_TRIES = 3


@dataclass(frozen=True)
class MeterQuestion:
    """What is asked of a meter. ``group_by`` names properties of the meter, or ``subject``."""

    meter: Meter
    period: Period
    timezone: str
    size: WindowSize | None
    group_by: Sequence[str]
    subjects: Sequence[str]
    tenant_id: UUID | None


@dataclass(frozen=True)
class Quantity:
    """One answer: where its window starts (None for the whole period), its group, and the value.

    An average comes as its sum and count, so that its one rounding is done where all others are.
    """

    start: datetime | None
    group: Mapping[str, str | None]
    value: Decimal
    count: int


def quantities(session: Session, question: MeterQuestion) -> list[Quantity]:
    """Return the quantity per window and group; those without events are left out."""
    parts = cut(question.period, question.timezone, question.size)
    if parts.days or parts.quarters:
        for _ in range(_TRIES):  # it fails only when the roll-ups begin a new epoch at this moment
            before = _progress(session, question.meter)
            if before is None:
                break
            found = _ask(session, question, _parts(question, parts, *before))
            after = _progress(session, question.meter)
            if after is not None and after[0] == before[0]:
                return found
    return raw_quantities(session, question)


def raw_quantities(session: Session, question: MeterQuestion) -> list[Quantity]:
    """Return the same from events alone."""
    return _ask(session, question, [_raw(question)])


def _progress(session: Session, meter: Meter) -> tuple[int, int] | None:
    """Return epoch and end of the roll-ups, for the planner. Within an epoch the end only ever moves on.

    None when there are none, or the database was restored from a dump and they count another server's transactions.
    """
    newest = func.pg_snapshot_xmax(func.pg_current_snapshot())
    row = session.execute(
        select(MeterProgress.epoch, cast(MeterProgress.upto, Text)).where(
            MeterProgress.meter == meter.slug, MeterProgress.upto <= newest
        )
    ).one_or_none()
    return None if row is None else (row[0], int(row[1]))


def _parts(question: MeterQuestion, parts: Cut, epoch: int, known: int) -> list[Select[Any]]:
    """Return the parts of an answer. ``known`` was the roll-ups' end a moment ago; the statement reads the one of now."""
    state = (
        select(MeterProgress.upto)
        .where(MeterProgress.meter == question.meter.slug, MeterProgress.epoch == epoch)
        .cte("state")
    )
    upto = select(state.c.upto).scalar_subquery()
    corrected = corrected_days(
        question.meter,
        EventCorrection.written_in >= upto,
        *([] if question.tenant_id is None else [EventCorrection.tenant_id == question.tenant_id]),
    ).cte("corrected")
    settled = ~_is_corrected(corrected, UsageEvent.tenant_id, UsageEvent.time)
    on_corrected_days = (
        UsageEvent.tenant_id == corrected.c.tenant_id,
        UsageEvent.time >= corrected.c.day,
        UsageEvent.time < corrected.c.day + timedelta(days=1),
    )
    found = [
        _raw(question, UsageEvent.written_in >= upto, UsageEvent.written_in >= transaction(known), settled),
        _raw(question, *on_corrected_days),
        *(_rolled(question, epoch, DAY, span, corrected) for span in parts.days),
        *(_rolled(question, epoch, QUARTER, span, corrected) for span in parts.quarters),
    ]
    if parts.edges:
        inside = or_(*(and_(UsageEvent.time >= edge.start, UsageEvent.time < edge.end) for edge in parts.edges))
        found.append(_raw(question, inside, UsageEvent.written_in < upto, settled))
    return found


def _is_corrected(corrected: CTE, tenant: ColumnElement[Any] | Any, moment: Any) -> ColumnElement[bool]:
    return exists().where(corrected.c.tenant_id == tenant, corrected.c.day == day_of(moment))


def _raw(question: MeterQuestion, *where: ColumnElement[bool]) -> Select[Any]:
    """Return a part of the answer that is read from events, one row each."""
    read = readings(
        question.meter,
        UsageEvent.time >= question.period.start,
        UsageEvent.time < question.period.end,
        *_whose(question, UsageEvent.tenant_id, UsageEvent.subject),
        *where,
    ).subquery()
    columns = [
        read.c.time.label("at"),
        *_groups(question, read.c.subject, read.c.groups),
        literal(1, literal_execute=True).label("number"),
        _same_type(question, read.c.value).label("value"),
    ]
    return select(*columns, *_moments(question, [read.c[name] for name in _ORDER]))


def _rolled(question: MeterQuestion, epoch: int, grain: int, span: Period, corrected: CTE) -> Select[Any]:
    """Return a part of the answer that is read from roll-ups of one grain."""
    value = getattr(MeterRollup, _ROLLED_VALUE[question.meter.aggregation])
    columns = [
        MeterRollup.bucket.label("at"),
        *_groups(question, MeterRollup.subject, MeterRollup.groups),
        MeterRollup.events.label("number"),
        _same_type(question, value).label("value"),
    ]
    return select(*columns, *_moments(question, [getattr(MeterRollup, name) for name in _ROLLED_ORDER])).where(
        MeterRollup.meter == question.meter.slug,
        MeterRollup.epoch == epoch,
        MeterRollup.grain == grain,
        MeterRollup.bucket >= span.start,
        MeterRollup.bucket < span.end,
        MeterRollup.events > 0,
        *_whose(question, MeterRollup.tenant_id, MeterRollup.subject),
        ~_is_corrected(corrected, MeterRollup.tenant_id, MeterRollup.bucket),
    )


def _whose(question: MeterQuestion, tenant: Any, subject: Any) -> list[ColumnElement[bool]]:
    where = []
    if question.tenant_id is not None:
        where.append(tenant == question.tenant_id)
    if question.subjects:
        where.append(subject.in_(question.subjects))
    return where


def _groups(question: MeterQuestion, subject: Any, groups: Any) -> list[ColumnElement[Any]]:
    places = {name: place for place, name in enumerate(sorted(question.meter.group_by), 1)}
    columns = [subject if name == SUBJECT else groups[places[name]] for name in question.group_by]
    return [cast(column, Text).label(f"g{place}") for place, column in enumerate(columns)]


def _same_type(question: MeterQuestion, value: Any) -> ColumnElement[Any]:
    return cast(value, Text if question.meter.aggregation is Aggregation.UNIQUE_COUNT else Numeric)


def _moments(question: MeterQuestion, columns: Sequence[Any]) -> list[ColumnElement[Any]]:
    """Return by what the latest of two readings is known, where that is asked for."""
    if question.meter.aggregation is not Aggregation.LATEST:
        return []
    return [column.label(f"o{place}") for place, column in enumerate(columns)]


def _ask(session: Session, question: MeterQuestion, parts: Sequence[Select[Any]]) -> list[Quantity]:
    """Put the parts of an answer together."""
    rows = union_all(*parts).subquery("parts")
    window = null() if question.size is None else _window(question, rows.c.at)
    groups = [rows.c[f"g{place}"] for place, _ in enumerate(question.group_by)]
    query = select(
        window.label("start"),
        *groups,
        _aggregate(question, rows.c).label("value"),
        func.sum(rows.c.number).label("counted"),
    )
    keys = [*([] if question.size is None else [window]), *groups]
    if keys:
        query = query.group_by(*keys).order_by(*keys)
    return [
        Quantity(
            start=row.start,
            group={name: row[place + 1] for place, name in enumerate(question.group_by)},
            value=Decimal(row.value),
            count=int(row.counted),
        )
        for row in session.execute(query)
        if row.counted
    ]


def _window(question: MeterQuestion, moment: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return the start of a moment's window: cut by the clock on the wall of the zone."""
    assert question.size is not None  # noqa: S101 - the caller has looked
    return func.date_trunc(
        literal(question.size.value.lower(), literal_execute=True),
        moment,
        literal(question.timezone, literal_execute=True),
    )


def _aggregate(question: MeterQuestion, columns: Any) -> ColumnElement[Any]:
    latest = (
        aggregate_order_by(columns.value, *(columns[f"o{place}"].desc() for place, _ in enumerate(_ORDER)))
        if question.meter.aggregation is Aggregation.LATEST
        else columns.value
    )
    by_name: Mapping[Aggregation, ColumnElement[Any]] = {
        Aggregation.COUNT: func.sum(columns.number),
        Aggregation.SUM: func.sum(columns.value),
        Aggregation.AVG: func.sum(columns.value),
        Aggregation.MAX: func.max(columns.value),
        Aggregation.MIN: func.min(columns.value),
        Aggregation.UNIQUE_COUNT: func.count(columns.value.distinct()),
        Aggregation.LATEST: func.array_agg(latest, type_=ARRAY(Numeric))[1],
    }
    return by_name[question.meter.aggregation]
