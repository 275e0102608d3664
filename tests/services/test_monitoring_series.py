"""Series on a grid: nothing is lost or guessed silently, whatever meters send."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.formats.readings import read_csv_batch, read_json_batch, read_mqtt_batch
from services.rules.monitoring.meters import Measures, MeterRule, Readings, Stamps
from services.rules.monitoring.series import STEP, Flag, Samples, coarser, combine, make_series
from tenants.kernel.errors import Invalid

START = 1_772_323_200  # 2026-03-01 00:00 UTC
HOUR = 3600


def rule(readings: Readings = Readings.INTERVAL, **more: object) -> MeterRule:
    return MeterRule(Measures.ELECTRICITY, readings, Stamps.START, 15, **more)  # type: ignore[arg-type]


def samples(*points: tuple[float, float]) -> Samples:
    at, values = zip(*points, strict=True)
    return Samples(np.array(at, dtype=np.int64), np.array(values, dtype=float), np.zeros(len(at), dtype=bool))


def registers(*points: tuple[float, float]) -> Samples:
    return samples(*((START + hour * HOUR, value) for hour, value in points))


def test_a_register_gives_what_it_counted_and_its_reset_is_flagged() -> None:
    series = make_series(
        rule(Readings.CUMULATIVE), registers((0, 100), (1, 104), (2, 3), (3, 7)), START, START + 3 * HOUR
    )
    assert coarser(series, 4).values.tolist() == pytest.approx([4, 3, 4])
    assert [bool(flag & Flag.RESET) for flag in coarser(series, 4).flags] == [False, True, False]


def test_a_register_that_rolls_over_counts_on_when_that_is_plausible() -> None:
    limited = rule(Readings.CUMULATIVE, register_limit=1000.0, highest=50.0)
    series = make_series(limited, registers((0, 990), (1, 10)), START, START + HOUR)
    assert series.values.sum() == pytest.approx(20)
    swapped = make_series(limited, registers((0, 500), (1, 10)), START, START + HOUR)
    assert swapped.values.sum() == pytest.approx(10), "a new meter begins at zero"


def test_a_register_keeps_its_total_over_a_gap_and_flags_it() -> None:
    series = make_series(
        rule(Readings.CUMULATIVE), registers((0, 0), (1, 4), (11, 44), (12, 48)), START, START + 12 * HOUR
    )
    assert series.values.sum() == pytest.approx(48)
    assert [int(flag & Flag.SPREAD) > 0 for flag in coarser(series, 4).flags] == [False] + [True] * 10 + [False]


def test_short_gaps_are_bridged_and_long_ones_stay() -> None:
    points = [(START + n * STEP, 10.0) for n in range(24) if n not in {3, 4, 5, 6, *range(12, 17)}]
    series = make_series(rule(), samples(*points), START, START + 6 * HOUR)
    assert series.values[3:7].tolist() == [10] * 4
    assert all(flag & Flag.BRIDGED for flag in series.flags[3:7])
    assert np.isnan(series.values[12:17]).all()
    assert all(flag & Flag.MISSING for flag in series.flags[12:17])
    assert series.coverage == pytest.approx(19 / 24)


def test_what_cannot_be_is_left_out_and_flagged() -> None:
    points = [(START + n * STEP, value) for n, value in enumerate([5.0, 1e6, -1.0, 5.0] + [5.0] * 6)]
    series = make_series(rule(highest=100.0), samples(*points), START, START + len(points) * STEP)
    assert [bool(flag & Flag.OUT_OF_RANGE) for flag in series.flags[:4]] == [False, True, True, False]
    assert series.values.tolist() == [5.0] * 10, "bridged, as an hour at most is"


def test_a_meter_that_hangs_for_a_day_is_flagged_and_one_that_rests_at_zero_is_not() -> None:
    for value, stuck in ((7.25, True), (0.0, False)):
        points = [(START + n * STEP, value) for n in range(100)]
        series = make_series(rule(), samples(*points), START, START + 100 * STEP)
        assert bool(series.flags[50] & Flag.STUCK) is stuck


def test_stamps_at_the_end_and_hourly_amounts_come_to_the_same() -> None:
    ends = MeterRule(Measures.ELECTRICITY, Readings.INTERVAL, Stamps.END, 60)
    series = make_series(ends, registers((1, 4), (2, 8)), START, START + 2 * HOUR)
    assert series.values.tolist() == pytest.approx([1] * 4 + [2] * 4)


def test_a_virtual_meter_is_missing_where_a_part_is() -> None:
    whole = make_series(rule(), samples(*((START + n * STEP, 10.0) for n in range(8))), START, START + 8 * STEP)
    part = make_series(rule(), samples(*((START + n * STEP, 4.0) for n in range(2))), START, START + 8 * STEP)
    rest = combine([(1, whole), (-1, part)])
    assert rest.values[:2].tolist() == [6, 6]
    assert np.isnan(rest.values[2:]).all()


@given(st.lists(st.floats(0, 1000), min_size=2, max_size=60), st.integers(0, 899))
def test_a_register_loses_no_energy(increments: list[float], offset: int) -> None:
    """Whatever the stamps, what lies inside the grid is the register's growth."""
    at = START + offset + 900 * np.arange(len(increments) + 1)
    values = np.concatenate([[0.0], np.cumsum(increments)])
    counted = Samples(at, values, np.zeros(len(at), dtype=bool))
    series = make_series(rule(Readings.CUMULATIVE), counted, START - STEP, START + STEP * (len(at) + 2))
    known = np.nansum(series.values)
    edges = [series.at[~np.isnan(series.values)][0], series.at[~np.isnan(series.values)][-1] + STEP]
    assert known == pytest.approx(float(np.diff(np.interp(edges, at, values))[0]), abs=1e-6)


