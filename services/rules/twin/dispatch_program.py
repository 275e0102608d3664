"""The best use of a given plant, as a linear program.

Bought power is written away (``bought = load - pv + surplus + charge - discharge``), which saves a quarter of the
columns and half of the solver's time; what stays per step is charge, discharge, content and, where PV shines, surplus.
Several cases (the plant as it is, the plant extended) share one matrix, so that the second is solved from the
first one's basis by changing bounds and costs alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.rules.twin.calendar import Calendar
from services.rules.twin.inputs import Battery, Floats, Ints
from services.rules.twin.linear_program import INFINITY, LinearProgram, Rows
from services.rules.twin.tariff import Prices

# Breaks ties in yuan per kW and step so that a battery never burns or idly moves energy that is worth nothing.
# At most a ten-millionth of a bill; the objective is worked out again without it.
_TIE = 1e-6
EXCLUSIVE_LIMIT = 40  # 300 binaries in a month at 15 minutes took minutes; a capped answer takes none


@dataclass(frozen=True, eq=False)
class Case:
    """A plant whose best use is asked: kW of load and PV per step, and a battery."""

    load: Floats
    pv: Floats
    battery: Battery


@dataclass(frozen=True, eq=False)
class Plan:
    """Which columns and rows the shared matrix has. Steps are numbers of steps, ``-1`` in ``surplus_at`` is none.

    ``exclusive`` are the steps where feeding in pays better than buying costs, so that a plain LP would do both at
    once. With few of them a binary forbids it; with many (``capped``) a fed-in kWh is valued at no more than the
    price of a bought one while deciding, which removes the incentive; the bill is then written at the true price.
    """

    steps: int
    surplus: Ints
    surplus_at: Ints
    may_export: Ints
    peaks: Ints
    exclusive: Ints
    most_bought: Floats
    most_pv: Floats
    capped: bool


def make_plan(cases: Sequence[Case], calendar: Calendar, prices: Prices) -> Plan:
    """Find the steps that need a column or row in any of the cases; the others are redundant and left out."""
    steps = len(cases[0].load)
    reach = [case.load - case.pv - case.battery.kw for case in cases]
    may_export = np.logical_or.reduce([item < 0 for item in reach])
    shines = np.logical_or.reduce([case.pv > 0 for case in cases])
    surplus = np.flatnonzero(may_export & shines)
    surplus_at = np.full(steps, -1, dtype=np.int64)
    surplus_at[surplus] = np.arange(len(surplus))
    must_import = np.logical_or.reduce([case.load - case.pv + case.battery.kw > 0 for case in cases])
    exclusive = np.flatnonzero(may_export & shines & must_import & (prices.sell > prices.buy))
    capped = len(exclusive) > EXCLUSIVE_LIMIT
    if capped:
        exclusive = exclusive[:0]
    peaks = np.flatnonzero(np.logical_or.reduce([_may_peak(case, calendar) for case in cases]))
    return Plan(
        steps=steps,
        surplus=surplus,
        surplus_at=surplus_at,
        may_export=np.flatnonzero(may_export),
        peaks=peaks if prices.demand > 0 else peaks[:0],
        exclusive=exclusive,
        most_bought=np.maximum.reduce([case.load + case.battery.kw for case in cases]),
        most_pv=np.maximum.reduce([case.pv for case in cases]),
        capped=capped,
    )


def lowest_peaks(case: Case, calendar: Calendar) -> Floats:
    """Return what each month's peak is at least, whatever the battery does."""
    net = case.load - case.pv
    peaks = np.full(len(calendar.months), -INFINITY)
    np.maximum.at(peaks, calendar.month, net)
    return np.maximum(peaks - case.battery.kw, 0)


def _may_peak(case: Case, calendar: Calendar) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    highest = case.load - case.pv + case.battery.kw
    result: np.ndarray[tuple[int], np.dtype[np.bool_]] = highest > lowest_peaks(case, calendar)[calendar.month]
    return result


@dataclass(frozen=True)
class _Columns:
    """First column of each kind."""

    charge: int
    discharge: int
    stored: int
    peak: int
    one_way: int
    count: int


def _columns(plan: Plan, months: int) -> _Columns:
    charge = len(plan.surplus)
    discharge, stored, peak = charge + plan.steps, charge + 2 * plan.steps, charge + 3 * plan.steps
    return _Columns(charge, discharge, stored, peak, peak + months, peak + months + len(plan.exclusive))


