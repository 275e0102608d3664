"""Recurring bookings: the same time of the day every n days or weeks, whatever the clocks do meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from enum import StrEnum

MOST_OCCURRENCES = 20
"""Occurrences of one series: as many lines as an order may have."""
MOST_STEPS = 60
"""Days or weeks from one occurrence to the next, at most."""


class SeriesUnit(StrEnum):
    """What the distance of two occurrences is counted in."""

    DAY = "day"
    WEEK = "week"


class SeriesChoice(StrEnum):
    """What the park wants where not every occurrence can be booked."""

    ALL = "all"
    """All of them or nothing."""
    FREE = "free"
    """Those that can be booked."""


@dataclass(frozen=True)
class SeriesRule:
    """From ``first_at`` on, every ``every`` days or weeks: ``count`` times, or until the day ``until`` (included)."""

    first_at: datetime
    every: int
    unit: SeriesUnit
    count: int | None = None
    until: date | None = None

    def problem(self, zone: tzinfo) -> str | None:
        """Return which field is unusable, or None."""
        if not 1 <= self.every <= MOST_STEPS:
            return "every"
        if (self.count is None) == (self.until is None):
            return "count"
        if self.count is not None:
            return None if 2 <= self.count <= MOST_OCCURRENCES else "count"
        return None if 2 <= sum(1 for _ in self._days(zone, MOST_OCCURRENCES + 1)) <= MOST_OCCURRENCES else "until"

    def starts(self, zone: tzinfo) -> tuple[datetime, ...]:
        """Return when each occurrence starts, in UTC: at the wall time of the first one.

        A wall time that the clocks skip is read with the offset before the change, one that comes twice is the earlier,
        as calendars do (RFC 5545).
        """
        at = self.first_at.astimezone(zone).time().replace(fold=0)
        later = (datetime.combine(day, at, zone).astimezone(UTC) for day in self._days(zone, MOST_OCCURRENCES))
        return (self.first_at.astimezone(UTC), *list(later)[1:])

    def number_of(self, starts_at: datetime, zone: tzinfo) -> int | None:
        """Return which occurrence starts at a moment, from 1 on; None where none does."""
        starts = self.starts(zone)
        return starts.index(starts_at) + 1 if starts_at in starts else None

    def _days(self, zone: tzinfo, most: int) -> Iterator[date]:
        day = self.first_at.astimezone(zone).date()
        step = timedelta(days=self.every * (7 if self.unit is SeriesUnit.WEEK else 1))
        for number in range(most if self.count is None else min(most, self.count)):
            if self.until is not None and day + number * step > self.until:
                return
            yield day + number * step
