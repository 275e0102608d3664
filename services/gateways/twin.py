"""A twin run from a request to its four files: deterministic, without database, network or clock.

It may run in a child process: the request and the result travel by pickle.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version

import numpy as np

from services.gateways.solver import Solution, Solver
from services.gateways.twin_notes import quality_notes
from services.gateways.twin_physics import (
    Physics,
    check_network,
    physics_document,
    run_physics,
    scenario_emissions,
    with_load,
)
from services.gateways.twin_report import ReportInput, render_report
from services.gateways.twin_series import render_series
from services.rules.twin.advice import Advice, rank_advice
from services.rules.twin.calendar import Calendar, make_calendar
from services.rules.twin.dispatch import Balance, Dispatch, check_balance, habitual_dispatch, make_dispatch
from services.rules.twin.dispatch_program import Case, Plan, dispatch_program, make_plan, read_flows
from services.rules.twin.emissions import Emissions
from services.rules.twin.inputs import FeedInMode, Floats, TwinRequest
from services.rules.twin.network import GridCheck
from services.rules.twin.photovoltaics import step_yield
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
from services.rules.twin.weather_year import Weather
from tenants.kernel.errors import Unavailable
from tenants.kernel.messages import msg

ENGINE_VERSION = "2.0.0"
_TOLERANCE = 1e-6
_LIBRARIES = ("highspy", "numpy", "pandas", "power-grid-model", "pvlib", "pyarrow", "simpy")

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
    physics: Physics
    may_export: bool
    full: bool

    @property
    def deciding(self) -> Prices:
        """Prices while deciding: with a meter of its own for PV, what the park's own meter feeds in earns nothing."""
        return replace(self.prices, sell=np.zeros_like(self.prices.sell)) if self.full else self.prices


@dataclass(frozen=True, eq=False)
class _Solved:
    scenarios: tuple[Scenario, Scenario, Scenario]
    with_pv: Scenario
    additions: Additions
    solver: tuple[dict[str, object], ...]
    plan: Plan


