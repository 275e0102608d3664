"""Working days that an operator records: which go before the published calendar, and when a year is complete."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

FIRST_YEAR, LAST_YEAR = 2004, 2100
"""2004: the first year of the library's calendar."""
ALWAYS_CLOSED = ((1, 1), (5, 1), (10, 1), (10, 2), (10, 3))
"""Days of the national holidays' regulation with a fixed date; those of the lunar calendar move."""
FEWEST_CLOSED = 11
"""Statutory days off of a year (13 since 2025, of which some fall on weekends)."""


def missing_days(year: int, worked: Mapping[date, bool]) -> list[date]:
    """Return the fixed holidays that ``worked`` does not name as days off: a year without them is not complete."""
    fixed = (date(year, month, day) for month, day in ALWAYS_CLOSED)
    return [day for day in fixed if worked.get(day, True)]


def closed_days(year: int, worked: Mapping[date, bool]) -> int:
    """Return how many days off are recorded of ``year``."""
    return sum(not each for day, each in worked.items() if day.year == year)
