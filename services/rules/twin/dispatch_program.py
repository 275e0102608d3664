"""The best use of a given plant, as a linear program.

Bought power is written away (``bought = load - pv + surplus + charge - discharge``, and what shifted processes take),
which saves a quarter of the columns and half of the solver's time; what stays per step is charge, discharge, content
and, where PV shines, surplus. Several cases (the plant as it is, the plant extended, other prices) share one matrix, so
that the next is solved from the last one's basis by changing bounds and costs alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.rules.twin.calendar import Calendar
from services.rules.twin.inputs import Battery, Floats, Ints
from services.rules.twin.linear_program import INFINITY, LinearProgram, Rows
from services.rules.twin.processes import Job
from services.rules.twin.shift_program import ShiftColumns, add_shift_rows, read_shares, shift_bounds, shift_columns
from services.rules.twin.tariff import Prices

# Breaks ties in yuan per kW and step so that a battery never burns or idly moves energy that is worth nothing.
# At most a ten-millionth of a bill; the objective is worked out again without it.
_TIE = 1e-6
EXCLUSIVE_LIMIT = 40  # 300 binaries in a month at 15 minutes took minutes; a capped answer takes none


@dataclass(frozen=True, eq=False)
class Case:
    """A plant whose best use is asked: kW of load and PV per step, a battery, and jobs that ``load`` does not hold.

    A month's peak costs only beyond ``peak_floor`` (it is on the bill already) and may not pass ``peak_cap``; both in
    kW, one for each month. The battery ends with at least ``end_kwh``, or as full as it began.
    """

    load: Floats
    pv: Floats
    battery: Battery
    jobs: tuple[Job, ...] = ()
    peak_floor: Floats | None = None
    peak_cap: Floats | None = None
    end_kwh: float | None = None


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
    most_shifted: Floats
    shifts: ShiftColumns
    capped: bool


def make_plan(cases: Sequence[Case], calendar: Calendar, prices: Prices, *, dearest_sell: Floats | None = None) -> Plan:
    """Find the steps that need a column or row in any of the cases; the others are redundant and left out.

    All cases have the same jobs. ``dearest_sell`` is the highest feed-in price in any case when prices differ, and
    ``prices`` then holds the lowest prices for buying.
    """
    steps = len(cases[0].load)
    jobs = cases[0].jobs
    shifted = np.zeros(steps)
    for job in jobs:
        shifted[job.first : job.until] += job.kw
    reach = [case.load - case.pv - case.battery.kw for case in cases]
    may_export = np.logical_or.reduce([item < 0 for item in reach])
    shines = np.logical_or.reduce([case.pv > 0 for case in cases])
    surplus = np.flatnonzero(may_export & shines)
    surplus_at = np.full(steps, -1, dtype=np.int64)
    surplus_at[surplus] = np.arange(len(surplus))
    must_import = np.logical_or.reduce([case.load + shifted - case.pv + case.battery.kw > 0 for case in cases])
    sell = prices.sell if dearest_sell is None else dearest_sell
    exclusive = np.flatnonzero(may_export & shines & must_import & (sell > prices.cost))
    capped = len(exclusive) > EXCLUSIVE_LIMIT
    if capped:
        exclusive = exclusive[:0]
    peaks = np.flatnonzero(_may_peak(cases, shifted, calendar))
    charged = prices.demand > 0 or any(case.peak_cap is not None for case in cases)
    return Plan(
        steps=steps,
        surplus=surplus,
        surplus_at=surplus_at,
        may_export=np.flatnonzero(may_export),
        peaks=peaks if charged else peaks[:0],
        exclusive=exclusive,
        most_bought=np.maximum.reduce([case.load + shifted + case.battery.kw for case in cases]),
        most_pv=np.maximum.reduce([case.pv for case in cases]),
        most_shifted=shifted,
        shifts=shift_columns(jobs),
        capped=capped,
    )


def lowest_peaks(case: Case, calendar: Calendar) -> Floats:
    """Return what each month's peak is at least, whatever the battery does."""
    net = case.load - case.pv
    peaks = np.full(len(calendar.months), -INFINITY)
    np.maximum.at(peaks, calendar.month, net)
    return np.maximum(peaks - case.battery.kw, 0)


