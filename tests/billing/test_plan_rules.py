"""Fees by the day: parts sum to the fee, nothing is negative, and what is left over counts once."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.formats.entitlements import read_entitlements
from billing.rules.plans import Entitlements, Rest, bill
from tenants.kernel.errors import Invalid
from tenants.kernel.vocabulary import Tier
from tenants.rules.days import BilledEvery, Span, period_around

fees = st.integers(0, 10**12)
spans = st.builds(
    period_around, st.dates(date(2024, 1, 1), date(2034, 1, 1)), st.sampled_from(BilledEvery), st.dates(date(2024, 1, 1), date(2034, 1, 1))
)  # fmt: skip


@given(fees, spans, st.lists(st.integers(0, 366), max_size=6))
def test_the_parts_between_any_days_sum_to_the_fee(fee: int, whole: Span, cuts: list[int]) -> None:
    days = sorted({whole.start, *(whole.start + timedelta(min(cut, whole.days)) for cut in cuts)})
    rests = [Rest(fee, whole, day).fen for day in days]
    assert rests[0] == fee
    assert all(earlier >= later >= 0 for earlier, later in pairwise(rests))
    used = [earlier - later for earlier, later in zip(rests, [*rests[1:], 0], strict=True)]
    assert sum(used) == fee
    assert Rest(fee, whole, whole.end).fen == 0


@given(fees, fees, spans, st.integers(0, 366), st.integers(0, 10**12))
def test_a_change_is_never_negative_and_nothing_is_lost(
    old: int, new: int, whole: Span, day: int, left_over: int
) -> None:
    at = whole.start + timedelta(min(day, whole.days - 1))
    billed = bill(Rest(new, whole, at), Rest(old, whole, at), left_over)
    assert min(billed.charged_fen, billed.carried_out_fen) == 0
    assert billed.charged_fen - billed.carried_out_fen == billed.due_fen - billed.credit_fen - left_over
    if new >= old:
        assert billed.due_fen >= billed.credit_fen, "an upgrade never pays out"


@given(st.lists(st.tuples(fees, st.integers(0, 30)), min_size=1, max_size=8))
def test_each_day_is_paid_to_the_tier_that_the_park_had_at_its_end(changes: list[tuple[int, int]]) -> None:
    """Whatever is changed how often: all that was charged, less what is left over, is the sum of each tier's own days."""
    whole = Span(date(2028, 1, 1), date(2028, 2, 1))
    steps = sorted(changes, key=lambda change: change[1])
    charged = left = 0
    before: Rest | None = None
    for fee, day in steps:
        at = whole.start + timedelta(day)
        cut = None if before is None else Rest(before.fee_fen, whole, at)
        billed = bill(Rest(fee, whole, at), cut, left)
        charged, left, before = charged + billed.charged_fen, billed.carried_out_fen, Rest(fee, whole, at)
    own = 0
    for (fee, day), (_, until) in zip(steps, [*steps[1:], (0, 31)], strict=True):
        first, last = whole.start + timedelta(day), whole.start + timedelta(until)
        own += Rest(fee, whole, first).fen - Rest(fee, whole, last).fen
    assert charged - left == own


def test_the_day_of_a_change_belongs_to_the_new_tier() -> None:
    february = Span(date(2028, 2, 1), date(2028, 3, 1))
    assert february.days == 29
    upgrade = bill(Rest(200_000, february, date(2028, 2, 15)), Rest(50_000, february, date(2028, 2, 15)), 0)
    assert (upgrade.due_fen, upgrade.credit_fen, upgrade.charged_fen) == (103_449, 25_863, 77_586)


def test_a_plan_covers_what_its_document_says() -> None:
    given = read_entitlements({"offering_tiers": ["basic"], "deliveries": ["leads"], "offerings": ["twin"]})
    assert given.covers(slug="any", tier=Tier.BASIC, delivery="leads")
    assert not given.covers(slug="any", tier=Tier.BASIC, delivery="twin")
    assert not given.covers(slug="any", tier=Tier.LEADING, delivery="leads")
    assert given.covers(slug="twin", tier=Tier.LEADING, delivery="twin")
    assert read_entitlements({}) == Entitlements()
    with pytest.raises(Invalid) as refused:
        read_entitlements({"included": {"twin": -1}, "priority": 101, "support": "all", "offering_tier": []})
    assert {error.field for error in refused.value.errors} == {"included.twin", "priority", "support", "offering_tier"}
