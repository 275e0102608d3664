"""A year of an office's cooling, made from physics: degree hours, moisture, people, with noise. For demo and tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import numpy as np

from services.rules.monitoring.baseline import moisture
from services.rules.monitoring.calendar import HOUR, OFFSET, week_hours
from services.rules.monitoring.series import STEP, Floats, Ints

MEAN_C, SWING_C, DAY_SWING_C = 16.0, 13.0, 4.5
"""A climate like that of the middle of Henan: yearly mean, half the yearly and half the daily swing."""


@dataclass(frozen=True)
class Office:
    """Quarters of an hour of cooling electricity (kWh), outside temperature (°C) and relative humidity (%)."""

    at: Ints
    kwh: Floats
    temperature: Floats
    humidity: Floats


def office_cooling(
    start: int,
    days: int,
    *,
    seed: int,
    is_workday: Callable[[date], bool],
    noise: float = 0.05,
    balance_c: float = 20.0,
) -> Office:
    """Return ``days`` days from ``start`` (seconds since 1970, midnight of a park's day).

    Weather comes and goes in spells of days. Chillers run from 7 to 19 on workdays and a little at weekends; their use
    follows degrees above ``balance_c`` and the moisture, with a base of pumps. Both each quarter and each day has its noise.
    """
    random = np.random.default_rng(seed)
    at = start + STEP * np.arange(days * 96, dtype=np.int64)
    local = at + OFFSET
    year = 2 * np.pi * ((local / 86400 + 10) % 365.2425) / 365.2425
    hour = local % 86400 / HOUR
    spells = np.repeat(_spells(random, days, 0.75, 2.2), 96)
    temperature = MEAN_C - SWING_C * np.cos(year) + DAY_SWING_C * np.cos(2 * np.pi * (hour - 15) / 24) + spells
    wet = np.repeat(_spells(random, days, 0.7, 8.0), 96)
    humidity = np.clip(66 + 10 * np.sin(year - 2.2) - 2.2 * (temperature - temperature.mean()) * 0.3 + wet, 20, 100)
    week = week_hours(at, is_workday)
    works = (week < 120) & (hour >= 7) & (hour < 19)
    starting = np.clip((hour - 6.5) / 1.5, 0, 1) * np.clip((19.5 - hour) / 1.0, 0, 1)
    people = np.where(works, starting, np.where((week >= 120) & (hour >= 9) & (hour < 17), 0.12, 0.03))
    dry_load = np.maximum(temperature - balance_c, 0) * 4.2
    wet_load = np.maximum(moisture(temperature, humidity) - 0.010, 0) * 1000 * 2.6 * (temperature > 18)
    inside = 18.0 * (temperature > balance_c - 4)
    kwh = (people * (dry_load + wet_load + inside) + 1.5 * people + 0.6) / 4 * 1.0
    kwh = kwh * (1 + noise * random.standard_normal(len(at)))
    kwh = kwh * np.repeat(1 + noise * random.standard_normal(days), 96)
    return Office(at, np.maximum(kwh, 0.0), temperature, humidity)


def _spells(random: np.random.Generator, days: int, keeps: float, spread: float) -> Floats:
    found, level = np.zeros(days), 0.0
    for day in range(days):
        level = keeps * level + np.sqrt(1 - keeps**2) * spread * random.standard_normal()
        found[day] = level
    return found
