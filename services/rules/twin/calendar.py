"""The local clock of a run: which month, minute of the day, weekday and weather hour each step falls in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from services.rules.twin.inputs import Horizon, Ints

_FEB_28 = 58  # day of the year, counted from 0
_YEAR_DAYS = 365
_DAY_SECONDS = 86_400


@dataclass(frozen=True, eq=False)
class Calendar:
    """One value per step. ``months`` names the calendar months that ``month`` counts from 0 (``2026-01``)."""

    horizon: Horizon
    months: tuple[str, ...]
    month: Ints
    month_of_year: Ints
    minute: Ints
    day: Ints
    days: tuple[date, ...]
    weather_hour: Ints


def make_horizon(first: date, until: date, step_minutes: int, timezone: str) -> Horizon:
    """Return the steps from local midnight of ``first`` up to local midnight of ``until``, which is not included."""
    zone = ZoneInfo(timezone)
    start = datetime(first.year, first.month, first.day, tzinfo=zone).astimezone(UTC)
    end = datetime(until.year, until.month, until.day, tzinfo=zone).astimezone(UTC)
    return Horizon(start, int((end - start) / timedelta(minutes=step_minutes)), step_minutes, timezone)


def make_calendar(horizon: Horizon) -> Calendar:
    """Work out the local clock once. Tariffs follow the wall clock, weather the zone's standard time."""
    zone = ZoneInfo(horizon.timezone)
    seconds = int(horizon.start.timestamp()) + 60 * horizon.step_minutes * np.arange(horizon.steps, dtype=np.int64)
    wall = (seconds + _offsets(seconds, zone)).astype("datetime64[s]")
    wall_days = wall.astype("datetime64[D]")
    wall_months = wall.astype("datetime64[M]")
    months, month = np.unique(wall_months, return_inverse=True)
    days, day = np.unique(wall_days, return_inverse=True)
    standard = (seconds + _standard_offset(horizon, zone)).astype("datetime64[s]")
    return Calendar(
        horizon=horizon,
        months=tuple(str(item) for item in months),
        month=month.astype(np.int64),
        month_of_year=wall_months.astype(np.int64) % 12 + 1,
        minute=(wall - wall_days).astype(np.int64) // 60,
        day=day.astype(np.int64),
        days=tuple(date.fromisoformat(str(item)) for item in days),
        weather_hour=_weather_hour(standard),
    )


def _offsets(seconds: Ints, zone: ZoneInfo) -> Ints:
    """Seconds east of UTC at each instant. Only days at whose two ends the clocks differ are looked at step by step:
    every order of a twin run passes here, and a year has 35,040 steps.
    """
    day = seconds // _DAY_SECONDS
    first = int(day[0])
    edges = np.array(
        [_offset(number * _DAY_SECONDS, zone) for number in range(first, int(day[-1]) + 2)], dtype=np.int64
    )
    found: Ints = edges[day - first]
    for step in np.flatnonzero(found != edges[day - first + 1]):
        found[step] = _offset(int(seconds[step]), zone)
    return found


def _offset(second: int, zone: ZoneInfo) -> int:
    return int((datetime.fromtimestamp(second, zone).utcoffset() or timedelta()).total_seconds())


def standard_offset_hours(horizon: Horizon) -> float:
    """Hours east of UTC of the horizon's zone without daylight saving."""
    return _standard_offset(horizon, ZoneInfo(horizon.timezone)) / 3600


def _standard_offset(horizon: Horizon, zone: ZoneInfo) -> int:
    """Seconds east of UTC without daylight saving: the smaller of January's and July's offsets."""
    year = horizon.start.astimezone(zone).year
    offsets = [datetime(year, month, 1, tzinfo=zone).utcoffset() or timedelta() for month in (1, 7)]
    return int(min(offsets).total_seconds())


def _weather_hour(standard: np.ndarray[tuple[int], np.dtype[np.datetime64]]) -> Ints:
    """Index into the 8,760 hours of a typical year. 29 February takes the weather of the 28th."""
    years = standard.astype("datetime64[Y]")
    day = (standard.astype("datetime64[D]") - years).astype(np.int64)
    number = years.astype(np.int64) + 1970
    leap = (number % 4 == 0) & ((number % 100 != 0) | (number % 400 == 0))
    day -= leap & (day > _FEB_28)
    hour = (standard - standard.astype("datetime64[D]")).astype(np.int64) // 3600
    result: Ints = (day % _YEAR_DAYS) * 24 + hour
    return result
