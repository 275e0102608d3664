"""Which policies, funds and laboratories fit an enterprise: rule trees over its profile, in three-valued logic.

A comparison with a fact that nobody has stated is neither true nor false. The logic is Kleene's strong one: ``all`` is
false as soon as one member is, ``any`` true as soon as one is; what is left undecided is unknown (S. C. Kleene,
Introduction to Metamathematics, 1952, § 64). So a missing fact never turns somebody down, and never lets somebody in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Literal

Value = int | Decimal | str | bool | date | frozenset[str]
"""A fact of a profile: a number, a code, yes or no, a day, or a set of codes."""
Constant = int | Decimal | str | bool | tuple[str, ...] | tuple[int, ...]
Shape = Literal["number", "code", "flag", "set"]

WHOLE_BP = 10_000


class Outcome(StrEnum):
    """What a requirement comes to."""

    MET = "met"
    UNKNOWN = "unknown"
    UNMET = "unmet"


class Verdict(StrEnum):
    """What a measure comes to for a profile: 匹配, 待补, 不符."""

    MATCH = "match"
    INCOMPLETE = "incomplete"
    NO = "no"


class Kind(StrEnum):
    """What is offered."""

    POLICY = "policy"
    FUND = "fund"
    LABORATORY = "laboratory"


class Test(StrEnum):
    """How a fact is compared. ``within`` is for codes that nest, such as regions and industries: one of the constants
    is the beginning of the fact; ``outside`` is its opposite. ``has`` asks for one of the constants in a set, ``lacks`` for none of them.
    """

    __test__ = False  # no test case, whatever pytest thinks of its name

    EQ = "eq"
    NE = "ne"
    GTE = "gte"
    GT = "gt"
    LTE = "lte"
    LT = "lt"
    IN = "in"
    WITHIN = "within"
    OUTSIDE = "outside"
    HAS = "has"
    LACKS = "lacks"


STATED: Mapping[str, Shape] = {
    "staff": "number",
    "rd_staff": "number",
    "patents": "number",
    "invention_patents": "number",
    "revenue_fen": "number",
    "rd_spend_fen": "number",
    "hightech_revenue_fen": "number",
    "assets_fen": "number",
    "taxable_income_fen": "number",
    "industry": "code",
    "region_code": "code",
    "fields": "set",
    "qualifications": "set",
    "restricted": "flag",
    "on_dishonesty_list": "flag",
}
"""Facts that an enterprise states beside the day it was founded, and of what shape each is."""
SHARES: Mapping[str, tuple[str, str]] = {
    "rd_staff_share_bp": ("rd_staff", "staff"),
    "rd_spend_share_bp": ("rd_spend_fen", "revenue_fen"),
    "hightech_revenue_share_bp": ("hightech_revenue_fen", "revenue_fen"),
}
"""Facts worked out as one stated fact over another, in basis points."""
AGES = frozenset({"age_days", "age_years"})
"""Facts worked out from the day of founding: days, and whole years that are over."""
FOUNDED_ON = "founded_on"
REGION = "region_code"
SHAPES: Mapping[str, Shape] = {**STATED, **dict.fromkeys((*SHARES, *AGES), "number")}
"""Every fact that a requirement may name, and its shape."""
TESTS: Mapping[Shape, frozenset[Test]] = {
    "number": frozenset({Test.EQ, Test.NE, Test.GTE, Test.GT, Test.LTE, Test.LT, Test.IN}),
    "code": frozenset({Test.EQ, Test.NE, Test.IN, Test.WITHIN, Test.OUTSIDE}),
    "flag": frozenset({Test.EQ, Test.NE}),
    "set": frozenset({Test.HAS, Test.LACKS}),
}
"""Which comparisons make sense for a fact of each shape."""


@dataclass(frozen=True)
class Requirement:
    """One comparison. ``clause`` names where it is written."""

    fact: str
    test: Test
    constant: Constant
    clause: str = ""


@dataclass(frozen=True)
class All:
    """Every member has to be met."""

    members: tuple[Tree, ...]


@dataclass(frozen=True)
class AnyOf:
    """One member has to be met."""

    members: tuple[Tree, ...]


Tree = Requirement | All | AnyOf


@dataclass(frozen=True)
class Benefit:
    """What a measure is worth in money: a fixed amount, or a rate of a stated amount, and at most ``cap_fen``.

    All three None: it is worth something that is no amount (a recognition, an access).
    """

    amount_fen: int | None = None
    rate_bp: int | None = None
    of_fact: str | None = None
    cap_fen: int | None = None


class Stacking(StrEnum):
    """How the measures of a group go together: added up, the highest one counts, or one has to be chosen."""

    SUM = "SUM"
    MAX = "MAX"
    EXCLUSIVE = "EXCLUSIVE"


@dataclass(frozen=True)
class Group:
    """Measures that limit each other; ``cap_fen`` bounds what they give together."""

    slug: str
    mode: Stacking
    cap_fen: int | None = None


@dataclass(frozen=True)
class Measure:
    """A policy, a fund or a laboratory in one version, valid in ``[valid_from, valid_to)``.

    ``region_code`` is the division it is for (GB/T 2260), empty for the whole country.
    """

    slug: str
    version: int
    kind: Kind
    region_code: str
    valid_from: date
    valid_to: date | None
    tree: Tree
    benefit: Benefit
    group: Group | None = None


@dataclass(frozen=True)
class Finding:
    """A requirement and what it came to. ``value`` is the profile's, ``missing`` what would have to be stated."""

    requirement: Requirement
    outcome: Outcome
    value: Value | None
    missing: tuple[str, ...]