def dearest_steps(case: Case, calendar: Calendar) -> Ints:
    """Return for each month the step that would be its peak without a battery."""
    net = case.load - case.pv
    order = np.lexsort((-net, calendar.month))
    result: Ints = order[np.searchsorted(calendar.month[order], np.arange(len(calendar.months)))]
    return result


def _may_peak(cases: Sequence[Case], shifted: Floats, calendar: Calendar) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Tell of each step whether it can be a month's peak in any case, or in one between the cases (while sizing)."""
    highest = np.maximum.reduce([case.load - case.pv + case.battery.kw for case in cases]) + shifted
    lowest = np.minimum.reduce([lowest_peaks(case, calendar) for case in cases])
    result: np.ndarray[tuple[int], np.dtype[np.bool_]] = highest > lowest[calendar.month]
    return result


@dataclass(frozen=True)
class Columns:
    """First column of each kind."""

    charge: int
    discharge: int
    stored: int
    peak: int
    one_way: int
    shifts: int
    count: int


def columns_of(plan: Plan, months: int) -> Columns:
    """Return where each kind of column begins."""
    charge = len(plan.surplus)
    discharge, stored, peak = charge + plan.steps, charge + 2 * plan.steps, charge + 3 * plan.steps
    one_way = peak + months
    shifts = one_way + len(plan.exclusive)
    return Columns(charge, discharge, stored, peak, one_way, shifts, shifts + plan.shifts.count)


def dispatch_program(plan: Plan, case: Case, calendar: Calendar, prices: Prices) -> LinearProgram:
    """Write one case on the shared matrix. Peaks are charged once per calendar month touched."""
    months, hours = len(calendar.months), calendar.horizon.hours
    at = columns_of(plan, months)
    net = case.load - case.pv
    rows = Rows()

    def bought(steps: Ints) -> list[tuple[Ints, Ints, float | Floats]]:
        """Terms of what is bought beyond ``net`` in the given steps."""
        number = np.arange(len(steps))
        has = plan.surplus_at[steps] >= 0
        return [
            (number[has], plan.surplus_at[steps][has], 1.0),
            (number, at.charge + steps, 1.0),
            (number, at.discharge + steps, -1.0),
            _shifted(plan, at, steps),
        ]

    # Where even full charging leaves a surplus nothing is ever bought; with dear feed-in that must be said.
    never = (net + plan.most_shifted + case.battery.kw <= 0) & (_sell(plan, prices) > prices.cost)
    most = np.where(never, -net, INFINITY)[plan.may_export]
    rows.add(len(plan.may_export), -net[plan.may_export], most, *bought(plan.may_export))
    peak_terms = (np.arange(len(plan.peaks)), at.peak + calendar.month[plan.peaks], -1.0)
    rows.add(len(plan.peaks), -INFINITY, -net[plan.peaks], *bought(plan.peaks), peak_terms)
    _store(rows, plan.steps, at, case.battery, hours)
    _one_way(rows, plan, at, case, bought(plan.exclusive))
    add_shift_rows(rows, case.jobs, plan.shifts, at.shifts)
    cost, lower, upper = _bounds(plan, case, calendar, prices, at)
    binaries = np.concatenate([np.arange(at.one_way, at.shifts), at.shifts + plan.shifts.binaries])
    return rows.program(cost, lower, upper, binaries)


def _shifted(plan: Plan, at: Columns, steps: Ints) -> tuple[Ints, Ints, Floats]:
    """Terms of what jobs take in the given steps, which ascend."""
    shifts = plan.shifts
    place = np.searchsorted(steps, shifts.on_steps)
    inside = np.isin(shifts.on_steps, steps)
    return place[inside], at.shifts + shifts.on_columns[inside], shifts.on_kw[inside]


