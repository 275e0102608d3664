"""Meters' files as they come: registers, end stamps, gaps, resets, finer intervals, summer time and other zones."""

from __future__ import annotations

import io
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.formats.park import parse_park
from services.gateways.meter_files import read_meter
from services.rules.twin.inputs import LoadSeries
from services.rules.twin.meters import MeterSpec, Missing, Stamp, Unit, from_register
from services.usecases.twin_alone import folder_opener, read_request
from tenants.kernel.errors import Invalid
from tests.services.parks import week

HOURS = 168
FIRST = datetime(2025, 7, 7)  # noqa: DTZ001 - stamps of the files are local


def _read(rows: list[str], spec: MeterSpec, **changes: Any) -> LoadSeries:
    horizon = parse_park(json.dumps(week(**changes)).encode()).horizon()
    return read_meter(
        io.BytesIO("\n".join(rows).encode()), horizon, spec, name="m.csv", field_name="load.meters[0].csv"
    )


def _hours(values: Any, *, end: bool = False) -> list[str]:
    return ["time,value", *(f"{(FIRST + timedelta(hours=i + end)):%Y-%m-%dT%H:%M},{v:g}" for i, v in enumerate(values))]


LOAD = 100.0 + np.arange(HOURS) % 24
HOURLY = MeterSpec("1", interval=60)


@pytest.mark.parametrize("unit", [Unit.KW, Unit.KWH, Unit.REGISTER])
@pytest.mark.parametrize("end", [False, True])
def test_power_energy_and_register_with_either_stamp_give_the_same_load(unit: Unit, end: bool) -> None:
    spec = MeterSpec("1", unit, Stamp.END if end else Stamp.START, 60)
    if unit is Unit.REGISTER:
        rows = _hours(np.concatenate([[5000.0], 5000 + np.cumsum(LOAD)]))
    else:
        rows = _hours(LOAD, end=end)
    assert _read(rows, spec).kw == pytest.approx(LOAD)


def test_a_finer_meter_is_averaged_and_the_ratio_multiplies() -> None:
    rows = ["time,kwh", *(f"{FIRST + timedelta(minutes=15 * i):%Y/%m/%d %H:%M},{i % 4}" for i in range(HOURS * 4))]
    read = _read(rows, MeterSpec("1", Unit.KWH, interval=15, ratio=40))
    assert read.kw == pytest.approx(np.full(HOURS, 40 * 6.0))


def test_times_as_meters_in_china_write_them() -> None:
    rows = _hours(LOAD, end=True)
    rows = [
        row.replace("2025-07-08T00:00", "2025/7/7 24:00").replace("2025-07-07T01:00", "2025/7/7 1:00:00")
        for row in rows
    ]
    rows[5] = "2025-07-06T21:00Z,104"  # 05:00 in China
    assert _read(rows, MeterSpec("1", stamp=Stamp.END, interval=60)).kw == pytest.approx(LOAD)


def test_a_register_that_is_reset_or_rolls_over_counts_on() -> None:
    register = np.concatenate([[99_000.0], 99_000 + np.cumsum(LOAD)])
    rolled = register % 100_000
    assert _read(_hours(rolled), MeterSpec("1", Unit.REGISTER, interval=60, rollover=100_000)).kw == pytest.approx(LOAD)
    reset = np.where(np.arange(HOURS + 1) > 50, register - register[50], register)
    read = _read(_hours(reset), MeterSpec("1", Unit.REGISTER, interval=60, resets=True))
    assert read.kw == pytest.approx(LOAD)
    assert "清零" in read.notes[0]
    with pytest.raises(Invalid) as caught:
        _read(_hours(rolled), MeterSpec("1", Unit.REGISTER, interval=60))
    assert caught.value.errors[0].code == "load.register_fell"
    assert "2025-07-07T" in caught.value.errors[0].field


@pytest.mark.parametrize(("missing", "wanted"), [(Missing.INTERPOLATE, 105.0), (Missing.LAST_WEEK, None)])
def test_gaps_are_filled_as_told_and_counted(missing: Missing, wanted: float | None) -> None:
    rows = _hours(LOAD)
    del rows[6]
    spec = MeterSpec("1", interval=60, missing=missing)
    if wanted is None:
        with pytest.raises(Invalid) as caught:  # one week has no week before it
            _read(rows, spec)
        assert caught.value.errors[0].code == "load.gap"
        two = week(period={"from": "2025-07-07", "to": "2025-07-21"})
        both = _hours(np.tile(LOAD, 2))
        del both[200]
        horizon = parse_park(json.dumps(two).encode()).horizon()
        read = read_meter(io.BytesIO("\n".join(both).encode()), horizon, spec, name="m", field_name="m")
        assert read.kw == pytest.approx(np.tile(LOAD, 2))
    else:
        read = _read(rows, spec)
        assert read.kw[5] == pytest.approx(wanted)
    assert any("补齐" in note for note in read.notes)


def test_a_long_gap_is_refused_and_a_registers_gap_keeps_its_energy() -> None:
    rows = _hours(LOAD)
    with pytest.raises(Invalid) as caught:
        _read(rows[:6] + rows[12:], MeterSpec("1", interval=60, missing=Missing.INTERPOLATE))
    assert caught.value.errors[0].field == "load.meters[0].csv[2025-07-07T05:00+08:00]"
    register = _hours(np.concatenate([[0.0], np.cumsum(LOAD)]))
    read = _read(register[:6] + register[8:], MeterSpec("1", Unit.REGISTER, interval=60, missing=Missing.INTERPOLATE))
    assert read.kw.sum() == pytest.approx(LOAD.sum())


