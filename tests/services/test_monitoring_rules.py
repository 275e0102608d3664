"""Baselines, anomalies, savings, forecasts and alarms, on cooling made from physics with 5 % noise."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from statistics import median

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t as student_t

from marketplace.demo.documents import year_of_load
from services.gateways.boosting import forecast_day
from services.gateways.workdays import is_workday
from services.rules.monitoring import causes, savings, surges
from services.rules.monitoring.alarms import AlarmKind, AlarmRule, AlarmState, listen, look, step_due, told_from
from services.rules.monitoring.anomalies import Anomaly, Direction, watch
from services.rules.monitoring.baseline import Baseline, Hours, fit_baseline, moisture
from services.rules.monitoring.calendar import day_of, local_days, week_hours
from services.rules.monitoring.demo_office import Office, office_cooling
from services.rules.monitoring.meters import Measures
from services.rules.monitoring.series import Floats, Ints, Series
from tenants.kernel.clock import CHINA

FIRST = int(datetime(2024, 9, 1, tzinfo=CHINA).timestamp())
LEARNED, WATCHED = 285, 80
SEEDS = range(12)


@cache
def made_office(seed: int) -> Office:
    """A year of an office, with 5 % noise of each quarter and of each day."""
    return office_cooling(FIRST, LEARNED + WATCHED, seed=seed, is_workday=is_workday)


@cache
def office(seed: int) -> Hours:
    """The same by the hour."""
    made = made_office(seed)
    at = made.at[::4]
    use = made.kwh.reshape(-1, 4).sum(axis=1)
    mean = [each.reshape(-1, 4).mean(axis=1) for each in (made.temperature, made.humidity)]
    return Hours(at, use, week_hours(at, is_workday), *mean)


def quarters(seed: int, day: int, change: Callable[[Floats], None] | None = None) -> surges.Quarters:
    """Return a day of the last eighty, held against the 35 before, with ``change`` made to its kWh by the quarter of an hour."""
    made, hours = made_office(seed), office(seed)
    span = slice((LEARNED + day - 35) * 96, (LEARNED + day + 1) * 96)
    kwh = made.kwh[span].copy()
    if change is not None:
        change(kwh[-96:])
    weeks = hours.part((day_index(hours) >= LEARNED + day - 35) & (day_index(hours) <= LEARNED + day))
    series = Series(int(weeks.at[0]), 900, kwh, np.zeros(len(kwh), dtype=np.int64), False)
    found = surges.quarters_of(learned(seed), weeks, series, since=int(made.at[(LEARNED + day) * 96]))
    assert found is not None
    return found


def day_index(hours: Hours) -> Ints:
    found: Ints = local_days(hours.at) - local_days(hours.at[:1])[0]
    return found


@cache
def learned(seed: int) -> Baseline:
    hours = office(seed)
    found = fit_baseline(hours.part(day_index(hours) < LEARNED))
    assert found is not None
    return found


def watched(seed: int, fault_from: int | None = None, factor: float = 1.2, *, night: float = 0.0) -> tuple[Hours, int]:
    """Return the last 80 days, with a fault from a day of them on, and the day since 1970 on which it began."""
    hours = office(seed)
    rest = hours.part(day_index(hours) >= LEARNED)
    begins = int(local_days(rest.at[:1])[0]) + (fault_from or 0)
    if fault_from is None:
        return rest, begins
    after = local_days(rest.at) >= begins
    use = np.where(after, rest.use * factor, rest.use) + np.where(after & (rest.week_hour % 24 < 6), night, 0.0)
    return Hours(rest.at, use, rest.week_hour, rest.temperature, rest.humidity), begins


def test_normal_days_raise_no_alarm_in_eighty_days_of_any_seed() -> None:
    for seed in SEEDS:
        assert watch(learned(seed), watched(seed)[0]).anomaly is None, seed


def test_no_quarter_of_normal_days_is_a_surge() -> None:
    for seed in SEEDS[::3]:
        for day in range(WATCHED):
            assert surges.find_surge(quarters(seed, day)) is None, (seed, day)


def _runs_on(kwh: Floats) -> None:
    kwh[4:28] += 0.6 * kwh.mean()


def _doubles(kwh: Floats) -> None:
    kwh[40:] *= 2


def _falls(kwh: Floats) -> None:
    kwh[40:] *= 0.1


@pytest.mark.parametrize(
    ("change", "begins", "measures", "cause"),
    [
        (_runs_on, 4, Measures.COOLING, "off_hours"),
        (_runs_on, 4, Measures.WATER, "night_flow"),
        (_doubles, 40, Measures.COOLING, "surge"),
        (_doubles, 40, Measures.GAS, "burst"),
        (_falls, 40, Measures.ELECTRICITY, "outage"),
    ],
)
def test_a_sudden_deviation_is_found_within_two_hours(
    change: Callable[[Floats], None], begins: int, measures: Measures, cause: str
) -> None:
    took = []
    for seed in SEEDS:
        watched_day = quarters(seed, 40, change)
        found = surges.find_surge(watched_day)
        assert found is not None, seed
        first = int(watched_day.at[0])
        assert abs(found.first - first - begins * 900) <= 900
        took.append((found.found - first) // 900 - begins)
        assert causes.likely_cause(measures, found.as_anomaly()).code == cause
    assert max(took) <= 8, "quarters"
    assert median(took) <= 6


def test_a_lasting_small_fault_is_left_to_the_days() -> None:
    def rises(kwh: Floats) -> None:
        kwh *= 1.25

    assert all(surges.find_surge(quarters(seed, 40, rises)) is None for seed in SEEDS)


def test_a_surge_is_found_with_the_weather_of_the_hour_before_and_a_gap_in_it() -> None:
    def rises(kwh: Floats) -> None:
        kwh[48:] *= 2.5
        kwh[50:52] = np.nan

    made = quarters(2, 40, rises)
    until = made.part(made.at < made.at[0] + 57 * 900)
    found = surges.find_surge(until)
    assert found is not None
    assert found.direction is Direction.HIGH
    assert found.excess == pytest.approx(float(np.nansum((until.use - until.expected)[48:56])) / 4, rel=0.15)
    blind = office(2)
    weeks = blind.part((day_index(blind) >= LEARNED + 5) & (day_index(blind) <= LEARNED + 40))
    temperature = weeks.temperature.copy()
    temperature[-1:] = np.nan
    series = Series(
        int(weeks.at[0]),
        900,
        made_office(2).kwh[(LEARNED + 5) * 96 : (LEARNED + 41) * 96],
        np.zeros(36 * 96, dtype=np.int64),
        False,
    )
    late = Hours(weeks.at, weeks.use, weeks.week_hour, temperature, weeks.humidity)
    known = surges.quarters_of(learned(2), late, series, since=int(weeks.at[-24]))
    assert known is not None
    assert not np.isnan(known.expected).any(), "the last hour's weather is carried on"
    assert surges.quarters_of(learned(2), late, series, since=int(weeks.at[24])) is None, (
        "a day tells nothing of what is normal"
    )


def test_a_fault_of_a_fifth_is_found_within_days() -> None:
    took = []
    for seed in SEEDS:
        hours, begins = watched(seed, fault_from=10 + 3 * seed)
        found = watch(learned(seed), hours).anomaly
        assert found is not None, seed
        assert found.direction is Direction.HIGH
        took.append(found.found_day - begins + 1)
        assert 0.1 < found.share < 0.35
    assert max(took) <= 11
    assert median(took) <= 4


def test_a_fifth_above_the_mean_would_be_no_rule() -> None:
    """What is not used: the naive rule flags most normal summer days."""
    hours, _ = watched(0)
    by_day = np.add.reduceat(hours.use, np.arange(0, len(hours.use), 24))
    known = office(0).part(day_index(office(0)) < LEARNED)
    assert np.mean(by_day > 1.2 * known.use.sum() / LEARNED) > 0.3


def test_the_running_day_counts_once_half_of_it_is_metered() -> None:
    hours, begins = watched(1, fault_from=10, factor=1.3)
    found = watch(learned(1), hours).anomaly
    assert found is not None
    assert found.found_day > begins
    same_day = (local_days(hours.at) < found.found_day) | (hours.week_hour % 24 < 15)
    until = hours.part((local_days(hours.at) <= found.found_day) & same_day)
    assert watch(learned(1), until).anomaly is not None, "by three in the afternoon"
    morning = hours.part(
        (local_days(hours.at) < found.found_day)
        | ((local_days(hours.at) == found.found_day) & (hours.week_hour % 24 < 9))
    )
    assert watch(learned(1), morning).anomaly is None, "not yet by nine"


def test_a_meter_that_reads_too_little_is_found_too() -> None:
    hours, _ = watched(2, fault_from=20, factor=0.6)
    found = watch(learned(2), hours).anomaly
    assert found is not None
    assert found.direction is Direction.LOW
    assert causes.likely_cause(Measures.COOLING, found).code == "meter_low"


def test_the_shape_of_an_excess_tells_its_cause() -> None:
    grows, _ = watched(3, fault_from=10, factor=1.3)
    nights, _ = watched(3, fault_from=10, factor=1.0, night=25.0)
    codes = {}
    for name, hours in (("grows", grows), ("nights", nights)):
        found = watch(learned(3), hours).anomaly
        assert found is not None
        codes[name] = causes.likely_cause(Measures.COOLING, found).code
    assert codes == {"grows": "fouling", "nights": "off_hours"}
    assert any("清洗滤网" in str(step) for step in causes.CAUSES["fouling"].advice)
    assert any("26 ℃" in str(step) for step in causes.CAUSES["setpoint"].advice)
    flat = Anomaly(Direction.HIGH, 0, 3, 100.0, 0.2, 0.1, 0.9)
    assert causes.likely_cause(Measures.COOLING, flat).code == "setpoint"
    leak = Anomaly(Direction.HIGH, 0, 3, 100.0, 0.2, 0.8, 0.9)
    assert causes.likely_cause(Measures.WATER, leak).code == "night_flow"


def test_a_baseline_says_how_good_it_is_and_survives_its_document() -> None:
    found = learned(0)
    assert found.r2 > 0.97
    assert abs(found.nmbe) < 0.05
    assert found.by_temperature
    again = Baseline.of(found.document())
    assert again == found
    hours, _ = watched(0)
    assert np.array_equal(again.predict(hours), found.predict(hours))


def test_a_baseline_without_weather_knows_the_week_and_with_little_data_is_none() -> None:
    hours = office(0)
    nothing = np.full(len(hours.at), np.nan)
    blind = Hours(hours.at, hours.use, hours.week_hour, nothing, nothing)
    found = fit_baseline(blind)
    assert found is not None
    assert not found.by_temperature
    assert found.r2 < learned(0).r2
    assert fit_baseline(blind.part(day_index(hours) < 27)) is None
    gaps = np.where(np.random.default_rng(1).random(len(hours.at)) < 0.3, np.nan, hours.use)
    holed = fit_baseline(Hours(hours.at, gaps, hours.week_hour, hours.temperature, hours.humidity))
    assert holed is not None
    assert holed.r2 > 0.95


def test_holidays_are_read_as_sundays_and_shifted_workdays_as_workdays() -> None:
    holiday, shifted = datetime(2026, 10, 1, 10, tzinfo=CHINA), datetime(2026, 10, 10, 10, tzinfo=CHINA)
    hours = week_hours(np.array([int(each.timestamp()) for each in (holiday, shifted)]), is_workday)
    assert hours.tolist() == [6 * 24 + 10, 2 * 24 + 10]
    assert day_of(0) == date(1970, 1, 1)


def test_moist_air_is_that_of_tables() -> None:
    """ASHRAE Fundamentals: 25 °C and 50 % hold 9.9 g/kg, 35 °C and 60 % hold 21.4 g/kg."""
    found = moisture(np.array([25.0, 35.0]), np.array([50.0, 60.0])) * 1000
    assert found == pytest.approx([9.9, 21.4], abs=0.15)


def test_a_saving_is_what_the_fault_would_have_used_and_its_band_holds_it() -> None:
    """Over many repairs, nine in ten true savings lie within the stated uncertainty."""
    within = 0
    for seed in SEEDS:
        hours, begins = watched(seed, fault_from=20)
        fault = hours.part(local_days(hours.at) < begins + 14)
        normal, _ = watched(seed)
        after = normal.part((local_days(normal.at) >= begins + 14) & (local_days(normal.at) < begins + 28))
        baseline = learned(seed)
        found = fault.part(local_days(fault.at) >= begins)
        excess = found.use.sum() / baseline.predict(found).sum() - 1
        made = savings.saving(
            expected=float(baseline.predict(after).sum()), metered=float(after.use.sum()), days=14, fault_share=excess,
            fault_days=14, baseline_days=baseline.days, cv_rmse=baseline.cv_rmse, rho=baseline.rho,
        )  # fmt: skip
        assert made.is_proved
        within += abs(made.saved - 0.2 * after.use.sum()) <= made.uncertainty
    assert within >= 10


@pytest.mark.parametrize("freedom", [3, 10, 60, 300])
def test_student_agrees_with_scipy(freedom: int) -> None:
    assert savings.student(0.9, freedom) == pytest.approx(float(student_t.ppf(0.95, freedom)), rel=0.01)


def load_hours() -> Hours:
    """A park's load of a year, from its CSV."""
    rows = year_of_load().decode().splitlines()[1:]
    use = np.array([float(row.split(",")[1]) for row in rows]).reshape(-1, 4).mean(axis=1)
    at = int(datetime(2025, 1, 1, tzinfo=CHINA).timestamp()) + 3600 * np.arange(len(use), dtype=np.int64)
    nothing = np.full(len(use), np.nan)
    return Hours(at, use, week_hours(at, is_workday), nothing, nothing)


