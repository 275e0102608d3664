"""The twin obeys physics and its bill adds up."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import BufferReader

from services.gateways.twin import run_twin
from services.gateways.weather import read_builtin_weather
from services.rules.twin.calendar import make_calendar, make_horizon
from services.rules.twin.inputs import FeedIn, Horizon, Period, PvPlant, Tariff
from services.rules.twin.photovoltaics import hourly_yield, step_yield
from services.rules.twin.tariff import make_bill, step_prices
from tests.services.parks import quiet, request_of, week

SCENARIOS = ("as_is", "optimised", "sized")


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"step_minutes": 15},
        {"feed_in": {"mode": "none"}},
        {"sizing": None},
        {"battery": {}},
        {"pv": {"kwp": 0}, "sizing": None},
        {"battery": {"kwh": 3000, "kw": 1500, "soc_start": 0.5, "habit": "idle"}},
    ],
)
def test_every_scenario_balances_and_the_parts_sum_to_the_bill(changes: dict[str, Any]) -> None:
    result = run_twin(request_of(week(**changes)), progress=quiet)
    manifest = json.loads(result.files["manifest.json"])
    for balance in manifest["balance"]:
        assert max(balance.values()) < 1e-6
    for name in SCENARIOS:
        kpis: Any = result.kpis[name]
        parts = sum(Decimal(str(value)) for value in kpis["bill_parts_yuan"].values())
        assert parts == Decimal(str(kpis["annual_bill_yuan"]))
    costs = [result.kpis[name]["objective_yuan"] for name in SCENARIOS]  # type: ignore[index]
    assert costs[0] + 1e-3 >= costs[1] >= costs[2] - 1e-3


def test_the_series_file_balances_by_itself() -> None:
    result = run_twin(request_of(week(step_minutes=30)), progress=quiet)
    table = pq.read_table(BufferReader(result.files["series.parquet"])).to_pydict()
    assert len(table["time"]) == 7 * 48
    for name in SCENARIOS:
        flow = {key: np.array(table[f"{name}_{key}_kw"]) for key in
                ("imported", "exported", "curtailed", "pv", "charge", "discharge")}  # fmt: skip
        node = flow["imported"] + flow["pv"] + flow["discharge"] - np.array(table["load_kw"])
        assert np.abs(node - flow["charge"] - flow["exported"] - flow["curtailed"]).max() < 1e-5
        assert np.minimum(flow["imported"], flow["exported"]).max() == 0


def test_the_same_input_gives_the_same_files_to_the_last_byte() -> None:
    first, second = (run_twin(request_of(week()), progress=quiet) for _ in range(2))
    assert first.kpis == second.kpis
    for name in ("kpis.json", "series.parquet", "report.html"):
        assert first.files[name] == second.files[name]
    old, new = (json.loads(item.files["manifest.json"]) for item in (first, second))
    assert old | {"cpu_seconds": 0} == new | {"cpu_seconds": 0}
    other = json.loads(run_twin(request_of(week(seed=2)), progress=quiet).files["manifest.json"])
    assert other["fingerprint"] != old["fingerprint"]


@pytest.mark.parametrize(("name", "low", "high"), [("723170TYA", 1350, 1550), ("703165TY", 650, 900)])
def test_the_yield_of_a_typical_year_is_what_pvwatts_gives(name: str, low: float, high: float) -> None:
    """PVWatts gives about 1,430 kWh/kWp for Greensboro at 25 degrees, and far less under the clouds of Sand Point."""
    hourly = hourly_yield(read_builtin_weather(name), PvPlant(kwp=1, tilt=25))
    assert low < hourly.sum() < high
    assert 0 <= hourly.min() <= hourly.max() <= 1 / 1.2 + 1e-9


def test_quarter_hours_keep_the_energy_of_every_hour() -> None:
    from datetime import date

    weather, plant = read_builtin_weather("723170TYA"), PvPlant(kwp=1)
    calendar = make_calendar(make_horizon(date(2025, 1, 1), date(2026, 1, 1), 15, "Asia/Shanghai"))
    quarters = step_yield(weather, plant, calendar)
    assert np.allclose(quarters.reshape(-1, 4).mean(axis=1), hourly_yield(weather, plant), atol=1e-12)


def test_a_leap_year_repeats_the_weather_of_28_february() -> None:
    from datetime import date

    calendar = make_calendar(make_horizon(date(2024, 1, 1), date(2025, 1, 1), 60, "Asia/Shanghai"))
    assert len(calendar.weather_hour) == 8784
    assert (calendar.weather_hour[59 * 24 : 60 * 24] == calendar.weather_hour[58 * 24 : 59 * 24]).all()
    assert calendar.weather_hour[-1] == 8759


def test_a_zone_with_summer_time_has_23_and_25_hour_days() -> None:
    from datetime import date

    spring = make_calendar(make_horizon(date(2025, 3, 30), date(2025, 3, 31), 15, "Europe/Berlin"))
    autumn = make_calendar(make_horizon(date(2025, 10, 26), date(2025, 10, 27), 15, "Europe/Berlin"))
    assert (len(spring.minute), len(autumn.minute)) == (92, 100)
    assert 120 not in spring.minute


def _calendar(days: int = 2) -> Any:
    from datetime import date, timedelta

    return make_calendar(make_horizon(date(2025, 1, 31), date(2025, 1, 31) + timedelta(days=days), 60, "Asia/Shanghai"))


def test_windows_pass_midnight_and_later_ones_win() -> None:
    from services.rules.twin.inputs import Days, Window

    every = frozenset(range(1, 13))
    tariff = Tariff(
        {Period.FLAT: Decimal("0.6"), Period.VALLEY: Decimal("0.3"), Period.SHARP: Decimal("1.2")},
        (
            Window(every, Days.ALL, 23 * 60, 7 * 60, Period.VALLEY),
            Window(frozenset({2}), Days.RESTDAYS, 0, 60, Period.SHARP),
        ),
    )
    prices = step_prices(_calendar(), tariff, FeedIn())
    assert prices.buy[:24].tolist() == [0.3] * 7 + [0.6] * 16 + [0.3]
    assert prices.buy[24] == 1.2  # 1 February 2025 is a Saturday


@given(st.lists(st.floats(0, 5000, allow_nan=False), min_size=48, max_size=48), st.decimals("0.01", "3", places=4))
@settings(max_examples=60, deadline=None)
def test_each_part_is_rounded_once_and_the_total_is_their_sum(values: list[float], price: Decimal) -> None:
    tariff = Tariff({Period.FLAT: price}, (), demand_yuan_per_kw=Decimal("38.4"))
    calendar = _calendar()
    imported = np.array(values)
    bill = make_bill(calendar, step_prices(calendar, tariff, FeedIn()), tariff, FeedIn(), imported, imported * 0)
    assert bill.total_fen == sum(bill.by_kind().values())
    assert [part.month for part in bill.parts if part.kind == "demand"] == ["2025-01", "2025-02"]
    exact = sum(Decimal(repr(v)) for v in values) * price * 100
    assert abs(Decimal(bill.by_kind()["flat"]) - exact) <= 2


def test_the_horizon_is_counted_in_utc() -> None:
    from datetime import UTC, date, datetime

    horizon = make_horizon(date(2025, 1, 1), date(2026, 1, 1), 15, "Asia/Shanghai")
    assert horizon == Horizon(datetime(2024, 12, 31, 16, tzinfo=UTC), 35040, 15, "Asia/Shanghai")
