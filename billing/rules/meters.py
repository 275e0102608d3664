"""From usage events to quantities: which events a meter counts, and how. Exact decimals; time in UTC."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, localcontext
from enum import StrEnum
from zoneinfo import ZoneInfo

from billing.rules.money import EXACT
from billing.rules.periods import Period, microseconds

QUANTITY_STEP = Decimal("1e-12")
"""A quantity that does not end (an average, a share of a period) is rounded to this, half up, before it is priced:
what stands on the invoice is what was multiplied."""

_ABSENT = object()


class Aggregation(StrEnum):
    """How events become one quantity."""

    COUNT = "count"
    SUM = "sum"
    MAX = "max"
    MIN = "min"
    AVG = "avg"
    UNIQUE_COUNT = "unique_count"
    LATEST = "latest"
    WEIGHTED_SUM = "weighted_sum"


class WindowSize(StrEnum):
    """How finely a query is cut."""

    MINUTE = "MINUTE"
    HOUR = "HOUR"
    DAY = "DAY"
    MONTH = "MONTH"


@dataclass(frozen=True, slots=True)
class Meter:
    """What is counted, of which events. Paths look like ``$.device.hours``; amounts may be negative unless said so."""

    slug: str
    event_type: str
    aggregation: Aggregation
    value_path: str | None = None
    group_by: Mapping[str, str] = field(default_factory=dict)
    filters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    allow_negative: bool = True
    """Without it a negative value is refused on its way in, and does not count where it came before the meter."""


@dataclass(frozen=True, slots=True)
class UsageEvent:
    """A CloudEvent as far as meters look at it."""

    id: str
    source: str
    type: str
    subject: str
    time: datetime
    data: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Reading:
    """What one event says to a meter: a number, or the text of a value that is only told apart."""

    time: datetime
    number: Decimal
    text: str = ""
    group: tuple[tuple[str, str | None], ...] = ()


def value_at(data: Mapping[str, object], path: str) -> object | None:
    """Return what ``$.a.b`` points at, or None when nothing is there."""
    found: object = data
    for name in path.removeprefix("$.").split("."):
        found = found.get(name, _ABSENT) if isinstance(found, Mapping) else _ABSENT
        if found is _ABSENT:
            return None
    return found


def text_of(value: object | None) -> str | None:
    """Return the text by which a value is filtered, grouped and told apart; None for nothing."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float | Decimal):
        return f"{plain(Decimal(str(value)))}"
    return json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)


def counts(meter: Meter, event: UsageEvent) -> bool:
    """Tell whether the meter looks at the event at all: its type, and every filter."""
    return event.type == meter.event_type and all(
        text_of(value_at(event.data, path)) in wanted for path, wanted in meter.filters.items()
    )


def read_event(meter: Meter, event: UsageEvent, number: Callable[[object], Decimal | None]) -> Reading | None:
    """Return what an event says, or None when it lacks the value the meter needs.

    ``number`` returns the exact number in a JSON value, or None.
    """
    group = tuple((name, text_of(value_at(event.data, path))) for name, path in sorted(meter.group_by.items()))
    if meter.aggregation is Aggregation.COUNT:
        return Reading(event.time, Decimal(1), group=group)
    value = value_at(event.data, meter.value_path or "")
    if meter.aggregation is Aggregation.UNIQUE_COUNT:
        text = text_of(value)
        return None if text is None else Reading(event.time, Decimal(1), text, group)
    exact = number(value)
    return (
        None if exact is None or (exact < 0 and not meter.allow_negative) else Reading(event.time, exact, group=group)
    )


def aggregate(
    aggregation: Aggregation, readings: Sequence[Reading], period: Period, carry_in: Decimal = Decimal(0)
) -> Decimal:
    """Return the quantity of readings that lie in the period; zero when there are none.

    Of readings at one moment the later one in the sequence is the latest. For ``weighted_sum`` each reading is a
    change of a level that stands at ``carry_in`` when the period begins.
    """
    with localcontext(EXACT):
        if aggregation is Aggregation.WEIGHTED_SUM:
            return _weighted(readings, period, carry_in)
        if not readings:
            return Decimal(0)
        return _SIMPLE[aggregation](readings)


