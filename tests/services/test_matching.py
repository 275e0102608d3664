"""Rule trees over profiles: three-valued, never deciding on what nobody stated, and sums that stacking allows."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.demo.measures import FILE
from services.formats.measures import Fact, MeasureDocument, read_measure, read_profile
from services.rules.matching import (
    SHAPES,
    All,
    AnyOf,
    Benefit,
    Group,
    Kind,
    Match,
    Measure,
    Requirement,
    Stacking,
    Test,
    Tree,
    Value,
    Verdict,
    combine,
    facts_of,
    match,
)
from tenants.kernel.errors import Invalid

TODAY = date(2026, 3, 2)
SEED: dict[str, Any] = {
    "founded_on": "2024-02-20",
    "patents": 3,
    "staff": 50,
    "fields": ["biology"],
    "region_code": "411224",
}
"""The example: founded two years ago, three patents, fifty people, biotechnology."""


def demo() -> dict[str, Measure]:
    """The demo's measures by slug."""
    documents = (read_measure(each) for each in json.loads(FILE.read_text(encoding="utf-8")))
    return {each.slug: each.to_rules(version=1, valid_to=each.valid_to) for each in documents}


def held(profile: dict[str, Any], on: date = TODAY) -> dict[str, Match]:
    """The demo's measures held against a profile."""
    document = read_profile(profile)
    facts = facts_of(document.stated(), founded_on=document.founded_on, on=on)
    return {slug: match(each, facts, on=on) for slug, each in demo().items()}


def test_the_example_is_told_what_fits_what_is_missing_and_what_does_not() -> None:
    found = held(SEED)
    assert {slug: each.verdict for slug, each in found.items()} == {
        "high-tech-enterprise": Verdict.INCOMPLETE,
        "tech-sme": Verdict.INCOMPLETE,
        "small-low-profit": Verdict.INCOMPLETE,
        "demo-seed-grant": Verdict.INCOMPLETE,
        "demo-biology-grant": Verdict.MATCH,
        "demo-open-laboratory": Verdict.INCOMPLETE,
    }
    assert set(found["high-tech-enterprise"].missing) == {
        "rd_staff", "revenue_fen", "rd_spend_fen", "hightech_revenue_fen",
    }  # fmt: skip
    assert found["demo-open-laboratory"].missing == ("on_dishonesty_list",)
    assert found["demo-biology-grant"].amount_fen == 300_000_00
    small = held(SEED | {"staff": 10})["demo-biology-grant"]
    assert small.verdict is Verdict.NO
    assert [each.requirement.fact for each in small.decisive] == ["staff"], "the one requirement that failed"
    elsewhere = held(SEED | {"region_code": "510104"})["demo-biology-grant"]
    assert [each.requirement.fact for each in elsewhere.decisive] == ["region_code"]


@pytest.mark.parametrize(
    ("revenue", "spend", "verdict"),
    [
        (50_000_000_00, 2_500_000_00, Verdict.MATCH),  # 5 % at fifty million
        (50_000_000_01, 2_500_000_00, Verdict.MATCH),  # above it 4 % are enough
        (50_000_000_00, 2_499_999_99, Verdict.NO),
        (200_000_000_00, 8_000_000_00, Verdict.MATCH),
        (200_000_000_00, 7_999_999_00, Verdict.NO),
        (200_000_000_01, 6_000_001_00, Verdict.MATCH),  # 3 %
    ],
)
def test_the_share_of_research_is_judged_exactly_at_its_limits(revenue: int, spend: int, verdict: Verdict) -> None:
    profile = SEED | {"rd_staff": 5, "revenue_fen": revenue, "rd_spend_fen": spend, "hightech_revenue_fen": revenue}
    assert held(profile)["high-tech-enterprise"].verdict is verdict


def test_ages_are_counted_in_days_and_whole_years() -> None:
    facts = facts_of({}, founded_on=date(2024, 2, 29), on=date(2025, 2, 28))
    assert (facts["age_days"], facts["age_years"]) == (365, 0)
    assert facts_of({}, founded_on=date(2024, 2, 29), on=date(2025, 3, 1))["age_years"] == 1
    assert facts_of({}, founded_on=date(2027, 1, 1), on=TODAY) == {}, "not founded yet: no age"
    assert "rd_spend_share_bp" not in facts_of({"revenue_fen": 0, "rd_spend_fen": 5}, founded_on=None, on=TODAY)