def _sell(plan: Plan, prices: Prices) -> Floats:
    """Return what a fed-in kWh is worth while deciding."""
    return np.minimum(prices.sell, prices.cost) if plan.capped else prices.sell


def _store(rows: Rows, steps: int, at: Columns, battery: Battery, hours: float) -> None:
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


def _one_way(
    rows: Rows, plan: Plan, at: Columns, case: Case, bought: Sequence[tuple[Ints, Ints, float | Floats]]
) -> None:
    """Where feeding in pays more than buying costs: one binary lets a step either buy or feed in."""
    steps = plan.exclusive
    count = len(steps)
    number = np.arange(count)
    binary = at.one_way + number
    rows.add(count, -INFINITY, 0.0, (number, plan.surplus_at[steps], 1.0), (number, binary, -plan.most_pv[steps]))
    net = (case.load - case.pv)[steps]
    ceiling = plan.most_bought[steps]
    rows.add(count, -INFINITY, ceiling - net, *bought, (number, binary, ceiling))


def _bounds(plan: Plan, case: Case, calendar: Calendar, prices: Prices, at: Columns) -> tuple[Floats, Floats, Floats]:
    hours, battery, shifts = calendar.horizon.hours, case.battery, plan.shifts
    cost, lower, upper = np.zeros(at.count), np.zeros(at.count), np.full(at.count, INFINITY)
    cost[: at.charge] = (prices.cost - _sell(plan, prices))[plan.surplus] * hours
    upper[: at.charge] = case.pv[plan.surplus]
    cost[at.charge : at.discharge] = prices.cost * hours + _TIE
    cost[at.discharge : at.stored] = (battery.wear_yuan_per_kwh - prices.cost) * hours + _TIE
    upper[at.charge : at.stored] = battery.kw
    upper[at.stored : at.peak] = battery.usable * battery.kwh
    end = battery.soc_start * battery.kwh if case.end_kwh is None else case.end_kwh
    lower[at.peak - 1] = min(end - battery.soc_min * battery.kwh, upper[at.peak - 1])
    cost[at.peak : at.one_way] = prices.demand
    lower[at.peak : at.one_way] = lowest_peaks(case, calendar)
    if case.peak_floor is not None:
        lower[at.peak : at.one_way] = np.maximum(lower[at.peak : at.one_way], case.peak_floor)
    if case.peak_cap is not None:
        upper[at.peak : at.one_way] = case.peak_cap
    upper[at.one_way : at.shifts] = 1
    upper[at.shifts :] = shift_bounds(case.jobs, shifts)
    cost[at.shifts + shifts.on_columns] = prices.cost[shifts.on_steps] * shifts.on_kw * hours
    for job, on in zip(case.jobs, shifts.on, strict=True):  # of two equal times a job keeps the one it has
        moved = np.abs(np.arange(job.first, job.until) - job.usual - (job.length - 1) / 2)
        cost[at.shifts + on : at.shifts + on + len(moved)] += _TIE * job.kw * (1 + moved / len(moved))
    return cost, lower, upper


def read_flows(plan: Plan, calendar: Calendar, solution: Floats) -> tuple[Floats, Floats]:
    """Return charge and discharge in kW per step from a solution of the program."""
    at = columns_of(plan, len(calendar.months))
    return solution[at.charge : at.discharge], solution[at.discharge : at.stored]


def read_jobs(
    plan: Plan, case: Case, calendar: Calendar, solution: Floats, *, exact: bool = True
) -> tuple[Floats, ...]:
    """Return each job's share of its power in the steps of its window; ``exact`` makes on and off whole."""
    at = columns_of(plan, len(calendar.months))
    return read_shares(case.jobs, plan.shifts, solution[at.shifts : at.count], exact=exact)
