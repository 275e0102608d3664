"""What holds of every quote, whatever the programmes say."""

from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from billing.rules.conditions import AllOf, Comparison, Condition
from billing.rules.discounts import Discount, best
from billing.rules.money import net_of_vat
from billing.rules.periods import Days
from billing.rules.subsidies import quote
from billing.rules.terms import (
    Base,
    Cap,
    CapScope,
    Funder,
    Mode,
    OrderFacts,
    OrderLine,
    Policy,
    Rate,
    Shortfall,
    Stacking,
    StackingMode,
    Used,
)

FUNDS = ("province", "city", "county")
SMALL = Condition("park_size", Comparison.EQ, "small")
WEST = Condition("west", Comparison.EQ, value=True)

amounts = st.integers(0, 3_000_00)
whens = st.sampled_from([(), (SMALL,), (WEST,), (SMALL, WEST)])


@st.composite
def funders(draw):
    funds = draw(st.lists(st.sampled_from(FUNDS), min_size=1, max_size=3, unique=True))
    cuts = sorted(draw(st.lists(st.integers(0, 10_000), min_size=len(funds) - 1, max_size=len(funds) - 1)))
    edges = [0, *cuts, 10_000]
    return tuple(Funder(fund, edges[i + 1] - edges[i]) for i, fund in enumerate(funds))


@st.composite
def policies(draw):
    return Policy(
        programme=draw(st.sampled_from("abcdef")),
        version=draw(st.integers(1, 2)),
        mode=draw(st.sampled_from(Mode)),
        base=draw(st.sampled_from(Base)),
        window=Days(date(2026, 1, 1), draw(st.sampled_from([date(2027, 1, 1), date(2026, 3, 1)]))),
        rates=tuple(draw(st.lists(st.builds(Rate, st.integers(0, 10_000), whens), min_size=1, max_size=3))),
        funders=draw(funders()),
        shortfall=draw(st.sampled_from(Shortfall)),
        eligible=AllOf(draw(whens)),
        caps=tuple(draw(st.lists(st.builds(Cap, st.sampled_from(CapScope), amounts, whens), max_size=3))),
        price_limit_fen=draw(st.none() | amounts),
        stacking=draw(
            st.none()
            | st.builds(
                Stacking,
                st.sampled_from("xy"),
                st.sampled_from(StackingMode),
                st.none() | st.integers(0, 10_000),
                st.none() | amounts,
            )
        ),
    )


many = st.lists(policies(), max_size=5, unique_by=lambda policy: policy.order_key)
lines = st.lists(st.builds(OrderLine, st.just("x"), amounts, st.sampled_from([0, 600, 1300])), min_size=1, max_size=4)
orders = st.builds(
    lambda found, size, west: OrderFacts(date(2026, 5, 1), tuple(found), {"park_size": size, "west": west}),
    lines,
    st.sampled_from(["small", "large"]),
    st.sampled_from([True, False, None]),
)
useds = st.builds(Used, st.dictionaries(st.sampled_from(CapScope), amounts, max_size=3))
funds = st.dictionaries(st.sampled_from(FUNDS), amounts, max_size=3)


@settings(max_examples=120, deadline=None)
@given(many, orders, useds, funds)
def test_every_quote_adds_up_and_no_ceiling_or_fund_is_overspent(found, order, used, available):
    answer = quote(found, order, used, available)
    for line in answer.lines:
        assert line.subsidy_fen == sum(award.amount_fen for award in line.awards)
        assert line.payable_fen == line.gross_fen - line.subsidy_fen >= 0
        assert line.payable_fen <= line.due_fen <= line.gross_fen
        for award in line.awards:
            assert sum(award.by_funder.values()) == award.amount_fen
            assert 0 <= award.amount_fen <= award.claim_fen <= award.base_fen
            assert all(share >= 0 for share in award.by_funder.values())
            assert award.amount_fen == award.claim_fen or award.reasons
    assert answer.gross_fen == answer.subsidy_fen + answer.payable_fen
    for fund, amount in answer.fund_draws:
        assert amount <= available.get(fund, amount)
    for draw in answer.cap_draws:
        if draw.limit_fen is not None:
            assert used.taken(draw.programme, draw.scope) + draw.amount_fen <= draw.limit_fen