def _weighted(readings: Sequence[Reading], period: Period, carry_in: Decimal) -> Decimal:
    """Weigh the level after each change by the share of the period it held."""
    whole = microseconds(period.end - period.start)
    level, since, area = carry_in, period.start, Decimal(0)
    for reading in sorted(readings, key=lambda reading: reading.time):
        area += level * microseconds(reading.time - since)
        level += reading.number
        since = reading.time
    area += level * microseconds(period.end - since)
    return _stepped(area / whole)


def _sum(readings: Sequence[Reading]) -> Decimal:
    return sum((reading.number for reading in readings), Decimal(0))


def _latest(readings: Sequence[Reading]) -> Decimal:
    """Return the last reading in time; ``max`` over the reversed sequence takes the later one of a tie."""
    return max(reversed(readings), key=lambda reading: reading.time).number


_SIMPLE: Mapping[Aggregation, Callable[[Sequence[Reading]], Decimal]] = {
    Aggregation.COUNT: lambda readings: Decimal(len(readings)),
    Aggregation.UNIQUE_COUNT: lambda readings: Decimal(len({reading.text for reading in readings})),
    Aggregation.SUM: _sum,
    Aggregation.MAX: lambda readings: max(reading.number for reading in readings),
    Aggregation.MIN: lambda readings: min(reading.number for reading in readings),
    Aggregation.AVG: lambda readings: _stepped(_sum(readings) / len(readings)),
    Aggregation.LATEST: _latest,
}


def average(total: Decimal, count: int) -> Decimal:
    """Return an average, rounded as every quantity that does not end is."""
    with localcontext(EXACT):
        return _stepped(total / count)


def _stepped(quantity: Decimal) -> Decimal:
    return quantity.quantize(QUANTITY_STEP, ROUND_HALF_UP)


def plain(quantity: Decimal) -> str:
    """Return a quantity as people write it: no exponent, no closing zeros."""
    text = f"{quantity:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text


@dataclass(frozen=True, slots=True)
class Window:
    """A quantity within a part of the period, for one group."""

    period: Period
    group: tuple[tuple[str, str | None], ...]
    quantity: Decimal


def windows(
    meter: Meter, readings: Iterable[Reading], period: Period, timezone: str, size: WindowSize | None,
    carry_in: Decimal = Decimal(0),
) -> list[Window]:  # fmt: skip
    """Return the quantity per window and group, windows in time and groups in name order; empty ones are left out.

    Without a size the whole period is one window. The level that ``weighted_sum`` weighs is carried from window to
    window within each group; ``carry_in`` belongs to the group of events that name no group. The decimals are bounded, so the
    running sums are exact.
    """
    members: dict[tuple[tuple[str, str | None], ...], list[Reading]] = {}
    for reading in readings:
        members.setdefault(reading.group, []).append(reading)
    found = []
    for group in sorted(members, key=str):
        level = carry_in if not any(value for _, value in group) else Decimal(0)
        cut: dict[Period, list[Reading]] = {}
        for reading in sorted(members[group], key=lambda reading: reading.time):
            cut.setdefault(window_of(reading.time, period, timezone, size), []).append(reading)
        for part, inside in cut.items():
            found.append(Window(part, group, aggregate(meter.aggregation, inside, part, level)))
            level += _sum(inside)
    return sorted(found, key=lambda window: window.period.start)


def window_of(moment: datetime, period: Period, timezone: str, size: WindowSize | None) -> Period:
    """Return the window of a moment: cut by the clock on the wall of the zone, and by the period's own ends."""
    if size is None:
        return period
    if size in {WindowSize.MINUTE, WindowSize.HOUR}:
        start, end = _by_offset(moment, timezone, timedelta(minutes=1 if size is WindowSize.MINUTE else 60))
    else:
        start, end = _by_calendar(moment, timezone, size)
    return Period(max(start, period.start), min(end, period.end))


def _by_offset(moment: datetime, timezone: str, width: timedelta) -> tuple[datetime, datetime]:
    local = moment.astimezone(ZoneInfo(timezone))
    offset = local.utcoffset() or timedelta()
    past = (moment + offset - datetime(1970, 1, 1, tzinfo=UTC)) % width
    return moment - past, moment - past + width


def _by_calendar(moment: datetime, timezone: str, size: WindowSize) -> tuple[datetime, datetime]:
    zone = ZoneInfo(timezone)
    start = moment.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    if size is WindowSize.MONTH:
        start = start.replace(day=1)
        end = (start + timedelta(days=32)).replace(day=1)
    else:
        end = start + timedelta(days=1)
    return start.astimezone(UTC), end.astimezone(UTC)
