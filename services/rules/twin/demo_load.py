"""A believable year of a county park's electricity, from a seed: textile mills, food plants, workshops and offices.

Shapes are drawn by hand from how such firms work, not fitted to anybody's meter: mills run three shifts, food has an
early start and a cooling load that follows summer, workshops work days, and all but the cold stores close around the
Spring Festival.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from services.rules.twin.calendar import Calendar
from services.rules.twin.inputs import Floats

# First day of the lunar year. Other years fall back to 5 February, the middle of the range.
_NEW_YEAR = {
    2023: (1, 22), 2024: (2, 10), 2025: (1, 29), 2026: (2, 17), 2027: (2, 6), 2028: (1, 26), 2029: (2, 13), 2030: (2, 3),
}  # fmt: skip
_DAY_MINUTES = 1440
_HOTTEST_DAY = 205


@dataclass(frozen=True)
class Mix:
    """Shares of the yearly use by kind of firm; they are scaled to sum to one."""

    textile: float = 0.45
    food: float = 0.30
    workshops: float = 0.25


def demo_load(calendar: Calendar, *, seed: int, annual_kwh: float = 8_000_000.0, mix: Mix | None = None) -> Floats:
    """Return kW per step. A horizon shorter than a year gets its share of ``annual_kwh`` by its length."""
    mix = mix or Mix()
    random = np.random.default_rng(seed)
    hour = calendar.minute / 60
    rest = np.array([day.weekday() for day in calendar.days])[calendar.day]
    festive = _festive(calendar.days)[calendar.day]
    number = np.array([day.timetuple().tm_yday for day in calendar.days])[calendar.day]
    summer = np.maximum(0, np.cos(2 * np.pi * (number - _HOTTEST_DAY) / 365)) ** 1.5
    kinds = (
        (mix.textile, _textile(hour, rest, festive)),
        (mix.food, _food(hour, rest, festive, summer)),
        (mix.workshops, _workshops(hour, rest, festive, summer)),
    )
    total = np.zeros(len(hour))
    for share, shape in kinds:
        noisy = shape * (1 + _wander(random, calendar))
        total += share * noisy / noisy.mean()
    hours = calendar.horizon.hours * len(hour)
    total *= annual_kwh * (hours / 8760) / (total.sum() * calendar.horizon.hours)
    result: Floats = np.round(total, 3)
    return result


def _festive(days: tuple[date, ...]) -> Floats:
    """Return 1 in the closed week of the Spring Festival, fading in and out over the days around it; 0 elsewhere."""
    values = np.zeros(len(days))
    for index, day in enumerate(days):
        month, first = _NEW_YEAR.get(day.year, (2, 5))
        away = (day - date(day.year, month, first)).days
        values[index] = float(np.interp(away, [-12, -4, 8, 15], [0, 1, 1, 0], left=0, right=0))
    return values


def _between(hour: Floats, start: float, end: float, soft: float = 0.5) -> Floats:
    """Return about 1 between two hours of the day, with flanks of ``soft`` hours."""
    rise, fall = 1 / (1 + np.exp(-(hour - start) / soft * 3)), 1 / (1 + np.exp((hour - end) / soft * 3))
    product: Floats = rise * fall
    return product


def _textile(hour: Floats, rest: np.ndarray[tuple[int], np.dtype[np.int64]], festive: Floats) -> Floats:
    """Three shifts with dips at the changes; Sunday at two thirds."""
    changes = sum(np.exp(-(((hour - at) / 0.35) ** 2)) for at in (0.0, 8.0, 16.0, 24.0))
    sunday = np.where(rest == 6, 0.66, 1.0)
    shape: Floats = (0.9 + 0.1 * _between(hour, 7, 22) - 0.18 * changes) * sunday * (1 - 0.9 * festive)
    return shape


def _food(hour: Floats, rest: np.ndarray[tuple[int], np.dtype[np.int64]], festive: Floats, summer: Floats) -> Floats:
    """Cold stores day and night, more in summer afternoons; kitchens and lines from four in the morning."""
    cold = 0.35 + 0.3 * summer * (0.6 + 0.4 * _between(hour, 11, 19, 2))
    lines = (_between(hour, 4.5, 11.5) + 0.8 * _between(hour, 12.5, 18)) * np.where(rest == 6, 0.5, 1.0)
    shape: Floats = cold + 0.75 * lines * (1 - 0.85 * festive)
    return shape


def _workshops(
    hour: Floats, rest: np.ndarray[tuple[int], np.dtype[np.int64]], festive: Floats, summer: Floats
) -> Floats:
    """Day work with a lunch break, half the firms on Saturday, offices cooled in summer."""
    open_share = np.select([rest == 6, rest == 5], [0.12, 0.55], 1.0)
    day = _between(hour, 8, 12) + _between(hour, 13.2, 17.8) + 0.35 * _between(hour, 18.5, 21)
    cooling = 0.35 * summer * _between(hour, 9, 18, 1)
    shape: Floats = 0.12 + (day + cooling) * open_share * (1 - 0.92 * festive)
    return shape


def _wander(random: np.random.Generator, calendar: Calendar) -> Floats:
    """Relative deviations: a level for each day, a slow swing, and the noise of single machines."""
    steps = len(calendar.minute)
    daily = 0.05 * random.standard_normal(len(calendar.days))[calendar.day]
    knots = np.arange(0, steps + 16, 16)
    swing = np.interp(np.arange(steps), knots, 0.04 * random.standard_normal(len(knots)))
    noise = 0.025 * random.standard_normal(steps)
    result: Floats = np.clip(daily + swing + noise, -0.6, 0.6)
    return result