@settings(max_examples=60, deadline=None)
@given(many.flatmap(lambda found: st.tuples(st.just(found), st.permutations(found))), orders, useds, funds)
def test_the_order_in_which_policies_are_handed_in_changes_nothing(two, order, used, available):
    assert quote(two[0], order, used, available) == quote(two[1], order, used, available)


@settings(max_examples=60, deadline=None)
@given(many, orders, useds, funds)
def test_all_or_nothing_never_gives_a_part_of_its_claim_for_want_of_money(found, order, used, available):
    strict = [replace(policy, shortfall=Shortfall.ALL_OR_NOTHING, stacking=None) for policy in found]
    for line in quote(strict, order, used, available).lines:
        for award in line.awards:
            assert award.amount_fen in {0, award.claim_fen} or "CAP_COMBINED" in award.reasons


@settings(max_examples=60, deadline=None)
@given(policies(), orders, useds, st.integers(0, 500_000), st.integers(0, 500_000))
def test_more_money_in_the_fund_never_gives_less(policy, order, used, have, more):
    one = replace(policy, shortfall=Shortfall.PARTIAL, funders=(Funder("province", 10_000),))
    less = quote([one], order, used, {"province": have}).subsidy_fen
    assert less <= quote([one], order, used, {"province": have + more}).subsidy_fen


@settings(max_examples=40, deadline=None)
@given(many, orders, st.data())
def test_without_ceilings_and_short_funds_lines_do_not_touch_each_other(found, order, data):
    free = [replace(policy, caps=(), stacking=None) for policy in found]
    whole = quote(free, order, Used(), {})
    turned = data.draw(st.permutations(order.lines))
    other = quote(free, replace(order, lines=tuple(turned)), Used(), {})
    assert whole.subsidy_fen == other.subsidy_fen
    assert sum(quote(free, replace(order, lines=(line,)), Used(), {}).subsidy_fen for line in order.lines) == (
        whole.subsidy_fen
    )


@settings(max_examples=60, deadline=None)
@given(policies(), amounts, amounts)
def test_placing_two_orders_one_after_the_other_is_placing_them_as_two_lines(policy, one, two):
    policy = replace(policy, stacking=None, caps=tuple(cap for cap in policy.caps if cap.scope is not CapScope.ORDER))
    facts: dict[str, Any] = {"park_size": "small", "west": True}
    lines = (OrderLine("x", one, 600), OrderLine("x", two, 600))
    together = quote([policy], OrderFacts(date(2026, 5, 1), lines, facts), Used(), {"city": 9_000})
    first = quote([policy], OrderFacts(date(2026, 5, 1), lines[:1], facts), Used(), {"city": 9_000})
    taken = {draw.scope: draw.amount_fen for draw in first.cap_draws}
    left = 9_000 - dict(first.fund_draws).get("city", 0)
    then = quote([policy], OrderFacts(date(2026, 5, 1), lines[1:], facts), Used(taken), {"city": left})
    assert first.subsidy_fen + then.subsidy_fen == together.subsidy_fen


@settings(max_examples=80, deadline=None)
@given(policies(), amounts, st.sampled_from([0, 600, 1300]), st.lists(st.integers(1, 10_000), max_size=3))
def test_no_award_is_worked_out_on_a_part_that_was_discounted(policy, price, vat_bp, rates):
    _, off = best([Discount(UUID(int=index), rate) for index, rate in enumerate(rates)], price)
    facts: dict[str, Any] = {"park_size": "small", "west": True}
    left = price - off
    (line,) = quote(
        [policy], OrderFacts(date(2026, 5, 1), (OrderLine("x", left, vat_bp),), facts), Used(), {}
    ).lines  # fmt: skip
    base = left if policy.base is Base.GROSS else net_of_vat(left, vat_bp)
    assert {award.base_fen for award in line.awards} <= {0, base}
    assert 0 <= line.subsidy_fen <= left <= price
