"""A twin run from a request to its files: deterministic, without database, network or clock.

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

from services.gateways.twin_files import flows_document, report_documents, series_csv
from services.gateways.twin_full_feed import optimise_beside
from services.gateways.twin_model import Site
from services.gateways.twin_notes import quality_notes
from services.gateways.twin_optimum import Optimum, Shifted, optimise
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
from services.rules.twin.calendar import make_calendar
from services.rules.twin.dispatch import Balance, check_balance
from services.rules.twin.emissions import Emissions
from services.rules.twin.inputs import FeedInMode, TwinRequest
from services.rules.twin.network import GridCheck
from services.rules.twin.photovoltaics import step_yield
from services.rules.twin.processes import usual_shares
from services.rules.twin.scenarios import Investment, Kpis, Scenario, horizon_share, make_investment, make_kpis
from services.rules.twin.shadow_prices import shadow_prices
from services.rules.twin.tariff import step_prices
from services.rules.twin.weather_year import Weather
from tenants.kernel.errors import Unavailable
from tenants.kernel.messages import msg

ENGINE_VERSION = "2.0.0"
_TOLERANCE = 1e-6
_MOVED = 1e-6
_LIBRARIES = ("highspy", "numpy", "pandas", "power-grid-model", "pvlib", "pyarrow", "simpy", "typst", "xlsxwriter")

Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class TwinResult:
    """Key figures as in ``kpis.json``, and the files by name."""

    kpis: Mapping[str, object]
    files: Mapping[str, bytes]


@dataclass(frozen=True, eq=False)
class _Prepared:
    site: Site
    weather: Weather
    physics: Physics


def run_twin(request: TwinRequest, *, progress: Progress) -> TwinResult:
    """Run the twin. The stages reported are prepare, photovoltaics, size, optimise, extend, grid, report and done.

    Raises Invalid for inputs that admit no answer and Unavailable when the solver gives up.
    """
    began = time.process_time()
    progress("prepare", 0.0)
    prepared = _prepare(request, progress)
    request = with_load(request, prepared.physics)
    site, physics = prepared.site, prepared.physics
    full = request.feed_in.mode is FeedInMode.FULL
    solved = (optimise_beside if full else optimise)(request, site, progress)
    worst = [_proven(scenario, request, full=full) for scenario in solved.scenarios]
    progress("grid", 0.85)
    checks = _checks(request, physics, solved)
    progress("report", 0.9)
    kpis = {item.name: _kpis(item, request, physics) for item in solved.scenarios}
    emissions = {name: scenario_emissions(request, physics, item.import_kwh) for name, item in kpis.items()}
    share = horizon_share(site.calendar)
    investment = make_investment(request, solved.additions, kpis["optimised"], kpis["sized"], share)
    may_advise = {name: _kpis(item, request, physics) for name, item in solved.advised.items()}
    advice = rank_advice(may_advise, solved.additions, solved.advised, site.calendar)
    document = _kpi_document(request, physics, kpis, solved, investment, advice, emissions)
    document["shadow_prices"] = _shadow_prices(request, site, solved)
    document |= physics_document(request, physics, checks)
    identity = _identity(request, prepared.weather)
    notes = quality_notes(request, prepared.weather, physics, solved, checks)
    series = render_series(site.calendar, site.prices, solved.scenarios, physics)
    shown = ReportInput(request, site.calendar, site.prices, prepared.weather, solved.scenarios, kpis,
                        solved.additions, investment, advice, notes, identity, physics, checks, emissions, document)  # fmt: skip
    flows = flows_document(solved.scenarios, site.calendar, feeds_all_in=full)
    files = {
        "kpis.json": _json(document),
        "series.parquet": series,
        "series.csv": series_csv(series),
        "flows.json": _compact(flows),
        "report.html": render_report(shown),
        **report_documents(shown, flows),
    }
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
    prices = step_prices(calendar, request.tariff, request.feed_in, request.carbon_yuan_per_kwh)
    weather = request.weather
    progress("photovoltaics", 0.05)
    wanted = request.pv.kwp > 0 or (request.sizing is not None and request.sizing.pv_max_kwp > 0)
    unit = step_yield(weather, request.pv, calendar) if wanted else np.zeros(request.horizon.steps)
    physics = run_physics(request, calendar)
    site = Site(calendar, prices, unit, request.feed_in.mode is FeedInMode.SURPLUS, physics.wind)
    return _Prepared(site, weather, physics)


def _checks(request: TwinRequest, physics: Physics, solved: Optimum) -> dict[str, GridCheck]:
    """Check the park's grid under every scenario."""
    checks = {item.name: check_network(request, physics, item.flow) for item in solved.scenarios}
    return {name: check for name, check in checks.items() if check is not None}


