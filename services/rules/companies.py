"""A company as a registry tells of it, and where regions lie."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

EARTH_KM = 6371.0088
MUNICIPALITIES = frozenset({"11", "12", "31", "50"})

Position = tuple[float, float]
"""Latitude and longitude in degrees."""
Locate = Callable[[str], Position | None]


@dataclass(frozen=True)
class Company:
    """A row of the registry. ``industry_code`` is of GB/T 4754, or empty; ``expansions`` counts sites in other cities.

    ``switchboard`` is the company's own number, or empty; it ranks nobody, and no engine is given it.
    """

    uscc: str
    as_of: date
    name: str
    region_code: str
    industry_code: str
    expansions: int
    scope: str
    active: bool
    founded_on: date | None = None
    capital_fen: int | None = None
    switchboard: str = ""


def distance_km(one: Position, other: Position) -> float:
    """Return the great-circle distance of two positions (haversine, mean earth radius)."""
    (lat1, lon1), (lat2, lon2) = (tuple(map(math.radians, place)) for place in (one, other))
    half = math.sin((lat2 - lat1) / 2) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    return 2 * EARTH_KM * math.asin(min(1.0, math.sqrt(half)))


def own_region(code: str) -> str:
    """Return the beginning of the codes that lie in a park's own region: its prefecture, or its municipality."""
    return code[:2] if code[:2] in MUNICIPALITIES else code[:4]
