"""Weather files of the park's own: EnergyPlus EPW, and a plain CSV of 8,760 hours.

Everything is checked before it is believed: the number of hours, the range of every value, and radiation in daylight
only, which a wrong time zone or a shifted file does not pass.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from services.rules.twin.climate import sun_angles
from services.rules.twin.inputs import Floats
from services.rules.twin.weather_year import CALM_M_S, HOURS, Weather
from tenants.kernel.errors import FieldError, Invalid, TooLarge
from tenants.kernel.messages import Message, msg

MAX_BYTES = 8 * 1024 * 1024
MOST_ERRORS = 20
_HEAD_LINES = 8
_LEAP_HOURS = HOURS + 24
_FEB_29_HOUR = 59 * 24
_EPW = {"temperature": 6, "ghi": 13, "dni": 14, "dhi": 15, "wind": 21}
_RANGES = {
    "temperature": (-60.0, 60.0),
    "ghi": (0.0, 1500.0),
    "dni": (0.0, 1500.0),
    "dhi": (0.0, 1000.0),
    "wind": (0.0, 60.0),
}
_NIGHT_SINE = -0.15
"""The sun is well below the horizon all through an hour whose middle it spends this low."""
_MOST_AT_NIGHT = 20.0


@dataclass(frozen=True)
class Station:
    """Where a CSV's hours were measured: the site, with its zone's standard offset."""

    name: str
    latitude: float
    longitude: float
    utc_offset_hours: float


def read_epw(data: bytes, source: str, field_name: str = "weather.epw") -> Weather:
    """Read an EPW file: its radiation and weather belong to the hour that ends at the stamp, so row 0 is hour 0.

    Raises Invalid with faulty rows (1 is the first of the file) and columns, TooLarge for a file beyond 8 MB.
    """
    lines = _lines(data, field_name)
    try:
        head = next(csv.reader(lines[:1]))
        latitude, longitude, offset, altitude = (float(item) for item in head[6:10])
        name, kind = head[1], head[0]
    except (ValueError, IndexError, StopIteration):
        kind, name = "", ""
        latitude = longitude = offset = altitude = 0.0
    if kind != "LOCATION" or not (-90 <= latitude <= 90 and -180 <= longitude <= 180 and -12 <= offset <= 14):
        raise _refusal(source, [_error(field_name, 1, "LOCATION", msg("首行应为 LOCATION，含经纬度、时区和海拔。"))])
    rows = list(csv.reader(lines[_HEAD_LINES:]))
    columns = _columns(rows, _EPW, field_name, source, first=_HEAD_LINES + 1)
    return _weather(columns, Station(name, latitude, longitude, offset), altitude, data, source, field_name)


def read_weather_csv(data: bytes, station: Station, source: str, field_name: str = "weather.csv") -> Weather:
    """Read hours as a CSV with a header of ghi, temperature, and where known dni, dhi, wind.

    Hour 0 is 00:00-01:00 on 1 January in standard time. Without dni and dhi, global radiation is split by Erbs' curve.
    """
    lines = _lines(data, field_name)
    head = [cell.strip().lower() for cell in lines[0].split(",")] if lines else []
    places = {name: head.index(name) for name in _RANGES if name in head}
    missing = {"ghi", "temperature"} - set(places)
    if missing or ("dni" in places) != ("dhi" in places):
        wanted = msg("首行应含 ghi、temperature 两列，可再加 dni 与 dhi（须成对）和 wind。")
        raise _refusal(source, [_error(field_name, 1, "header", wanted)])
    columns = _columns(list(csv.reader(lines[1:])), places, field_name, source, first=2)
    return _weather(columns, station, 0.0, data, source, field_name)


def _lines(data: bytes, field_name: str) -> list[str]:
    if len(data) > MAX_BYTES:
        message = msg("气象文件超过 {limit} MB，请确认是一年的逐时文件。", limit=MAX_BYTES >> 20)
        raise TooLarge("weather.too_large", message, errors=[FieldError(field_name, "weather.too_large", message)])
    return [line for line in data.decode("utf-8-sig", errors="replace").splitlines() if line.strip()]


def _columns(
    rows: Sequence[Sequence[str]], places: Mapping[str, int], field_name: str, source: str, *, first: int
) -> dict[str, Floats]:
    """Return the columns as numbers; a leap year loses its 29 February."""
    if len(rows) not in {HOURS, _LEAP_HOURS}:
        message = msg("应有 8,760 个逐时数据行，实有 {count} 行。", count=len(rows))
        raise _refusal(source, [FieldError(field_name, "weather.hours", message)])
    errors: list[FieldError] = []
    columns = {name: np.empty(len(rows)) for name in places}
    for number, row in enumerate(rows):
        for name, place in places.items():
            value = _number(row, place)
            low, high = _RANGES[name]
            if value is None or not low <= value <= high:
                errors.append(_error(field_name, first + number, name,
                                     msg("应为 {low} 至 {high} 之间的数，请修改或换一份文件。", low=low, high=high)))  # fmt: skip
                if len(errors) >= MOST_ERRORS:
                    raise _refusal(source, errors)
                continue
            columns[name][number] = value
    if errors:
        raise _refusal(source, errors)
    if len(rows) == _LEAP_HOURS:
        gone = slice(_FEB_29_HOUR, _FEB_29_HOUR + 24)
        columns = {name: np.delete(values, gone) for name, values in columns.items()}
    return columns


def _number(row: Sequence[str], place: int) -> float | None:
    try:
        return float(row[place])
    except (ValueError, IndexError):
        return None


def _weather(
    columns: dict[str, Floats], station: Station, altitude: float, data: bytes, source: str, field_name: str
) -> Weather:
    _, _, sine = sun_angles(station.latitude, station.longitude, station.utc_offset_hours)
    dark = np.flatnonzero((columns["ghi"] > _MOST_AT_NIGHT) & (sine < _NIGHT_SINE))
    if len(dark):
        message = msg(
            "第 {hour} 个小时太阳在地平线下却有辐射（共 {count} 小时）：请检查经纬度、时区与起始时刻。",
            hour=int(dark[0]) + 1, count=len(dark),
        )  # fmt: skip
        raise _refusal(source, [FieldError(field_name, "weather.night", message)])
    if "dni" not in columns:
        columns["dni"], columns["dhi"] = _split(columns["ghi"], sine)
    known = "wind" in columns
    return Weather(
        name=station.name,
        latitude=station.latitude,
        longitude=station.longitude,
        altitude=altitude,
        utc_offset_hours=station.utc_offset_hours,
        ghi=columns["ghi"],
        dni=columns["dni"],
        dhi=columns["dhi"],
        temperature=columns["temperature"],
        wind=columns["wind"] if known else np.full(HOURS, CALM_M_S),
        sha256=hashlib.sha256(data).hexdigest(),
        source=source,
        wind_known=known,
    )


def _split(ghi: Floats, sine: Floats) -> tuple[Floats, Floats]:
    """Split global into direct normal and diffuse radiation by D. Erbs' curve (Solar Energy 28 (1982), 293)."""
    from pvlib import irradiance

    zenith = np.degrees(np.arccos(np.clip(sine, -1, 1)))
    day = np.arange(HOURS) // 24 + 1
    parts = irradiance.erbs(ghi, zenith, day)
    direct: Floats = np.nan_to_num(np.asarray(parts["dni"], dtype=np.float64))
    diffuse: Floats = np.nan_to_num(np.asarray(parts["dhi"], dtype=np.float64))
    return np.clip(direct, 0, 1200), np.clip(diffuse, 0, None)


def _error(field_name: str, row: int, column: str, message: Message) -> FieldError:
    return FieldError(f"{field_name}[{row}].{column}", "weather.value", message)


def _refusal(source: str, errors: Sequence[FieldError]) -> Invalid:
    return Invalid(
        "weather.invalid",
        msg("气象文件“{name}”有 {count} 处错误，请按所列行修改或换一份文件。", name=source[:100], count=len(errors)),
        errors=errors,
    )
