"""Days of a subscription: whole periods that derive from an anchor, half-open, by the calendar of the park's own zone."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from enum import StrEnum

from tenants.kernel.clock import CHINA

_MONTHS = 12


class BilledEvery(StrEnum):
    """How long a whole period is."""

    MONTH = "month"
    YEAR = "year"

    @property
    def months(self) -> int:
        """Return its length in months."""
        return 1 if self is BilledEvery.MONTH else _MONTHS


class Alignment(StrEnum):
    """Where periods begin."""

    CALENDAR = "calendar"
    """On the first day of a month or year."""
    ANNIVERSARY = "anniversary"
    """On the day on which the subscription began."""


@dataclass(frozen=True, slots=True)
class Span:
    """From the day ``start`` until the day before ``end``."""

    start: date
    end: date

    def __contains__(self, day: date) -> bool:
        return self.start <= day < self.end

    @property
    def days(self) -> int:
        """Return how many days it has."""
        return (self.end - self.start).days


def add_months(day: date, months: int, anchor_day: int) -> date:
    """Return the day ``months`` later, counted from the anchor: 31 January, 29 February, 31 March."""
    index = day.year * _MONTHS + day.month - 1 + months
    year, month = divmod(index, _MONTHS)
    return date(year, month + 1, min(anchor_day, calendar.monthrange(year, month + 1)[1]))


def anchor_of(day: date, every: BilledEvery, alignment: Alignment) -> date:
    """Return the day from which the periods of a subscription that begins on ``day`` derive."""
    if alignment is Alignment.ANNIVERSARY:
        return day
    return day.replace(day=1) if every is BilledEvery.MONTH else day.replace(month=1, day=1)


def period_around(anchor: date, every: BilledEvery, day: date) -> Span:
    """Return the whole period that contains ``day``. Clamped ends (29 February) never shift later ones."""
    index = ((day.year - anchor.year) * _MONTHS + day.month - anchor.month) // every.months
    if day < add_months(anchor, index * every.months, anchor.day):
        index -= 1
    elif day >= add_months(anchor, (index + 1) * every.months, anchor.day):
        index += 1
    start, end = (add_months(anchor, (index + step) * every.months, anchor.day) for step in (0, 1))
    return Span(start, end)


def local_day(moment: datetime) -> date:
    """Return the day of a moment where parks are."""
    return moment.astimezone(CHINA).date()


def first_moment(day: date) -> datetime:
    """Return the first moment of a day where parks are, as UTC."""
    return datetime.combine(day, time(), CHINA).astimezone(UTC)
