"""What those need who write a ``park.json``: its schema, and the cities whose climate is built in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from services.formats.park import park_schema
from services.gateways.climate import cities


@dataclass(frozen=True)
class ClimateCity:
    """A city with built-in climate; ``wind_m_s`` is the mean of its twelve monthly winds at 10 m."""

    city: str
    name: str
    province: str
    wind_m_s: float
    sources: tuple[str, ...]


def park_json_schema() -> dict[str, Any]:
    """Return the JSON Schema that documents are checked against: made from the same code, so it cannot drift."""
    return park_schema()


def climate_cities() -> tuple[ClimateCity, ...]:
    """Return the cities, in the order of their provinces' codes."""
    return tuple(
        ClimateCity(key, item.name, item.province, round(sum(item.wind) / len(item.wind), 1), item.sources)
        for key, item in cities().items()
    )
