"""The twin beside the raw solver, and ten scenarios of a year beside PyPSA and linopy on the same cases."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import highspy
import numpy as np

from services.gateways import twin
from services.gateways.sandbox import Limits, run_limited
from services.gateways.solver import Solver, _model
from services.gateways.twin_model import Site
from services.rules.demo_park import demo_park
from services.rules.twin.dispatch import make_dispatch
from services.rules.twin.dispatch_program import Case, dispatch_program, make_plan, read_flows
from services.rules.twin.inputs import Floats, TwinRequest
from services.rules.twin.scenarios import month_peaks
from services.rules.twin.tariff import PERIODS, Prices
from services.usecases.twin_alone import no_files, read_request
from tests.benchmarks.figures import Figure

PEER = Path("build/peers/bin/python")
SCENARIOS: tuple[dict[str, float], ...] = (
    {},
    {"buy": 1.05},
    {"dear": 1.2},
    {"demand": 1.2},
    {"demand": 0.8},
    {"sell": 1.05},
    {"load": 1.1},
    {"load": 0.9},
    {"pv": 1.5},
    {"battery": 2.0},
)
"""What is multiplied in each; the first is the demo's year as it is."""


def bench_twin() -> list[Figure]:
    """Measure a year's run at 15 minutes (PV, battery and tariff, no sizing), then ten scenarios of it."""
    request, site = _year()
    ratio = _beside_raw(request, site)
    outcome = run_limited(twin.run_twin, request, limits=Limits(cpu_seconds=120))
    sized = run_limited(twin.run_twin, _request(demo_park()), limits=Limits(cpu_seconds=120))
    figures = [
        Figure("twin", f"{ratio:.2f}", "≤ 1.3", "CPU of a year at 15 minutes ÷ CPU of the raw solver"),
        Figure("twin, CPU", f"{outcome.cpu_seconds:.1f} s", "≤ 10 s", "the same, a child's start included"),
        Figure("twin, memory", f"{outcome.peak_mb:.0f} MB", "≤ 500 MB", "peak of the same"),
        Figure(
            "twin, sized", f"{sized.cpu_seconds:.1f} s", "≤ 10 s",
            f"the whole demo park, PV and battery sized, gap {_gap(sized.value):.1e}, {sized.peak_mb:.0f} MB",
        ),
    ]  # fmt: skip
    return figures + _beside_peers(request, site)


def _gap(result: twin.TwinResult) -> float:
    found: Any = result.kpis
    return float(found["sizing_gap"])


def _request(document: dict[str, Any]) -> TwinRequest:
    return read_request(json.dumps(document).encode(), no_files)


def _year() -> tuple[TwinRequest, Site]:
    document = demo_park()
    for part in ("sizing", "wind", "buildings", "network", "logistics", "fuels"):
        del document[part]
    request = _request(document)
    return request, twin._prepare(request, lambda _stage, _done: None).site


def _beside_raw(request: TwinRequest, site: Site) -> float:
    """Return the run's CPU over that of one raw HiGHS solve of its prebuilt matrix, the better of two tries each.

    The libraries are loaded before the clock starts.
    """
    case = Case(request.load.kw, site.generation(request.pv.kwp), request.battery)
    plan = make_plan([case], site.calendar, site.prices)
    model = _model(dispatch_program(plan, case, site.calendar, site.prices))
    raw, whole = [], []
    for _ in range(2):
        highs = highspy.Highs()
        for name, value in (("output_flag", False), ("threads", 1), ("solver", "simplex")):
            highs.setOptionValue(name, value)
        began = time.process_time()
        highs.passModel(model)
        highs.run()
        raw.append(time.process_time() - began)
        began = time.process_time()
        twin.run_twin(request, progress=lambda _stage, _done: None)
        whole.append(time.process_time() - began)
    return min(whole) / min(raw)


