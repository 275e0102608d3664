"""Wind, buildings, the park's grid and its yard obey physics: held to formulas solved by hand."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from pyarrow import BufferReader

from services.gateways.power_flow import solve_power_flow
from services.gateways.twin import run_twin
from services.gateways.yard import simulate_yard
from services.rules.twin.building import Building, electricity, gains, heat_loss, simulate
from services.rules.twin.calendar import make_calendar
from services.rules.twin.inputs import Days
from services.rules.twin.logistics import Drive, Fleet, Yard, charging_load, haul
from services.rules.twin.network import Bus, Feeder, Network, Transformer, check_grid, injections
from services.rules.twin.wind_power import WindPlant, generic_curve, hub_wind, wind_power
from tenants.kernel.errors import Invalid
from tests.services.parks import quiet, request_of, week

TURBINE = WindPlant(2, 500, 80, generic_curve(500, 3, 12, 25), losses=0)
OFFICE = Building("办公楼", floor_area=2000, wall_area=1500, window_area=400)


def test_a_turbine_stands_below_cut_in_and_above_cut_out_and_never_passes_its_rating() -> None:
    standard = np.full(5, 1.225)
    power = wind_power(np.array([2.9, 3.0, 12.0, 24.9, 25.1]), standard, TURBINE)
    assert power.tolist() == [0, 0, 1000, 1000, 0]
    half = wind_power(np.array([(3**3 + (12**3 - 3**3) / 2) ** (1 / 3)]), standard[:1], TURBINE)
    assert half[0] == pytest.approx(500, rel=0.01)  # half of the cubes between is half of the power


def test_wind_grows_to_the_hub_and_thin_air_carries_less() -> None:
    assert hub_wind(np.array([5.0]), 10, TURBINE)[0] == pytest.approx(5 * 8**0.14)
    speed = np.array([8.0, 8.0])
    thick, thin = wind_power(speed, np.array([1.225, 0.9]), replace(TURBINE, losses=0.1))
    assert thin == pytest.approx(
        wind_power(np.array([8 * (0.9 / 1.225) ** (1 / 3)]), np.array([1.225]), TURBINE)[0] * 0.9
    )
    assert thin < thick


def test_a_floating_building_cools_down_as_one_capacity_behind_a_resistance_does() -> None:
    """Without gains the mass follows exp(-t / tau): its capacity over the conductance that a hand calculation gives."""
    steps, hours = 400, 0.25
    outside, nothing = np.zeros(steps), np.zeros(steps)
    year = simulate(OFFICE, outside, nothing, nothing, nothing, hours, free=True, start=20.0)
    air, surface, windows, walls = 0.33 * 0.6 * 2000 * 3.5, 3.45 * 9000, 400 * 2.2, 1500 * 0.5
    mass = 9.1 * 2000 * (2.5 + (165 - 110) / 260)
    to_mass = 1 / (1 / (1 / (1 / air + 1 / surface) + windows) + 1 / mass)
    outer = 1 / (1 / walls - 1 / mass)
    tau = 165_000 * 2000 / (to_mass + outer) / 3600
    ratios = year.air[1:] / year.air[:-1]
    assert ratios == pytest.approx(math.exp(-hours / tau), rel=1e-6)


def test_held_at_its_set_point_a_building_loses_what_its_conductance_says() -> None:
    steps = 24 * 200
    outside, nothing, use = np.full(steps, -5.0), np.zeros(steps), np.ones(steps)
    year = simulate(OFFICE, outside, nothing, nothing, use, 1.0)
    assert year.heating[-1] * 1000 == pytest.approx(heat_loss(OFFICE) * 23, rel=1e-3)
    assert year.air[-1] == pytest.approx(18, abs=1e-9)
    assert year.cooling.max() == 0
    # What is put in leaves or stays: with steady gains the demand falls by them, to the watt.
    inside = np.full(steps, 10_000.0)
    warmed = simulate(OFFICE, outside, inside, nothing, use, 1.0)
    assert 0 < (year.heating[-1] - warmed.heating[-1]) * 1000 <= 10_000


def test_half_the_step_gives_the_same_year() -> None:
    day = np.sin(np.arange(24 * 30) * 2 * np.pi / 24) * 8 + 28
    nothing, use = np.zeros(len(day)), np.ones(len(day))
    hourly = simulate(OFFICE, day, nothing, nothing, use, 1.0)
    warm, still, used = (np.repeat(item, 4) for item in (day, nothing, use))
    finer = simulate(OFFICE, warm, still, still, used, 0.25)
    assert finer.cooling.sum() / 4 == pytest.approx(hourly.cooling.sum(), rel=0.01)


def test_an_office_needs_what_offices_need() -> None:
    """Per m2 and year in Jinan, as in surveys of offices there: some tens of kWh of heat and of cold each."""
    result: Any = run_twin(request_of(_year()), progress=quiet).kpis["buildings"]
    office = result[0]
    assert 15 < office["heating_kwh"] / 2000 < 120
    assert 10 < office["cooling_kwh"] / 2000 < 100
    assert 5 < office["electricity_kwh"] / 2000 < 60
    assert office["milder_by_1k_saves_kwh"] > 0
    assert office["hottest_air_c"] < 40


def test_a_heat_pump_works_harder_the_further_it_lifts() -> None:
    one, outside = np.ones(3), np.array([7.0, -3.0, -60.0])
    assert electricity(OFFICE, one, one * 0, outside) == pytest.approx([1 / 3.2, 1 / 2.6, 1.0])
    inside, sun = gains(OFFICE, np.array([0.0, 1.0]), np.array([100.0, 0.0]))
    assert (inside.tolist(), sun.tolist()) == ([4000, 24_000], [20_000, 0])


def _two_buses(power_factor: float) -> Network:
    return Network(
        (Bus("源", 10.0), Bus("荷", 10.0, load_share=1, pv_share=1)), (),
        (Feeder("线", "源", "荷", 5, 0.3, 0.35, 0, 300),), short_circuit_mva=1e9, power_factor=power_factor,
    )  # fmt: skip


@pytest.mark.parametrize(("kw", "power_factor"), [(3000.0, 0.9), (1000.0, 1.0), (-2000.0, 1.0)])
def test_two_buses_are_solved_as_by_hand(kw: float, power_factor: float) -> None:
    """V2 of a feeder is the root of a quadratic in V2 squared; its losses are I squared R."""
    flows = {"load": np.array([max(kw, 0.0)]), "pv": np.array([max(-kw, 0.0)])}
    taken = injections(_two_buses(power_factor), flows)
    p, q = float(taken.p[0, 1]) / 1000, float(taken.q[0, 1]) / 1000
    r, x, v1 = 1.5, 1.75, 10.0
    b = 2 * (p * r + q * x) - v1**2
    v2 = math.sqrt((-b + math.sqrt(b**2 - 4 * (p**2 + q**2) * (r**2 + x**2))) / 2)
    result = solve_power_flow(_two_buses(power_factor), taken)
    assert result.voltage[0] == pytest.approx([1.0, v2 / 10], abs=1e-6)
    current = math.hypot(p, q) / v2 / math.sqrt(3)
    assert result.losses_kw[0] == pytest.approx(3 * current**2 * r * 1000, rel=1e-5)
    assert result.feeder_loading[0, 0] == pytest.approx(current * 1000 / 300, rel=1e-4)


def test_a_transformer_is_loaded_by_what_passes_and_the_check_counts_hours() -> None:
    network = Network(
        (Bus("10kV", 10.0), Bus("0.4kV", 0.4, load_share=1)),
        (Transformer("T1", "10kV", "0.4kV", 1000, 0.06, 8, 1.2),), (), power_factor=1.0,
    )  # fmt: skip
    result = solve_power_flow(network, injections(network, {"load": np.array([0.0, 500, 1100]), "pv": np.zeros(3)}))
    check = check_grid(network, result, 0.25)
    worst = check.transformers[0]
    assert result.losses_kw[0] == pytest.approx(1.2, rel=0.01)
    assert result.transformer_loading[1, 0] == pytest.approx(0.505, abs=0.005)
    assert (worst.at_step, worst.hours_warm, worst.hours_over) == (2, 0.25, 0.25)
    assert not check.sound


def test_a_feeder_that_is_far_too_weak_is_a_typed_refusal() -> None:
    network = _two_buses(0.9)
    taken = injections(network, {"load": np.array([9e6]), "pv": np.zeros(1)})
    with pytest.raises(Invalid) as caught:
        solve_power_flow(network, taken)
    assert caught.value.code == "grid.no_solution"


@pytest.mark.parametrize(("rate", "service", "docks"), [(20.0, 8.0, 4), (12.0, 3.0, 1), (30.0, 4.0, 3)])
def test_a_yard_that_never_closes_waits_as_erlangs_formula_says(rate: float, service: float, docks: int) -> None:
    """M/M/c: the mean wait is C(c, a) / (c mu - lambda)."""
    offered = rate * service / 60
    none = sum(offered**k / math.factorial(k) for k in range(docks))
    busy = offered**docks / math.factorial(docks) / (1 - offered / docks)
    wait = busy / (none + busy) / (docks / service - rate / 60)
    found = [simulate_yard(Yard(docks, rate, service, 1.0, 0, 1440), 60, seed) for seed in range(4)]
    assert np.mean([item.mean_wait for item in found]) == pytest.approx(wait, rel=0.1)
    assert np.mean([item.utilisation for item in found]) == pytest.approx(offered / docks, rel=0.03)
    assert found[0].mean_queue == pytest.approx(rate / 60 * found[0].mean_wait, rel=0.02)  # Little
    assert simulate_yard(Yard(docks, rate, service, 1.0, 0, 1440), 60, 0) == found[0]


def test_regular_service_halves_the_wait_of_a_single_dock() -> None:
    """Pollaczek and Khinchine: the wait goes with (1 + cv^2) / 2."""
    base = Yard(1, 12, 3, 1.0, 0, 1440)
    random, even = (
        np.mean([simulate_yard(replace(base, variation=cv), 90, seed).mean_wait for seed in range(3)])
        for cv in (1.0, 0.0)
    )
    assert even / random == pytest.approx(0.5, rel=0.08)


def test_trucks_drive_and_charge_on_their_days_only() -> None:
    calendar = make_calendar(request_of(week()).horizon)
    rest = np.array([float(day.weekday() >= 5) for day in calendar.days])
    vans = Fleet("电动车", Drive.ELECTRIC, 10, 50, 80, Days.WORKDAYS)
    assert haul(vans, 1 - rest).used == pytest.approx(5 * 10 * 50 * 0.8)
    load = charging_load(vans, calendar, 1 - rest)
    assert load.sum() == pytest.approx(5 * 400)
    assert load[calendar.minute == 12 * 60].max() == 0
    diesel = haul(Fleet("柴油车", Drive.DIESEL, 1, 100, 30, Days.ALL), np.ones(7))
    assert diesel.used == pytest.approx(7 * 30 * 0.84 / 1000)


def _year() -> dict[str, Any]:
    return week(
        period={"year": 2025}, weather={"city": "jinan"}, sizing=None, battery={},
        buildings=[{"name": "办公楼", "floor_area": 2000, "wall_area": 1500, "window_area": 400}],
    )  # fmt: skip


def _full_week(**changes: Any) -> dict[str, Any]:
    return week(
        weather={"city": "beijing"},
        wind={"count": 2, "rated_kw": 250, "hub_height_m": 60},
        buildings=[{"name": "办公楼", "floor_area": 2000, "wall_area": 1500, "window_area": 400}],
        network={
            "buses": [{"name": "10kV", "kv": 10}, {"name": "0.4kV", "kv": 0.4, "load_share": 1, "pv_share": 1}],
            "transformers": [{"name": "T1", "from": "10kV", "to": "0.4kV", "kva": 2500, "load_loss_kw": 18}],
            "battery_bus": "0.4kV", "wind_bus": "10kV",
        },
        logistics={
            "fleets": [{"name": "干线", "drive": "diesel", "trips_per_day": 6, "km": 120, "per_100_km": 32},
                       {"name": "厂内", "drive": "electric", "trips_per_day": 20, "km": 8, "per_100_km": 90}],
            "yard": {"docks": 3, "trucks_per_hour": 10, "service_minutes": 12},
        },
        fuels=[{"fuel": "natural_gas", "amount": "20000", "unit": "Nm3", "purpose": "energy"}],
        **changes,
    )  # fmt: skip


def test_a_park_with_everything_balances_and_tells_of_each_part() -> None:
    result = run_twin(request_of(_full_week()), progress=quiet)
    kpis: Any = result.kpis
    manifest = json.loads(result.files["manifest.json"])
    for balance in manifest["balance"]:
        assert max(balance.values()) < 1e-6
    assert kpis["wind"]["wind_kwh"] > 0
    assert kpis["buildings"][0]["cooling_kwh"] > 0
    assert set(kpis["grid"]) == {"as_is", "optimised", "sized"}
    assert kpis["logistics"]["yard"]["trucks"] > 0
    for name in ("as_is", "optimised", "sized"):
        parts = kpis[name]
        scopes, purposes = parts["emissions_by_scope_t"], parts["emissions_by_purpose_t"]
        assert sum(scopes.values()) == pytest.approx(parts["emissions_t"], abs=2e-3)
        assert sum(purposes.values()) == pytest.approx(parts["emissions_t"], abs=3e-3)
        assert scopes["scope_2"] == pytest.approx(parts["import_kwh"] * 0.5306 / 1000, abs=1e-3)
    gas = 20_000 / 10_000 * 389.31 * 15.3 / 1000 * 0.99 * 44 / 12
    trucks = kpis["logistics"]["truck_t"]
    assert kpis["as_is"]["emissions_by_scope_t"]["scope_1"] == pytest.approx(gas + trucks, abs=2e-3)
    assert trucks > 6 * 5 * 120 / 100 * 32 * 0.84 / 1000 * 3
    report = result.files["report.html"].decode()
    for title in ("风电", "建筑冷暖", "变压器与电压校核", "物流与场站", "碳排放构成"):
        assert f"<h2>{title}" in report


def test_the_series_holds_the_equipment_and_the_nodes_balance_with_it() -> None:
    result = run_twin(request_of(_full_week(step_minutes=30)), progress=quiet)
    table = pq.read_table(BufferReader(result.files["series.parquet"])).to_pydict()
    column = {name: np.array(values) for name, values in table.items() if name not in {"time", "period"}}
    added = column["building_1_kw"] + column["truck_charging_kw"]
    assert np.allclose(column["load_kw"] - added, request_of(_full_week(step_minutes=30)).load.kw, atol=1e-5)
    node = column["sized_imported_kw"] + column["sized_pv_kw"] + column["sized_discharge_kw"] - column["load_kw"]
    rest = column["sized_charge_kw"] + column["sized_exported_kw"] + column["sized_curtailed_kw"]
    assert np.abs(node - rest).max() < 1e-5
    kpis: Any = result.kpis
    assert (column["as_is_pv_kw"] - column["wind_kw"]).sum() / 2 == pytest.approx(kpis["as_is"]["pv_kwh"], abs=0.1)


def test_a_scenario_that_overloads_a_transformer_says_so() -> None:
    document = _full_week()
    document["network"]["transformers"][0]["kva"] = 630
    result = run_twin(request_of(document), progress=quiet)
    kpis: Any = result.kpis
    assert not kpis["grid"]["sized"]["sound"]
    notes = json.loads(result.files["manifest.json"])["notes"]
    assert any("校核未通过" in note and "T1" in note for note in notes)


def test_all_of_the_pv_is_fed_in_beside_the_parks_own_meter() -> None:
    document = week(feed_in={"mode": "full", "price": "0.45"}, pv={"kwp": 500})
    kpis: Any = run_twin(request_of(document), progress=quiet).kpis
    without: Any = run_twin(request_of(week(pv={"kwp": 0}, sizing=None, feed_in={"mode": "none"})), progress=quiet).kpis
    for name in ("as_is", "optimised"):
        assert kpis[name]["export_kwh"] == pytest.approx(kpis[name]["pv_kwh"])
        assert kpis[name]["import_kwh"] == pytest.approx(without[name]["import_kwh"], rel=1e-6)
        assert kpis[name]["self_consumption_share"] == 0
    credit = kpis["as_is"]["bill_parts_yuan"]["feed_in"]
    assert credit == pytest.approx(-0.45 * kpis["as_is"]["pv_kwh"], abs=0.01)
    assert kpis["additions"]["pv_kwp"] in (0, 4000)
