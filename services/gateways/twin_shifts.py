"""When a year's shiftable processes run: a relaxed year for the peaks, then each day's jobs exactly.

The year with its processes relaxed (a share of a run at a time) is one linear program and a bound no timetable can
beat. Its battery and monthly peaks are then kept while each day's jobs are decided with binaries; days whose relaxed
jobs are whole already are taken as they are. The battery is solved again afterwards, and the distance to the bound is
the gap that is stated. Horizons up to ``EXACT_STEPS`` are solved with all binaries at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from services.gateways.solver import Solver
from services.rules.twin.calendar import Calendar
from services.rules.twin.dispatch_program import Case, Plan, dispatch_program, make_plan, read_flows, read_jobs
from services.rules.twin.inputs import Floats
from services.rules.twin.linear_program import INFINITY, LinearProgram, Rows
from services.rules.twin.processes import Job, job_power
from services.rules.twin.shift_program import EXACT_STEPS, add_shift_rows, read_shares, shift_bounds, shift_columns
from services.rules.twin.tariff import Prices

_WHOLE = 1e-6


@dataclass(frozen=True, eq=False)
class Timetable:
    """Shares of each job's power over its window, kW of all jobs per step, and the bound on the program's objective."""

    shares: tuple[Floats, ...]
    kw: Floats
    bound: float
    status: str
    iterations: int


def make_timetable(case: Case, calendar: Calendar, prices: Prices) -> Timetable:
    """Decide when the jobs of ``case`` run; Invalid when no timetable keeps to the limits."""
    plan = make_plan([case], calendar, prices)
    program = dispatch_program(plan, case, calendar, prices)
    exact = plan.steps <= EXACT_STEPS
    if not exact:  # feed-in dearer than buying stays decided by binaries or by the cap; jobs are relaxed
        kept = np.isin(program.binaries, _jobs_columns(plan, program), invert=True)
        program = replace(program, binaries=program.binaries[kept])
    answer = Solver().solve(program)
    shares = read_jobs(plan, case, calendar, answer.values, exact=exact)
    if not exact:
        charge, discharge = read_flows(plan, calendar, answer.values)
        shares = _by_days(case, charge - discharge, shares, calendar, prices)
    bound = answer.bound + float((case.load - case.pv) @ prices.cost) * calendar.horizon.hours
    return Timetable(shares, job_power(case.jobs, shares, plan.steps), bound, answer.status, answer.iterations)


def _jobs_columns(plan: Plan, program: LinearProgram) -> np.ndarray:
    return len(program.cost) - plan.shifts.count + plan.shifts.binaries


def _by_days(
    case: Case, battery_kw: Floats, relaxed: Sequence[Floats], calendar: Calendar, prices: Prices
) -> tuple[Floats, ...]:
    """Make the relaxed jobs whole, day by day, beside what the others take and below the peaks that are paid anyway."""
    shares = list(relaxed)
    rest = case.load - case.pv + battery_kw
    taken = rest + job_power(case.jobs, shares, len(rest))
    peaks = np.zeros(len(calendar.months)) if case.peak_floor is None else case.peak_floor.copy()
    np.maximum.at(peaks, calendar.month, taken)
    for day in sorted({job.day for job in case.jobs}):
        numbers = [number for number, job in enumerate(case.jobs) if job.day == day]
        if all(_is_whole(case.jobs[number], shares[number]) for number in numbers):
            continue
        jobs = [_within(case.jobs[number], numbers) for number in numbers]
        taken -= job_power(jobs, [shares[number] for number in numbers], len(rest))
        found = _day(jobs, taken, peaks, calendar, prices)
        for number, share in zip(numbers, found, strict=True):
            shares[number] = share
        taken += job_power(jobs, found, len(rest))
        np.maximum.at(peaks, calendar.month, taken)
    return tuple(shares)


def _is_whole(job: Job, share: Floats) -> bool:
    """Tell whether a relaxed job may run as it stands."""
    if job.adjustable:
        return True
    on = np.round(share)
    edges = np.flatnonzero(np.diff(np.concatenate([[0.0], on, [0.0]])))
    stretches = edges[1::2] - edges[::2]
    return bool(np.abs(share - on).max() < _WHOLE and on.sum() == job.length and stretches.min() >= job.least)


def _within(job: Job, numbers: Sequence[int]) -> Job:
    return replace(job, after=numbers.index(job.after) if job.after in numbers else -1)


def _day(jobs: Sequence[Job], taken: Floats, peaks: Floats, calendar: Calendar, prices: Prices) -> tuple[Floats, ...]:
    """Decide one day's jobs beside ``taken`` kW: cheapest energy, and no higher peak than pays for itself."""
    columns = shift_columns(jobs)
    steps = np.unique(columns.on_steps)
    peak = columns.count
    rows = Rows()
    add_shift_rows(rows, jobs, columns, 0)
    place = np.searchsorted(steps, columns.on_steps)
    most = peaks[calendar.month[steps]] - taken[steps]
    every = np.arange(len(steps))
    rows.add(len(steps), -INFINITY, most, (place, columns.on_columns, columns.on_kw), (every, peak, -1.0))
    # What the jobs take out of a surplus costs the feed-in price it would have earned, no more.
    hours = calendar.horizon.hours
    surplus = np.maximum(-taken[steps], 0)
    own = peak + 1 + every
    rows.add(len(steps), -INFINITY, 0.0, (every, own, 1.0), (place, columns.on_columns, -columns.on_kw))
    buy, sell = prices.cost[steps], np.minimum(prices.sell, prices.cost)[steps]
    cost = np.concatenate([np.zeros(columns.count), [prices.demand], (sell - buy) * hours])
    cost[columns.on_columns] = buy[place] * columns.on_kw * hours
    upper = np.concatenate([shift_bounds(jobs, columns), [INFINITY], surplus])
    program = rows.program(cost, np.zeros(len(cost)), upper, columns.binaries)
    return read_shares(jobs, columns, Solver().solve(program).values)