NUMBERS = ("staff", "patents", "rd_staff")
comparisons = st.builds(
    Requirement, st.sampled_from(NUMBERS), st.sampled_from((Test.GTE, Test.LT, Test.EQ, Test.NE)), st.integers(0, 4)
)
trees = st.recursive(
    comparisons,
    lambda inner: st.lists(inner, min_size=1, max_size=3).flatmap(
        lambda members: st.sampled_from((All(tuple(members)), AnyOf(tuple(members))))
    ),
    max_leaves=8,
)
stated = st.dictionaries(st.sampled_from(NUMBERS), st.integers(0, 4))


def plain(tree: Tree) -> Measure:
    """A measure for everybody, of one tree."""
    return Measure("m", 1, Kind.POLICY, "", date(2026, 1, 1), None, tree, Benefit())


@given(tree=trees, facts=stated)
def test_a_missing_fact_neither_lets_in_nor_turns_down(tree: Tree, facts: dict[str, Value]) -> None:
    """Whatever is stated later, a verdict that was given stays; and stating all that is missing decides."""
    first = match(plain(tree), facts, on=TODAY)
    for rest in (0, 2, 4):
        whole = dict.fromkeys(NUMBERS, rest) | facts
        full = match(plain(tree), whole, on=TODAY)
        assert full.verdict is not Verdict.INCOMPLETE
        if first.verdict is not Verdict.INCOMPLETE:
            assert full.verdict is first.verdict
        else:
            said = {name: whole[name] for name in first.missing}
            assert match(plain(tree), facts | said, on=TODAY).verdict is full.verdict
    assert bool(first.missing) is (first.verdict is Verdict.INCOMPLETE)
    assert first.decisive, "a verdict names what it stands on"


amounts = st.lists(st.tuples(st.integers(1, 100), st.sampled_from(("", "a", "b"))), min_size=1, max_size=6)


@given(offered=amounts, mode=st.sampled_from(tuple(Stacking)), cap=st.none() | st.integers(1, 150))
def test_groups_never_give_more_than_they_allow(
    offered: list[tuple[int, str]], mode: Stacking, cap: int | None
) -> None:
    found = [
        match(
            Measure(
                f"m{number}", 1, Kind.FUND, "", date(2026, 1, 1), None, All((Requirement("staff", Test.GTE, 0),)),
                Benefit(amount_fen=amount), Group(group, mode, cap) if group else None,
            ),
            {"staff": 1},
            on=TODAY,
        )
        for number, (amount, group) in enumerate(offered)
    ]  # fmt: skip
    shares = combine(found)
    assert len(shares) == len(offered)
    assert all(0 <= each.counted_fen <= each.amount_fen for each in shares)
    assert all((each.cut_by is None) is (each.counted_fen == each.amount_fen) for each in shares)
    for group in ("a", "b"):
        mine = [each for each in shares if each.group == group]
        total, best = sum(each.counted_fen for each in mine), max((each.amount_fen for each in mine), default=0)
        most = best if mode is not Stacking.SUM else sum(each.amount_fen for each in mine)
        assert total == min(most, cap if cap is not None else most)
    assert sum(each.counted_fen for each in shares if each.group is None) == sum(
        amount for amount, group in offered if not group
    )


def test_a_document_is_refused_field_by_field() -> None:
    good = json.loads(FILE.read_text(encoding="utf-8"))[0]
    tree = {"all": [
        {"fact": "staff", "is": "within", "value": ["5"]}, {"fact": "shoes", "is": "gte", "value": 1},
        {"fact": "fields", "is": "has", "value": ["magic"]}, {"any": []}, {"fact": "staff", "is": "gte", "value": True},
    ]}  # fmt: skip
    bad = good | {"region_code": "999999", "requirements": tree, "benefit": {"text": "…", "rate_bp": 10}}
    with pytest.raises(Invalid, match=r"measure\.invalid") as refused:
        read_measure(bad)
    assert {error.field for error in refused.value.errors} == {
        "measure.region_code", "measure.requirements.all[0]", "measure.requirements.all[1].fact",
        "measure.requirements.all[2]", "measure.requirements.all[3].any", "measure.requirements.all[4]",
        "measure.benefit",
    }  # fmt: skip
    with pytest.raises(Invalid, match=r"profile\.invalid") as refused:
        read_profile({"staff": -1, "industry": "99", "fields": ["biology"], "nonsense": 1})
    assert {error.field for error in refused.value.errors} == {"profile.staff", "profile.industry", "profile.nonsense"}
    with pytest.raises(Invalid, match=r"profile\.invalid"):
        read_profile({"staff": 5, "rd_staff": 6})


def test_the_document_knows_every_fact_of_the_rules() -> None:
    assert set(Fact.__args__) == set(SHAPES)  # type: ignore[attr-defined]
    assert (
        MeasureDocument.model_validate(json.loads(FILE.read_text(encoding="utf-8"))[0]).slug == "high-tech-enterprise"
    )