@dataclass(frozen=True)
class Match:
    """A measure held against a profile.

    ``decisive`` are the findings that make the verdict: what failed, or what is missing; all of them when it matches.
    ``amount_fen`` is what it is worth by itself, None where that is no amount or cannot be worked out yet.
    """

    measure: Measure
    verdict: Verdict
    findings: tuple[Finding, ...]
    decisive: tuple[Finding, ...]
    missing: tuple[str, ...]
    amount_fen: int | None
    opens_on: date | None


@dataclass(frozen=True)
class Share:
    """What a matching measure adds to the sum. ``cut_by`` is the measure or the cap that makes it less than its own."""

    slug: str
    amount_fen: int
    counted_fen: int
    group: str | None
    cut_by: str | None


CAP = "cap"
"""``Share.cut_by`` where the cap of the group did it."""


def facts_of(stated: Mapping[str, Value], *, founded_on: date | None, on: date) -> dict[str, Value]:
    """Return the facts that requirements ask for: what is stated, and what follows from it on day ``on``.

    A share of nothing is not known. Shares are in basis points, exact.
    """
    facts = dict(stated)
    if founded_on is not None and founded_on <= on:
        facts["age_days"] = (on - founded_on).days
        had_birthday = (on.month, on.day) >= (founded_on.month, founded_on.day)
        facts["age_years"] = on.year - founded_on.year - (0 if had_birthday else 1)
    for name, (part, whole) in SHARES.items():
        above, below = stated.get(part), stated.get(whole)
        if isinstance(above, int) and isinstance(below, int) and below > 0:
            facts[name] = Decimal(above * WHOLE_BP) / below
    return facts


def region_prefix(code: str) -> str:
    """Return the beginning that the codes of all divisions of ``code`` share: 41 of 410000, 4112 of 411200."""
    while code.endswith("00"):
        code = code[:-2]
    return code


def stated_for(fact: str) -> tuple[str, ...]:
    """Return what an enterprise has to state so that ``fact`` is known."""
    if fact in AGES:
        return (FOUNDED_ON,)
    return SHARES.get(fact, (fact,))


def match(measure: Measure, facts: Mapping[str, Value], *, on: date) -> Match:
    """Hold a measure against a profile. Its region counts as a requirement of its own, put first.

    ``opens_on`` tells that it is not yet valid; one that is over is the caller's to leave out.
    """
    tree: Tree = measure.tree
    if measure.region_code:
        tree = All((Requirement(REGION, Test.WITHIN, (region_prefix(measure.region_code),)), tree))
    outcome, decisive = _decide(tree, facts)
    decisive = tuple(dict.fromkeys(decisive))
    verdict = {Outcome.MET: Verdict.MATCH, Outcome.UNKNOWN: Verdict.INCOMPLETE, Outcome.UNMET: Verdict.NO}[outcome]
    missing = tuple(dict.fromkeys(name for each in decisive for name in each.missing if verdict is Verdict.INCOMPLETE))
    return Match(
        measure=measure,
        verdict=verdict,
        findings=tuple(_findings(tree, facts)),
        decisive=decisive,
        missing=missing,
        amount_fen=worth(measure.benefit, facts) if verdict is not Verdict.NO else None,
        opens_on=measure.valid_from if measure.valid_from > on else None,
    )


