"""Which versions of a programme are refused, with field, code and remedy."""

from dataclasses import replace
from datetime import date

import pytest

from billing.rules.conditions import Comparison, Condition
from billing.rules.known_facts import KNOWN_FACTS, FactKind, KnownFact
from billing.rules.periods import Days
from billing.rules.policies import Frame, RateBounds, check_policy, check_version
from billing.rules.terms import Base, Cap, CapScope, Funder, Mode, Policy, Rate, Shortfall, Stacking, StackingMode


def size(value, comparison=Comparison.EQ):
    return Condition("park_size", comparison, value)


GOOD = Policy(
    programme="tech", version=2, mode=Mode.INSTANT, base=Base.GROSS, window=Days(date(2026, 6, 1), date(2027, 1, 1)),
    rates=(Rate(7000, (size("small"), Condition("west", Comparison.EQ, value=True)), "WEST"), Rate(6000, (size("small"),)),
           Rate(3000, (size(("medium", "large"), Comparison.IN),))),
    funders=(Funder("province", 5000), Funder("city", 5000)), shortfall=Shortfall.PARTIAL,
    caps=(Cap(CapScope.ENTITY_YEAR, 500),), stacking=Stacking("tech", StackingMode.EXCLUSIVE),
)  # fmt: skip


def frame(**changes):
    base = Frame(
        bounds={"small": RateBounds(5000, 7000), "large": RateBounds(3000, 3000)},
        known_facts={"park_size": KNOWN_FACTS["park_size"], "west": KnownFact(FactKind.FLAG)},
        granted={CapScope.ENTITY_YEAR: 500},
        latest_version=1,
        not_before=date(2026, 6, 1),
    )
    return replace(base, **changes)


def test_a_version_within_its_frame_is_accepted():
    assert check_version(GOOD, frame()) == []


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"rates": (Rate(7001, (size("small"),)),)}, "rates[0].rate_bp", "policy.rate_outside_bounds"),
        ({"rates": (Rate(5000),)}, "rates[0].rate_bp", "policy.rate_outside_bounds"),
        ({"rates": (Rate(3000, (size("large"),)), Rate(4000, (size("small", Comparison.NE),)))}, "rates[1].rate_bp",
         "policy.rate_outside_bounds"),
        ({"rates": (Rate(10_001),)}, "rates[0].rate_bp", "policy.rate_range"),
        ({"rates": (Rate(3000), *GOOD.rates)}, "rates[1]", "policy.rate_unreachable"),
        ({"funders": (Funder("province", 5000),)}, "funders", "policy.shares_do_not_sum"),
        ({"funders": (Funder("a", 5000), Funder("a", 5000))}, "funders[1].fund", "policy.fund_twice"),
        ({"window": Days(date(2026, 6, 1), date(2026, 6, 1))}, "window.to", "policy.window_order"),
        ({"window": Days(date(2026, 5, 31))}, "window.from", "policy.backdated"),
        ({"version": 1}, "version", "policy.version_not_new"),
        ({"caps": (Cap(CapScope.ORDER, 0),)}, "caps[0].amount_fen", "policy.cap_not_positive"),
        ({"caps": (Cap(CapScope.ENTITY_YEAR, 499),)}, "caps[0].amount_fen", "policy.cap_below_granted"),
        ({"year_starts": "02-29"}, "year_starts", "policy.year_starts"),
        ({"year_starts": "1-1"}, "year_starts", "policy.year_starts"),
        ({"eligible": Condition("moon", Comparison.EQ, "full")}, "eligible", "policy.unknown_fact"),
    ],
)  # fmt: skip
def test_each_fault_is_refused_with_its_field(changes, field, code):
    errors = check_version(replace(GOOD, **changes), frame())
    assert (field, code) in [(error.field, error.code) for error in errors]
    assert all("{" not in str(error.message) for error in errors)


def test_two_exclusive_programmes_of_a_group_may_not_share_a_day():
    before = replace(GOOD, programme="old", window=Days(date(2026, 1, 1), date(2026, 6, 1)))
    during = replace(before, window=Days(date(2026, 1, 1)))
    assert check_version(GOOD, frame(neighbours=(before,))) == []
    errors = check_version(GOOD, frame(neighbours=(before, during)))
    assert [error.code for error in errors] == ["policy.exclusive_overlap"]
    summed = replace(during, stacking=Stacking("tech", StackingMode.SUM))
    assert check_version(GOOD, frame(neighbours=(summed,))) == []


def test_faults_carry_the_path_they_are_given():
    errors = check_policy(replace(GOOD, funders=()), "policies[3].")
    assert [error.field for error in errors] == ["policies[3].funders"]
