"""Quantities from raw events, aggregated by the database; the same as ``rules.meters`` works out, event by event.

A value counts when it is a number, or text that is a plain decimal of at most 18 and 12 digits; any other is as if it
were not there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, String, Text, case, cast, exists, func, literal, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import Session
from sqlalchemy.types import Numeric

from billing.rules.meters import Aggregation, Meter, WindowSize
from billing.rules.periods import Period
from billing.store.usage import EventCorrection, UsageEvent

DECIMAL = r"^[+-]?\d{1,18}(\.\d{1,12})?$"
SUBJECT = "subject"


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
    number = _number(question.meter)
    window = _window(question)
    groups = {name: _group(question.meter, name) for name in question.group_by}
    labelled = [column.label(f"g{place}") for place, column in enumerate(groups.values())]
    value = _aggregate(question.meter, number).label("value")
    counted = func.count(number).label("counted")
    query = select(window.label("start"), *labelled, value, counted).where(*_where(question, number))
    keys = [*([] if question.size is None else [window]), *groups.values()]
    if keys:
        query = query.group_by(*keys).order_by(*keys)
    return [
        Quantity(
            start=row.start,
            group={name: row[place + 1] for place, name in enumerate(groups)},
            value=Decimal(row.value),
            count=row.counted,
        )
        for row in session.execute(query)
        if row.counted
    ]


def _where(question: MeterQuestion, number: ColumnElement[Any]) -> list[ColumnElement[bool]]:
    meter, period = question.meter, question.period
    where = [
        UsageEvent.type == meter.event_type,
        UsageEvent.time >= period.start,
        UsageEvent.time < period.end,
        number.is_not(None),
        *still_counts(),
    ]
    if question.tenant_id is not None:
        where.append(UsageEvent.tenant_id == question.tenant_id)
    if question.subjects:
        where.append(UsageEvent.subject.in_(question.subjects))
    where += [_text(path).in_(wanted) for path, wanted in meter.filters.items()]
    return where


def still_counts() -> tuple[ColumnElement[bool], ...]:
    """Return what keeps events out that are corrected, and the corrections that only void another."""
    corrected = exists().where(
        EventCorrection.tenant_id == UsageEvent.tenant_id,
        EventCorrection.corrected_source == UsageEvent.source,
        EventCorrection.corrected_id == UsageEvent.event_id,
    )
    voiding = exists().where(
        EventCorrection.tenant_id == UsageEvent.tenant_id,
        EventCorrection.source == UsageEvent.source,
        EventCorrection.event_id == UsageEvent.event_id,
        EventCorrection.void,
    )
    return ~corrected, ~voiding


def _window(question: MeterQuestion) -> ColumnElement[Any]:
    """Return the start of an event's window: cut by the clock on the wall of the zone."""
    if question.size is None:
        return literal(None)
    return func.date_trunc(
        literal(question.size.value.lower(), literal_execute=True),
        UsageEvent.time,
        literal(question.timezone, literal_execute=True),
    )


def _group(meter: Meter, name: str) -> ColumnElement[Any]:
    return UsageEvent.subject if name == SUBJECT else _text(meter.group_by[name])  # type: ignore[return-value]


def _at(path: str) -> ColumnElement[Any]:
    """Return a path as the constant array that ``#>`` takes: equal texts make equal expressions, to group by."""
    return literal(path.removeprefix("$.").split("."), ARRAY(Text), literal_execute=True)


def _text(path: str) -> ColumnElement[str]:
    """Return the text of a value: numbers without closing zeros, as the rules write them."""
    member = UsageEvent.data.op("#>")(_at(path))
    plain = UsageEvent.data.op("#>>")(_at(path))
    number = cast(func.trim_scale(cast(plain, Numeric)), String)
    return case((func.jsonb_typeof(member) == "number", number), else_=plain)


def _number(meter: Meter) -> ColumnElement[Any]:
    """Return what an event adds to the meter; null when it lacks it."""
    if meter.aggregation is Aggregation.COUNT:
        return literal(1, literal_execute=True)
    path = meter.value_path or ""
    if meter.aggregation is Aggregation.UNIQUE_COUNT:
        return _text(path)
    plain = UsageEvent.data.op("#>>")(_at(path))
    kind = func.jsonb_typeof(UsageEvent.data.op("#>")(_at(path)))
    number = case((kind.in_(("number", "string")) & plain.op("~")(DECIMAL), cast(plain, Numeric)))
    return number if meter.allow_negative else case((number >= 0, number))


def _aggregate(meter: Meter, number: ColumnElement[Any]) -> ColumnElement[Any]:
    latest = aggregate_order_by(
        number,
        UsageEvent.time.desc(),
        UsageEvent.received_at.desc(),
        UsageEvent.source.desc(),
        UsageEvent.event_id.desc(),
    )
    by_name: Mapping[Aggregation, ColumnElement[Any]] = {
        Aggregation.COUNT: func.count(),
        Aggregation.SUM: func.sum(number),
        Aggregation.AVG: func.sum(number),
        Aggregation.MAX: func.max(number),
        Aggregation.MIN: func.min(number),
        Aggregation.UNIQUE_COUNT: func.count(number.distinct()),
        Aggregation.LATEST: func.array_agg(latest, type_=ARRAY(Numeric))[1],
    }
    return by_name[meter.aggregation]
