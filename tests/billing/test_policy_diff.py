"""What differs between two versions is found, whatever it is, and said in both languages."""

from dataclasses import fields, replace
from datetime import date

import pytest
from hypothesis import given, settings

from billing.rules.conditions import AllOf, AnyOf, Comparison, Condition
from billing.rules.periods import Days
from billing.rules.policy_diff import Topic, differences
from billing.rules.terms import (
    Base,
    Cap,
    CapScope,
    Funder,
    Mode,
    Payee,
    Policy,
    Rate,
    Shortfall,
    Stacking,
    StackingMode,
)
from marketplace.doors.policy_words import difference_words
from marketplace.doors.texts import CHINESE, ENGLISH, translate
from tests.billing.test_quote_properties import policies

SMALL = Condition("park_size", Comparison.EQ, "small")
WEST = Condition("region_class", Comparison.EQ, "western")
BEFORE = Policy(
    programme="tech", version=1, mode=Mode.INSTANT, base=Base.GROSS, window=Days(date(2026, 1, 1), date(2027, 1, 1)),
    eligible=AllOf((Condition("verification", Comparison.EQ, "verified"),)),
    rates=(Rate(6000, (SMALL, WEST), "WEST"), Rate(5000, (SMALL,))), caps=(Cap(CapScope.ENTITY_YEAR, 50_000_000),),
    funders=(Funder("province", 5000), Funder("city", 5000)), shortfall=Shortfall.PARTIAL,
    stacking=Stacking("tech", StackingMode.SUM, 7000),
)  # fmt: skip
CHANGES = [
    ({"rates": (Rate(7000, (WEST, SMALL), "WEST"), Rate(5000, (SMALL,)))}, "rates[0].rate_bp", "由 60% 提高到 70%",
     "rises from 60% to 70%"),
    ({"caps": (Cap(CapScope.ENTITY_YEAR, 30_000_000),)}, "caps[0].amount_fen", "由 500,000.00 元 降低到 300,000.00 元",
     "falls from 500,000.00 yuan to 300,000.00 yuan"),
    ({"rates": (Rate(6000, (WEST,), "WEST"), Rate(5000, (SMALL,)))}, "rates[0].when", "取消条件“园区规模为小型园区”",
     "no longer requires"),
    ({"rates": (Rate(6000, (SMALL, WEST), "KEY"), Rate(5000, (SMALL,)))}, "rates[0].reason", "WEST 改为 KEY", "KEY"),
    ({"rates": (Rate(5000, (SMALL,)), Rate(6000, (SMALL, WEST), "WEST"))}, "rates", "先后次序", "order of"),
    ({"rates": (*BEFORE.rates, Rate(3000))}, "rates[2]", "新增：所有情形补贴 30%", "30%"),
    ({"rates": BEFORE.rates[:1]}, "rates[1]", "删除：园区规模为小型园区补贴 50%", "Removed"),
    ({"caps": ()}, "caps[0]", "取消每个园区每年的上限", "500,000.00"),
    ({"caps": (Cap(CapScope.ENTITY_YEAR, 50_000_000, (WEST,)),)}, "caps[0].when", "增加条件", "western"),
    ({"funders": (Funder("province", 4000), Funder("city", 6000))}, "funders[1].share_bp", "city", "rises from 50% to 60%"),
    ({"funders": (Funder("province", 10_000),)}, "funders[1]", "不再由资金池 city 分担", "city"),
    ({"funders": BEFORE.funders[::-1]}, "funders", "先后次序", "order of"),
    ({"window": Days(date(2026, 1, 1), date(2026, 7, 1))}, "window.to", "2027-01-01 改为 2026-07-01", "2026-07-01"),
    ({"window": Days(date(2026, 2, 1))}, "window.to", "改为 无", "none"),
    ({"eligible": AllOf()}, "eligible", "取消条件“审核状态为已通过审核”", "verified"),
    ({"eligible": AnyOf((SMALL, AllOf((WEST, SMALL))))}, "eligible", "或", " or "),
    ({"price_limit_fen": 1_200_000}, "price_limit_fen", "由 无 改为 12,000.00 元", "12,000.00 yuan"),
    ({"stacking": None}, "stacking", "叠加（组 tech）", "tech"),
    ({"stacking": Stacking("tech", StackingMode.MAX, 7000)}, "stacking.mode", "只取最优", "best one"),
    ({"mode": Mode.AUTO}, "mode", "即时抵扣 改为 免申即享", "deducted"),
    ({"payee": Payee.TENANT}, "payee", "园区", "park"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "path", "chinese", "english"), CHANGES)
def test_each_difference_has_its_place_and_its_words(changes, path, chinese, english):
    found = {each.path: difference_words(each) for each in differences(BEFORE, replace(BEFORE, version=2, **changes))}
    assert path in found
    assert chinese in translate(found[path], CHINESE)
    assert english.lower() in translate(found[path], ENGLISH).lower()


def test_the_order_of_conditions_says_nothing_and_true_is_not_one():
    turned = replace(BEFORE, rates=(Rate(6000, (WEST, SMALL), "WEST"), BEFORE.rates[1]))
    assert differences(BEFORE, turned) == ()
    one = replace(BEFORE, eligible=AllOf((Condition("related_party", Comparison.EQ, value=True),)))
    other = replace(BEFORE, eligible=AllOf((Condition("related_party", Comparison.EQ, value=1),)))
    assert [each.topic for each in differences(one, other)] == [Topic.ELIGIBLE_CONDITIONS]


@settings(max_examples=150, deadline=None)
@given(policies(), policies())
def test_nothing_differs_from_itself_and_every_changed_key_is_named(old, new):
    assert differences(old, old) == ()
    found = differences(old, new)
    named = {each.path.partition(".")[0].partition("[")[0] for each in found}
    changed = {each.name for each in fields(Policy) if getattr(old, each.name) != getattr(new, each.name)}
    # The order of ceilings means nothing: of several the lowest holds.
    if sorted(old.caps, key=repr) == sorted(new.caps, key=repr):
        changed.discard("caps")
    assert named == changed - {"programme", "version"}
    for each in found:
        assert "{" not in translate(difference_words(each), ENGLISH)
