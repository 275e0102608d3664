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
from billing.store.usage import EventCorrection, TransactionId, UsageEvent

DECIMAL = r"^[+-]?\d{1,18}(\.\d{1,12})?$"


def readings(meter: Meter, *where: ColumnElement[bool]) -> Select[Any]:
    """Return a query of what ``meter`` reads: one row an event, with its ``value`` (a number, or a text for unique
    counts) and its ``groups`` in the order of their names.
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
        value.is_not(None),
        *still_counts(),
        *(text_at(path).in_(wanted) for path, wanted in meter.filters.items()),
        *where,
    )


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


def value_of(meter: Meter) -> ColumnElement[Any]:
    """Return what an event adds to the meter; null when it lacks it."""
    if meter.aggregation is Aggregation.COUNT:
        return literal(1, literal_execute=True)
    path = meter.value_path or ""
    if meter.aggregation is Aggregation.UNIQUE_COUNT:
        return text_at(path)
    plain = UsageEvent.data.op("#>>")(_at(path))
    kind = func.jsonb_typeof(UsageEvent.data.op("#>")(_at(path)))
    number = case((kind.in_(("number", "string")) & plain.op("~")(DECIMAL), cast(plain, Numeric)))
    return number if meter.allow_negative else case((number >= 0, number))


def text_at(path: str) -> ColumnElement[str]:
    """Return the text of a value: numbers without closing zeros, as the rules write them."""
    member = UsageEvent.data.op("#>")(_at(path))
    plain = UsageEvent.data.op("#>>")(_at(path))
    number = cast(func.trim_scale(cast(plain, Numeric)), String)
    return case((func.jsonb_typeof(member) == "number", number), else_=plain)


def _at(path: str) -> ColumnElement[Any]:
    """Return a path as the constant array that ``#>`` takes: equal texts make equal expressions, to group by."""
    return literal(path.removeprefix("$.").split("."), ARRAY(Text), literal_execute=True)


def transaction(number: int) -> ColumnElement[Any]:
    """Return a transaction id that stands in the statement itself, so that the planner knows how far away it is."""
    return cast(literal(str(number), String, literal_execute=True), TransactionId())
