"""The true-up of a joint facility's year: shares sum to the cost, journals balance, hours carried over leave room."""

from __future__ import annotations

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from billing.rules.cost_sharing import settle
from billing.rules.joint_true_ups import carried_openings, reversed_share, true_up
from billing.rules.joint_years import Account, open_accounts, part_of, year_of_use
from tests.billing.test_joint_years import WEIGHTS, shares_of, terms

USES = st.lists(st.integers(0, 1_000), min_size=6, max_size=6)


@given(
    st.integers(1_000, 300_000), WEIGHTS, USES, st.integers(0, 10**11), st.integers(0, 20_000), st.integers(0, 9_000)
)
def test_shares_and_outsiders_sum_to_the_cost_to_the_fen(
    minutes: int, weights: list[int], wishes: list[int], capital: int, premium: int, cap: int
) -> None:
    agreed = terms(minutes, capital_fen=capital + 1, premium_bp=premium, carry_over_minutes=cap)
    parties = shares_of(weights)
    part = part_of(agreed, 2026)
    assert part is not None
    used = [wish * minutes // (sum(wishes) + 1) for wish in wishes]
    accounts = [
        Account(each, mine, 0) for each, mine in zip(open_accounts(agreed, parties, part), used[1:], strict=False)
    ]
    settled = settle(year_of_use(agreed, parties, part, accounts, used[0]))
    shares = true_up(agreed, parties, settled, accounts, at_year_end=True)
    assert sum(each.net_fen for each in shares) + settled.outsiders_fen == settled.cost_fen
    assert all(each.amount_fen == each.due_fen - each.received_fen for each in shares)
    assert all(0 <= each.carried_over_minutes <= cap for each in shares)
    assert all(each.net_fen + reversed_share(each).net_fen == 0 for each in shares)
    left = sum(each.opening.entitled_minutes for each in accounts) - sum(used[: len(accounts) + 1])
    assert sum(each.carried_over_minutes for each in shares) <= left


@given(
    st.integers(1_000, 100_000),
    WEIGHTS,
    st.lists(st.integers(0, 60_000), min_size=5, max_size=5),
    st.lists(st.integers(0, 100), min_size=5, max_size=5),
)
def test_hours_carried_over_leave_everybody_what_it_used(
    minutes: int, weights: list[int], over: list[int], parts: list[int]
) -> None:
    agreed, parties = terms(minutes), shares_of(weights)
    part = part_of(agreed, 2026)
    assert part is not None
    opened = open_accounts(agreed, parties, part)
    accounts = [
        Account(each, each.entitled_minutes * used // 100, 0) for each, used in zip(opened, parts, strict=False)
    ]
    carried = {each.park_id: more for each, more in zip(parties, over, strict=False)}
    found = carried_openings(agreed, parties, part, accounts, carried)
    assert found is not None
    assert sum(each.entitled_minutes for each in found) == minutes
    for account, opening in zip(accounts, found, strict=True):
        assert account.used_minutes <= opening.entitled_minutes
        assert 0 <= opening.carried_minutes <= carried[opening.park_id]
    idle = carried_openings(agreed, parties, part, [Account(each, 0, 0) for each in opened], carried)
    assert idle == open_accounts(agreed, parties, part, carried)
    assert part.end == date(2027, 1, 1)