def test_the_forecast_beats_both_naive_ones_and_shows_its_error() -> None:
    for hours in (load_hours(), office(1)):
        last = np.arange(len(hours.at)) >= len(hours.at) - 24
        future = hours.part(last)
        made = forecast_day(hours.part(~last), future)
        assert made is not None
        values, test = made
        assert test.beats_naive, test
        assert test.errors["boosted"].nrmse < min(test.errors["daily"].nrmse, test.errors["weekly"].nrmse)
        assert len(values) == 24
        assert np.isfinite(values).all()
        assert np.array_equal(values, forecast_day(hours.part(~last), future)[0]), "it repeats itself"  # type: ignore[index]


def test_what_does_not_beat_naive_is_not_used() -> None:
    """A load that repeats last week to the digit cannot be forecast better than by last week."""
    hours = load_hours()
    weekly = np.tile(np.random.default_rng(3).random(168) * 100, 53)[: len(hours.at)]
    same = Hours(hours.at, weekly, hours.week_hour, hours.temperature, hours.humidity)
    last = np.arange(len(hours.at)) >= len(hours.at) - 24
    made = forecast_day(same.part(~last), same.part(last))
    assert made is not None
    assert made[1].method == "weekly"
    assert np.allclose(made[0], weekly[last])
    assert forecast_day(hours.part(np.arange(len(hours.at)) < 900), hours.part(last)) is None


