"""Trucks of the park: what their trips burn or draw from the grid, and how long they wait in the yard."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from services.rules.twin.calendar import Calendar
from services.rules.twin.inputs import Days, Floats

DENSITY = {"diesel": 0.84, "gasoline": 0.74}
"""kg per litre at 20 degrees C: the middle of what GB 19147 and GB 17930 allow."""
_DAY_MINUTES = 1440


class Drive(StrEnum):
    """What a truck runs on, and the unit of ``per_100_km``: litres, litres, kg, and kWh from the charger."""

    DIESEL = "diesel"
    GASOLINE = "gasoline"
    LNG = "lng"
    ELECTRIC = "electric"


@dataclass(frozen=True)
class Fleet:
    """Trucks that make ``trips_per_day`` of ``km`` each on their days; electric ones charge in a window of the day."""

    name: str
    drive: Drive
    trips_per_day: float
    km: float
    per_100_km: float
    days: Days = Days.WORKDAYS
    charge_from: int = 22 * 60
    charge_to: int = 6 * 60


@dataclass(frozen=True)
class Yard:
    """Docks where trucks are loaded: Poisson arrivals while the gate is open, first come, first served.

    ``variation`` is the coefficient of variation of the service time: 0 always the same, 1 exponential.
    ``idle_litres`` of diesel an hour burn while a truck waits with its engine on.
    """

    docks: int
    trucks_per_hour: float
    service_minutes: float
    variation: float = 0.5
    open_from: int = 8 * 60
    open_to: int = 18 * 60
    days: Days = Days.WORKDAYS
    idle_litres: float = 1.5


@dataclass(frozen=True)
class YardResult:
    """What a simulated stretch of days showed; times in minutes, ``idle_hours`` is all waiting in the whole horizon."""

    days: int
    trucks: int
    mean_wait: float
    p95_wait: float
    longest_wait: float
    utilisation: float
    mean_queue: float
    idle_hours: float
    idle_litres: float


@dataclass(frozen=True)
class Haulage:
    """A fleet's distance, what it used (in tonnes of fuel or kWh), over the horizon."""

    name: str
    drive: Drive
    trips: float
    km: float
    used: float


def open_days(calendar: Calendar, days: Days, rest: Floats) -> Floats:
    """Return 1 for each of the calendar's days on which trucks move; ``rest`` is 1 on days of rest."""
    if days is Days.ALL:
        return np.ones(len(calendar.days))
    result: Floats = rest if days is Days.RESTDAYS else 1 - rest
    return result


def haul(fleet: Fleet, active: Floats) -> Haulage:
    """Return what a fleet drives and uses on its ``active`` days."""
    trips = fleet.trips_per_day * float(active.sum())
    km = trips * fleet.km
    used = km / 100 * fleet.per_100_km
    if fleet.drive in DENSITY:
        used *= DENSITY[fleet.drive] / 1000
    elif fleet.drive is Drive.LNG:
        used /= 1000
    return Haulage(fleet.name, fleet.drive, trips, km, used)


def charging_load(fleet: Fleet, calendar: Calendar, active: Floats) -> Floats:
    """Return kW per step of an electric fleet: each active day's energy, evenly over its window of that day."""
    if fleet.drive is not Drive.ELECTRIC:
        return np.zeros(calendar.horizon.steps)
    minute = calendar.minute
    if fleet.charge_from < fleet.charge_to:
        inside = (minute >= fleet.charge_from) & (minute < fleet.charge_to)
    else:
        inside = (minute >= fleet.charge_from) | (minute < fleet.charge_to)
    steps = np.bincount(calendar.day, inside, len(calendar.days))
    kwh = fleet.trips_per_day * fleet.km / 100 * fleet.per_100_km * active
    power = np.divide(kwh, steps * calendar.horizon.hours, out=np.zeros_like(kwh), where=steps > 0)
    result: Floats = np.where(inside, power[calendar.day], 0.0)
    return result


def idle_tonnes(yard: YardResult) -> float:
    """Return tonnes of diesel burnt while waiting."""
    return yard.idle_litres * DENSITY[Drive.DIESEL] / 1000


def open_minutes(yard: Yard) -> int:
    """Minutes a day that the gate is open; a gate open from 00:00 to 24:00 never closes."""
    return yard.open_to - yard.open_from if yard.open_from < yard.open_to else _DAY_MINUTES - (
        yard.open_from - yard.open_to
    )  # fmt: skip


def add_up(hauls: tuple[Haulage, ...]) -> Mapping[str, float]:
    """Sum what fleets used by drive."""
    totals: dict[str, float] = {}
    for item in hauls:
        totals[item.drive] = totals.get(item.drive, 0.0) + item.used
    return totals
