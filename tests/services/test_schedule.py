"""A schedule can be carried out, makes no new peak, says what each change saves, and adds up."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from services.gateways.schedule import ScheduleResult, run_schedule
from services.gateways.schedule_words import times
from services.rules.demo_park import demo_week
from services.rules.twin.calendar import make_calendar
from services.rules.twin.dispatch import make_dispatch
from services.rules.twin.inputs import Battery, Process
from services.rules.twin.processes import find_jobs, job_power, usual_shares
from services.rules.twin.schedule import ScheduleRequest, Stretch
from services.rules.twin.schedule_check import check_schedule
from tenants.kernel.errors import Invalid
from tests.services.parks import quiet, request_of


def _run(days: int = 2, so_far: float = 1200.0, cap: float | None = None, **changes: Any) -> ScheduleResult:
    park = request_of(demo_week(days=days) | changes)
    return run_schedule(ScheduleRequest(park, so_far, cap), progress=quiet)


@pytest.fixture(scope="module")
def two_days() -> ScheduleResult:
    return _run()


def test_the_parts_sum_and_the_steps_lead_from_today_to_the_plan(two_days: ScheduleResult) -> None:
    kpis: Any = two_days.kpis
    for name in ("today", "planned"):
        parts = kpis[f"bill_parts_yuan_{name}"]
        assert round(sum(parts.values()), 2) == kpis[f"energy_yuan_{name}"]
        cost = kpis[f"cost_{name}"]
        assert round(cost["energy"] + cost["feed_in"], 2) == kpis[f"energy_yuan_{name}"]
    saved = sum(kpis["cost_today"].values()) - sum(kpis["cost_planned"].values())
    assert kpis["saving_yuan"] == round(saved, 2) > 1000
    page = two_days.files["schedule.html"].decode()
    assert f"{kpis['saving_yuan']:,.2f} 元" in page
    assert "校核" in page
    assert kpis["solver_gap"] <= 1e-5


def test_no_new_peak_is_made_and_a_cap_below_it_is_kept(two_days: ScheduleResult) -> None:
    kpis: Any = two_days.kpis
    assert kpis["peak_kw_planned"] <= max(1200.0, kpis["peak_kw_today"])
    assert _run(cap=1000.0).kpis["peak_kw_planned"] <= 1000.01  # type: ignore[operator]


def test_a_cap_that_cannot_be_kept_is_refused_with_the_lowest_that_can() -> None:
    with pytest.raises(Invalid) as caught:
        _run(days=1, cap=300.0)
    assert (caught.value.code, caught.value.errors[0].field) == ("schedule.cap_too_low", "demand.cap_kw")
    lowest = float(str(caught.value.message).partition("最低为 ")[2].partition(" kW")[0].replace(",", ""))
    assert _run(days=1, cap=lowest).kpis["peak_kw_planned"] <= lowest + 0.1  # type: ignore[operator]
    with pytest.raises(Invalid):
        _run(days=1, cap=lowest - 2)


def test_advice_stands_by_itself_and_is_ranked(two_days: ScheduleResult) -> None:
    """Whoever follows one piece alone makes no new peak; what needs the whole schedule is no advice of its own."""
    advice: Any = two_days.kpis["advice"]
    assert [item["saving_yuan"] for item in advice] == sorted((item["saving_yuan"] for item in advice), reverse=True)
    assert all(item["why"] and item["hours"] and item["saving_yuan"] > 0 for item in advice)
    kpis: Any = _tight().kpis
    page = _tight().files["schedule.html"].decode()
    assert "单独执行会产生新的最大需量" in page
    assert not any("单独执行会产生新的最大需量" in item["why"] for item in kpis["advice"])


def _tight() -> ScheduleResult:
    """Two processes trade places: either move by itself would put both into the cheap hours at once."""
    load = np.full(96, 100.0)
    load[40:48] += 300  # 10:00 to 12:00, dear
    load[48:56] += 300  # 12:00 to 14:00, cheap: taken by the other, which may as well run later
    window, later = {"from": "10:00", "to": "14:00"}, {"from": "12:00", "to": "16:00"}
    park = demo_week(days=1) | {
        "load": {"values_kw": load.tolist()},
        "battery": {"kwh": 0, "kw": 0},
        "pv": {"kwp": 0},
        "processes": [
            {"name": "甲", "kw": 300, "run_minutes": 120, "usual_start": "10:00", "window": window},
            {"name": "乙", "kw": 300, "run_minutes": 120, "usual_start": "12:00", "window": later},
        ],
    }  # fmt: skip
    return run_schedule(ScheduleRequest(request_of(park), 0.0, None), progress=quiet)


def test_the_table_has_a_row_per_step_whose_meter_is_what_was_billed(two_days: ScheduleResult) -> None:
    rows = list(csv.reader(io.StringIO(two_days.files["schedule.csv"].decode("utf-8-sig"))))
    header, body = rows[0], rows[1:]
    assert len(body) == 2 * 96
    assert (body[0][0], body[1][0]) == ("2025-07-14 00:00", "2025-07-14 00:15")
    column = {name: [float(row[at]) for row in body] for at, name in enumerate(header) if at > 1}
    bought = np.array(column["计划购电（kW）"])
    kpis: Any = two_days.kpis
    assert float(bought.max()) == pytest.approx(kpis["peak_kw_planned"], abs=0.06)
    energy = float((bought * np.array(column["购电价（元/kWh）"])).sum()) / 4
    assert energy == pytest.approx(kpis["cost_planned"]["energy"], abs=1.0)
    boiling = np.array(column["蒸煮杀菌（kW）"]) > 0
    packing = np.array(column["灌装包装（kW）"]) > 0
    for day in (slice(0, 96), slice(96, 192)):
        assert boiling[day].sum() == 12
        assert np.flatnonzero(packing[day])[0] > np.flatnonzero(boiling[day])[-1]
    assert two_days.files["schedule.xlsx"].startswith(b"PK")


def test_the_same_request_gives_the_same_bytes(two_days: ScheduleResult) -> None:
    again = _run()
    for name in ("kpis.json", "schedule.csv", "schedule.xlsx", "schedule.html"):
        assert again.files[name] == two_days.files[name]
    first, second = (json.loads(item.files["manifest.json"]) for item in (two_days, again))
    assert first["fingerprint"] == second["fingerprint"]


def test_a_forecast_of_pv_replaces_the_typical_year() -> None:
    park = request_of(demo_week(days=1))
    dark = run_schedule(ScheduleRequest(park, pv_forecast=np.zeros(96)), progress=quiet)
    assert "典型气象年" not in dark.files["schedule.html"].decode()
    assert "典型气象年" in _run(days=1).files["schedule.html"].decode()


def test_a_park_with_nothing_to_decide_is_refused() -> None:
    park = demo_week(days=1) | {"battery": {"kwh": 0, "kw": 0}, "load": {"values_kw": [10.0] * 96}}
    with pytest.raises(Invalid) as caught:
        run_schedule(ScheduleRequest(request_of(park)), progress=quiet)
    assert caught.value.code == "schedule.nothing"


def test_names_are_no_formulas_and_no_markup() -> None:
    evil = demo_week(days=1)
    evil["processes"] = [evil["processes"][2] | {"name": "=1+1<script>"}]
    files = run_schedule(ScheduleRequest(request_of(evil)), progress=quiet).files
    assert "<script" not in files["schedule.html"].decode()
    assert "\n=" not in files["schedule.csv"].decode()
    header = next(csv.reader(io.StringIO(files["schedule.csv"].decode("utf-8-sig"))))
    assert not any(cell.startswith("=") for cell in header)


def _broken() -> Any:
    """A schedule that holds, and what it is checked with."""
    process = Process("窑", 100.0, 120, 6 * 60, 22 * 60, 9 * 60)
    after = replace(process, name="包装", usual_start=13 * 60, after="窑")
    calendar = make_calendar(request_of(demo_week(days=1)).horizon)
    found = find_jobs([process, after], calendar, np.array([False]), np.full(96, 400.0))
    shares = [usual_shares(job) for job in found.jobs]
    return [process, after], found, shares, calendar


@pytest.mark.parametrize("fault", ["length", "window", "power", "stretch", "order", "load", "balance", "limit"])
def test_the_check_finds_whatever_is_broken(fault: str) -> None:
    processes, found, shares, calendar = _broken()
    battery, limits = Battery(100, 50, 0.9, 0.1, 0.9, 0.1), np.array([1000.0])
    load = found.rest_kw + job_power(found.jobs, shares, 96)
    charge, discharge = np.zeros(96), np.zeros(96)
    first = found.jobs[0]
    if fault == "length":
        shares[0] = shares[0] * (np.arange(len(shares[0])) != np.flatnonzero(shares[0])[0])
    elif fault == "window":
        processes[0] = replace(processes[0], start=10 * 60)
    elif fault == "power":
        at = np.flatnonzero(shares[0])
        shares[0][at[0] - 1 : at[0] + 1] = 0.5
    elif fault == "stretch":
        shares[0] = np.roll(shares[0] * (np.arange(len(shares[0])) < first.usual - first.first + 4), -8) + shares[0] * (
            np.arange(len(shares[0])) >= first.usual - first.first + 4
        )
    elif fault == "order":
        shares[1] = np.roll(shares[1], -20)
    elif fault == "load":
        load = load + 1
    elif fault == "balance":
        discharge[0] = 60.0
    else:
        limits = np.array([400.0])
    if fault != "load":
        load = found.rest_kw + job_power(found.jobs, shares, 96)
    if fault == "limit":
        charge[0], discharge[1] = 10.0, 9.0
    flow = make_dispatch(load, np.zeros(96), charge, discharge, battery, 0.25, may_export=False)
    faults = check_schedule(processes, found.jobs, shares, found.rest_kw, flow, battery, calendar, limits)
    assert any(item.startswith(fault) for item in faults.found), faults.found


def test_the_check_lets_a_sound_schedule_pass() -> None:
    processes, found, shares, calendar = _broken()
    load = found.rest_kw + job_power(found.jobs, shares, 96)
    flow = make_dispatch(load, np.zeros(96), np.zeros(96), np.zeros(96), Battery(), 0.25, may_export=False)
    assert not check_schedule(
        processes, found.jobs, shares, found.rest_kw, flow, Battery(), calendar, np.array([400.0])
    )


def test_times_are_clock_times() -> None:
    calendar = make_calendar(request_of(demo_week(days=1)).horizon)
    assert times(calendar, Stretch(32, 41, 1.0)) == "08:00–10:15"
    assert times(calendar, Stretch(88, 96, 1.0)) == "22:00–24:00"
