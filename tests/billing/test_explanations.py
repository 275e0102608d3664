"""What is told of an award is true of it, whatever the programmes say."""

from dataclasses import replace
from datetime import date

from hypothesis import given, settings
from hypothesis import strategies as st

from billing.rules.conditions import AllOf, AnyOf, Comparison, Condition, Facts, evaluate
from billing.rules.eligibility import line_facts
from billing.rules.exemptions import Exemption, ExemptTerms
from billing.rules.explanations import (
    FundState,
    better_rates,
    explain,
    for_other_services,
    fund_state,
    ways_to_hold,
)
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
    Rolling,
    Shortfall,
    Used,
)
from tests.billing.test_quote_properties import funds, many, orders, useds

SMALL = Condition("park_size", Comparison.EQ, "small")
LEADING = Condition("tier", Comparison.EQ, "leading")
KEY = Condition("region", Comparison.IN, ("411326", "411724"))
CHEAP = Condition("gross_fen", Comparison.LT, 500_00)

conditions = st.sampled_from([SMALL, LEADING, KEY, CHEAP])
trees = st.recursive(
    conditions,
    lambda inner: st.lists(inner, min_size=1, max_size=3).flatmap(
        lambda members: st.sampled_from([AllOf(tuple(members)), AnyOf(tuple(members))])
    ),
    max_leaves=12,
)
facts = st.fixed_dictionaries(
    {"gross_fen": st.sampled_from([100_00, 900_00])},
    optional={
        "park_size": st.sampled_from(["small", "large"]),
        "tier": st.sampled_from(["basic", "leading"]),
        "region": st.sampled_from(["411326", "411224"]),
    },
)
MEETS: Facts = {"park_size": "small", "tier": "leading", "region": "411326", "gross_fen": 499_99}


@settings(max_examples=150, deadline=None)
@given(many, orders, useds, funds)
def test_an_explanation_repeats_its_award_and_counts_what_is_left(found, order, used, available):
    priced = quote(found, order, used, available)
    told = explain(found, order, used, available, priced)
    for wish, line, explanations in zip(order.lines, priced.lines, told, strict=True):
        stated = line_facts(order, wish)
        for award, each in zip(line.awards, explanations, strict=True):
            assert (each.programme, each.version, each.rate_bp, each.amount_fen) == (
                award.programme, award.version, award.rate_bp, award.amount_fen,
            )  # fmt: skip
            assert each.reasons == award.reasons
            for rate in each.better_rates:
                assert rate.rate_bp > award.rate_bp or not award.rate_bp
                assert rate.unmet
                assert not any(evaluate(unmet.condition, stated).holds for unmet in rate.unmet)
            for ceiling in each.ceilings:
                assert ceiling.taken_fen == award.amount_fen
                assert ceiling.left_fen == max(0, ceiling.limit_fen - ceiling.used_fen - ceiling.taken_fen)
                assert award.amount_fen <= max(0, ceiling.limit_fen - ceiling.used_fen)
                assert (ceiling.starts_anew == date(2027, 1, 1)) is CapScope(ceiling.scope).yearly


@settings(max_examples=200, deadline=None)
@given(trees, facts)
def test_each_way_names_what_is_unmet_and_meeting_it_is_enough(tree, stated):
    ways = ways_to_hold(tree, stated)
    assert bool(ways) is not evaluate(tree, stated).holds
    for way in ways:
        assert not any(evaluate(unmet.condition, stated).holds for unmet in way)
        assert all(unmet.stated == stated.get(unmet.condition.fact) for unmet in way)
        assert evaluate(tree, {**stated, **{unmet.condition.fact: MEETS[unmet.condition.fact] for unmet in way}}).holds


@settings(max_examples=200, deadline=None)
@given(st.lists(st.builds(Rate, st.integers(1, 9_000), st.lists(conditions, max_size=2).map(tuple)), max_size=4), facts)
def test_what_a_better_rate_lacks_is_all_that_it_lacks(rates, stated):
    for better in better_rates(rates, stated):
        met = {**stated, **{unmet.condition.fact: MEETS[unmet.condition.fact] for unmet in better.unmet}}
        applied = next(rate for rate in rates if all(evaluate(each, met).holds for each in rate.when))
        assert applied.rate_bp == better.rate_bp


