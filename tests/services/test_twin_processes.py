"""Shiftable processes: found in the meter, moved by the optimum, and held against scipy's integer programs."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest
from scipy.optimize import Bounds, LinearConstraint, milp

from services.formats.park import parse_park
from services.gateways.twin import run_twin
from services.gateways.twin_model import Site
from services.gateways.twin_optimum import optimise
from services.gateways.twin_shifts import make_timetable
from services.rules.twin.advice import rank_advice
from services.rules.twin.calendar import Calendar, make_calendar, make_horizon
from services.rules.twin.dispatch_program import Case
from services.rules.twin.effort import cpu_seconds
from services.rules.twin.inputs import Battery, Days, Floats, Process
from services.rules.twin.processes import Job, Shiftable, find_jobs, job_power, usual_shares
from services.rules.twin.scenarios import make_kpis
from services.rules.twin.shift_program import EXACT_STEPS
from services.rules.twin.tariff import Prices, step_prices
from tenants.kernel.errors import Invalid
from tests.services.parks import quiet, request_of, week

NONE = Battery()


def _site(days: int = 2, step: int = 60, seed: int = 1, demand: float = 20.0) -> tuple[Calendar, Prices, Floats]:
    random = np.random.default_rng(seed)
    calendar = make_calendar(make_horizon(date(2025, 1, 6), date(2025, 1, 6 + days), step, "Asia/Shanghai"))
    steps = calendar.horizon.steps
    price = np.repeat(random.choice([0.3, 0.5, 0.65, 1.1], -(-steps * step // 120)), 120 // step)[:steps]
    prices = Prices(np.zeros(steps, dtype=np.int64), price, np.full(steps, 0.25), demand)
    return calendar, prices, random.uniform(200, 400, steps)


def _process(**changes: Any) -> Process:
    made = Process("窑", 150.0, 180, 6 * 60, 22 * 60, 9 * 60)
    return replace(made, **changes)


def _found(calendar: Calendar, load: Floats, *processes: Process) -> Shiftable:
    rest_days = np.array([day.weekday() >= 5 for day in calendar.days])
    return find_jobs(processes, calendar, rest_days, load)


def _reference(
    jobs: tuple[Job, ...], rest: Floats, pv: Floats, calendar: Calendar, prices: Prices, battery: Battery = NONE
) -> float:
    """Another formulation, dense and by scipy: every possible run of a job is a column of its own where it is whole."""
    n, hours, columns = len(rest), calendar.horizon.hours, []
    for number, job in enumerate(jobs):
        for start in range(job.first, job.until - job.length + 1) if job.whole else range(job.first, job.until):
            shape = np.zeros(n)
            shape[start : start + job.length if job.whole else start + 1] = job.kw
            columns.append((number, start, shape))
    k = len(columns)
    shapes = np.array([shape for *_, shape in columns]).T.reshape(n, k)
    # columns: choice, bought, fed in or lost, charge, discharge, content, peak
    size = k + 5 * n + 1
    g, x, c, d, e = (slice(k + i * n, k + (i + 1) * n) for i in range(5))
    eye, eta = np.eye(n), battery.efficiency**0.5
    node, store, peak = np.zeros((n, size)), np.zeros((n, size)), np.zeros((n, size))
    node[:, :k], node[:, g], node[:, x], node[:, c], node[:, d] = -shapes, eye, -eye, -eye, eye
    store[:, e], store[:, c], store[:, d] = eye - np.eye(n, k=-1), -eta * hours * eye, hours / eta * eye
    peak[:, g], peak[:, -1] = eye, -1
    limits = [
        LinearConstraint(node, rest - pv, rest - pv),
        LinearConstraint(store, *[np.eye(n)[0] * battery.soc_start * battery.kwh] * 2),
        LinearConstraint(peak, -np.inf, 0),
    ]
    for number, job in enumerate(jobs):
        mine = np.zeros(size)
        mine[:k] = [owner == number for owner, *_ in columns]
        count = 1 if job.whole else job.length
        limits.append(LinearConstraint(mine, count, count))
        if job.after >= 0:
            limits += _after(columns, number, job, jobs[job.after], size)
    cost = np.zeros(size)
    cost[g], cost[x], cost[-1] = prices.buy * hours, -prices.sell * hours, prices.demand
    upper, lower = np.full(size, np.inf), np.zeros(size)
    upper[:k], upper[x], upper[c], upper[d] = 1, pv, battery.kw, battery.kw
    upper[e], lower[e] = battery.soc_max * battery.kwh, battery.soc_min * battery.kwh
    lower[e][-1] = battery.soc_start * battery.kwh
    whole = np.zeros(size)
    whole[:k] = [not jobs[owner].adjustable for owner, *_ in columns]
    answer = milp(
        cost, constraints=limits, bounds=Bounds(lower, upper), integrality=whole, options={"mip_rel_gap": 1e-9}
    )
    assert answer.status == 0, answer.message
    return float(answer.fun)


def _after(columns: Any, number: int, job: Job, before: Job, size: int) -> list[LinearConstraint]:
    """No start of a whole job in a step unless the other, also whole, began at least its length before."""
    found = []
    for at, (owner, start, _) in enumerate(columns):
        if owner == number:
            row = np.zeros(size)
            row[at] = 1
            for other, (whose, began, _) in enumerate(columns):
                if whose == job.after and began + before.length <= start:
                    row[other] = -1
            found.append(LinearConstraint(row, -np.inf, 0))
    assert job.whole
    return found


KINDS: list[tuple[Process, ...]] = [
    (_process(),),
    (_process(interruptible=True, least_minutes=60),),
    (_process(adjustable=True),),
    (_process(), _process(name="烘干", kw=80.0, minutes=120, start=8 * 60, end=4 * 60, usual_start=20 * 60)),
    (_process(), _process(name="包装", kw=60.0, minutes=120, usual_start=13 * 60, after="窑")),
]


@pytest.mark.parametrize("battery", [NONE, Battery(300, 100, 0.9, 0.1, 0.9, 0.1)], ids=["alone", "battery"])
@pytest.mark.parametrize("processes", KINDS, ids=["whole", "pausing", "adjustable", "over-midnight", "follows"])
def test_the_timetable_is_as_good_as_scipys(processes: tuple[Process, ...], battery: Battery) -> None:
    calendar, prices, load = _site()
    found = _found(calendar, load + 300, *processes)
    assert found.jobs
    pv = np.maximum(0, np.sin((np.arange(48) % 24 - 6) / 12 * np.pi)) * 500
    case = Case(found.rest_kw, pv, battery, found.jobs)
    table = make_timetable(case, calendar, prices)
    # held to the timetable, scipy's own battery and meter come to scipy's own optimum
    reached = _reference((), found.rest_kw + table.kw, pv, calendar, prices, battery)
    best = _reference(found.jobs, found.rest_kw, pv, calendar, prices, battery)
    assert reached == pytest.approx(best, rel=1e-6)
    assert table.bound <= reached + 1e-2
    for job, share in zip(found.jobs, table.shares, strict=True):
        assert share.sum() == pytest.approx(job.length)
        if job.whole:
            assert (np.diff(np.flatnonzero(share > 0.5)) == 1).all()


def test_stretches_are_never_shorter_than_told() -> None:
    calendar, _, load = _site(days=1, step=15)
    steps = calendar.horizon.steps
    price = np.where(np.arange(steps) % 3 == 0, 0.3, 1.0)  # every third quarter of an hour is cheap: tempting to hop
    prices = Prices(np.zeros(steps, dtype=np.int64), price, np.zeros(steps), 0.0)
    found = _found(calendar, load + 300, _process(interruptible=True, least_minutes=45))
    table = make_timetable(Case(found.rest_kw, np.zeros(steps), NONE, found.jobs), calendar, prices)
    on = np.concatenate([[0], table.shares[0], [0]])
    edges = np.flatnonzero(np.diff(on))
    assert (edges[1::2] - edges[::2] >= 3).all()
    assert table.shares[0].sum() == 12


def test_a_month_relaxed_then_made_whole_is_near_its_bound() -> None:
    calendar, prices, load = _site(days=25, step=30, seed=3, demand=40.0)
    assert calendar.horizon.steps > EXACT_STEPS
    found = _found(calendar, load + 300, *KINDS[4], _process(name="泵", kw=50.0, interruptible=True, least_minutes=60))
    battery = Battery(300, 100, 0.9, 0.1, 0.9, 0.1)
    table = make_timetable(Case(found.rest_kw, np.zeros(len(load)), battery, found.jobs), calendar, prices)
    again = make_timetable(
        Case(found.rest_kw + table.kw, np.zeros(len(load)), battery), calendar, prices
    )  # nothing left to decide but the battery: its bound is its optimum
    assert 0 <= again.bound - table.bound < 0.02 * again.bound
    for job, share in zip(found.jobs, table.shares, strict=True):
        assert share.sum() == job.length
        if job.after >= 0:
            before = table.shares[job.after]
            first, last = job.first + np.flatnonzero(share)[0], found.jobs[job.after].first + np.flatnonzero(before)[-1]
            assert first > last


def test_what_the_meter_does_not_show_is_not_shifted() -> None:
    calendar, _, load = _site(days=7)
    load = load + 300
    load[24 + 10] = 20.0  # Tuesday's run stood still
    found = _found(calendar, load, _process(days=Days.WORKDAYS))
    assert (len(found.jobs), found.missed) == (4, (1,))
    usual = job_power(found.jobs, [usual_shares(job) for job in found.jobs], len(load))
    assert np.allclose(found.rest_kw + usual, load)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"kw": -1}, "processes[0].kw"),
        ({"window": {"from": "08:00", "to": "10:00"}}, "processes[0]"),
        ({"usual_start": "21:00"}, "processes[0]"),
        ({"min_run_minutes": 600}, "processes[0]"),
        ({"run_minutes": 45}, "processes"),
        ({"follows": "没有"}, "processes"),
        ({"follows": "窑"}, "processes"),
        ({"usual_start": "9点"}, "processes[0].usual_start"),
    ],
)
def test_each_wrong_process_is_named(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_park(json.dumps(week(processes=[PROCESS | changes])).encode())
    assert [error.field for error in caught.value.errors] == [field]
    assert "格式不对" not in str(caught.value.errors[0].message) or "usual_start" in field


PROCESS = {
    "name": "窑",
    "kw": 150,
    "run_minutes": 180,
    "window": {"from": "06:00", "to": "22:00"},
    "usual_start": "09:00",
}


def test_a_run_moves_processes_and_says_what_it_brings() -> None:
    park = week(processes=[PROCESS], battery={"kwh": 0, "kw": 0}, sizing=None)
    result: Any = run_twin(request_of(park), progress=quiet).kpis
    runs = result["processes"]["runs"][0]
    assert runs["found"] == 7
    assert runs["moved"] > 0
    assert result["processes"]["gap"] < 1e-6
    assert result["optimised"]["objective_yuan"] < result["as_is"]["objective_yuan"]
    shift = next(item for item in result["advice"] if item["code"] == "shift")
    saved = result["as_is"]["annual_bill_yuan"] - result["optimised"]["annual_bill_yuan"]
    assert shift["saving_yuan"] == pytest.approx(saved, abs=0.011)
    assert shift["hours"]


@pytest.mark.parametrize(
    ("battery", "named"), [({"kwh": 3000, "kw": 700}, "储能（3,000 kWh）"), ({"kwh": 0, "kw": 0}, None)]
)
def test_what_can_only_be_done_together_is_advised_together(battery: dict[str, int], named: str | None) -> None:
    """Where moving processes alone would make a new peak, the one measure names them and the battery, if there is one."""
    request = request_of(week(processes=[PROCESS], battery=battery, sizing=None))
    calendar = make_calendar(request.horizon)
    prices = step_prices(calendar, request.tariff, request.feed_in)
    nothing = np.zeros(request.horizon.steps)
    solved = optimise(request, Site(calendar, prices, nothing, True, nothing), quiet)
    may = {name: item for name, item in solved.advised.items() if name != "with_shift"}
    kpis = {name: make_kpis(item, request) for name, item in may.items()}
    (advice,) = rank_advice(kpis, solved.additions, may, calendar)
    assert advice.code == "dispatch"
    assert "可移动工序" in str(advice.text)
    assert ("储能" in str(advice.text)) == (named is not None)
    assert named is None or named in str(advice.text)


def test_an_estimate_tells_what_timetables_take() -> None:
    year = {"period": {"year": 2025}, "step_minutes": 15}
    plain, moved = (cpu_seconds(request_of(week(**year, **more))) for more in ({}, {"processes": [PROCESS]}))
    assert 30 < moved - plain < 60, "measured: some 45 seconds for four processes"
    days = {"step_minutes": 15, "processes": [PROCESS]}
    assert cpu_seconds(request_of(week(**days))) > 5, "with all binaries at once"
