"""Hours of a typical week: a public holiday is read as a Sunday, a shifted workday as a workday."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import numpy as np

from services.rules.monitoring.series import Ints

HOUR = 3600
WEEK = 168
OFFSET = 8 * HOUR
"""China keeps one offset without summer time since 1992."""
_WEDNESDAY, _SUNDAY = 2, 6


def local_days(at: Ints) -> Ints:
    """Return the days since 1970 of moments, in the zone of parks."""
    days: Ints = (at + OFFSET) // 86400
    return days


def day_of(number: int) -> date:
    """Return the day that is ``number`` days after 1 January 1970."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=number)).date()


def week_hours(at: Ints, is_workday: Callable[[date], bool]) -> Ints:
    """Return the hour of a typical week (0 is Monday's first) of each moment, in the zone of parks."""
    days = local_days(at)
    hours = (at + OFFSET) % 86400 // HOUR
    unique, place = np.unique(days, return_inverse=True)
    kinds = np.array([_weekday(day_of(int(number)), is_workday) for number in unique], dtype=np.int64)
    found: Ints = kinds[place] * 24 + hours
    return found


def _weekday(day: date, is_workday: Callable[[date], bool]) -> int:
    works, weekday = is_workday(day), day.weekday()
    if works and weekday >= 5:
        return _WEDNESDAY
    return _SUNDAY if not works and weekday < 5 else weekday
