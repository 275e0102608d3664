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

from services.gateways.twin_model import Site
from services.gateways.twin_optimum import Optimum, Shifted, optimise
from services.gateways.twin_report import ReportInput, render_report
from services.gateways.twin_series import render_series
from services.gateways.weather import read_builtin_weather
from services.rules.twin.advice import Advice, rank_advice
from services.rules.twin.calendar import make_calendar
from services.rules.twin.dispatch import Balance, check_balance
from services.rules.twin.inputs import FeedInMode, TwinRequest
from services.rules.twin.photovoltaics import Weather, step_yield
from services.rules.twin.processes import usual_shares
from services.rules.twin.scenarios import Investment, Kpis, Scenario, horizon_share, make_investment, make_kpis
from services.rules.twin.shadow_prices import shadow_prices
from services.rules.twin.tariff import step_prices
from tenants.kernel.errors import Unavailable
from tenants.kernel.messages import msg

ENGINE_VERSION = "1.0.0"
_TOLERANCE = 1e-6
_MOVED = 1e-6
_LIBRARIES = ("highspy", "numpy", "pandas", "pvlib", "pyarrow")

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


def run_twin(request: TwinRequest, *, progress: Progress) -> TwinResult:
    """Run the twin. The stages reported are prepare, photovoltaics, size, optimise, extend, report and done.

    Raises Invalid for inputs that admit no answer and Unavailable when the solver gives up.
    """
    began = time.process_time()
    progress("prepare", 0.0)
    prepared = _prepare(request, progress)
    site = prepared.site
    solved = optimise(request, site, progress)
    progress("report", 0.85)
    worst = [_proven(scenario, request) for scenario in solved.scenarios]
    kpis = {item.name: make_kpis(item, request) for item in solved.scenarios}
    share = horizon_share(site.calendar)
    investment = make_investment(request, solved.additions, kpis["optimised"], kpis["sized"], share)
    may_advise = {name: make_kpis(item, request) for name, item in solved.advised.items()}
    advice = rank_advice(may_advise, solved.additions, solved.advised, site.calendar)
    document = _kpi_document(request, kpis, solved, investment, advice)
    document["shadow_prices"] = _shadow_prices(request, site, solved)
    identity = _identity(request, prepared.weather)
    notes = _notes(request, prepared, solved)
    series = render_series(site.calendar, site.prices, solved.scenarios)
    report = render_report(
        ReportInput(request, site.calendar, site.prices, prepared.weather, solved.scenarios, kpis,
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
    prices = step_prices(calendar, request.tariff, request.feed_in, request.carbon_yuan_per_kwh)
    weather = read_builtin_weather(request.weather)
    progress("photovoltaics", 0.05)
    wanted = request.pv.kwp > 0 or (request.sizing is not None and request.sizing.pv_max_kwp > 0)
    unit = step_yield(weather, request.pv, calendar) if wanted else np.zeros(request.horizon.steps)
    site = Site(calendar, prices, unit, request.feed_in.mode is FeedInMode.SURPLUS)
    return _Prepared(site, weather)


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


def _kpi_document(
    request: TwinRequest,
    kpis: Mapping[str, Kpis],
    solved: Optimum,
    investment: Investment,
    advice: tuple[Advice, ...],
) -> dict[str, object]:
    scenarios: dict[str, object] = {
        item.name: asdict(kpis[item.name]) | {"bill_parts_yuan": _parts(item)} for item in solved.scenarios
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
            {"name": item.name, **asdict(make_kpis(item, asked)), "bill_parts_yuan": _parts(item)}
            for item, asked in solved.varied
        ],
    }  # fmt: skip


def _parts(scenario: Scenario) -> dict[str, float]:
    return {kind: fen / 100 for kind, fen in scenario.bill.by_kind().items()}


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
    found = shadow_prices(
        solved.worth, site.calendar, site.prices, site.unit, request.sizing, horizon_share(site.calendar)
    )
    return [
        {"scenario": solved.worth_of, "code": item.code, "unit": item.unit, "value_yuan": round(item.value_yuan, 4),
         "text": str(item.text)}
        for item in found
    ]  # fmt: skip


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


def _notes(request: TwinRequest, prepared: _Prepared, solved: Optimum) -> list[str]:
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
    if solved.sizing_gap is not None:
        notes.append(str(msg("容量先按小时模型选定，再按 {minutes} 分钟逐步求精；与理论最优的差距不超过 {gap}%。",
                             minutes=request.horizon.step_minutes, gap=f"{100 * solved.sizing_gap:.4f}")))  # fmt: skip
    if solved.shifted is not None:
        notes.append(str(msg("可移动工序的运行时段与理论最优的差距不超过 {gap}%。",
                             gap=f"{100 * solved.shifted.gap:.4f}")))  # fmt: skip
    if solved.plan.capped:
        notes.append(str(msg("上网电价高于部分时段购电价：优化时已限制同一时刻买卖电，结果偏保守。")))
    return notes


def _json(document: Mapping[str, object]) -> bytes:
    return json.dumps(document, ensure_ascii=False, sort_keys=True, indent=1, allow_nan=False).encode() + b"\n"


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
