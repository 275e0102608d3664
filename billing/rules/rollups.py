"""What roll-ups can answer of a period, and what has to be read from the events themselves.

Roll-ups are kept in quarters of an hour, into which every zone's hours and days can be cut, and in days of the default
zone, which most questions are about.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from billing.rules.meters import WindowSize, window_of
from billing.rules.periods import DEFAULT_ZONE, Period

ROLLED_FROM = datetime(1991, 12, 31, 16, tzinfo=UTC)
"""Midnight of 1992 in Shanghai. Since then its days all have 24 hours, and every zone's offset is a multiple of a
quarter of an hour; older events are always read themselves."""
QUARTER = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Cut:
    """A period cut in three: ``days`` and ``quarters`` come from roll-ups, ``edges`` from events. None overlap."""

    days: tuple[Period, ...]
    quarters: tuple[Period, ...]
    edges: tuple[Period, ...]


def cut(period: Period, timezone: str, size: WindowSize | None) -> Cut:
    """Return how a question about a period in windows of a size is answered; windows by the minute only from events."""
    start = _up(max(period.start, ROLLED_FROM))
    end = _down(period.end) if period.end > ROLLED_FROM else start
    if size is WindowSize.MINUTE or start >= end:
        return Cut((), (), (period,))
    edges = _filled((period.start, start), (end, period.end))
    if size is not None and (size is WindowSize.HOUR or timezone != DEFAULT_ZONE):
        return Cut((), (Period(start, end),), edges)
    first, last = _day(start), _day(end).start
    first_start = first.start if first.start == start else first.end
    if first_start >= last:
        return Cut((), (Period(start, end),), edges)
    return Cut((Period(first_start, last),), _filled((start, first_start), (last, end)), edges)


def _filled(*spans: tuple[datetime, datetime]) -> tuple[Period, ...]:
    return tuple(Period(*span) for span in spans if span[0] < span[1])


def _down(moment: datetime) -> datetime:
    return moment - (moment - ROLLED_FROM) % QUARTER


def _up(moment: datetime) -> datetime:
    return moment + (ROLLED_FROM - moment) % QUARTER


def _day(moment: datetime) -> Period:
    whole = Period(moment - timedelta(days=2), moment + timedelta(days=2))
    return window_of(moment, whole, DEFAULT_ZONE, WindowSize.DAY)
