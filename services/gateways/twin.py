"""A twin run from a request to its four files: deterministic, without database, network or clock.

It may run in a child process: the request and the result travel by pickle.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version

import numpy as np

from services.gateways.solver import Solution, Solver
from services.gateways.twin_report import ReportInput, render_report
from services.gateways.twin_series import render_series
from services.gateways.weather import read_builtin_weather
from services.rules.twin.advice import Advice, rank_advice
from services.rules.twin.calendar import Calendar, make_calendar
from services.rules.twin.dispatch import Balance, check_balance, habitual_dispatch, make_dispatch
from services.rules.twin.dispatch_program import Case, Plan, dispatch_program, make_plan, read_flows
from services.rules.twin.inputs import FeedInMode, Floats, TwinRequest
from services.rules.twin.photovoltaics import Weather, step_yield
from services.rules.twin.scenarios import (
    Investment,
    Kpis,
    Scenario,
    extended,
    horizon_share,
    make_investment,
    make_kpis,
    make_scenario,
)
from services.rules.twin.sizing_program import Additions, coarsen, read_additions, sizing_program
from services.rules.twin.tariff import Prices, step_prices
from tenants.kernel.errors import Unavailable
from tenants.kernel.messages import msg

ENGINE_VERSION = "1.0.0"
_TOLERANCE = 1e-6
_LIBRARIES = ("highspy", "numpy", "pandas", "pvlib", "pyarrow")

Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class TwinResult:
    """Key figures as in ``kpis.json``, and the files by name."""

    kpis: Mapping[str, object]
    files: Mapping[str, bytes]


@dataclass(frozen=True, eq=False)
class _Prepared:
    calendar: Calendar
    prices: Prices
    weather: Weather
    unit: Floats
    may_export: bool


@dataclass(frozen=True, eq=False)
class _Solved:
    scenarios: tuple[Scenario, Scenario, Scenario]
    with_pv: Scenario
    additions: Additions
    solver: tuple[dict[str, object], ...]
    plan: Plan


def run_twin(request: TwinRequest, *, progress: Progress) -> TwinResult:
    """Run the twin. The stages reported are prepare, photovoltaics, size, optimise, extend, report and done.

    Raises Invalid for inputs that admit no answer and Unavailable when the solver gives up.
    """
    began = time.process_time()
    progress("prepare", 0.0)
    prepared = _prepare(request, progress)
    solved = _solve(request, prepared, progress)
    progress("report", 0.85)
    worst = [_proven(scenario, request) for scenario in solved.scenarios]
    kpis = {item.name: make_kpis(item, request) for item in solved.scenarios}
    share = horizon_share(prepared.calendar)
    investment = make_investment(request, solved.additions, kpis["optimised"], kpis["sized"], share)
    pv_only = make_kpis(solved.with_pv, request)
    advice = rank_advice(
        kpis["as_is"], kpis["optimised"], pv_only, kpis["sized"], solved.additions, solved.scenarios[1]
    )
    document = _kpi_document(kpis, solved, investment, advice)
    identity = _identity(request, prepared.weather)
    notes = _notes(request, prepared, solved)
    series = render_series(prepared.calendar, prepared.prices, solved.scenarios)
    report = render_report(
        ReportInput(request, prepared.calendar, prepared.prices, prepared.weather, solved.scenarios, kpis,
                    solved.additions, investment, advice, notes, identity)
    )  # fmt: skip
    files = {"kpis.json": _json(document), "series.parquet": series, "report.html": report}
    manifest = identity | {
        "solver": list(solved.solver),
        "balance": [asdict(item) for item in worst],
        "notes": notes,
        "outputs": {name: _sha(data) for name, data in files.items()},
        "cpu_seconds": round(time.process_time() - began, 2),
    }
    progress("done", 1.0)
    return TwinResult(document, {"manifest.json": _json(manifest), **files})


def _prepare(request: TwinRequest, progress: Progress) -> _Prepared:
    calendar = make_calendar(request.horizon)
    prices = step_prices(calendar, request.tariff, request.feed_in)
    weather = read_builtin_weather(request.weather)
    progress("photovoltaics", 0.05)
    wanted = request.pv.kwp > 0 or (request.sizing is not None and request.sizing.pv_max_kwp > 0)
    unit = step_yield(weather, request.pv, calendar) if wanted else np.zeros(request.horizon.steps)
    return _Prepared(calendar, prices, weather, unit, request.feed_in.mode is FeedInMode.SURPLUS)


def _solve(request: TwinRequest, prepared: _Prepared, progress: Progress) -> _Solved:
    calendar, prices, load = prepared.calendar, prepared.prices, request.load.kw
    pv = request.pv.kwp * prepared.unit
    records: list[dict[str, object]] = []
    habit = habitual_dispatch(load, pv, request.battery, calendar, prices, may_export=prepared.may_export)
    none = Additions()
    as_is = make_scenario("as_is", request, calendar, prices, habit, none)
    progress("size", 0.15)
    additions = _size(request, prepared, records)
    cases = [Case(load, pv, request.battery)]
    if additions != none:
        cases.append(Case(load, pv + additions.pv_kwp * prepared.unit, extended(request.battery, additions)))
    plan = make_plan(cases, calendar, prices)
    solver = Solver()
    progress("optimise", 0.3)
    optimised = _best("optimised", request, prepared, plan, cases[0], none, solver, records)
    progress("extend", 0.65)
    sized = make_scenario("sized", request, calendar, prices, optimised.flow, none)
    if additions != none:
        built = _best("sized", request, prepared, plan, cases[1], additions, solver, records)
        # Building may cost more than it brings once it is judged at full resolution; then nothing is built.
        sized, additions = (built, additions) if built.objective_yuan < sized.objective_yuan else (sized, none)
    with_pv = _pv_only(request, prepared, additions)
    return _Solved((as_is, optimised, sized), with_pv, additions, tuple(records), plan)


def _size(request: TwinRequest, prepared: _Prepared, records: list[dict[str, object]]) -> Additions:
    sizing = request.sizing
    if sizing is None or not (sizing.pv_max_kwp or sizing.battery_max_kwh):
        return Additions()
    coarse = coarsen(prepared.calendar, prepared.prices, request.load.kw, request.pv.kwp * prepared.unit, prepared.unit)
    program = sizing_program(coarse, request.battery, sizing, prepared.prices.demand, len(prepared.calendar.months))
    answer = Solver().solve(program)
    records.append(_record("size", answer, len(coarse.load)))
    return read_additions(answer.values)


def _best(
    name: str,
    request: TwinRequest,
    prepared: _Prepared,
    plan: Plan,
    case: Case,
    additions: Additions,
    solver: Solver,
    records: list[dict[str, object]],
) -> Scenario:
    if case.battery.kwh > 0 and case.battery.kw > 0:
        answer = solver.solve(dispatch_program(plan, case, prepared.calendar, prepared.prices))
        records.append(_record(name, answer, plan.steps))
        charge, discharge = read_flows(plan, prepared.calendar, answer.values)
    else:  # nothing to decide
        charge = discharge = np.zeros(plan.steps)
    flow = make_dispatch(
        case.load, case.pv, charge, discharge, case.battery, request.horizon.hours, may_export=prepared.may_export
    )
    return make_scenario(name, request, prepared.calendar, prepared.prices, flow, additions)


def _pv_only(request: TwinRequest, prepared: _Prepared, additions: Additions) -> Scenario:
    """Today's way of running with the added PV alone: what the PV brings by itself."""
    pv = (request.pv.kwp + additions.pv_kwp) * prepared.unit
    flow = habitual_dispatch(
        request.load.kw, pv, request.battery, prepared.calendar, prepared.prices, may_export=prepared.may_export
    )
    only = Additions(pv_kwp=additions.pv_kwp)
    return make_scenario("with_pv", request, prepared.calendar, prepared.prices, flow, only)