def test_a_json_batch_names_each_wrong_reading() -> None:
    stamp = "2026-03-01T00:00:00+08:00"
    values = [
        [stamp, 1.5],
        [stamp, 2, "estimated"],
        [1_772_294_400_000, 3],
        ["2026-03-01", 1],
        [stamp, "x"],
        [stamp],
        [stamp, True],
        7,
    ]
    batch = read_json_batch({"series": [{"meter": "e1", "values": values}]})
    assert (len(batch.at), batch.estimated) == (3, [False, True, False])
    assert len(set(batch.at)) == 1
    assert [error.field for error in batch.refused] == [f"series[0].values[{n}]" for n in range(3, 8)]
    wrong: Any
    for wrong in (None, {}, {"series": [{}]}, {"series": [{"meter": "", "values": []}]}):
        with pytest.raises(Invalid):
            read_json_batch(wrong)


def test_a_brokers_message_is_read_in_its_shapes() -> None:
    at = 1_772_294_400_000
    messages = [
        {"topic": "park/site/e1", "payload": "12.5", "timestamp": at},
        {"topic": "park/site/e1", "payload": '{"value": 3, "at": "2026-03-01T00:15:00+08:00"}'},
        {"topic": "e2", "payload": "eyJ2YWx1ZSI6IDcsICJhdCI6IDE3NzIyOTQ0MDAwMDB9"},
        {"topic": "e2", "payload": [{"value": 1, "at": at}, {"value": 2, "at": at, "estimated": True}]},
        {"topic": "e2", "payload": "12.5"},
        {"topic": "e2", "payload": "not json", "timestamp": at},
        {"payload": 1},
        7,
    ]
    batch = read_mqtt_batch(messages)
    assert (batch.codes, batch.values) == (["e1", "e2"], [12.5, 3, 7, 1, 2])
    assert [error.field for error in batch.refused] == ["[4].payload[0]", "[5].payload[0]", "[6]", "[7]"]


def test_csv_files_are_read_long_wide_and_for_one_meter() -> None:
    long = read_csv_batch(b"meter,time,value\ne1,2026-03-01T00:00,1\ne2,2026-03-01 00:15,2\n")
    wide = read_csv_batch("\ufefftime,e1,e2\n2026-03-01T00:00,1,\n2026-03-01T00:15,,2\n\n".encode())
    assert (long.codes, long.at, long.values) == (wide.codes, wide.at, wide.values)
    assert read_csv_batch(b"time,kwh\n2026-03-01T00:00,5\n", meter="m").codes == ["m"]
    wrong = read_csv_batch(b"time,e1\n2026-03-01T00:00,x\nyesterday,1\n2026-03-01T00:00\n")
    assert [error.field for error in wrong.refused] == ["file[2].e1", "file[3].time", "file[4]"]
    for content in (b"\xff\xfe", b"a,b\n", b""):
        with pytest.raises(Invalid):
            read_csv_batch(content)
