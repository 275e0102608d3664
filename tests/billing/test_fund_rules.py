"""Burn, alerts, idle money and splits: the rules of funds."""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.rules.burn import HORIZON_DAYS, Window, forecast
from billing.rules.fund_alerts import USUAL, AlertKind, Level, Thresholds, check_days, check_share, crossed
from billing.rules.rebalancing import EnvelopeUse, idle_money
from billing.rules.splits import Share, split_amount
from tenants.kernel.errors import Invalid

TODAY = date(2026, 10, 15)
LONG_AGO = TODAY - timedelta(days=400)
amounts = st.integers(0, 10**13)
burns = st.dictionaries(
    st.integers(0, 120).map(lambda back: TODAY - timedelta(days=back)), st.integers(-(10**9), 10**11), max_size=40
)


def test_an_even_burn_is_forecast_to_the_day() -> None:
    even = {TODAY - timedelta(days=back): 100 for back in range(120)}
    found = forecast(1_050, even, today=TODAY, since=LONG_AGO)
    assert found is not None
    assert (found.rate, found.daily_fen, found.days_left) == (Fraction(100), 100, 10)
    assert found.runs_out_on == date(2026, 10, 25)
    assert found.basis == (Window(28, 2, 2_800), Window(90, 1, 9_000))


def test_the_last_weeks_count_twice() -> None:
    recent = {TODAY - timedelta(days=back): 300 for back in range(28)}
    found = forecast(1, recent, today=TODAY, since=LONG_AGO)
    assert found is not None
    assert found.rate == Fraction(2 * 300, 3) + Fraction(28 * 300, 90 * 3)


def test_a_young_fund_is_judged_by_the_days_it_has_had() -> None:
    found = forecast(1_000, {TODAY: 50, TODAY - timedelta(days=1): 50}, today=TODAY, since=TODAY - timedelta(days=1))
    assert found is not None
    assert found.rate == Fraction(50)
    assert {window.days for window in found.basis} == {2}


@pytest.mark.parametrize("burned", [{}, {TODAY: -5}, {LONG_AGO: 10**9}, {TODAY: 7, TODAY - timedelta(days=1): -7}])
def test_without_burn_there_is_no_forecast(burned: dict[date, int]) -> None:
    assert forecast(10**9, burned, today=TODAY, since=LONG_AGO) is None


@given(available=amounts, more=amounts, burned=burns, age=st.integers(0, 200))
def test_a_forecast_is_honest(available: int, more: int, burned: dict[date, int], age: int) -> None:
    """The money lasts the days that are forecast and not one more; more money never runs out earlier."""
    since = TODAY - timedelta(days=age)
    found = forecast(available, burned, today=TODAY, since=since)
    if found is None:
        assert all(
            sum(v for day, v in burned.items() if TODAY - timedelta(days=min(n, age + 1) - 1) <= day <= TODAY) <= 0
            for n in (28, 90)
        )
        return
    assert found.rate > 0
    if found.days_left is None:
        assert available > found.rate * HORIZON_DAYS
        return
    assert found.rate * found.days_left <= available < found.rate * (found.days_left + 1)
    assert found.runs_out_on == TODAY + timedelta(days=found.days_left)
    richer = forecast(available + more, burned, today=TODAY, since=since)
    assert richer is not None
    assert richer.days_left is None or richer.days_left >= found.days_left


@given(budget=st.integers(1, 10**13), share=st.integers(1, 9_999), path=st.lists(st.integers(0, 10_000), max_size=30))
def test_an_alert_stands_from_its_threshold_until_a_tenth_above_it(budget: int, share: int, path: list[int]) -> None:
    standing: frozenset[AlertKind] = frozenset()
    for step in path:
        available = budget * step // 10_000
        now = crossed(Thresholds(share, None), Level(budget, available, 3), standing)
        if available * 10_000 <= share * budget:
            assert now == {AlertKind.LOW_BALANCE}
        elif available * 100_000 > share * budget * 11:
            assert now == set()
        else:
            assert now == standing
        standing = now


def test_days_are_watched_too_and_a_fund_without_money_is_not_short() -> None:
    assert crossed(USUAL, Level(1_000, 900, 30), ()) == {AlertKind.BURN_RATE}
    assert crossed(USUAL, Level(1_000, 900, 33), {AlertKind.BURN_RATE}) == {AlertKind.BURN_RATE}
    assert crossed(USUAL, Level(1_000, 900, 34), {AlertKind.BURN_RATE}) == set()
    assert crossed(USUAL, Level(1_000, 900, None), ()) == set()
    assert crossed(USUAL, Level(0, 0, None), ()) == set()
    assert crossed(Thresholds(None, None), Level(1_000, 0, 0), ()) == set()
    for bad in (0, 10_000):
        with pytest.raises(Invalid):
            check_share(bad)
    for bad in (0, 367):
        with pytest.raises(Invalid):
            check_days(bad)
    assert (check_share(None), check_days(None)) == (None, None)


def test_idle_regional_money_is_proposed_late_in_the_year() -> None:
    uses = [
        EnvelopeUse("western", 100_000, 50_000, Fraction(100)),
        EnvelopeUse("510100", 100_000, 9_361, Fraction(100)),
        EnvelopeUse("411200", 1_000, 1_000, Fraction(0)),
    ]
    found = idle_money(uses, year=2026, today=TODAY)
    assert [(each.envelope, each.amount_fen, each.needed_fen, each.days) for each in found] == [
        ("western", 50_000 - 9_360, 9_360, 78),
        ("411200", 1_000, 0, 78),
    ]
    assert idle_money(uses, year=2026, today=date(2026, 9, 30)) == ()
    assert idle_money(uses, year=2025, today=TODAY) == ()


@given(
    amount=st.integers(10_000, 10**13),
    shares=st.lists(st.integers(1, 3_000), min_size=1, max_size=3),
)
def test_a_split_is_exact_and_true_to_its_shares(amount: int, shares: list[int]) -> None:
    names = ("western", "510100", "411224")
    parts = split_amount(amount, "", [Share(*each) for each in zip(names, shares, strict=False)])
    assert sum(parts.values()) <= amount
    for name, share in zip(names, shares, strict=False):
        assert abs(parts[name] * 10_000 - amount * share) < 10_000


@pytest.mark.parametrize(
    ("shares", "fields"),
    [
        ([Share("western", 6_000), Share("510100", 5_000)], {"split"}),
        ([Share("western", 0), Share("510000", 1)], {"split[0].share_bp", "split[1].envelope"}),
        ([Share("western", 1), Share("western", 1)], {"split[1].envelope"}),
        ([Share("", 1)], {"split[0].envelope"}),
        ([Share("western", 1)] * 51, {"split"}),
    ],
)
def test_a_split_that_makes_no_sense_is_refused_at_its_share(shares: list[Share], fields: set[str]) -> None:
    with pytest.raises(Invalid) as refused:
        split_amount(1_000_000, "", shares)
    assert {error.field for error in refused.value.errors} == fields


def test_a_share_below_a_fen_is_refused() -> None:
    with pytest.raises(Invalid) as refused:
        split_amount(1, "", [Share("western", 1)])
    assert [error.field for error in refused.value.errors] == ["split[0].share_bp"]
