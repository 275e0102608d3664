"""Meters' series as energy of the ledger, and how much of a site's power its own sun covers hour by hour.

A certificate says in which month its power was made and no more, so it cannot be matched by the hour; only power that a
meter of the site's own plant counted in the same hour can.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

import numpy as np

from services.rules.carbon.quantities import BASE_DIGITS
from services.rules.carbon.records import Category
from services.rules.monitoring.meters import Measures
from services.rules.monitoring.series import Flag, Floats, Series

METERED: Mapping[Category, tuple[Measures, str]] = {
    Category.ELECTRICITY: (Measures.ELECTRICITY, "electricity.average"),
    Category.OWN_GREEN: (Measures.ELECTRICITY, "electricity.average"),
    Category.HEAT: (Measures.HEAT, "heat.default"),
}
"""What a heading's meter measures, and the activity it is of. Gas meters count cubic metres of working pressure, which
are no standard cubic metres, so they are not taken."""
LEVEL_UNITS = {"kW": "kWh"}
"""What a mean level, times hours, is in."""


@dataclass(frozen=True)
class Metered:
    """What a meter counted in a span: ``quantity`` in ``unit``; how many steps are missing, and how many were not
    simply measured (bridged, estimated, spread over a gap).
    """

    quantity: Decimal
    unit: str
    steps: int
    missing: int
    not_measured: int


@dataclass(frozen=True)
class Hours:
    """Hour by hour: kWh bought and of the site's own, grams of the bought ones; NaN where a meter is silent.

    ``matched`` is the share of all known hours' power that was the site's own in the same hour; None without any.
    """

    start: int
    bought: Floats
    own: Floats
    grams: Floats
    matched: float | None


def total_of(series: Series, unit: str) -> Metered:
    """Sum a series up; a level in kW becomes kWh."""
    hours = series.step / 3600 if series.is_level else 1.0
    missing = int(np.isnan(series.values).sum())
    made = int(Flag.BRIDGED | Flag.ESTIMATED | Flag.SPREAD)
    return Metered(
        quantity=Decimal(repr(float(np.nansum(series.values)) * hours)).quantize(BASE_DIGITS, ROUND_HALF_UP),
        unit=LEVEL_UNITS.get(unit, unit) if series.is_level else unit,
        steps=len(series),
        missing=missing,
        not_measured=int(np.count_nonzero(series.flags & made)),
    )


def kwh_of(series: Series, unit: str) -> Floats:
    """Return a series' energy in kWh by step; a level in kW becomes energy, MWh are a thousand."""
    hours = series.step / 3600 if series.is_level else 1.0
    return series.values * hours * (1000.0 if unit == "MWh" else 1.0)


def match_hours(start: int, bought: Floats, own: Floats | None, kg_per_kwh: Decimal) -> Hours:
    """Set bought power beside the site's own, hour by hour; without a meter of its own there is none."""
    beside = np.zeros_like(bought) if own is None else own
    known = ~np.isnan(bought) & ~np.isnan(beside)
    used = float(bought[known].sum() + beside[known].sum())
    return Hours(
        start=start,
        bought=bought,
        own=beside,
        grams=bought * float(kg_per_kwh) * 1000,
        matched=float(beside[known].sum()) / used if used > 0 else None,
    )