def test_a_second_line_finds_the_ceiling_and_the_fund_as_the_first_left_them() -> None:
    policy = Policy(
        programme="p",
        version=1,
        mode=Mode.INSTANT,
        base=Base.GROSS,
        window=Days(date(2026, 1, 1)),
        rates=(Rate(6_000, (SMALL,), "SMALL_PARK"),),
        funders=(Funder("province", 10_000),),
        shortfall=Shortfall.PARTIAL,
        caps=(Cap(CapScope.ENTITY_YEAR, 700_00),),
        rolling=Rolling("de-minimis", 3, 2_000_00),
        year_starts="07-01",
    )
    order = OrderFacts(
        date(2026, 5, 1), (OrderLine("x", 1000_00, 0), OrderLine("x", 1000_00, 0)), {"park_size": "small"}
    )
    left = {"province": 7000_00}
    used = Used(rolling={"de-minimis": 1_000_00})
    first, second = explain((policy,), order, used, left, quote((policy,), order, used, left))
    rolling = [
        (each[0].ceilings[1].years, each[0].ceilings[1].used_fen, each[0].ceilings[1].left_fen)
        for each in (first, second)
    ]
    assert rolling == [(3, 1_000_00, 400_00), (3, 1_600_00, 300_00)]
    assert (first[0].ceilings[0].used_fen, first[0].ceilings[0].left_fen) == (0, 100_00)
    assert (second[0].ceilings[0].used_fen, second[0].amount_fen, second[0].ceilings[0].left_fen) == (600_00, 100_00, 0)
    assert first[0].ceilings[0].starts_anew == date(2026, 7, 1)
    assert first[0].funds == {"province": FundState.AVAILABLE}
    assert fund_state(0, 600_00) is FundState.USED_UP
    assert fund_state(5_999_99, 600_00) is FundState.NEARLY_USED_UP


def test_a_decision_is_named_with_what_is_left_of_it() -> None:
    policy = Policy(
        programme="p",
        version=1,
        mode=Mode.INSTANT,
        base=Base.GROSS,
        window=Days(date(2026, 1, 1)),
        rates=(Rate(6_000, (SMALL,), "SMALL_PARK"), Rate(3_000)),
        funders=(Funder("province", 10_000),),
        shortfall=Shortfall.PARTIAL,
    )
    decision = Exemption("1", "豫科〔2026〕9号", "p", ExemptTerms(rate_bp=8_000), limit_fen=1_000_00, used_fen=100_00)
    order = OrderFacts(date(2026, 5, 1), (OrderLine("x", 1000_00, 0),), {"park_size": "large"})
    priced = quote((policy,), order, Used(), {}, (decision,))
    (told,) = explain((policy,), order, Used(), {}, priced)[0]
    assert (told.rate_bp, told.amount_fen, told.document_no) == (8_000, 800_00, "豫科〔2026〕9号")
    assert told.better_rates == ()
    assert (told.ceilings[0].scope, told.ceilings[0].used_fen, told.ceilings[0].left_fen) == (
        "exemption",
        100_00,
        100_00,
    )


@settings(max_examples=200, deadline=None)
@given(trees, facts, st.booleans(), st.booleans())
def test_a_version_is_for_other_services_when_nothing_a_park_does_makes_it_give(tree, stated, in_terms, in_rates):
    leads, twins = (Condition("offering", Comparison.EQ, slug) for slug in ("ai-leads", "digital-twin-run"))
    policy = Policy(
        programme="p",
        version=1,
        mode=Mode.INSTANT,
        base=Base.GROSS,
        window=Days(date(2026, 1, 1)),
        eligible=AnyOf((AllOf((leads, tree)), AllOf((leads, SMALL)))) if in_terms else tree,
        rates=(Rate(6_000, (leads, SMALL)), Rate(3_000, (leads,) if in_rates else (LEADING,))),
        funders=(Funder("province", 10_000),),
        shortfall=Shortfall.PARTIAL,
    )
    assert not for_other_services(policy, {**stated, "offering": "ai-leads"})
    assert for_other_services(policy, {**stated, "offering": "digital-twin-run"}) is (in_terms or in_rates)
    either = replace(policy, eligible=AnyOf((leads, twins)), rates=(Rate(6_000, (SMALL,)),))
    assert not for_other_services(either, {**stated, "offering": "digital-twin-run"})
