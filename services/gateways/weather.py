"""Weather that is on the machine already: the typical meteorological years which pvlib ships for its own tests.

Read where they are installed; nothing is copied. They stand in for a park's own climate and say so.
"""

from __future__ import annotations

import csv
import hashlib
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from services.rules.twin.inputs import Floats
from services.rules.twin.weather_year import HOURS, Weather
from tenants.kernel.errors import Invalid, Unavailable
from tenants.kernel.messages import msg

BUILTIN = {"703165TY": "703165TY.csv", "723170TYA": "723170TYA.CSV"}
_COLUMNS = {
    "ghi": "GHI (W/m^2)",
    "dni": "DNI (W/m^2)",
    "dhi": "DHI (W/m^2)",
    "temperature": "Dry-bulb (C)",
    "wind": "Wspd (m/s)",
}


def read_builtin_weather(name: str) -> Weather:
    """Return a typical year by name; Invalid for an unknown name, Unavailable when the installation lacks the file."""
    if name not in BUILTIN:
        known = "、".join(BUILTIN)
        raise Invalid(
            "weather.unknown", msg("没有名为“{name}”的内置气象年，可用的有：{known}。", name=name, known=known)
        )
    spec = find_spec("pvlib")
    folder = Path(spec.origin).parent / "data" if spec and spec.origin else None
    if folder is None or not (folder / BUILTIN[name]).is_file():
        raise Unavailable("weather.missing", msg("本机缺少气象文件“{name}”，请重新安装 pvlib。", name=name))
    return read_tmy3((folder / BUILTIN[name]).read_bytes(), f"pvlib/data/{BUILTIN[name]}")


def read_tmy3(data: bytes, source: str) -> Weather:
    """Read a TMY3 file. Its radiation belongs to the hour that ends at the stamp, so row 0 is hour 0."""
    lines = data.decode("ascii", errors="replace").splitlines()
    try:
        station = next(csv.reader(lines[:1]))
        rows = list(csv.DictReader(lines[1:]))
        columns = {field: _column(rows, title) for field, title in _COLUMNS.items()}
        name, offset, latitude, longitude, altitude = station[1], *(float(item) for item in station[3:7])
    except (KeyError, ValueError, IndexError, StopIteration, TypeError) as error:
        raise Invalid("weather.malformed", msg("气象文件不是完整的 TMY3 格式，请换一份文件。")) from error
    return Weather(
        name=name,
        latitude=latitude,
        longitude=longitude,
        altitude=altitude,
        utc_offset_hours=offset,
        ghi=columns["ghi"],
        dni=columns["dni"],
        dhi=columns["dhi"],
        temperature=columns["temperature"],
        wind=columns["wind"],
        sha256=hashlib.sha256(data).hexdigest(),
        source=source,
    )


def _column(rows: list[dict[str, str]], title: str) -> Floats:
    values = np.array([float(row[title]) for row in rows])
    if len(values) != HOURS or not np.isfinite(values).all() or values.min() < -100:
        raise ValueError(title)
    return values