def _proven(scenario: Scenario, request: TwinRequest) -> Balance:
    """Refuse to deliver flows that do not balance: a wrong report is worse than none."""
    balance = check_balance(scenario.flow, scenario.battery, request.horizon.hours)
    scale = max(1.0, float(scenario.flow.load.max()), scenario.battery.kwh)
    energy = max(1.0, float(scenario.flow.load.sum()))
    if (
        max(balance.node_kw, balance.battery_kwh, balance.bounds, balance.both_ways_kw) > _TOLERANCE * scale
        or balance.total_kwh > _TOLERANCE * energy
    ):
        raise Unavailable("twin.unbalanced", msg("计算结果的能量不守恒，已停止交付且不计费，请联系平台。"))
    return balance


def _record(name: str, answer: Solution, steps: int) -> dict[str, object]:
    return {
        "scenario": name,
        "steps": steps,
        "status": answer.status,
        "gap": answer.gap,
        "objective": round(answer.objective, 4),
        "iterations": answer.iterations,
    }


def _kpi_document(
    kpis: Mapping[str, Kpis], solved: _Solved, investment: Investment, advice: tuple[Advice, ...]
) -> dict[str, object]:
    scenarios: dict[str, object] = {
        item.name: asdict(kpis[item.name])
        | {"bill_parts_yuan": {kind: fen / 100 for kind, fen in item.bill.by_kind().items()}}
        for item in solved.scenarios
    }
    return scenarios | {
        "objective_yuan": kpis["sized"].objective_yuan,
        "additions": asdict(solved.additions),
        "investment": asdict(investment),
        "advice": [
            {"code": item.code, "text": str(item.text), "saving_yuan": round(item.saving_yuan, 2),
             "avoided_t": round(item.avoided_t, 3)}
            for item in advice
        ],
    }  # fmt: skip