def _kpis(scenario: Scenario, request: TwinRequest, physics: Physics) -> Kpis:
    """Return key figures with the wind taken out of what is called PV, and all emissions in."""
    kpis = make_kpis(scenario, request)
    wind = float(physics.wind.sum()) * request.horizon.hours
    emissions = scenario_emissions(request, physics, kpis.import_kwh)
    return replace(kpis, pv_kwh=round(kpis.pv_kwh - wind, 3) + 0.0, emissions_t=round(emissions.total, 3))


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


def _kpi_document(
    request: TwinRequest,
    physics: Physics,
    kpis: Mapping[str, Kpis],
    solved: Optimum,
    investment: Investment,
    advice: tuple[Advice, ...],
    emissions: Mapping[str, Emissions],
) -> dict[str, object]:
    scenarios: dict[str, object] = {
        item.name: asdict(kpis[item.name]) | {"bill_parts_yuan": _parts(item)} | _tonnes(emissions[item.name])
        for item in solved.scenarios
    }
    return scenarios | {
        "objective_yuan": kpis["sized"].objective_yuan,
        "additions": asdict(solved.additions),
        "investment": asdict(investment),
        "advice": [
            {"code": item.code, "text": str(item.text), "saving_yuan": round(item.saving_yuan, 2),
             "avoided_t": round(item.avoided_t, 3), "hours": item.hours}
            for item in advice
        ],
        "sizing_gap": None if solved.sizing_gap is None else round(solved.sizing_gap, 8),
        "processes": None if solved.shifted is None else _processes(request, solved.shifted),
        "scenarios": [
            {"name": item.name, **asdict(_kpis(item, asked, physics)), "bill_parts_yuan": _parts(item)}
            for item, asked in solved.varied
        ],
    }  # fmt: skip


def _parts(scenario: Scenario) -> dict[str, float]:
    return {kind: fen / 100 for kind, fen in scenario.bill.by_kind().items()}


def _tonnes(emissions: Emissions) -> dict[str, object]:
    return {
        "emissions_by_scope_t": {"scope_1": round(emissions.scope_1, 3), "scope_2": round(emissions.scope_2, 3)},
        "emissions_by_purpose_t": {name: round(tonnes, 3) for name, tonnes in emissions.by_purpose.items()},
    }


def _processes(request: TwinRequest, shifted: Shifted) -> dict[str, object]:
    """How many runs of each process were found, and how many of them the optimum moves."""
    jobs = list(zip(shifted.found.jobs, shifted.timetable.shares, strict=True))
    return {
        "gap": round(shifted.gap, 8),
        "runs": [
            {
                "name": process.name,
                "found": sum(job.process == number for job, _ in jobs),
                "moved": sum(
                    job.process == number and float(np.abs(share - usual_shares(job)).max()) > _MOVED
                    for job, share in jobs
                ),
                "not_seen": shifted.found.missed[number],
            }
            for number, process in enumerate(request.processes)
        ],
    }


def _shadow_prices(request: TwinRequest, site: Site, solved: Optimum) -> list[dict[str, object]]:
    share = horizon_share(site.calendar)
    found = shadow_prices(solved.worth, site.calendar, site.prices, site.unit, request.sizing, share, solved.additions)
    return [
        {"scenario": solved.worth_of, "code": item.code, "unit": item.unit, "value_yuan": round(item.value_yuan, 4),
         "text": str(item.text)}
        for item in found
    ]  # fmt: skip


def fingerprint(request: TwinRequest) -> str:
    """Return the hash of all that the answer depends on, before the run: the same one means the same figures."""
    return str(_identity(request, request.weather)["fingerprint"])


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


def _compact(document: Mapping[str, object]) -> bytes:
    return json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
