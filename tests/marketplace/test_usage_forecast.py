"""Where a running period is heading: the days before today say it, or nothing does."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.rules.usage_forecast import WINDOW_DAYS, forecast

MARCH = {"start": date(2026, 3, 1), "end": date(2026, 4, 1)}
TODAY = date(2026, 3, 15)
LONG_AGO = date(2026, 1, 1)


def daily(fen: int, first: date, last: date) -> dict[date, int]:
    return {first + timedelta(days=number): fen for number in range((last - first).days + 1)}


def test_every_day_left_costs_what_the_last_four_weeks_did_on_average() -> None:
    spent = daily(100, date(2026, 2, 15), date(2026, 3, 14))
    found = forecast(spent, **MARCH, today=TODAY, since=LONG_AGO)
    assert found is not None
    assert (found.basis_days, found.basis_fen, found.spent_fen, found.days_left) == (28, 2_800, 1_400, 16)
    assert found.expected_fen == 3_100
    more = forecast(spent | {TODAY: 500}, **MARCH, today=TODAY, since=LONG_AGO)
    assert more is not None
    assert (more.spent_fen, more.expected_fen) == (1_900, 3_500)


def test_a_park_that_began_lately_is_judged_by_the_days_it_has_had() -> None:
    since = date(2026, 3, 5)
    found = forecast(daily(700, since, date(2026, 3, 14)), **MARCH, today=TODAY, since=since)
    assert found is not None
    assert (found.basis_days, found.expected_fen) == (10, 7_000 + 17 * 700)


@pytest.mark.parametrize(
    ("spent", "today", "since"),
    [
        ({}, TODAY, None),
        (daily(1, date(2026, 3, 9), date(2026, 3, 14)), TODAY, date(2026, 3, 9)),
        (daily(1, date(2026, 3, 13), date(2026, 3, 14)), TODAY, LONG_AGO),
        (daily(1, date(2026, 2, 1), date(2026, 3, 31)), date(2026, 4, 1), LONG_AGO),
        (daily(1, date(2026, 2, 1), date(2026, 2, 27)), date(2026, 2, 28), LONG_AGO),
    ],
    ids=["never used", "six days old", "two days of use", "over", "not begun"],
)
def test_too_little_says_nothing(spent: dict[date, int], today: date, since: date | None) -> None:
    assert forecast(spent, **MARCH, today=today, since=since) is None


@given(st.dictionaries(st.integers(0, 59), st.integers(0, 10**9)), st.integers(0, 30))
def test_a_period_never_costs_less_than_it_has(spent: dict[int, int], passed: int) -> None:
    days = {date(2026, 2, 1) + timedelta(days=number): fen for number, fen in spent.items()}
    today = MARCH["start"] + timedelta(days=passed)
    known = {day: fen for day, fen in days.items() if day <= today}
    found = forecast(known, **MARCH, today=today, since=LONG_AGO)
    if found is not None:
        assert found.expected_fen >= found.spent_fen
        assert found.basis_days == WINDOW_DAYS
