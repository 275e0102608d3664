"""Dated expansions of companies into other cities."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, order=True)
class Expansion:
    """A company opened a site in a region on a day. It is named by its credit code, or by its name where that is empty."""

    uscc: str
    name: str
    region_code: str
    on: date
