"""The weather of a run: the 8,760 hours of a year at one place, and what is worth knowing about where they come from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from services.rules.twin.calendar import Calendar
from services.rules.twin.inputs import Floats

HOURS = 8760
REFERENCE_YEAR = 2023  # any common year: the sun's place on a day of the year moves by a hair
CALM_M_S = 1.0
"""Wind that cools PV modules where none is known: light air, on the careful side."""
_SEA_LEVEL_PA = 101_325.0
_GAS_CONSTANT = 287.058  # J/(kg K), dry air


@dataclass(frozen=True, eq=False)
class Weather:
    """8,760 hours of a year at a station; hour 0 is 00:00-01:00 on 1 January in its standard time.

    Radiation in W/m2 as means over the hour, air temperature in degrees C, wind in m/s at ``wind_height`` metres.
    ``estimated`` tells hours drawn from monthly means, ``wind_known`` that wind was given and not assumed.
    """

    name: str
    latitude: float
    longitude: float
    altitude: float
    utc_offset_hours: float
    ghi: Floats
    dni: Floats
    dhi: Floats
    temperature: Floats
    wind: Floats
    sha256: str
    source: str
    estimated: bool = False
    wind_known: bool = True
    wind_height: float = 10.0


def at_steps(hourly: Floats, calendar: Calendar) -> Floats:
    """Return hourly values at the middle of each step, by straight lines between the middles of the hours.

    For what changes steadily, such as temperature; the year is closed, so that its last hour leads to its first.
    """
    per_hour = 60 // calendar.horizon.step_minutes
    if per_hour == 1:
        result: Floats = hourly[calendar.weather_hour]
        return result
    inside = ((calendar.minute % 60) / 60) + 0.5 / per_hour
    here = hourly[calendar.weather_hour]
    before, after = hourly[(calendar.weather_hour - 1) % HOURS], hourly[(calendar.weather_hour + 1) % HOURS]
    share = inside - 0.5
    steps: Floats = np.where(share < 0, here + share * (here - before), here + share * (after - here))
    return steps


def air_density(altitude: float, temperature: Floats) -> Floats:
    """Return kg/m3 of dry air at ``altitude`` metres and ``temperature`` degrees C.

    Pressure by the international standard atmosphere (ISO 2533), density by the ideal gas law.
    """
    pressure = _SEA_LEVEL_PA * (1 - 2.25577e-5 * altitude) ** 5.25588
    result: Floats = pressure / (_GAS_CONSTANT * (temperature + 273.15))
    return result
