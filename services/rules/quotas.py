"""Quotas: how much of an instrument one park may hold in a week and in a month, and what of it is left.

A booking belongs to the day on which it starts, in the instrument's zone, with all of its time; a week begins on Monday.
Buffers are not counted. Hours are whole, as slots are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta, tzinfo
from enum import StrEnum
from typing import Any

from services.rules.slots import IsOpen, known_days

MOST_HOURS = 10_000
MOST_BOOKINGS = 1_000
ONE_DAY = timedelta(days=1)
ONE_HOUR = timedelta(hours=1)


class QuotaPeriod(StrEnum):
    """For how long what is held adds up."""

    WEEK = "week"
    MONTH = "month"


class QuotaMeasure(StrEnum):
    """What of the bookings is counted."""

    HOURS = "hours"
    BOOKINGS = "bookings"


@dataclass(frozen=True)
class Limit:
    """The most that one park may hold in a period."""

    period: QuotaPeriod
    measure: QuotaMeasure
    most: int


@dataclass(frozen=True, slots=True)
class Quota:
    """A provider's limits on each park for an instrument; None is no limit, and none at all lifts the quota."""

    version: int
    week_hours: int | None = None
    week_bookings: int | None = None
    month_hours: int | None = None
    month_bookings: int | None = None

    def problem(self) -> str | None:
        """Return which number is unusable, or None."""
        bounds = {QuotaMeasure.HOURS: MOST_HOURS, QuotaMeasure.BOOKINGS: MOST_BOOKINGS}
        wrong = (
            f"{each.period}_{each.measure}" for each in self.limits() if not 1 <= each.most <= bounds[each.measure]
        )
        return next(wrong, None)

    def limits(self) -> Iterator[Limit]:
        """Yield the limits that are set."""
        for period in QuotaPeriod:
            for measure in QuotaMeasure:
                most = getattr(self, f"{period}_{measure}")
                if most is not None:
                    yield Limit(period, measure, most)

    def document(self) -> dict[str, Any]:
        """Return the quota as a table keeps it."""
        return asdict(self)


@dataclass(frozen=True)
class Held:
    """The time of a booking that counts, half-open."""

    starts_at: datetime
    ends_at: datetime

    def amount(self, measure: QuotaMeasure) -> int:
        """Return what it adds to what is held: its whole hours, or one booking."""
        return 1 if measure is QuotaMeasure.BOOKINGS else (self.ends_at - self.starts_at) // ONE_HOUR


@dataclass(frozen=True)
class Standing:
    """What of a limit is used in one week or month, both days included."""

    period: QuotaPeriod
    measure: QuotaMeasure
    first_day: date
    last_day: date
    most: int
    used: int

    @property
    def left(self) -> int:
        """What may still be booked; nothing where a limit was lowered below what is held."""
        return max(0, self.most - self.used)


def days_of(period: QuotaPeriod, day: date) -> tuple[date, date]:
    """Return the first day and the last of the week or month that holds ``day``."""
    if period is QuotaPeriod.WEEK:
        monday = day - timedelta(days=day.weekday())
        return monday, monday + 6 * ONE_DAY
    first = day.replace(day=1)
    return first, (first + 31 * ONE_DAY).replace(day=1) - ONE_DAY


def standing(limit: Limit, held: Iterable[Held], day: date, zone: tzinfo) -> Standing:
    """Return what of a limit is used in its period that holds ``day``."""
    first, last = days_of(limit.period, day)
    used = sum(each.amount(limit.measure) for each in held if first <= _day(each, zone) <= last)
    return Standing(limit.period, limit.measure, first, last, limit.most, used)


def standings(quota: Quota, held: Sequence[Held], first: date, last: date, zone: tzinfo) -> tuple[Standing, ...]:
    """Return what of each limit is used in every period that shares a day with ``first`` to ``last``, in order."""
    found: list[Standing] = []
    for limit in quota.limits():
        day = first
        while day <= last:
            found.append(standing(limit, held, day, zone))
            day = found[-1].last_day + ONE_DAY
    return tuple(found)


def exceeded(
    quota: Quota, held: Sequence[Held], new: Held, zone: tzinfo, *, before: Held | None = None
) -> Standing | None:
    """Return the first limit that ``new`` would pass beside what is ``held``, None where it fits.

    ``before`` is where the same booking was until now, and is not among those held: within a period that it was in, what
    takes no more than it did always fits, also where the limit was lowered meanwhile.
    """
    for limit in quota.limits():
        now = standing(limit, held, _day(new, zone), zone)
        asked = new.amount(limit.measure)
        was_in = before is not None and now.first_day <= _day(before, zone) <= now.last_day
        if now.used + asked > now.most and not (was_in and before and asked <= before.amount(limit.measure)):
            return now
    return None


def fits_from(
    quota: Quota, held: Sequence[Held], new: Held, zone: tzinfo, *, last: date, is_open: IsOpen
) -> date | None:
    """Return the first worked day after ``new``, up to ``last``, on which as much as it fits; None where there is none."""
    worked = known_days(is_open)
    day = _day(new, zone) + ONE_DAY
    while day <= last:
        if worked(day) and all(
            standing(limit, held, day, zone).used + new.amount(limit.measure) <= limit.most for limit in quota.limits()
        ):
            return day
        day += ONE_DAY
    return None


def _day(held: Held, zone: tzinfo) -> date:
    return held.starts_at.astimezone(zone).date()
