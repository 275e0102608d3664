"""A schedule for the coming days, from a request to its files: deterministic, without database, network or clock.

It may run in a child process: the request and the result travel by pickle.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from importlib.metadata import version

import numpy as np

from services.gateways.schedule_documents import ScheduleTable, render_documents
from services.gateways.solver import Solution, Solver
from services.gateways.twin_physics import run_physics, with_load
from services.rules.runs import MANIFEST
from services.rules.twin.calendar import Calendar, make_calendar
from services.rules.twin.dispatch import Dispatch, habitual_dispatch, make_dispatch
from services.rules.twin.dispatch_program import (
    Case,
    Plan,
    columns_of,
    dispatch_program,
    make_plan,
    read_flows,
    read_jobs,
)
from services.rules.twin.inputs import FeedInMode, Floats
from services.rules.twin.linear_program import LinearProgram
from services.rules.twin.photovoltaics import step_yield
from services.rules.twin.processes import find_jobs
from services.rules.twin.scenarios import month_peaks
from services.rules.twin.schedule import Costs, ScheduleRequest, Terms, paid_peaks, peak_limits, steps_of
from services.rules.twin.schedule_check import check_schedule
from services.rules.twin.tariff import Bill, Prices, make_bill, rest_days, step_prices
from tenants.kernel.errors import FieldError, Invalid, Unavailable
from tenants.kernel.messages import msg

ENGINE_VERSION = "1.0.0"
_MIP_GAP = 1e-5
_EARLY = 1e-6
_LIBRARIES = ("highspy", "numpy", "xlsxwriter")

Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class ScheduleResult:
    """Key figures as in ``kpis.json``, and the files by name."""

    kpis: Mapping[str, object]
    files: Mapping[str, bytes]


@dataclass(frozen=True, eq=False)
class _Asked:
    """What the program is about."""

    calendar: Calendar
    prices: Prices
    paid_kw: Floats
    limits_kw: Floats | None
    case: Case


def run_schedule(request: ScheduleRequest, *, progress: Progress) -> ScheduleResult:
    """Find the cheapest schedule and write its files. The stages reported are prepare, optimise, report and done.

    Raises Invalid when no schedule keeps to the limits (and says what the lowest cap is), Unavailable when the solver
    gives up or the schedule does not pass its check.
    """
    began = time.process_time()
    progress("prepare", 0.0)
    calendar = make_calendar(request.park.horizon)
    physics = run_physics(request.park, calendar)
    request = replace(request, park=with_load(request.park, physics))
    park = request.park
    prices = step_prices(calendar, park.tariff, park.feed_in, park.carbon_yuan_per_kwh)
    pv = _pv(request, calendar) + physics.wind
    may_export = park.feed_in.mode is FeedInMode.SURPLUS
    today = habitual_dispatch(park.load.kw, pv, park.battery, calendar, prices, may_export=may_export)
    found = find_jobs(park.processes, calendar, rest_days(calendar, park.tariff), park.load.kw)
    _something(request, len(found.jobs))
    paid = paid_peaks(calendar, request.so_far_kw)
    limits = peak_limits(paid, month_peaks(calendar, today.imported), prices, request.cap_kw)
    end = float(today.stored[-1]) if park.battery.kwh > 0 else None
    floor = paid if limits is None else np.minimum(paid, limits)  # below what is paid already nothing more is charged
    case = Case(found.rest_kw, pv, park.battery, found.jobs, peak_floor=floor, peak_cap=limits, end_kwh=end)
    asked = _Asked(calendar, prices, paid, limits, case)
    progress("optimise", 0.1)
    answer, plan = _solve(asked, request)
    shares = read_jobs(plan, case, calendar, answer.values)
    load = found.rest_kw + _power(case, shares)
    charge, discharge = read_flows(plan, calendar, answer.values)
    hours = park.horizon.hours
    planned = make_dispatch(load, pv, charge, discharge, park.battery, hours, may_export=may_export)
    faults = check_schedule(park.processes, found.jobs, shares, found.rest_kw, planned, park.battery, calendar, limits)
    if faults:
        problem = Unavailable("schedule.unsound", msg("排程未通过独立校核，已停止交付且不计费，请联系平台。"))
        problem.add_note(", ".join(faults.found))
        raise problem
    progress("report", 0.8)
    terms = Terms(calendar, prices, paid, float(park.factor.kg_per_kwh), park.battery.wear_yuan_per_kwh, may_export)
    steps = steps_of(found.jobs, shares, today, planned, terms)
    before, after = _billed(request, terms, today), _billed(request, terms, planned)
    kpis = _kpis(request, asked, today, planned, answer)
    kpis |= {
        "saving_yuan": round(before.total - after.total, 2),
        "moved_runs": len(steps.moves),
        "cost_today": asdict(before),
        "cost_planned": asdict(after),
        "runs_not_seen": {
            process.name: count for process, count in zip(park.processes, found.missed, strict=True) if count
        },
    }
    table = ScheduleTable(
        request, calendar, prices, found.jobs, shares, today, planned, before, after, steps, limits,
        status=answer.status, gap=answer.gap,
    )  # fmt: skip
    documents, advice = render_documents(table)
    kpis["advice"] = advice
    files = {"kpis.json": _json(kpis), **documents}
    manifest = _manifest(request, answer, kpis, files, time.process_time() - began)
    progress("done", 1.0)
    return ScheduleResult(kpis, {MANIFEST: _json(manifest), **files})


def _pv(request: ScheduleRequest, calendar: Calendar) -> Floats:
    """Return the PV forecast; without one, what a typical year gives on these days."""
    if request.pv_forecast is not None:
        return request.pv_forecast
    park = request.park
    if park.pv.kwp <= 0:
        return np.zeros(park.horizon.steps)
    return park.pv.kwp * step_yield(park.weather, park.pv, calendar)


def _something(request: ScheduleRequest, jobs: int) -> None:
    """Refuse a park in which nothing can be decided: there is nothing to sell."""
    if not jobs and not (request.park.battery.kwh > 0 and request.park.battery.kw > 0):
        wrong = msg("负荷中找不到可移动的工序，也没有储能，无可优化。请检查工序的功率与常用开始时间，或填写储能。")
        raise Invalid("schedule.nothing", wrong, errors=[FieldError("park.processes", "schedule.nothing", wrong)])


def _solve(asked: _Asked, request: ScheduleRequest) -> tuple[Solution, Plan]:
    plan = make_plan([asked.case], asked.calendar, asked.prices)
    program = dispatch_program(plan, asked.case, asked.calendar, asked.prices)
    at = columns_of(plan, len(asked.calendar.months))
    later = np.arange(plan.steps) / plan.steps  # of equal times the earlier one: a battery that hops wears people out
    program.cost[at.charge : at.stored] += _EARLY * np.concatenate([later, later])
    if bool((program.lower <= program.upper).all()):
        try:
            return Solver(mip_gap=_MIP_GAP).solve(program), plan
        except Invalid as problem:
            if problem.code != "solver.infeasible" or request.cap_kw is None:
                raise
    lowest = _lowest_cap(asked)
    wrong = msg(
        "需量上限 {cap} kW 无法做到：在给定的工序与储能下最低为 {lowest} kW，请不低于此值，或放宽工序时段。",
        cap=f"{request.cap_kw or 0:,.0f}",
        lowest=f"{np.ceil(lowest):,.0f}",
    )
    raise Invalid("schedule.cap_too_low", wrong, errors=[FieldError("demand.cap_kw", "schedule.cap_too_low", wrong)])


def _lowest_cap(asked: _Asked) -> float:
    """Return the lowest peak that any schedule can keep to, in kW."""
    free = replace(asked.case, peak_floor=None, peak_cap=np.full(len(asked.calendar.months), 1e9))
    plan = make_plan([free], asked.calendar, asked.prices)
    program: LinearProgram = dispatch_program(plan, free, asked.calendar, asked.prices)
    at = columns_of(plan, len(asked.calendar.months))
    cost = np.zeros_like(program.cost)
    cost[at.peak : at.one_way] = 1.0
    values = Solver(mip_gap=1e-4).solve(replace(program, cost=cost)).values
    return float(values[at.peak : at.one_way].max())


def _power(case: Case, shares: tuple[Floats, ...]) -> Floats:
    total = np.zeros_like(case.load)
    for job, share in zip(case.jobs, shares, strict=True):
        total[job.first : job.until] += job.kw * share
    return total


def _billed(request: ScheduleRequest, terms: Terms, flow: Dispatch) -> Costs:
    """Return the days' costs to the fen: energy and feed-in as the bill writes them, part by part."""
    bill = _energy_bill(request, terms.calendar, terms.prices, flow)
    exact = terms.cost(flow)
    feed_in = bill.by_kind().get("feed_in", 0)
    return Costs((bill.total_fen - feed_in) / 100, feed_in / 100, round(exact.demand, 2), round(exact.wear, 2))


