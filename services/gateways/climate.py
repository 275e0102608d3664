"""Monthly climate of Chinese cities, read from ``climate.csv`` beside this module: a source stands on every row.

Radiation is the mean of daily values of 20 years, temperature comes from the statistical yearbooks or the Chinese
standard weather data, wind from the latter: a typical year at a town's station, not the wind of a site. A park that has
measured its own states monthly means with their source, or sends a weather file.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

from services.rules.twin.climate import ClimateNormals, StatedWind, climate_weather, with_wind
from services.rules.twin.weather_year import Weather
from tenants.kernel.errors import Invalid
from tenants.kernel.messages import msg

_MONTHS = tuple(f"m{number:02d}" for number in range(1, 13))


@cache
def cities() -> Mapping[str, ClimateNormals]:
    """Return the cities by name in Latin letters, in the order of the file."""
    rows: dict[str, dict[str, dict[str, str]]] = {}
    with Path(__file__).with_name("climate.csv").open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            rows.setdefault(row["city"], {})[row["quantity"]] = row
    return MappingProxyType({city: _normals(city, found) for city, found in rows.items()})


def read_climate(city: str, seed: int, wind: StatedWind | None = None) -> Weather:
    """Return the hours estimated for ``city``; Invalid ``weather.unknown_city`` names those there are.

    A stated ``wind`` stands for the built-in one.
    """
    if city not in cities():
        raise Invalid(
            "weather.unknown_city",
            msg("没有城市“{city}”的内置气候，可选：{known}。也可上传 EPW 文件。",
                city=city[:40], known="、".join(f"{key}（{item.name}）" for key, item in cities().items())),
        )  # fmt: skip
    return climate_weather(cities()[city] if wind is None else with_wind(cities()[city], wind), seed)


def _normals(city: str, found: Mapping[str, Mapping[str, str]]) -> ClimateNormals:
    first = found["ghi_kwh_m2_day"]

    def months(quantity: str) -> tuple[float, ...]:
        return tuple(float(found[quantity][name]) for name in _MONTHS)

    content = "\n".join(",".join(row.values()) for row in found.values())
    return ClimateNormals(
        city=city,
        name=first["name"],
        province=first["province"],
        latitude=float(first["latitude"]),
        longitude=float(first["longitude"]),
        altitude=float(first["altitude_m"]),
        ghi=months("ghi_kwh_m2_day"),
        dhi=months("dhi_kwh_m2_day"),
        temperature=months("temperature_c"),
        wind=months("wind_m_s"),
        sources=tuple(dict.fromkeys(row["source"] for row in found.values())),
        sha256=hashlib.sha256(content.encode()).hexdigest(),
    )
