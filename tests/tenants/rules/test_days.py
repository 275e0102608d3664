"""Periods derive from their anchor: clamped ends never shift later ones, and every day is in exactly one."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants.rules.days import (
    Alignment,
    BilledEvery,
    Span,
    add_months,
    anchor_of,
    first_moment,
    local_day,
    period_around,
)

days = st.dates(date(2020, 1, 1), date(2040, 12, 31))


def ends(anchor: date, every: BilledEvery, periods: int) -> list[str]:
    span, found = period_around(anchor, every, anchor), []
    for _ in range(periods):
        found.append(span.end.isoformat())
        span = period_around(anchor, every, span.end)
    return found


@pytest.mark.parametrize(
    ("anchor", "every", "expected"),
    [
        (date(2028, 1, 31), BilledEvery.MONTH, ["2028-02-29", "2028-03-31", "2028-04-30", "2028-05-31"]),
        (date(2027, 1, 30), BilledEvery.MONTH, ["2027-02-28", "2027-03-30", "2027-04-30"]),
        (date(2028, 2, 29), BilledEvery.YEAR, ["2029-02-28", "2030-02-28", "2031-02-28", "2032-02-29"]),
        (date(2026, 12, 1), BilledEvery.MONTH, ["2027-01-01", "2027-02-01"]),
    ],
)
def test_clamped_ends_never_shift_later_ones(anchor: date, every: BilledEvery, expected: list[str]) -> None:
    assert ends(anchor, every, len(expected)) == expected


@given(days, st.sampled_from(BilledEvery), days)
def test_every_day_is_in_one_period_and_periods_meet(anchor: date, every: BilledEvery, day: date) -> None:
    span = period_around(anchor, every, day)
    assert day in span
    assert period_around(anchor, every, span.start) == period_around(anchor, every, span.end - timedelta(1)) == span
    assert period_around(anchor, every, span.end).start == span.end
    assert 28 <= span.days <= 31 if every is BilledEvery.MONTH else span.days in {365, 366}


@given(days, st.sampled_from(BilledEvery))
def test_calendar_periods_are_months_and_years(day: date, every: BilledEvery) -> None:
    anchor = anchor_of(day, every, Alignment.CALENDAR)
    span = period_around(anchor, every, day)
    assert span.start == anchor <= day
    assert span.start.day == span.end.day == 1
    assert anchor_of(day, every, Alignment.ANNIVERSARY) == day


@given(days, st.integers(0, 400))
def test_months_are_counted_from_the_anchor(anchor: date, months: int) -> None:
    found = add_months(anchor, months, anchor.day)
    assert (found.year * 12 + found.month) - (anchor.year * 12 + anchor.month) == months
    assert found.day == anchor.day or (found + timedelta(1)).day == 1


@given(st.integers(1_577_836_800, 2_208_988_800))
def test_a_day_begins_where_the_park_is(second: int) -> None:
    instant = datetime.fromtimestamp(second, UTC)
    day = local_day(instant)
    assert first_moment(day) <= instant < first_moment(day + timedelta(1))
    assert first_moment(day + timedelta(1)) - first_moment(day) == timedelta(hours=24), "China has no summer time"
    assert Span(day, day + timedelta(1)).days == 1
