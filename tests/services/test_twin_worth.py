"""What more of a plant is worth, sizes with a proven gap, scenarios, and advice without a new peak."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.optimize import linprog
from scipy.sparse import coo_array, eye_array, hstack, vstack

from services.gateways.solver import Solver
from services.gateways.twin import run_twin
from services.rules.twin.advice import hours_of, rank_advice
from services.rules.twin.calendar import Calendar, make_calendar
from services.rules.twin.dispatch_program import Case, dispatch_program, make_plan
from services.rules.twin.inputs import Battery, Sizing, TwinRequest
from services.rules.twin.marginal import marginal
from services.rules.twin.photovoltaics import step_yield
from services.rules.twin.scenarios import Kpis
from services.rules.twin.shadow_prices import _more
from services.rules.twin.sizing_program import Additions, size_limits
from services.rules.twin.tariff import Prices, step_prices
from tests.services.parks import quiet, request_of, week

PLAIN: dict[str, Any] = {"wind": None, "buildings": [], "logistics": None, "network": None}
"""The demo park without what is not electricity, PV and battery."""


def _case() -> tuple[Case, Calendar, Prices, Any]:
    request = request_of(week(step_minutes=30, battery={"kwh": 700, "kw": 260, "efficiency": 0.88}))
    calendar = make_calendar(request.horizon)
    random = np.random.default_rng(5)
    unit = np.maximum(0, np.sin((calendar.minute / 60 - 6) / 12 * np.pi)) * random.uniform(
        0.2, 0.9, len(calendar.minute)
    )
    prices = step_prices(calendar, request.tariff, request.feed_in)
    return (
        Case(request.load.kw * random.uniform(0.97, 1.03, len(unit)), 900 * unit, request.battery),
        calendar,
        prices,
        unit,
    )


@pytest.mark.parametrize("wear", [0.0, 0.05])
def test_what_more_of_a_plant_is_worth_is_what_its_cost_falls_by(wear: float) -> None:
    case, calendar, prices, unit = _case()
    case = replace(case, battery=replace(case.battery, wear_yuan_per_kwh=wear))
    steps = [
        replace(case, pv=case.pv + unit),
        replace(case, battery=replace(case.battery, kwh=case.battery.kwh + 1)),
        replace(case, battery=replace(case.battery, kw=case.battery.kw + 1)),
    ]
    plan = make_plan([case, *steps, replace(case, pv=case.pv - unit)], calendar, prices)
    solver = Solver()

    def cost(one: Case) -> float:
        answer = solver.solve(dispatch_program(plan, one, calendar, prices))
        return answer.objective + float((one.load - one.pv) @ prices.cost) * calendar.horizon.hours

    answer = solver.solve(dispatch_program(plan, case, calendar, prices))
    found = marginal(plan, case, calendar, prices, answer.row_duals, answer.column_duals)
    here = cost(case)
    fallen = [here - cost(item) for item in steps]
    # a cost that is convex falls by a little less than its slope promises, and by nearly as much over one kW
    for worth, fall in zip((float(found.pv @ unit), found.battery_kwh, found.battery_kw), fallen, strict=True):
        assert fall <= worth + 1e-6
        assert fall == pytest.approx(worth, rel=0.03, abs=0.02)
    assert found.peak.sum() == pytest.approx(1, abs=1e-9)  # one month's peak is decided wholly


def test_a_plant_that_ages_costs_more_for_what_it_gives() -> None:
    young, old = (
        Sizing(pv_max_kwp=100, battery_max_kwh=100),
        Sizing(pv_max_kwp=100, battery_max_kwh=100, pv_degradation=0.005, battery_fade=0.02),
    )
    assert young.pv_share == young.battery_share == 1
    years = np.arange(20)
    weight = 1.06 ** -(years + 1.0)
    assert old.pv_share == pytest.approx(float(0.995**years @ weight / weight.sum()))
    one, two = size_limits(young, 1.0), size_limits(old, 1.0)
    assert (two.capital[:2] > one.capital[:2]).all()
    assert (two.most[:2] < one.most[:2]).all()
    park = week(sizing=week()["sizing"] | {"pv_degradation": 0.005, "battery_fade": 0.02})
    aged: Any = run_twin(request_of(park), progress=quiet).kpis
    new: Any = run_twin(request_of(week()), progress=quiet).kpis
    assert aged["objective_yuan"] > new["objective_yuan"]
    assert aged["sized"]["pv_kwh"] < new["sized"]["pv_kwh"]


def test_sizes_at_15_minutes_come_with_a_proven_gap() -> None:
    """Refined, the plant is at least as good as the hourly answer, and near a bound that nothing can beat."""
    park = week(period={"from": "2025-04-01", "to": "2025-07-15"}, step_minutes=15)
    kpis: Any = run_twin(request_of(park), progress=quiet).kpis
    assert 0 <= kpis["sizing_gap"] <= 1e-3
    prices = {item["code"]: item for item in kpis["shadow_prices"]}
    assert prices["battery_kwh"]["value_yuan"] == pytest.approx(131.28, rel=0.05)  # its yearly cost: inside its bounds
    assert "不必再增加" in prices["battery_kwh"]["text"]
    peaks = [item for code, item in prices.items() if code.startswith("peak")]
    assert len(peaks) == 4
    assert peaks[0]["value_yuan"] == pytest.approx(38.4, abs=0.01)
    assert "少付 38.40 元" in peaks[0]["text"]


def test_sizes_are_those_of_one_program_with_sizes_as_columns() -> None:
    """Written anew for scipy, every flow and every size a column: ours is not dearer than the gap it states."""
    sizing = week()["sizing"] | {"pv_max_kwp": 3000, "battery_max_kwh": 4000, "battery_max_kw": 2000}
    park = week(sizing=sizing, **PLAIN)
    request = request_of(park)
    result = run_twin(request, progress=quiet)
    kpis: Any = result.kpis
    calendar = make_calendar(request.horizon)
    prices = step_prices(calendar, request.tariff, request.feed_in)
    unit = step_yield(request.weather, request.pv, calendar)
    best = _with_sizes(request, prices, unit)
    assert kpis["sizing_gap"] <= 1e-4
    assert best - 0.01 <= kpis["objective_yuan"] <= best * (1 + kpis["sizing_gap"]) + 0.5


def _with_sizes(request: TwinRequest, prices: Prices, unit: Any) -> float:
    sizing, battery, n = request.sizing, request.battery, request.horizon.steps
    assert sizing is not None
    g, x = slice(0, n), slice(n, 2 * n)
    peak, kwp, kwh, kw, size = 5 * n, 5 * n + 1, 5 * n + 2, 5 * n + 3, 5 * n + 4
    eye, eta, load = eye_array(n), battery.efficiency**0.5, request.load.kw
    empty = coo_array((n, n))

    def column(values: Any, at: int) -> Any:
        return coo_array((values, (np.arange(n), np.full(n, at - 5 * n))), (n, 4))

    ones = np.ones(n)
    start = np.zeros(n)
    start[0] = battery.soc_start
    node = hstack([eye, -eye, -eye, eye, empty, column(unit, kwp)])
    store = hstack([empty, empty, -eta * eye, eye / eta, eye - eye_array(n, k=-1), column(-start, kwh)])
    upper = vstack([
        hstack([eye, empty, empty, empty, empty, column(-ones, peak)]),  # peak
        hstack([empty, eye, empty, empty, empty, column(-unit, kwp)]),  # fed in by PV alone
        hstack([empty, empty, eye, empty, empty, column(-ones, kw)]),
        hstack([empty, empty, empty, eye, empty, column(-ones, kw)]),
        hstack([empty, empty, empty, empty, eye, column(-battery.soc_max * ones, kwh)]),
        hstack([empty, empty, empty, empty, -eye, column(np.where(np.arange(n) == n - 1, battery.soc_start, battery.soc_min), kwh)]),
    ])  # fmt: skip
    pv = request.pv.kwp * unit
    had = battery.kwh
    least = np.where(np.arange(n) == n - 1, battery.soc_start, battery.soc_min) * had
    limits = np.concatenate(
        [np.zeros(n), pv, ones * battery.kw, ones * battery.kw, ones * battery.soc_max * had, -least]
    )
    cost = np.zeros(size)
    cost[g], cost[x], cost[peak] = prices.buy, -prices.sell, prices.demand
    cost[kwp:] = np.array([sizing.pv_yearly, sizing.battery_kwh_yearly, sizing.battery_kw_yearly]) * n / 8760
    most = np.full(size, np.inf)
    most[kwp:] = [sizing.pv_max_kwp, sizing.battery_max_kwh, sizing.battery_max_kw]
    answer = linprog(
        cost, A_ub=upper, b_ub=limits, A_eq=vstack([node, store]), b_eq=np.concatenate([load - pv, start * had]),
        bounds=np.stack([np.zeros(size), most], 1),
    )  # fmt: skip
    assert answer.status == 0
    return float(answer.fun)


def test_scenarios_from_the_last_ones_basis_are_those_of_runs_of_their_own() -> None:
    battery = {"kwh": 1000, "kw": 500, "efficiency": 0.88}
    changed: list[dict[str, Any]] = [
        {"name": "峰价上浮", "price_factors": {"peak": "1.2", "sharp": "1.2"}},
        {"name": "需量电价下调", "demand_factor": "0.8"},
        {"name": "负荷增长", "load_factor": 1.1},
        {"name": "储能加倍", "battery_factor": 2, "pv_factor": 1.5},
        {"name": "上网电价", "feed_in_factor": "1.05"},
        {"name": "碳价", "carbon_yuan_per_t": 200},
    ]
    park = week(sizing=None, battery=battery, scenarios=changed, **PLAIN)
    kpis: Any = run_twin(request_of(park), progress=quiet).kpis
    tariff, load = week()["tariff"], request_of(week()).load.kw
    alone: list[dict[str, Any]]
    alone = [
        {"tariff": tariff | {"prices": {k: str(round(float(v) * (1.2 if k in {"peak", "sharp"} else 1), 6)) for k, v in tariff["prices"].items()}}},
        {"tariff": tariff | {"demand_yuan_per_kw_month": "30.72"}},
        {"load": {"values_kw": (load * 1.1).tolist()}},
        {"battery": battery | {"kwh": 2000, "kw": 1000}, "pv": week()["pv"] | {"kwp": 900}},
        {"feed_in": {"mode": "surplus", "price": "0.315"}},
        {"carbon_yuan_per_t": 200},
    ]  # fmt: skip
    assert [item["name"] for item in kpis["scenarios"]] == [item["name"] for item in changed]
    for found, own in zip(kpis["scenarios"], alone, strict=True):
        other: Any = run_twin(request_of({**week(sizing=None, battery=battery, **PLAIN), **own}), progress=quiet).kpis
        assert found["objective_yuan"] == pytest.approx(other["optimised"]["objective_yuan"], rel=1e-7), found["name"]
        assert sum(found["bill_parts_yuan"].values()) == pytest.approx(found["annual_bill_yuan"], abs=0.001)


def test_advice_never_makes_a_new_demand_peak() -> None:
    """With a small demand charge the optimum charges into a new peak; what is advised is solved again without it."""
    battery = {"kwh": 6000, "kw": 2500, "efficiency": 0.9, "habit": "idle"}
    tariff = week()["tariff"] | {"demand_yuan_per_kw_month": "0.5"}
    park = week(battery=battery, tariff=tariff, sizing=None)
    kpis: Any = run_twin(request_of(park), progress=quiet).kpis
    assert kpis["optimised"]["peak_kw"] > kpis["as_is"]["peak_kw"] + 100
    advice = next(item for item in kpis["advice"] if item["code"] == "dispatch")
    free = kpis["as_is"]["annual_bill_yuan"] - kpis["optimised"]["annual_bill_yuan"]
    assert 0 < advice["saving_yuan"] < free - 1
    kept = run_twin(
        request_of(week(battery=battery, tariff=tariff, sizing=None) | {"battery": battery}), progress=quiet
    )
    assert kept.kpis["advice"] == kpis["advice"]
    no_charge = week(battery=battery, tariff=tariff | {"demand_yuan_per_kw_month": "0"}, sizing=None)
    free_kpis: Any = run_twin(request_of(no_charge), progress=quiet).kpis
    found = next(item for item in free_kpis["advice"] if item["code"] == "dispatch")
    saved = free_kpis["as_is"]["annual_bill_yuan"] - free_kpis["optimised"]["annual_bill_yuan"]
    assert found["saving_yuan"] == pytest.approx(saved, abs=0.011)


@pytest.mark.parametrize("feed_in", [{"mode": "surplus", "price": "0.3"}, {"mode": "full", "price": "0.5"}])
def test_what_is_advised_adds_up_to_what_the_whole_brings(feed_in: dict[str, str]) -> None:
    kpis: Any = run_twin(request_of(week(feed_in=feed_in)), progress=quiet).kpis
    assert {item["code"] for item in kpis["advice"]} == {"dispatch", "pv", "battery"}
    whole = kpis["as_is"]["annual_bill_yuan"] - kpis["sized"]["annual_bill_yuan"] - kpis["sized"]["capital_yuan"]
    assert sum(item["saving_yuan"] for item in kpis["advice"]) == pytest.approx(whole, abs=0.03)
    avoided = kpis["as_is"]["emissions_t"] - kpis["sized"]["emissions_t"]
    assert sum(item["avoided_t"] for item in kpis["advice"]) == pytest.approx(avoided, abs=0.003)


def test_a_limit_is_named_only_where_it_holds_the_size() -> None:
    kpis: Any = run_twin(request_of(week()), progress=quiet).kpis
    told = {item["code"]: item["text"] for item in kpis["shadow_prices"]}
    sizing = week()["sizing"]
    for code, most in (("pv_kwp", "pv_max_kwp"), ("battery_kwh", "battery_max_kwh"), ("battery_kw", "battery_max_kw")):
        assert ("受上限所限" in told[code]) == (kpis["additions"][code] == pytest.approx(sizing[most], rel=1e-3)), code


@pytest.mark.parametrize(
    ("worth", "held", "word"),
    [
        (99.0, False, "低于"),
        (131.0, False, "相当"),
        (131.9, True, "相当"),
        (140.0, False, "递减"),
        (140.0, True, "受上限所限"),
    ],
)
def test_what_one_more_is_worth_is_compared_as_it_is(worth: float, held: bool, word: str) -> None:
    assert word in str(_more("kWh", worth, 131.28, held=held))


def test_power_with_its_own_meter_is_worth_what_feeding_in_pays() -> None:
    request = request_of(week(feed_in={"mode": "full", "price": "0.5"}))
    kpis: Any = run_twin(request, progress=quiet).kpis
    kwh = kpis["sized"]["pv_kwh"] / (request.pv.kwp + kpis["additions"]["pv_kwp"])
    worth = next(item["value_yuan"] for item in kpis["shadow_prices"] if item["code"] == "pv_kwp")
    assert worth == pytest.approx(0.5 * kwh * 8760 / (7 * 24), rel=1e-4)


def test_what_cannot_do_without_a_new_peak_is_not_advised() -> None:
    def kpis(bill: float) -> Kpis:
        return Kpis(bill, *[0.0] * 10)

    _, calendar, *_ = _case()
    assert rank_advice({"as_is": kpis(100.0)}, Additions(10, 10, 10), {}, calendar) == ()


def test_hours_are_named_as_people_read_them() -> None:
    _, calendar, *_ = _case()
    noon = np.where((calendar.minute >= 720) & (calendar.minute < 840), 5.0, 0.0)
    assert hours_of(calendar, noon) == "12:00–14:00"
    assert hours_of(calendar, np.zeros(len(calendar.minute))) == ""


def test_wear_keeps_a_battery_from_small_gains() -> None:
    def discharged(wear: float) -> float:
        park = week(battery={"kwh": 1000, "kw": 500, "wear_yuan_per_kwh": wear}, sizing=None)
        kpis: Any = run_twin(request_of(park), progress=quiet).kpis["optimised"]
        assert kpis["objective_yuan"] == pytest.approx(kpis["annual_bill_yuan"] + kpis["wear_yuan"], abs=0.2)
        return float(kpis["wear_yuan"]) / wear

    assert discharged(0.7) < 0.8 * discharged(0.01)


def test_no_battery_no_wear() -> None:
    assert Battery().wear_yuan_per_kwh == 0