def worth(benefit: Benefit, facts: Mapping[str, Value]) -> int | None:
    """Return what a benefit comes to in whole fen, rounded down; None where it is no amount or not known yet."""
    amount = benefit.amount_fen
    if benefit.rate_bp is not None and benefit.of_fact is not None:
        base = facts.get(benefit.of_fact)
        if not isinstance(base, int) or isinstance(base, bool):
            return None
        amount = max(base, 0) * benefit.rate_bp // WHOLE_BP
    if amount is None or benefit.cap_fen is None:
        return amount
    return min(amount, benefit.cap_fen)


def combine(matches: Sequence[Match]) -> tuple[Share, ...]:
    """Return what the matching measures give together, group by group; the counted amounts add up to the sum.

    In a group of MAX or EXCLUSIVE the highest one counts (of equal ones, the first by slug). A group's cap is used up in
    the same order. Measures that are not open yet, or worth no amount, are left out.
    """
    open_ones = [
        each for each in matches if each.verdict is Verdict.MATCH and each.opens_on is None and each.amount_fen
    ]
    open_ones.sort(key=lambda each: (-(each.amount_fen or 0), each.measure.slug))
    best: dict[str, str] = {}
    left: dict[str, int] = {}
    shares = []
    for each in open_ones:
        amount, slug, group = each.amount_fen or 0, each.measure.slug, each.measure.group
        counted, cut_by = amount, None
        if group is not None:
            first = best.setdefault(group.slug, slug)
            if group.mode is not Stacking.SUM and first != slug:
                counted, cut_by = 0, first
            elif group.cap_fen is not None:
                counted = min(amount, left.get(group.slug, group.cap_fen))
                left[group.slug] = left.get(group.slug, group.cap_fen) - counted
                cut_by = CAP if counted < amount else None
        shares.append(Share(slug, amount, counted, group.slug if group else None, cut_by))
    return tuple(shares)


def requirements(tree: Tree) -> Iterator[Requirement]:
    """Yield the comparisons of a tree, in the order they are written."""
    if isinstance(tree, Requirement):
        yield tree
        return
    for member in tree.members:
        yield from requirements(member)


def _findings(tree: Tree, facts: Mapping[str, Value]) -> Iterator[Finding]:
    return (_find(each, facts) for each in requirements(tree))


def _decide(tree: Tree, facts: Mapping[str, Value]) -> tuple[Outcome, tuple[Finding, ...]]:
    """Return what a tree comes to, and the findings that make it so."""
    if isinstance(tree, Requirement):
        finding = _find(tree, facts)
        return finding.outcome, (finding,)
    decided = [_decide(member, facts) for member in tree.members]
    outcomes = [outcome for outcome, _ in decided]
    if isinstance(tree, All):
        order = (Outcome.UNMET, Outcome.UNKNOWN, Outcome.MET)
    else:
        order = (Outcome.MET, Outcome.UNKNOWN, Outcome.UNMET)
    outcome = next(each for each in order if each in outcomes)
    return outcome, tuple(finding for found, why in decided if found is outcome for finding in why)


def _find(requirement: Requirement, facts: Mapping[str, Value]) -> Finding:
    value = facts.get(requirement.fact)
    if value is None:
        missing = tuple(name for name in stated_for(requirement.fact) if name not in facts)
        return Finding(requirement, Outcome.UNKNOWN, None, missing)
    met = _holds(requirement, value)
    return Finding(requirement, Outcome.MET if met else Outcome.UNMET, value, ())


def _holds(requirement: Requirement, value: Value) -> bool:
    constant, test = requirement.constant, requirement.test
    if isinstance(value, frozenset):
        return bool(value & _codes(constant)) is (test is Test.HAS)
    if test in {Test.WITHIN, Test.OUTSIDE}:
        return str(value).startswith(tuple(_codes(constant))) is (test is Test.WITHIN)
    if test is Test.IN:
        return isinstance(constant, tuple) and value in constant
    if test in {Test.EQ, Test.NE}:
        return (value == constant) is (test is Test.EQ)
    return _ordered(test, value, constant)


def _codes(constant: Constant) -> frozenset[str]:
    return frozenset(str(each) for each in constant) if isinstance(constant, tuple) else frozenset({str(constant)})


def _ordered(test: Test, value: Value, constant: Constant) -> bool:
    if not isinstance(value, int | Decimal) or not isinstance(constant, int | Decimal):
        return False
    if test is Test.GTE:
        return value >= constant
    if test is Test.GT:
        return value > constant
    return value <= constant if test is Test.LTE else value < constant
