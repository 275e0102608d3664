"""What one unit more of a plant is worth, from the duals of its best use."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from services.rules.twin.calendar import Calendar
from services.rules.twin.dispatch_program import Case, Plan, columns_of, dearest_steps, lowest_peaks
from services.rules.twin.inputs import Floats, Ints
from services.rules.twin.tariff import Prices

_NOTICEABLE = 1e-6


@dataclass(frozen=True, eq=False)
class Marginal:
    """Yuan over the horizon that the cost of the best use falls by.

    ``pv`` has one value per step, for one kW more of PV there; ``battery_kwh`` and ``battery_kw`` are for the whole
    horizon. ``peak`` is, per step, the share of its month's demand charge that the step decides.
    """

    pv: Floats
    battery_kwh: float
    battery_kw: float
    peak: Floats


def marginal(
    plan: Plan, case: Case, calendar: Calendar, prices: Prices, row_duals: Floats, column_duals: Floats
) -> Marginal:
    """Read the duals of a solved program (a linear one, or one with its binaries fixed).

    A dual is what one unit more of the bound that binds adds to the cost: of a row its side, of a column at its lower
    bound (dual > 0) that one, else its upper one. Bounds move with the plant as ``dispatch_program`` writes them.
    """
    at = columns_of(plan, len(calendar.months))
    exports, peaks = len(plan.may_export), len(plan.peaks)
    store = exports + peaks
    one_way = store + plan.steps + len(plan.exclusive)
    low = np.maximum(column_duals, 0)
    high = np.minimum(column_duals, 0)
    pv = -prices.cost * calendar.horizon.hours
    pv[plan.may_export] += row_duals[:exports]
    pv[plan.peaks] += row_duals[exports:store]
    pv[plan.exclusive] += row_duals[one_way : one_way + len(plan.exclusive)]
    pv[plan.surplus] += high[: at.charge]
    lowest = lowest_peaks(case, calendar)
    moves = lowest > (0 if case.peak_floor is None else np.maximum(case.peak_floor, 0))
    floors = low[at.peak : at.one_way] * moves
    dearest = dearest_steps(case, calendar)
    pv[dearest] -= floors
    battery = case.battery
    kw = high[at.charge : at.stored].sum() - floors.sum()
    first = row_duals[store] + low[at.peak - 1]
    kwh = battery.usable * high[at.stored : at.peak].sum() + (battery.soc_start - battery.soc_min) * first
    share = np.zeros(plan.steps)
    if prices.demand > 0:
        share[plan.peaks] = -row_duals[exports:store] / prices.demand
        share[dearest] += floors / prices.demand
    return Marginal(-pv, -float(kwh), -float(kw), share)


def deciding_steps(found: Marginal, calendar: Calendar, month: int) -> tuple[Ints, float]:
    """Return the steps that decide a month's peak, the weightiest first, and the part of the charge they decide."""
    here = np.flatnonzero((calendar.month == month) & (found.peak > _NOTICEABLE))
    steps: Ints = here[np.argsort(-found.peak[here], kind="stable")]
    return steps, float(found.peak[here].sum())
