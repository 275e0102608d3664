"""Conditions of a programme over the facts of an order. A fact that nobody stated makes a condition false."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

Scalar = str | int | bool | Decimal
Fact = Scalar | tuple[Scalar, ...] | None
Facts = Mapping[str, Fact]


class Comparison(StrEnum):
    """How a fact is compared with a value."""

    EQ = "eq"
    NE = "ne"
    IN = "in"
    LTE = "lte"
    GTE = "gte"
    LT = "lt"
    GT = "gt"


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison; ``value`` is a tuple exactly for ``in``."""

    fact: str
    comparison: Comparison
    value: Scalar | tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every member holds; without members it always holds."""

    members: tuple[Tree, ...] = ()


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one member holds."""

    members: tuple[Tree, ...]


Tree = Condition | AllOf | AnyOf


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether conditions hold, and the facts that were asked for but not stated, or not comparable."""

    holds: bool
    unknown: frozenset[str] = frozenset()


TRUE = Verdict(holds=True)
FALSE = Verdict(holds=False)


_SAMENESS = frozenset((Comparison.EQ, Comparison.IN, Comparison.NE))


def evaluate(tree: Tree, facts: Facts) -> Verdict:
    """Evaluate a tree. There is no negation, so an unknown fact can never make anything hold."""
    if isinstance(tree, Condition):
        return _compare(tree, facts)
    verdicts = [evaluate(member, facts) for member in tree.members]
    if isinstance(tree, AllOf):
        return _all(verdicts)
    holds = any(verdict.holds for verdict in verdicts)
    return Verdict(holds, frozenset().union(*(verdict.unknown for verdict in verdicts)))


def all_hold(conditions: Sequence[Condition], facts: Facts) -> Verdict:
    """Evaluate conditions that must all hold."""
    return _all([_compare(condition, facts) for condition in conditions]) if conditions else TRUE


def _all(verdicts: list[Verdict]) -> Verdict:
    missed = [verdict for verdict in verdicts if verdict is not TRUE]
    if not missed:
        return TRUE
    unknown = frozenset().union(*(verdict.unknown for verdict in missed))
    return Verdict(all(verdict.holds for verdict in missed), unknown)


def _compare(condition: Condition, facts: Facts) -> Verdict:
    fact = facts.get(condition.fact)
    if fact is None:
        return Verdict(holds=False, unknown=frozenset((condition.fact,)))
    if condition.comparison is Comparison.EQ and type(fact) is type(condition.value):
        return TRUE if fact == condition.value else FALSE
    if condition.comparison is Comparison.IN and type(fact) is str and isinstance(condition.value, tuple):
        return TRUE if fact in condition.value else FALSE  # a text equals nothing but a text
    wanted = condition.value if isinstance(condition.value, tuple) else (condition.value,)
    if condition.comparison in _SAMENESS:
        stated = fact if isinstance(fact, tuple) else (fact,)
        same = any(_same(one, other) for one in stated for other in wanted)
        return TRUE if same is (condition.comparison is not Comparison.NE) else FALSE
    if isinstance(fact, tuple) or not _comparable(fact, wanted[0]):
        return Verdict(holds=False, unknown=frozenset((condition.fact,)))
    return TRUE if _ordered(condition.comparison, fact, wanted[0]) else FALSE


def _same(one: Scalar, other: Scalar) -> bool:
    """Tell equality without taking ``true`` for 1."""
    return isinstance(one, bool) is isinstance(other, bool) and one == other


def _comparable(one: Scalar, other: Scalar) -> bool:
    if isinstance(one, bool) or isinstance(other, bool):
        return False
    return isinstance(one, str) is isinstance(other, str)


def _ordered(comparison: Comparison, one: Scalar, other: Scalar) -> bool:
    """Compare two numbers, or two texts (dates in ISO form order as texts do)."""
    if isinstance(one, str) and isinstance(other, str):
        sign = (one > other) - (one < other)
    else:
        number, limit = Decimal(one), Decimal(other)
        sign = (number > limit) - (number < limit)
    return {
        Comparison.LTE: sign <= 0,
        Comparison.GTE: sign >= 0,
        Comparison.LT: sign < 0,
        Comparison.GT: sign > 0,
    }[comparison]