def _identity(request: TwinRequest, weather: Weather) -> dict[str, object]:
    """What the answer depends on, and one hash of it: the same fingerprint means the same figures."""
    facts: dict[str, object] = {
        "engine": {"name": "twin", "version": ENGINE_VERSION},
        "libraries": {name: version(name) for name in _LIBRARIES},
        "input": {
            "document_sha256": _sha(request.canonical.encode()),
            "load": {"source": request.load.source, "sha256": request.load.sha256},
            "weather": {"source": weather.source, "sha256": weather.sha256},
        },
        "emission_factor": {
            "kg_per_kwh": str(request.factor.kg_per_kwh),
            "edition": request.factor.edition,
            "year": request.factor.year,
            "source": request.factor.source,
        },
        "seed": request.seed,
    }
    return facts | {"fingerprint": _sha(_json(facts))}


def _notes(request: TwinRequest, prepared: _Prepared, solved: _Solved) -> list[str]:
    weather = prepared.weather
    notes = [
        str(item)
        for item in (
            msg(
                "气象取自内置典型年“{name}”（北纬 {lat}°），不是园区本地实测，发电量仅供方案比选。",
                name=weather.name,
                lat=f"{weather.latitude:.2f}",
            ),
            msg("碳排放按购入电量与{year}年因子（{edition}）计算，上网电量不抵减。",
                year=request.factor.year, edition=request.factor.edition),
            *(msg("负荷数据：{note}", note=note) for note in request.load.notes),
        )
    ]  # fmt: skip
    if len(prepared.unit) > 0 and solved.solver and solved.solver[0]["scenario"] == "size":
        steps = solved.solver[0]["steps"]
        if steps != request.horizon.steps:
            notes.append(str(msg("容量先按小时模型选定，再按 {minutes} 分钟全年重新优化并计费。",
                                 minutes=request.horizon.step_minutes)))  # fmt: skip
    if solved.plan.capped:
        notes.append(str(msg("上网电价高于部分时段购电价：优化时已限制同一时刻买卖电，结果偏保守。")))
    return notes


def _json(document: Mapping[str, object]) -> bytes:
    return json.dumps(document, ensure_ascii=False, sort_keys=True, indent=1, allow_nan=False).encode() + b"\n"


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