def _scenarios(request: TwinRequest, site: Site) -> list[tuple[Case, Prices]]:
    dear = np.isin(site.prices.period, [0, 1])
    assert [item.value for item in PERIODS[:2]] == ["sharp", "peak"]
    found = []
    for change in SCENARIOS:
        size = change.get("battery", 1.0)
        battery = replace(request.battery, kwh=request.battery.kwh * size, kw=request.battery.kw * size)
        load, pv = request.load.kw * change.get("load", 1.0), site.generation(request.pv.kwp) * change.get("pv", 1.0)
        prices = replace(
            site.prices,
            buy=site.prices.buy * change.get("buy", 1.0) * np.where(dear, change.get("dear", 1.0), 1.0),
            sell=site.prices.sell * change.get("sell", 1.0),
            demand=site.prices.demand * change.get("demand", 1.0),
        )
        found.append((Case(load, pv, battery), prices))
    return found


def solve_scenarios(cases: list[tuple[Case, Prices]], site: Site) -> tuple[list[float], float]:
    """Return each case's cost in yuan and the CPU of writing and solving them all, each from the last one's basis."""
    began = time.process_time()
    dearest = np.maximum.reduce([prices.sell for _, prices in cases])
    lowest = replace(cases[0][1], buy=np.minimum.reduce([prices.buy for _, prices in cases]))
    plan = make_plan([case for case, _ in cases], site.calendar, lowest, dearest_sell=dearest)
    solver, costs = Solver(), []
    for case, prices in cases:
        answer = solver.solve(dispatch_program(plan, case, site.calendar, prices))
        costs.append(_cost(case, prices, site, *read_flows(plan, site.calendar, answer.values)))
    return costs, time.process_time() - began


def _cost(case: Case, prices: Prices, site: Site, charge: Floats, discharge: Floats) -> float:
    hours = site.calendar.horizon.hours
    flow = make_dispatch(case.load, case.pv, charge, discharge, case.battery, hours, may_export=True)
    peaks = month_peaks(site.calendar, flow.imported)
    return float(hours * (flow.imported @ prices.buy - flow.exported @ prices.sell) + prices.demand * peaks.sum())


def _beside_peers(request: TwinRequest, site: Site) -> list[Figure]:
    if not PEER.exists():
        return [Figure("twin, ten scenarios", "–", "≥ 4", "the peers are not installed: make peers")]
    cases = _scenarios(request, site)
    ours, cpu = solve_scenarios(cases, site)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cases.npz"
        np.savez(path, **_arrays(cases, site))
        pypsa, linopy = _peer("pypsa", path), _peer("linopy", path)
    figures = []
    for name, answers, target in (("PyPSA", pypsa, "≥ 4"), ("linopy", linopy, "–")):
        theirs = sum(item["cpu"] for item in answers)
        away = max(abs(item["objective"] / own - 1) for item, own in zip(answers, ours, strict=True))
        detail = f"{theirs:.1f} CPU s of {name} ÷ {cpu:.1f} of ours; objectives within {away:.0e} of each other"
        figures.append(Figure(f"ten scenarios, {name}", f"{theirs / cpu:.1f}", target, detail))
    return figures


def _arrays(cases: list[tuple[Case, Prices]], site: Site) -> dict[str, Any]:
    found: dict[str, Any] = {"count": len(cases)}
    for number, (case, prices) in enumerate(cases):
        battery = case.battery
        found |= {
            f"{number}:{name}": np.asarray(value)
            for name, value in {
                "load": case.load, "pv": case.pv, "buy": prices.buy, "sell": prices.sell, "demand": prices.demand,
                "month": site.calendar.month, "hours": site.calendar.horizon.hours, "kw": battery.kw,
                "kwh": battery.usable * battery.kwh, "one_way": battery.one_way,
                "start_kwh": (battery.soc_start - battery.soc_min) * battery.kwh,
            }.items()
        }  # fmt: skip
    return found


def _peer(name: str, path: Path) -> list[dict[str, float]]:
    """Let a peer solve the cases on one thread; its own progress bars are not listened to."""
    script = Path(__file__).with_name("peer_dispatch.py")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": ""}
    done = subprocess.run(
        [str(PEER), str(script), name, str(path)], check=True, capture_output=True, text=True, env=environment
    )
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


if __name__ == "__main__":
    for figure in bench_twin():
        sys.stdout.write(f"{figure.row()}\n")
