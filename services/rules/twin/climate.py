"""Hours of a year drawn from monthly means: 气候估算, deterministic by seed, for parks that have no weather file yet.

Days get a clearness and a temperature that wander like weather does, hours get the shape of the day; every month keeps
the means it was drawn from. Good enough to size and compare, never a stand-in for a measured year: whatever shows
these hours says so.

(Hourly shares of the day's radiation: M. Collares-Pereira and A. Rabl, Solar Energy 22 (1979), 155, and B. Liu and
R. Jordan, Solar Energy 4 (1960), 1. Wind: Weibull with shape 2, the distribution of Rayleigh.)
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import numpy as np

from services.rules.twin.inputs import Floats, Ints
from services.rules.twin.weather_year import HOURS, Weather

CHINA_OFFSET_HOURS = 8.0
_DAYS = 365
_SOLAR_CONSTANT = 1.367  # kW/m2
_MONTH_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_LEAST_CLEAR, _MOST_CLEAR = 0.05, 0.78
_CLEAR_SPREAD, _CLEAR_MEMORY = 0.17, 0.3
_WARM_SPREAD, _WARM_MEMORY = 2.4, 0.7
_WIND_MEMORY = 0.9
_MOST_BEAM = 1.0  # kW/m2
_LOWEST_SUN = 0.02
_WARMEST_HOUR = 15.0


@dataclass(frozen=True)
class ClimateNormals:
    """Monthly means of a place: kWh/m2 and day of global and diffuse radiation, degrees C, m/s at 10 m."""

    city: str
    name: str
    province: str
    latitude: float
    longitude: float
    altitude: float
    ghi: tuple[float, ...]
    dhi: tuple[float, ...]
    temperature: tuple[float, ...]
    wind: tuple[float, ...]
    sources: tuple[str, ...]
    sha256: str
    stated: str = ""
    """The source of a wind that the park states itself."""


@dataclass(frozen=True)
class StatedWind:
    """Monthly means of the wind at 10 m in m/s, January first, and who says so."""

    means: tuple[float, ...]
    source: str


def with_wind(normals: ClimateNormals, wind: StatedWind) -> ClimateNormals:
    """Return the normals with a stated wind in place of their own; hash and sources tell of it."""
    told = ",".join([normals.sha256, *map(repr, wind.means), wind.source])
    return replace(
        normals,
        wind=wind.means,
        sources=(*normals.sources, wind.source),
        stated=wind.source,
        sha256=hashlib.sha256(told.encode()).hexdigest(),
    )


def climate_weather(normals: ClimateNormals, seed: int) -> Weather:
    """Return the 8,760 hours that ``seed`` draws from the normals."""
    random = np.random.default_rng([seed, *normals.city.encode()])
    month = np.repeat(np.arange(12), _MONTH_DAYS)
    ghi, dhi, cosine, clear = _radiation(normals, month, random)
    beam = np.where(cosine > _LOWEST_SUN, (ghi - dhi) / np.maximum(cosine, _LOWEST_SUN), 0.0)
    dni = np.minimum(beam, _MOST_BEAM)
    dhi = ghi - dni * np.where(cosine > _LOWEST_SUN, cosine, 0.0)
    return Weather(
        name=normals.name,
        latitude=normals.latitude,
        longitude=normals.longitude,
        altitude=normals.altitude,
        utc_offset_hours=CHINA_OFFSET_HOURS,
        ghi=ghi * 1000,
        dni=dni * 1000,
        dhi=dhi * 1000,
        temperature=_temperature(normals.temperature, month, clear, random),
        wind=_wind(normals.wind, month, random),
        sha256=normals.sha256,
        source=f"climate.csv:{normals.city}:seed={seed}" + (f":wind={normals.stated}" if normals.stated else ""),
        estimated=True,
    )


def sun_angles(latitude: float, longitude: float, utc_offset_hours: float) -> tuple[Floats, Floats, Floats]:
    """Return hour angle and declination (radians) and the sine of the sun's height in the middle of each hour.

    (J. Spencer, "Fourier series representation of the position of the sun", Search 2 (1971), 172.)
    """
    hour = np.arange(HOURS) + 0.5
    turn = 2 * np.pi * (hour // 24) / _DAYS
    declination = (
        0.006918 - 0.399912 * np.cos(turn) + 0.070257 * np.sin(turn) - 0.006758 * np.cos(2 * turn)
        + 0.000907 * np.sin(2 * turn) - 0.002697 * np.cos(3 * turn) + 0.00148 * np.sin(3 * turn)
    )  # fmt: skip
    minutes = 229.18 * (
        0.000075 + 0.001868 * np.cos(turn) - 0.032077 * np.sin(turn) - 0.014615 * np.cos(2 * turn)
        - 0.040849 * np.sin(2 * turn)
    )  # fmt: skip
    clock = hour % 24 + minutes / 60 + longitude / 15 - utc_offset_hours
    angle = np.radians(15 * (clock - 12))
    angle = (angle + np.pi) % (2 * np.pi) - np.pi
    here = np.radians(latitude)
    sine = np.sin(here) * np.sin(declination) + np.cos(here) * np.cos(declination) * np.cos(angle)
    return angle, declination, sine


def _radiation(
    normals: ClimateNormals, month: Ints, random: np.random.Generator
) -> tuple[Floats, Floats, Floats, Floats]:
    """Return global and diffuse kW/m2 and the sun's sine by hour, and each day's clearness over its month's."""
    angle, declination, sine = sun_angles(normals.latitude, normals.longitude, CHINA_OFFSET_HOURS)
    shape = (_DAYS, 24)
    noon = declination.reshape(shape)[:, 12]
    here = np.radians(normals.latitude)
    sunset = np.arccos(np.clip(-np.tan(here) * np.tan(noon), -1, 1))
    far = 1 + 0.033 * np.cos(2 * np.pi * np.arange(1, _DAYS + 1) / _DAYS)
    above = 24 / np.pi * _SOLAR_CONSTANT * far * (
        np.cos(here) * np.cos(noon) * np.sin(sunset) + sunset * np.sin(here) * np.sin(noon)
    )  # fmt: skip
    clear = _clearness(np.array(normals.ghi), above, month, random)
    day_total = clear * above
    up = np.maximum(np.cos(angle.reshape(shape)) - np.cos(sunset)[:, None], 0)
    up = np.where(np.abs(angle.reshape(shape)) < sunset[:, None], up, 0)
    tilt = 0.409 + 0.5016 * np.sin(sunset - 1.047), 0.6609 - 0.4767 * np.sin(sunset - 1.047)
    by_hour = up * np.maximum(tilt[0][:, None] + tilt[1][:, None] * np.cos(angle.reshape(shape)), 0)
    ghi = day_total[:, None] * by_hour / by_hour.sum(axis=1, keepdims=True)
    diffuse = _diffuse_share(clear) * day_total
    dhi = np.minimum(diffuse[:, None] * up / up.sum(axis=1, keepdims=True), ghi)
    dhi = _held(dhi, ghi, np.array(normals.dhi), month)
    mean = np.bincount(month, clear, 12) / np.bincount(month, minlength=12)
    return ghi.ravel(), dhi.ravel(), sine, clear / mean[month]


