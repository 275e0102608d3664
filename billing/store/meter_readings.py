"""What a meter reads in stored events, as expressions of the database; the same as ``rules.meters`` reads in one.

A value counts when it is a number, or text that is a plain decimal of at most 18 and 12 digits; any other is as if it
were not there.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ARRAY, ColumnElement, Select, String, Text, case, cast, exists, func, literal, select
from sqlalchemy.dialects.postgresql import array
from sqlalchemy.types import Numeric

from billing.rules.meters import Aggregation, Meter
from billing.store.usage import EventCorrection, Snapshot, TransactionId, UsageEvent

SHORT = 13
"""Characters of a number that has at most 18 digits before and 12 behind the point, wherever that is."""
DECIMAL = r"^[+-]?\d{1,18}(\.\d{1,12})?$"


def readings(meter: Meter, *where: ColumnElement[bool], as_of: Any = None, of_all: bool = False) -> Select[Any]:
    """Return a query of what ``meter`` reads: one row an event, with its ``value`` (a number, or a text for unique
    counts) and its ``groups`` in the order of their names. ``as_of`` names a snapshot of the database to read by: what
    was written after it is as if it were not there.

    ``of_all`` is for reading the events of many parks: a value is looked at once, so events without one come as nulls,
    which no sum or maximum sees; and corrections are looked up in one pass.
    """
    value = value_of(meter)
    groups = [text_at(meter.group_by[name]) for name in sorted(meter.group_by)]
    return select(
        UsageEvent.tenant_id,
        UsageEvent.subject,
        UsageEvent.time,
        UsageEvent.received_at,
        UsageEvent.source,
        UsageEvent.event_id,
        cast(array(groups) if groups else literal("{}", literal_execute=True), ARRAY(Text)).label("groups"),
        value.label("value"),
    ).where(
        UsageEvent.type == meter.event_type,
        *([] if of_all else [value.is_not(None)]),
        *(still_counts_of_all(as_of) if of_all else still_counts(as_of)),
        *(text_at(path).in_(wanted) for path, wanted in meter.filters.items()),
        *where,
    )


def still_counts(as_of: Any = None) -> tuple[ColumnElement[bool], ...]:
    """Return what keeps events out that are corrected, and the corrections that only void another."""
    corrected = exists().where(
        EventCorrection.tenant_id == UsageEvent.tenant_id,
        EventCorrection.corrected_source == UsageEvent.source,
        EventCorrection.corrected_id == UsageEvent.event_id,
        *_seen(EventCorrection.written_in, as_of),
    )
    voiding = exists().where(
        EventCorrection.tenant_id == UsageEvent.tenant_id,
        EventCorrection.source == UsageEvent.source,
        EventCorrection.event_id == UsageEvent.event_id,
        EventCorrection.void,
    )
    return ~corrected, ~voiding, *_seen(UsageEvent.written_in, as_of)


def still_counts_of_all(as_of: Any = None) -> tuple[ColumnElement[bool], ...]:
    """Return the same, in one pass over all corrections instead of two searches for each event."""
    names = (EventCorrection.tenant_id, EventCorrection.corrected_source, EventCorrection.corrected_id)
    corrected = select(*(name.label(label) for name, label in zip(names, ("park", "source", "id"), strict=True)))
    voiding = select(EventCorrection.tenant_id, EventCorrection.source, EventCorrection.event_id)
    dead = corrected.where(*_seen(EventCorrection.written_in, as_of)).union_all(voiding.where(EventCorrection.void))
    out = dead.subquery("out")
    found = exists().where(
        out.c.park == UsageEvent.tenant_id, out.c.source == UsageEvent.source, out.c.id == UsageEvent.event_id
    )
    return ~found, *_seen(UsageEvent.written_in, as_of)


def _seen(written_in: Any, as_of: Any) -> tuple[ColumnElement[bool], ...]:
    return () if as_of is None else (func.pg_visible_in_snapshot(written_in, cast(as_of, Snapshot())),)


def value_of(meter: Meter) -> ColumnElement[Any]:
    """Return what an event adds to the meter; null when it lacks it."""
    if meter.aggregation is Aggregation.COUNT:
        return literal(1, literal_execute=True)
    path = meter.value_path or ""
    if meter.aggregation is Aggregation.UNIQUE_COUNT:
        return text_at(path)
    member, plain = _member(path), _text(path)
    kind = func.jsonb_typeof(member)
    # A short number needs no look at its digits: most are, and the pattern costs more than all the rest.
    short = (func.length(plain) <= SHORT) & (kind == "number")
    number = case(
        (short, cast(plain, Numeric)),
        (kind.in_(("number", "string")) & plain.op("~")(DECIMAL), cast(plain, Numeric)),
    )
    return number if meter.allow_negative else case((number >= 0, number))


def text_at(path: str) -> ColumnElement[str]:
    """Return the text of a value: numbers without closing zeros, as the rules write them."""
    plain = _text(path)
    number = cast(func.trim_scale(cast(plain, Numeric)), String)
    return case((func.jsonb_typeof(_member(path)) == "number", number), else_=plain)


def _member(path: str) -> ColumnElement[Any]:
    names = path.removeprefix("$.").split(".")
    return UsageEvent.data.op("->" if len(names) == 1 else "#>")(_at(names))


def _text(path: str) -> ColumnElement[str]:
    names = path.removeprefix("$.").split(".")
    return UsageEvent.data.op("->>" if len(names) == 1 else "#>>")(_at(names))


def _at(names: list[str]) -> ColumnElement[Any]:
    """Return a path as a constant: equal texts make equal expressions, to group by. One name is found faster alone."""
    if len(names) == 1:
        return literal(names[0], Text, literal_execute=True)
    return literal(names, ARRAY(Text), literal_execute=True)


def transaction(number: int) -> ColumnElement[Any]:
    """Return a transaction id that stands in the statement itself, so that the planner knows how far away it is."""
    return cast(literal(str(number), String, literal_execute=True), TransactionId())
