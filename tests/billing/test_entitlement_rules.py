"""Awards that come later: when they may be claimed, and how much of them is granted on the day."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.rules import ledger
from billing.rules.entitlements import (
    Standing,
    State,
    check_claimable,
    check_withdrawable,
    claim_until,
    grant,
    state_of,
)
from billing.rules.ledger import balances
from billing.rules.periods import Days
from billing.rules.terms import Base, CapScope, Funder, Mode, Payee, Policy, Rate, Rolling, Shortfall
from tenants.kernel.errors import Conflict
from tenants.kernel.identifiers import new_id

UNTIL = datetime(2027, 3, 2, 16, 0, tzinfo=UTC)
BEFORE, AFTER = UNTIL - timedelta(microseconds=1), UNTIL
FEN = st.integers(0, 10**10)


def policy(shortfall: Shortfall = Shortfall.PARTIAL, *shares: int) -> Policy:
    """A version that is paid after the delivery, by one fund or by several."""
    funders = tuple(Funder(f"fund{index}", share) for index, share in enumerate(shares or (10_000,)))
    return Policy(
        programme="later",
        version=1,
        mode=Mode.REIMBURSE,
        base=Base.GROSS,
        window=Days(date(2026, 1, 1)),
        rates=(Rate(5000),),
        funders=funders,
        shortfall=shortfall,
        payee=Payee.TENANT,
    )


def test_the_last_day_to_claim_is_counted_in_the_zone_of_the_policy() -> None:
    late_evening = datetime(2026, 3, 2, 15, 59, tzinfo=UTC)  # 23:59 in Shanghai
    assert claim_until(late_evening, 365, "Asia/Shanghai") == datetime(2027, 3, 2, 16, 0, tzinfo=UTC)
    assert claim_until(late_evening + timedelta(minutes=1), 1, "Asia/Shanghai") == datetime(
        2026, 3, 4, 16, 0, tzinfo=UTC
    )


@pytest.mark.parametrize(
    ("standing", "now", "state"),
    [
        (Standing("offered", paid=True, claim_until=UNTIL), BEFORE, State.OPEN),
        (Standing("offered", paid=False, claim_until=UNTIL), BEFORE, State.WAITING),
        (Standing("offered", paid=True, claim_until=UNTIL), AFTER, State.EXPIRED),
        (Standing("offered", paid=True, claim_until=UNTIL, undone=True), BEFORE, State.UNDONE),
        (Standing("claimed", paid=True, claim_until=UNTIL), AFTER, State.CLAIMED),
        (Standing("claimed", paid=True, claim_until=UNTIL, returned=True), AFTER, State.RETURNED),
        (Standing("claimed", paid=True, claim_until=UNTIL, disbursed=True), AFTER, State.DISBURSED),
        (Standing("withdrawn", paid=True, claim_until=UNTIL), BEFORE, State.WITHDRAWN),
    ],
)
def test_what_is_known_of_an_award_says_where_it_is(standing: Standing, now: datetime, state: State) -> None:
    assert state_of(standing, now) is state


def test_only_what_is_open_or_was_sent_back_can_be_claimed() -> None:
    every = product(("offered", "claimed", "withdrawn"), (False, True), (False, True), (False, True), (False, True))
    for status, paid, undone, returned, disbursed in every:
        for now in (BEFORE, AFTER):
            standing = Standing(status, paid, UNTIL, undone=undone, returned=returned, disbursed=disbursed)
            state = state_of(standing, now)
            if state in {State.OPEN, State.RETURNED}:
                assert check_claimable(standing, now) is state
            else:
                with pytest.raises(Conflict):
                    check_claimable(standing, now)
            if state in {State.OPEN, State.RETURNED, State.WAITING}:
                assert check_withdrawable(standing, now) is state
            else:
                with pytest.raises(Conflict):
                    check_withdrawable(standing, now)


def test_ceilings_and_funds_cut_a_grant_with_their_reasons() -> None:
    limits = {CapScope.SCHEME: 900, CapScope.ENTITY_YEAR: 500, CapScope.FUND_YEAR: None}
    taken = {CapScope.SCHEME: 500, CapScope.ENTITY_YEAR: 0, CapScope.FUND_YEAR: 10**9}
    cut = grant(policy(), 600, limits, taken, {"fund0": 10**9}, {})
    assert (cut.amount_fen, cut.reasons) == (400, ("CAP_ENTITY_YEAR", "CAP_SCHEME"))
    short = grant(policy(Shortfall.PARTIAL, 5000, 5000), 601, {}, {}, {"fund0": 10**9, "fund1": 100}, {})
    assert (short.amount_fen, dict(short.by_fund), short.reasons) == (
        200,
        {"fund0": 100, "fund1": 100},
        ("FUND_PARTIAL",),
    )
    rolled = replace(policy(), rolling=Rolling("de-minimis", years=3, amount_fen=300_000))
    assert grant(rolled, 600, {}, {}, {}, {"de-minimis": 299_900}).reasons == ("CAP_ROLLING",)
    nothing = grant(policy(Shortfall.ALL_OR_NOTHING), 600, limits, taken, {"fund0": 10**9}, {})
    assert (nothing.amount_fen, nothing.by_fund) == (0, {})
    assert nothing.reasons[-1] == "ALL_OR_NOTHING"


@given(
    awarded=st.integers(1, 10**10),
    limit=st.none() | FEN,
    taken=FEN,
    left=st.tuples(FEN, FEN),
    shortfall=st.sampled_from(Shortfall),
    share=st.integers(1, 9999),
)
def test_a_grant_never_exceeds_award_ceiling_or_fund(
    awarded: int, limit: int | None, taken: int, left: tuple[int, int], shortfall: Shortfall, share: int
) -> None:
    funds = {"fund0": left[0], "fund1": left[1]}
    terms = policy(shortfall, share, 10_000 - share)
    made = grant(terms, awarded, {CapScope.SCHEME: limit}, {CapScope.SCHEME: taken}, funds, {})
    assert 0 <= made.amount_fen <= awarded
    assert sum(made.by_fund.values()) == made.amount_fen
    assert all(fen <= funds[fund] for fund, fen in made.by_fund.items())
    assert limit is None or made.amount_fen <= max(0, limit - taken)
    assert (made.amount_fen < awarded) == bool(made.reasons)
    assert shortfall is Shortfall.PARTIAL or made.amount_fen in {0, awarded}
    assert made == grant(terms, awarded, {CapScope.SCHEME: limit}, {CapScope.SCHEME: taken}, funds, {})


@given(parts=st.lists(st.integers(1, 10**12), min_size=1, max_size=4))
def test_a_grant_is_owed_by_the_funds_and_to_the_park_and_never_revenue(parts: list[int]) -> None:
    park, funds = new_id(), {new_id(): part for part in parts}
    given_at = datetime(2026, 3, 2, tzinfo=UTC)
    made = ledger.later_grant(park_id=park, source_id="1", occurred_at=given_at, by_fund=funds)
    assert balances(made.postings) == {f"grants:park:{park}": -sum(parts)} | {
        f"receivable:fund:{fund}": part for fund, part in funds.items()
    }
    for ended in (ledger.later_grant_paid, ledger.later_grant_undone):
        after = ended(park_id=park, source_id="1", occurred_at=given_at, by_fund=funds)
        assert set(balances((*made.postings, *after.postings)).values()) == {0}