NOW = datetime(2026, 3, 2, 1, tzinfo=UTC)
ABOVE = AlarmRule(AlarmKind.ABOVE, 100.0, 5.0, timedelta(minutes=15))


def points(*values: float) -> list[tuple[datetime, float]]:
    return [(NOW + timedelta(minutes=5 * n), value) for n, value in enumerate(values)]


def test_a_crossing_holds_before_it_is_raised_and_ends_with_hysteresis() -> None:
    state, changes = look(ABOVE, AlarmState(), points(90, 101, 99, 101, 102, 103, 104, 97, 96, 94, 101, 101, 101, 101))
    assert [(each.raised, each.crossing) for each in changes] == [(True, 1), (False, 1), (True, 2)]
    assert changes[0].at == NOW + timedelta(minutes=30)
    assert changes[1].value == 94
    assert (state.is_on, state.crossings) == (True, 2)
    below = AlarmRule(AlarmKind.BELOW, 10.0, 2.0, timedelta(0))
    _, changes = look(below, AlarmState(), points(9, 11, 12))
    assert [(each.raised, each.value) for each in changes] == [(True, 9), (False, 12)]


@given(st.lists(st.floats(80, 120), max_size=40), st.integers(0, 40))
def test_looking_in_parts_or_twice_is_looking_once(values: list[float], cut: int) -> None:
    whole = look(ABOVE, AlarmState(), points(*values))
    state, first = look(ABOVE, AlarmState(), points(*values)[:cut])
    state, again = look(ABOVE, state, points(*values)[:cut])
    state, rest = look(ABOVE, state, points(*values))
    assert (state, first + rest, again) == (whole[0], whole[1], [])


