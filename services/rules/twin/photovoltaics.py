"""PV yield of a typical year by pvlib, in the chain PVWatts uses: never a clear sky, always the measured radiation.

Perez transposition, physical incidence losses, Fuentes' cell temperature, PVWatts DC and inverter.
(A. Dobos, "PVWatts Version 5 Manual", NREL/TP-6A20-62641, 2014.)
"""

from __future__ import annotations

import numpy as np

from services.rules.twin.calendar import Calendar
from services.rules.twin.inputs import Floats, Mounting, PvPlant
from services.rules.twin.module_temperature import OPEN_RACK_NOCT, ROOF_MOUNT_NOCT, cell_temperature
from services.rules.twin.weather_year import HOURS, REFERENCE_YEAR, Weather

_GROUND_ALBEDO = 0.2


def hourly_yield(weather: Weather, plant: PvPlant) -> Floats:
    """Return AC kW per kWp as the mean of each of the 8,760 hours."""
    import pandas as pd
    from pvlib import atmosphere, iam, inverter, irradiance, pvsystem, solarposition

    # The sun stands where it does in the middle of the hour; pvlib wants instants, so the station's offset is taken off.
    middle = pd.date_range(f"{REFERENCE_YEAR}-01-01 00:30", periods=HOURS, freq="h", tz="UTC")
    middle -= pd.Timedelta(hours=weather.utc_offset_hours)
    pressure = atmosphere.alt2pres(weather.altitude)
    sun = solarposition.spa_python(
        middle, weather.latitude, weather.longitude, weather.altitude, pressure, float(weather.temperature.mean())
    )
    zenith, azimuth = sun["apparent_zenith"].to_numpy(), sun["azimuth"].to_numpy()
    incidence = irradiance.aoi(plant.tilt, plant.azimuth, zenith, azimuth)
    extra = np.asarray(irradiance.get_extra_radiation(middle.day_of_year.to_numpy()), dtype=np.float64)
    diffuse = irradiance.perez(
        plant.tilt, plant.azimuth, weather.dhi, weather.dni, extra, zenith, azimuth,
        atmosphere.get_relative_airmass(zenith),
    )  # fmt: skip
    beam = weather.dni * np.maximum(np.cos(np.radians(incidence)), 0)
    ground = irradiance.get_ground_diffuse(plant.tilt, weather.ghi, plant.albedo)
    other = np.nan_to_num(diffuse) + ground
    noct = ROOF_MOUNT_NOCT if plant.mounting is Mounting.ROOF else OPEN_RACK_NOCT
    cell = cell_temperature(beam + other, weather.temperature, weather.wind, noct)
    useful = beam * np.nan_to_num(iam.physical(incidence)) + other
    direct = pvsystem.pvwatts_dc(useful, cell, 1.0, plant.temperature_coefficient) * (1 - plant.losses)
    limit = 1 / plant.dc_ac_ratio
    result: Floats = np.clip(
        inverter.pvwatts(direct, limit / plant.inverter_efficiency, plant.inverter_efficiency), 0, None
    )
    return result


def step_yield(weather: Weather, plant: PvPlant, calendar: Calendar) -> Floats:
    """Return AC kW per kWp of each step: the hour's yield, shaped within the hour by the height of the sun.

    The energy of every hour is kept exactly, so a year sums to what PVWatts gives on the same file.
    """
    hourly = hourly_yield(weather, plant)
    per_hour = 60 // calendar.horizon.step_minutes
    if per_hour == 1:
        return hourly[calendar.weather_hour]
    heights = _sun_heights(weather, per_hour)
    means = heights.mean(axis=1, keepdims=True)
    shape = np.where(means > 0, heights / np.where(means > 0, means, 1), 1.0)
    quarter = (calendar.minute % 60) // calendar.horizon.step_minutes
    shaped: Floats = (hourly[:, None] * shape)[calendar.weather_hour, quarter]
    return shaped


def _sun_heights(weather: Weather, per_hour: int) -> Floats:
    """Sine of the sun's elevation in the middle of each part of each hour, shape (8760, per_hour), never negative."""
    from pvlib import solarposition

    hour = (np.arange(HOURS * per_hour) + 0.5) / per_hour
    day = hour // 24 + 1
    noon_shift = solarposition.equation_of_time_spencer71(day) / 60
    solar_hour = hour % 24 + noon_shift + weather.longitude / 15 - weather.utc_offset_hours
    zenith = solarposition.solar_zenith_analytical(
        np.radians(weather.latitude), np.radians((solar_hour - 12) * 15), solarposition.declination_spencer71(day)
    )
    heights: Floats = np.maximum(np.cos(zenith), 0).reshape(HOURS, per_hour)
    return heights


def facade_radiation(weather: Weather) -> Floats:
    """Return W/m2 on a vertical surface as the mean over all directions, for each hour.

    Beam averages to ``dni sin(zenith) / pi`` over a turn; half of the sky and half of the ground are seen.
    """
    height = _sun_heights(weather, 1)[:, 0]
    beam = weather.dni * np.sqrt(np.maximum(1 - height**2, 0)) / np.pi * (height > 0)
    result: Floats = beam + 0.5 * weather.dhi + 0.5 * _GROUND_ALBEDO * weather.ghi
    return result