@given(st.lists(st.integers(0, 500), min_size=5, max_size=40), st.sets(st.integers(1, 38), max_size=10))
@settings(max_examples=80, deadline=None)
def test_a_register_with_holes_never_loses_energy(steps: list[int], holes: set[int]) -> None:
    register = np.concatenate([[0.0], np.cumsum(steps)]).astype(float)
    holes = {hole for hole in holes if hole < len(steps)}
    register[list(holes)] = np.nan
    spec = MeterSpec("1", Unit.REGISTER, interval=60, missing=Missing.INTERPOLATE, longest_gap=7 * 1440)
    found = from_register(register, spec)
    assert not found.refused
    assert found.kw.sum() == pytest.approx(sum(steps))


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ("2025-07-07T02:00", "load.columns"), ("07/07/2025,5", "load.time"), ("2025-02-30T02:00,5", "load.no_such_time"),
        ("2025-07-07T02:07,5", "load.off_grid"), ("2025-07-07T01:00,5", "load.duplicate"), ("2025-07-07T02:00,five", "load.number"),
        ("2025-07-07T02:00,nan", "load.not_finite"), ("2025-07-07T02:00,-1", "load.range"),
    ],
)  # fmt: skip
def test_each_fault_is_named_with_its_row(row: str, code: str) -> None:
    rows = _hours(LOAD)
    rows[3] = row
    with pytest.raises(Invalid) as caught:
        _read(rows, HOURLY)
    assert caught.value.errors[0].code == code
    assert caught.value.errors[0].field.startswith("load.meters[0].csv[4]")


def test_a_header_that_contradicts_the_unit_is_refused() -> None:
    rows = ["time,kwh", *_hours(LOAD)[1:]]
    with pytest.raises(Invalid) as caught:
        _read(rows, HOURLY)
    assert caught.value.errors[0].code == "load.unit"


def test_summer_time_has_an_hour_that_comes_twice_and_one_that_never_was() -> None:
    site = {"name": "Köln", "latitude": 50.9, "longitude": 7, "timezone": "Europe/Berlin"}
    autumn = {"site": site, "period": {"from": "2025-10-26", "to": "2025-10-27"}}
    stamps = [0, 1, 2, 2, *range(3, 24)]
    rows = ["time,kw", *(f"2025-10-26T{hour:02d}:00,{i}" for i, hour in enumerate(stamps))]
    spec = MeterSpec("1", interval=60, timezone="Europe/Berlin")
    assert _read(rows, spec, **autumn).kw.tolist() == list(range(25))
    spring = {"site": site, "period": {"from": "2025-03-30", "to": "2025-03-31"}}
    hours = [0, 1, *range(3, 24)]
    rows = ["time,kw", *(f"2025-03-30T{hour:02d}:00,{i}" for i, hour in enumerate(hours))]
    assert _read(rows, spec, **spring).kw.tolist() == list(range(23))
    with pytest.raises(Invalid) as caught:
        _read([*rows, "2025-03-30T02:00,5"], spec, **spring)
    assert caught.value.errors[0].code == "load.no_such_time"


def test_a_leap_year_and_rows_of_other_years() -> None:
    first = datetime(2023, 12, 31)  # noqa: DTZ001 - local
    rows = ["time,kw", *(f"{first + timedelta(hours=i):%Y-%m-%dT%H:%M},1" for i in range(24 + 8784 + 24))]
    read = _read(rows, HOURLY, period={"year": 2024})
    assert len(read.kw) == 8784
    assert "48 行不在所选时段内" in read.notes[0]


def test_meters_in_several_zones_are_added_up(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("\n".join(_hours(LOAD)))
    utc = ["time,kwh", *(f"{FIRST + timedelta(hours=i - 8):%Y-%m-%dT%H:%M},{v:g}" for i, v in enumerate(LOAD))]
    (tmp_path / "b.csv").write_text("\n".join(utc))
    meters: list[dict[str, Any]] = [{"csv": "a.csv"}, {"csv": "b.csv", "unit": "kwh", "timezone": "UTC", "ratio": 2}]
    request = read_request(json.dumps(week(load={"meters": meters})).encode(), folder_opener(tmp_path))
    assert request.load.kw == pytest.approx(3 * LOAD)
    meters[1]["csv"] = "c.csv"
    (tmp_path / "a.csv").write_text("time,kw\nbad,row\n")
    with pytest.raises(Invalid) as caught:
        read_request(json.dumps(week(load={"meters": meters})).encode(), folder_opener(tmp_path))
    assert [error.field for error in caught.value.errors] == ["load.meters[0].csv[2].time", "load.meters[0].csv[2].value", "load.meters[1].csv"]  # fmt: skip


def test_a_meter_coarser_than_the_step_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("\n".join(_hours(LOAD)))
    document = week(step_minutes=15, load={"meters": [{"csv": "a.csv", "interval_minutes": 60}]})
    with pytest.raises(Invalid) as caught:
        read_request(json.dumps(document).encode(), folder_opener(tmp_path))
    assert caught.value.errors[0].field == "load.meters[0].interval_minutes"