def _energy_bill(request: ScheduleRequest, calendar: Calendar, prices: Prices, flow: Dispatch) -> Bill:
    """Return the bill of the days' energy alone; peaks and capacity are charged by the month."""
    park = request.park
    energy = replace(park.tariff, demand_yuan_per_kw=Decimal(0), capacity_yuan_per_month=Decimal(0))
    return make_bill(calendar, prices, energy, park.feed_in, flow.imported, flow.exported)


def _kpis(
    request: ScheduleRequest, asked: _Asked, today: Dispatch, planned: Dispatch, answer: Solution
) -> dict[str, object]:
    """Figures of both ways. The bill's parts are those of the days' energy; the peak's charge is told beside them."""
    park, hours = request.park, request.park.horizon.hours
    found: dict[str, object] = {}
    for name, flow in (("today", today), ("planned", planned)):
        bill = _energy_bill(request, asked.calendar, asked.prices, flow)
        found |= {
            f"energy_yuan_{name}": bill.total_fen / 100,
            f"peak_kw_{name}": round(float(flow.imported.max()), 1),
            f"emissions_t_{name}": round(float(flow.imported.sum()) * hours * float(park.factor.kg_per_kwh) / 1000, 3),
            f"bill_parts_yuan_{name}": {kind: fen / 100 for kind, fen in bill.by_kind().items()},
        }
    return found | {
        "solver_status": answer.status,
        "solver_gap": round(answer.gap, 8),
        "curve": _curve(asked.calendar, today, planned),
    }