def dispatch_program(plan: Plan, case: Case, calendar: Calendar, prices: Prices) -> LinearProgram:
    """Write one case on the shared matrix. Peaks are charged once per calendar month touched."""
    months, hours = len(calendar.months), calendar.horizon.hours
    at = _columns(plan, months)
    net = case.load - case.pv
    rows = Rows()

    def bought(steps: Ints) -> list[tuple[Ints, Ints, float]]:
        """Terms of what is bought beyond ``net`` in the given steps."""
        number = np.arange(len(steps))
        has = plan.surplus_at[steps] >= 0
        return [
            (number[has], plan.surplus_at[steps][has], 1.0),
            (number, at.charge + steps, 1.0),
            (number, at.discharge + steps, -1.0),
        ]

    # Where even full charging leaves a surplus nothing is ever bought; with dear feed-in that must be said.
    never = (net + case.battery.kw <= 0) & (prices.sell > prices.buy)
    most = np.where(never, -net, INFINITY)[plan.may_export]
    rows.add(len(plan.may_export), -net[plan.may_export], most, *bought(plan.may_export))
    peak_terms = (np.arange(len(plan.peaks)), at.peak + calendar.month[plan.peaks], -1.0)
    rows.add(len(plan.peaks), -INFINITY, -net[plan.peaks], *bought(plan.peaks), peak_terms)
    _store(rows, plan.steps, at, case.battery, hours)
    _one_way(rows, plan, at, case, bought(plan.exclusive))
    cost, lower, upper = _bounds(plan, case, calendar, prices, at)
    return rows.program(cost, lower, upper, np.arange(at.one_way, at.count))


def _store(rows: Rows, steps: int, at: _Columns, battery: Battery, hours: float) -> None:
    """Content above the lower bound: this step's is the last one's plus what came in; the first starts full as told."""
    every = np.arange(steps)
    start = np.zeros(steps)
    start[0] = (battery.soc_start - battery.soc_min) * battery.kwh
    rows.add(
        steps, start, start,
        (every, at.stored + every, 1.0),
        (every[1:], at.stored + every[:-1], -1.0),
        (every, at.charge + every, -battery.one_way * hours),
        (every, at.discharge + every, hours / battery.one_way),
    )  # fmt: skip


def _one_way(rows: Rows, plan: Plan, at: _Columns, case: Case, bought: Sequence[tuple[Ints, Ints, float]]) -> None:
    """Where feeding in pays more than buying costs: one binary lets a step either buy or feed in."""
    steps = plan.exclusive
    count = len(steps)
    number = np.arange(count)
    binary = at.one_way + number
    rows.add(count, -INFINITY, 0.0, (number, plan.surplus_at[steps], 1.0), (number, binary, -plan.most_pv[steps]))
    net = (case.load - case.pv)[steps]
    ceiling = plan.most_bought[steps]
    rows.add(count, -INFINITY, ceiling - net, *bought, (number, binary, ceiling))


def _bounds(plan: Plan, case: Case, calendar: Calendar, prices: Prices, at: _Columns) -> tuple[Floats, Floats, Floats]:
    hours, battery = calendar.horizon.hours, case.battery
    cost, lower, upper = np.zeros(at.count), np.zeros(at.count), np.full(at.count, INFINITY)
    sell = np.minimum(prices.sell, prices.buy) if plan.capped else prices.sell
    cost[: at.charge] = (prices.buy - sell)[plan.surplus] * hours
    upper[: at.charge] = case.pv[plan.surplus]
    cost[at.charge : at.discharge] = prices.buy * hours + _TIE
    cost[at.discharge : at.stored] = -prices.buy * hours + _TIE
    upper[at.charge : at.stored] = battery.kw
    upper[at.stored : at.peak] = battery.usable * battery.kwh
    lower[at.peak - 1] = (battery.soc_start - battery.soc_min) * battery.kwh
    cost[at.peak : at.one_way] = prices.demand
    lower[at.peak : at.one_way] = lowest_peaks(case, calendar)
    upper[at.one_way :] = 1
    return cost, lower, upper


def read_flows(plan: Plan, calendar: Calendar, solution: Floats) -> tuple[Floats, Floats]:
    """Return charge and discharge in kW per step from a solution of the program."""
    at = _columns(plan, len(calendar.months))
    return solution[at.charge : at.discharge], solution[at.discharge : at.stored]