def _clearness(means: Floats, above: Floats, month: Ints, random: np.random.Generator) -> Floats:
    """Return each day's share of the radiation above the air, wandering, with the month's total as given."""
    drift = _wander(random, _DAYS, _CLEAR_MEMORY) * _CLEAR_SPREAD
    wanted = np.bincount(month, minlength=12) * means
    level = wanted / np.bincount(month, above, 12)
    clear = np.clip(level[month] * (1 + 2 * drift), _LEAST_CLEAR, _MOST_CLEAR)
    for _ in range(40):  # what clipping takes away is given back to the other days
        clear = np.clip(clear * (wanted / np.bincount(month, clear * above, 12))[month], _LEAST_CLEAR, _MOST_CLEAR)
    result: Floats = clear * (wanted / np.bincount(month, clear * above, 12))[month]
    return result


def _diffuse_share(clear: Floats) -> Floats:
    """Return the day's diffuse share of its radiation (Collares-Pereira and Rabl 1979, their daily correlation)."""
    curve = 1.188 - 2.272 * clear + 9.473 * clear**2 - 21.865 * clear**3 + 14.648 * clear**4
    result: Floats = np.where(clear <= 0.17, 0.99, np.where(clear < 0.75, curve, np.maximum(0.632 - 0.54 * clear, 0.2)))
    return result


def _held(dhi: Floats, ghi: Floats, means: Floats, month: Ints) -> Floats:
    """Scale diffuse hours to the month's mean, without ever exceeding the hour's global radiation."""
    days = np.bincount(month, minlength=12)
    for _ in range(40):
        now = np.bincount(month, dhi.sum(axis=1), 12) / days
        dhi = np.minimum(dhi * (means / now)[month][:, None], ghi)
    return dhi


def _temperature(means: tuple[float, ...], month: Ints, clear: Floats, random: np.random.Generator) -> Floats:
    """Return degrees C by hour: the season, days that wander, and a day's swing that clear skies widen."""
    ends = np.cumsum(_MONTH_DAYS)
    middle = ends - np.array(_MONTH_DAYS) / 2
    around = np.concatenate([[middle[-1] - _DAYS], middle, [middle[0] + _DAYS]])
    season = np.interp(np.arange(_DAYS) + 0.5, around, np.concatenate([[means[-1]], means, [means[0]]]))
    season += _wander(random, _DAYS, _WARM_MEMORY) * _WARM_SPREAD
    off = np.array(means) - np.bincount(month, season, 12) / np.bincount(month, minlength=12)
    season += off[month]
    hour = np.arange(24) + 0.5
    swing = np.cos(2 * np.pi * (hour - _WARMEST_HOUR) / 24)
    result: Floats = (season[:, None] + (2.5 + 2.0 * clear)[:, None] * swing).ravel()
    return result


def _wind(means: tuple[float, ...], month: Ints, random: np.random.Generator) -> Floats:
    """Return m/s by hour: a Rayleigh distribution with the memory of weather, at each month's mean."""
    normal = _wander(random, HOURS, _WIND_MEMORY)
    ranks = np.argsort(np.argsort(normal))
    speed = np.sqrt(-np.log(1 - (ranks + 0.5) / HOURS))
    hourly = np.repeat(month, 24)
    average = np.bincount(hourly, speed, 12) / np.bincount(hourly, minlength=12)
    result: Floats = speed * (np.array(means) / average)[hourly]
    return result


def _wander(random: np.random.Generator, count: int, memory: float) -> Floats:
    """Return a series of mean 0 and variance 1 whose values remember their predecessors (autoregressive, order 1)."""
    shocks = random.standard_normal(count)
    values = np.empty(count)
    value = shocks[0]
    fresh = (1 - memory**2) ** 0.5
    for number, shock in enumerate(shocks.tolist()):
        value = memory * value + fresh * shock if number else shock
        values[number] = value
    return values
