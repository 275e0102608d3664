"""Who supplies whom: each step's flows from sources to sinks, which add up to what went through the meter.

Own generation serves the load first, then the battery, then the grid, and what is left is curtailed; the battery serves
what load is left, then the grid; what is still missing is bought. It is bookkeeping, not physics: on a bus bar no
kilowatt-hour is marked. The rule is the usual one for self-consumption (own use before feed-in).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from services.rules.twin.calendar import Calendar
from services.rules.twin.dispatch import Dispatch
from services.rules.twin.inputs import Floats

SOURCES = ("grid", "own", "battery")
SINKS = ("load", "charging", "export", "curtailed")
Link = tuple[str, str]
"""A source and a sink."""


@dataclass(frozen=True)
class MeanDay:
    """A month's mean day: kWh of each link in each hour of the day, local time."""

    month: str
    kwh: Mapping[Link, Floats]


def links_of(flow: Dispatch, *, feeds_all_in: bool = False) -> dict[Link, Floats]:
    """Return kW per step of every link. By source they sum to bought, generated and discharged, by sink to the rest.

    ``feeds_all_in`` says that generation has a meter of its own (全额上网): what is fed in is then its own first.
    """
    kept = flow.pv - np.minimum(flow.curtailed, flow.pv)
    first_out = np.minimum(flow.exported, kept) if feeds_all_in else np.zeros_like(kept)
    own_load = np.minimum(kept - first_out, flow.load)
    own_charging = np.minimum(kept - first_out - own_load, flow.charge)
    own_export = kept - own_load - own_charging
    battery_load = np.minimum(flow.discharge, flow.load - own_load)
    battery_export = np.minimum(flow.discharge - battery_load, np.maximum(flow.exported - own_export, 0))
    battery_charging = flow.discharge - battery_load - battery_export
    return {
        ("own", "load"): own_load,
        ("own", "charging"): own_charging,
        ("own", "export"): own_export,
        ("own", "curtailed"): flow.pv - kept,
        ("battery", "load"): battery_load,
        ("battery", "charging"): battery_charging,
        ("battery", "export"): battery_export,
        ("grid", "load"): flow.load - own_load - battery_load,
        ("grid", "charging"): flow.charge - own_charging - battery_charging,
    }


def totals(links: Mapping[Link, Floats], hours: float) -> dict[Link, float]:
    """Return the kWh of each link over the horizon."""
    return {link: float(kw.sum()) * hours for link, kw in links.items()}


def mean_days(links: Mapping[Link, Floats], calendar: Calendar) -> tuple[MeanDay, ...]:
    """Return each month's mean day. A month's days times its mean day is what the month had, to rounding."""
    hours = calendar.horizon.hours
    hour = (calendar.minute // 60).astype(np.int64)
    found = []
    for number, month in enumerate(calendar.months):
        here = calendar.month == number
        days = max(1, len(np.unique(calendar.day[here])))
        kwh = {link: np.bincount(hour[here], kw[here], 24) * hours / days for link, kw in links.items()}
        found.append(MeanDay(month, kwh))
    return tuple(found)