def run_twin(request: TwinRequest, *, progress: Progress) -> TwinResult:
    """Run the twin. The stages reported are prepare, photovoltaics, size, optimise, extend, grid, report and done.

    Raises Invalid for inputs that admit no answer and Unavailable when the solver gives up.
    """
    began = time.process_time()
    progress("prepare", 0.0)
    prepared = _prepare(request, progress)
    request = with_load(request, prepared.physics)
    solved = _solve(request, prepared, progress)
    worst = [_proven(scenario, request, full=prepared.full) for scenario in solved.scenarios]
    progress("grid", 0.8)
    checks = _checks(request, prepared, solved)
    progress("report", 0.88)
    kpis = {item.name: _kpis(item, request, prepared) for item in solved.scenarios}
    emissions = {name: scenario_emissions(request, prepared.physics, item.import_kwh) for name, item in kpis.items()}
    share = horizon_share(prepared.calendar)
    investment = make_investment(request, solved.additions, kpis["optimised"], kpis["sized"], share)
    pv_only = _kpis(solved.with_pv, request, prepared)
    advice = rank_advice(
        kpis["as_is"], kpis["optimised"], pv_only, kpis["sized"], solved.additions, solved.scenarios[1]
    )
    document = _kpi_document(kpis, solved, investment, advice, emissions)
    document |= physics_document(request, prepared.physics, checks)
    identity = _identity(request, prepared.weather)
    notes = quality_notes(request, prepared.weather, prepared.physics, solved.solver, capped=solved.plan.capped)
    series = render_series(prepared.calendar, prepared.prices, solved.scenarios, prepared.physics)
    report = render_report(
        ReportInput(request, prepared.calendar, prepared.prices, prepared.weather, solved.scenarios, kpis,
                    solved.additions, investment, advice, notes, identity, prepared.physics, checks, emissions)
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
    weather = request.weather
    progress("photovoltaics", 0.05)
    wanted = request.pv.kwp > 0 or (request.sizing is not None and request.sizing.pv_max_kwp > 0)
    unit = step_yield(weather, request.pv, calendar) if wanted else np.zeros(request.horizon.steps)
    physics = run_physics(request, calendar)
    mode = request.feed_in.mode
    return _Prepared(calendar, prices, weather, unit, physics, mode is FeedInMode.SURPLUS, mode is FeedInMode.FULL)


def _generation(request: TwinRequest, prepared: _Prepared, added_kwp: float = 0.0) -> Floats:
    """Return kW behind the park's meter: wind, and the PV unless all of it is fed in through its own meter."""
    kwp = 0.0 if prepared.full else request.pv.kwp + added_kwp
    return kwp * prepared.unit + prepared.physics.wind


def _beside(flow: Dispatch, request: TwinRequest, prepared: _Prepared, added_kwp: float) -> Dispatch:
    """Return the flow with the PV that feeds in beside the park's own meter, where there is such."""
    if not prepared.full:
        return flow
    fed = (request.pv.kwp + added_kwp) * prepared.unit
    return replace(flow, pv=flow.pv + fed, exported=flow.exported + fed)


def _checks(request: TwinRequest, prepared: _Prepared, solved: _Solved) -> dict[str, GridCheck]:
    """Check the park's grid under every scenario."""
    checks = {item.name: check_network(request, prepared.physics, item.flow) for item in solved.scenarios}
    return {name: check for name, check in checks.items() if check is not None}


def _kpis(scenario: Scenario, request: TwinRequest, prepared: _Prepared) -> Kpis:
    """Return key figures with the wind taken out of what is called PV, and all emissions in."""
    kpis = make_kpis(scenario, request)
    wind = float(prepared.physics.wind.sum()) * request.horizon.hours
    emissions = scenario_emissions(request, prepared.physics, kpis.import_kwh)
    return replace(kpis, pv_kwh=round(kpis.pv_kwh - wind, 3), emissions_t=round(emissions.total, 3))


def _solve(request: TwinRequest, prepared: _Prepared, progress: Progress) -> _Solved:
    calendar, prices, load = prepared.calendar, prepared.prices, request.load.kw
    pv = _generation(request, prepared)
    records: list[dict[str, object]] = []
    habit = habitual_dispatch(load, pv, request.battery, calendar, prices, may_export=prepared.may_export)
    habit = _beside(habit, request, prepared, 0.0)
    none = Additions()
    as_is = make_scenario("as_is", request, calendar, prices, habit, none)
    progress("size", 0.15)
    additions = _size(request, prepared, records)
    cases = [Case(load, pv, request.battery)]
    if additions != none:
        cases.append(Case(load, _generation(request, prepared, additions.pv_kwp), extended(request.battery, additions)))
    plan = make_plan(cases, calendar, prepared.deciding)
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
    unit = np.zeros_like(prepared.unit) if prepared.full else prepared.unit
    coarse = coarsen(prepared.calendar, prepared.deciding, request.load.kw, _generation(request, prepared), unit)
    program = sizing_program(coarse, request.battery, sizing, prepared.prices.demand, len(prepared.calendar.months))
    answer = Solver().solve(program)
    records.append(_record("size", answer, len(coarse.load)))
    additions = read_additions(answer.values)
    return replace(additions, pv_kwp=_fed_in_kwp(request, prepared)) if prepared.full else additions


def _fed_in_kwp(request: TwinRequest, prepared: _Prepared) -> float:
    """PV that feeds in everything is worth its cost or not, whatever the rest of the park does: all of it, or none."""
    sizing, hours = request.sizing, request.horizon.hours
    if sizing is None:
        return 0.0
    earns = float(prepared.unit @ prepared.prices.sell) * hours
    return sizing.pv_max_kwp if earns > sizing.pv_yearly * horizon_share(prepared.calendar) else 0.0


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
        answer = solver.solve(dispatch_program(plan, case, prepared.calendar, prepared.deciding))
        records.append(_record(name, answer, plan.steps))
        charge, discharge = read_flows(plan, prepared.calendar, answer.values)
    else:  # nothing to decide
        charge = discharge = np.zeros(plan.steps)
    flow = make_dispatch(
        case.load, case.pv, charge, discharge, case.battery, request.horizon.hours, may_export=prepared.may_export
    )
    flow = _beside(flow, request, prepared, additions.pv_kwp)
    return make_scenario(name, request, prepared.calendar, prepared.prices, flow, additions)


def _pv_only(request: TwinRequest, prepared: _Prepared, additions: Additions) -> Scenario:
    """Today's way of running with the added PV alone: what the PV brings by itself."""
    pv = _generation(request, prepared, additions.pv_kwp)
    flow = habitual_dispatch(
        request.load.kw, pv, request.battery, prepared.calendar, prepared.prices, may_export=prepared.may_export
    )
    flow = _beside(flow, request, prepared, additions.pv_kwp)
    only = Additions(pv_kwp=additions.pv_kwp)
    return make_scenario("with_pv", request, prepared.calendar, prepared.prices, flow, only)


def _proven(scenario: Scenario, request: TwinRequest, *, full: bool) -> Balance:
    """Refuse to deliver flows that do not balance: a wrong report is worse than none."""
    balance = check_balance(scenario.flow, scenario.battery, request.horizon.hours)
    if full:  # two meters: one may buy while the other feeds in
        balance = replace(balance, both_ways_kw=0.0)
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
    kpis: Mapping[str, Kpis],
    solved: _Solved,
    investment: Investment,
    advice: tuple[Advice, ...],
    emissions: Mapping[str, Emissions],
) -> dict[str, object]:
    scenarios: dict[str, object] = {
        item.name: asdict(kpis[item.name])
        | {"bill_parts_yuan": {kind: fen / 100 for kind, fen in item.bill.by_kind().items()}}
        | {
            "emissions_by_scope_t": {
                "scope_1": round(emissions[item.name].scope_1, 3),
                "scope_2": round(emissions[item.name].scope_2, 3),
            },
            "emissions_by_purpose_t": {
                name: round(tonnes, 3) for name, tonnes in emissions[item.name].by_purpose.items()
            },
        }
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


def _json(document: Mapping[str, object]) -> bytes:
    return json.dumps(document, ensure_ascii=False, sort_keys=True, indent=1, allow_nan=False).encode() + b"\n"


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
