"""How much PV and battery to add, as a linear program with the capacities as variables.

A year at 15 minutes with capacities as variables takes ten times and more what a given plant takes, so beyond
``EXACT_STEPS`` the steps are first averaged to hours. Averaging hides peaks; each hour therefore carries the excess
of its highest step over its mean into the demand charge. This is the first answer, in seconds; ``sizing_cuts`` then
refines it at full resolution and proves how far it can be from the best.

Capacities here are effective ones: what is left of a new plant, as a mean over its life. ``sized_for`` and
``read_additions`` turn them into what is built and paid.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from services.rules.twin.calendar import Calendar
from services.rules.twin.inputs import Battery, Floats, Ints, Sizing
from services.rules.twin.linear_program import INFINITY, LinearProgram, Rows
from services.rules.twin.tariff import Prices

EXACT_STEPS = 8928
_TIE = 1e-6


@dataclass(frozen=True)
class Additions:
    """What to build: kWp of PV, kWh and kW of battery."""

    pv_kwp: float = 0.0
    battery_kwh: float = 0.0
    battery_kw: float = 0.0


@dataclass(frozen=True, eq=False)
class SizeLimits:
    """Of effective kWp, kWh and kW: yuan for the horizon's share of a year, and the most that may be added."""

    capital: Floats
    most: Floats
    shares: Floats


def size_limits(sizing: Sizing, share_of_year: float) -> SizeLimits:
    """Return the limits; a plant that loses capacity over its life costs more per effective unit."""
    shares = np.array([sizing.pv_share, sizing.battery_share, 1.0])
    yearly = np.array([sizing.pv_yearly, sizing.battery_kwh_yearly, sizing.battery_kw_yearly])
    most = np.array([sizing.pv_max_kwp, sizing.battery_max_kwh, sizing.battery_max_kw])
    return SizeLimits(yearly * share_of_year / shares, most * shares, shares)


@dataclass(frozen=True, eq=False)
class Coarse:
    """The sizing model's steps: means of load, existing PV and PV yield (kW/kWp), prices, and hidden peaks in kW."""

    hours: float
    load: Floats
    pv: Floats
    unit: Floats
    buy: Floats
    sell: Floats
    month: Ints
    hidden: Floats


def coarsen(calendar: Calendar, prices: Prices, load: Floats, pv: Floats, unit: Floats) -> Coarse:
    """Average to hours where there are too many steps; a tariff that changes within the hour is averaged too."""
    width = 1 if len(load) <= EXACT_STEPS else 60 // calendar.horizon.step_minutes

    def mean(values: Floats) -> Floats:
        result: Floats = values.reshape(-1, width).mean(axis=1)
        return result

    net = (load - pv).reshape(-1, width)
    return Coarse(
        hours=calendar.horizon.hours * width,
        load=mean(load),
        pv=mean(pv),
        unit=mean(unit),
        buy=mean(prices.cost),
        sell=np.minimum(mean(prices.sell), mean(prices.cost)),
        month=calendar.month[::width],
        hidden=net.max(axis=1) - net.mean(axis=1),
    )


def sizing_program(coarse: Coarse, battery: Battery, limits: SizeLimits, demand: float, months: int) -> LinearProgram:
    """Write the program. Columns: bought, surplus, charge, discharge, content, peaks, then the three capacities.

    Feeding in is valued at no more than buying costs here, so that no step does both.
    """
    steps = len(coarse.load)
    every = np.arange(steps)
    bought, surplus, charge, discharge, stored = (every + steps * i for i in range(5))
    peak, size = 5 * steps, 5 * steps + months
    one_way, hours = battery.one_way, coarse.hours
    rows = Rows()
    net = coarse.load - coarse.pv
    rows.add(
        steps, net, net,
        (every, bought, 1.0), (every, surplus, -1.0), (every, charge, -1.0), (every, discharge, 1.0),
        (every, size, coarse.unit),
    )  # fmt: skip
    start = np.zeros(steps)
    start[0] = (battery.soc_start - battery.soc_min) * battery.kwh
    begin = np.zeros(steps)
    begin[0] = -(battery.soc_start - battery.soc_min)
    rows.add(
        steps, start, start,
        (every, stored, 1.0), (every[1:], stored[:-1], -1.0),
        (every, charge, -one_way * hours), (every, discharge, hours / one_way),
        (every[:1], size + 1, begin[:1]),
    )  # fmt: skip
    rows.add(steps, -INFINITY, battery.kw, (every, charge, 1.0), (every, discharge, 1.0), (every, size + 2, -1.0))
    full = battery.usable * battery.kwh
    rows.add(steps, -INFINITY, full, (every, stored, 1.0), (every, size + 1, -battery.usable))
    first = (battery.soc_start - battery.soc_min) * battery.kwh
    rows.add(1, first, INFINITY, (0, stored[-1], 1.0), (0, size + 1, begin[0]))
    if demand > 0:
        rows.add(steps, -INFINITY, -coarse.hidden, (every, bought, 1.0), (every, peak + coarse.month, -1.0))
    if coarse.sell.max() > coarse.buy.min():  # else no battery would ever feed in what it bought
        rows.add(steps, -INFINITY, coarse.pv, (every, surplus, 1.0), (every, size, -coarse.unit))
    cost, upper = np.zeros(size + 3), np.full(size + 3, INFINITY)
    cost[bought], cost[surplus] = coarse.buy * hours, -coarse.sell * hours
    cost[charge], cost[discharge] = _TIE * hours, (battery.wear_yuan_per_kwh + _TIE) * hours
    cost[peak:size] = demand
    cost[size:], upper[size:] = limits.capital, limits.most
    return rows.program(cost, np.zeros(size + 3), upper)


def sized_for(additions: Additions, sizing: Sizing | None) -> Additions:
    """Return the effective capacities of what is built."""
    if sizing is None:
        return additions
    return Additions(
        additions.pv_kwp * sizing.pv_share, additions.battery_kwh * sizing.battery_share, additions.battery_kw
    )


def read_additions(effective: Floats, limits: SizeLimits) -> Additions:
    """Return what must be built for the last three numbers, effective capacities, to a watt."""
    pv, kwh, kw = (round(max(float(item), 0.0), 3) + 0.0 for item in effective[-3:] / limits.shares)
    return Additions(pv, kwh, kw)