def _curve(calendar: Calendar, today: Dispatch, planned: Dispatch) -> dict[str, object]:
    """What is bought in kW both ways, and the PV, with the clock times of the steps: what an order's page draws."""
    clock = [
        f"{calendar.days[day]:%m-%d} {minute // 60:02d}:{minute % 60:02d}"
        for day, minute in zip(calendar.day.tolist(), calendar.minute.tolist(), strict=True)
    ]
    series = {"today_kw": today.imported, "planned_kw": planned.imported, "pv_kw": planned.pv}
    return {"times": clock, **{name: (np.round(values, 1) + 0.0).tolist() for name, values in series.items()}}


def _manifest(
    request: ScheduleRequest, answer: Solution, kpis: Mapping[str, object], files: Mapping[str, bytes], cpu: float
) -> dict[str, object]:
    park = request.park
    facts: dict[str, object] = {
        "engine": {"name": "schedule", "version": ENGINE_VERSION},
        "libraries": {name: version(name) for name in _LIBRARIES},
        "input": {
            "document_sha256": _sha(park.canonical.encode()),
            "load": {"source": park.load.source, "sha256": park.load.sha256},
            "pv_forecast_sha256": None if request.pv_forecast is None else _sha(request.pv_forecast.tobytes()),
            "demand": {"so_far_kw": request.so_far_kw, "cap_kw": request.cap_kw},
        },
    }
    return facts | {
        "fingerprint": _sha(_json(facts)),
        "solver": {"status": answer.status, "gap": answer.gap, "objective": round(answer.objective, 4)},
        "checked": True,
        "saving_yuan": kpis["saving_yuan"],
        "outputs": {name: _sha(data) for name, data in files.items()},
        "cpu_seconds": round(cpu, 2),
    }


def _json(document: Mapping[str, object]) -> bytes:
    return json.dumps(document, ensure_ascii=False, sort_keys=True, indent=1, allow_nan=False).encode() + b"\n"


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