def test_a_heartbeat_is_missed_once_and_found_again() -> None:
    rule = AlarmRule(AlarmKind.SILENT, None, 0.0, timedelta(minutes=30))
    state, none = listen(rule, AlarmState(), NOW, NOW, NOW + timedelta(minutes=29))
    state, missed = listen(rule, state, NOW, NOW, NOW + timedelta(minutes=31))
    state, still = listen(rule, state, NOW, NOW, NOW + timedelta(minutes=61))
    state, found = listen(rule, state, NOW + timedelta(minutes=60), NOW, NOW + timedelta(minutes=61))
    assert (none, [each.crossing for each in missed], still, [each.raised for each in found]) == ([], [1], [], [False])


@pytest.mark.parametrize(
    ("at", "told"),
    [("21:59", "21:59"), ("22:00", "06:30"), ("03:00", "06:30"), ("06:30", "06:30"), ("12:00", "12:00")],
)
def test_in_quiet_hours_an_alarm_waits_for_their_end(at: str, told: str) -> None:
    moment = datetime.fromisoformat(f"2026-03-02T{at}:00+08:00")
    found = told_from(moment, time(22), time(6, 30)).astimezone(CHINA)
    assert f"{found:%H:%M}" == told
    assert found >= moment
    assert told_from(moment, None, None) == moment


def test_an_alarm_goes_up_by_its_steps() -> None:
    assert [step_due(NOW, (15, 60), level) for level in range(3)] == [
        NOW + timedelta(minutes=15),
        NOW + timedelta(minutes=60),
        None,
    ]
