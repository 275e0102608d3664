"""What differs between two versions of a programme: by what a rate, ceiling or share is about, not by its position.

Each difference names its path in the policy's document and what it means, so that a door can say it in words.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, TypeVar

from billing.rules.conditions import AllOf, Condition, Tree
from billing.rules.terms import Cap, Funder, Policy, Rate, Stacking

Item = TypeVar("Item")


class Topic(StrEnum):
    """What a difference is about."""

    RATE = "rate"
    RATE_ADDED = "rate_added"
    RATE_REMOVED = "rate_removed"
    RATE_CONDITIONS = "rate_conditions"
    RATE_REASON = "rate_reason"
    RATE_ORDER = "rate_order"
    CAP = "cap"
    CAP_ADDED = "cap_added"
    CAP_REMOVED = "cap_removed"
    CAP_CONDITIONS = "cap_conditions"
    SHARE = "share"
    FUNDER_ADDED = "funder_added"
    FUNDER_REMOVED = "funder_removed"
    FUNDER_ORDER = "funder_order"
    ELIGIBLE = "eligible"
    ELIGIBLE_CONDITIONS = "eligible_conditions"
    SETTING = "setting"
    """Any other field; ``path`` names it."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference. Of conditions, ``before`` are those that go and ``after`` those that come.

    ``conditions`` and ``subject`` (a scope, a fund, or the rate whose conditions change) say which rate, ceiling or
    share is meant; a path into a list is the one of the newer version, or of the older one for what is gone.
    """

    path: str
    topic: Topic
    before: Any
    after: Any
    conditions: tuple[Condition, ...] = ()
    subject: str = ""


_OWN = {"programme", "version", "rates", "caps", "funders", "eligible", "window", "stacking"}
"""Fields that have a comparison of their own, or name the version itself."""


def differences(old: Policy, new: Policy) -> tuple[Difference, ...]:
    """Return every difference between two versions, rates first; none for versions that give the same awards alike."""
    return (
        *_rates(old, new),
        *_eligible(old.eligible, new.eligible),
        *_caps(old, new),
        *_settings(
            ("window.from", "window.to"), (old.window.start, old.window.end), (new.window.start, new.window.end)
        ),
        *_funders(old, new),
        *_stacking(old.stacking, new.stacking),
        *_others(old, new),
    )


def _rates(old: Policy, new: Policy) -> Iterator[Difference]:
    kept, gone, come = _matched(old.rates, new.rates, lambda rate: _meaning(rate.when))
    for before, after in kept:
        yield from _rate(f"rates[{after}]", old.rates[before], new.rates[after])
    same = _paired(gone, come, lambda i, j: _same_rate(old.rates[i], new.rates[j]))
    for before, after in same:
        one, other = old.rates[before], new.rates[after]
        yield _conditions(f"rates[{after}].when", Topic.RATE_CONDITIONS, one.when, other.when, str(other.rate_bp))
        yield from _rate(f"rates[{after}]", one, other)
    for before in _left(gone, [i for i, _ in same]):
        rate = old.rates[before]
        yield Difference(f"rates[{before}]", Topic.RATE_REMOVED, rate, None, rate.when)
    for after in _left(come, [j for _, j in same]):
        rate = new.rates[after]
        yield Difference(f"rates[{after}]", Topic.RATE_ADDED, None, rate, rate.when)
    if _reordered([*kept, *same]):
        yield Difference("rates", Topic.RATE_ORDER, None, None)


def _rate(path: str, one: Rate, other: Rate) -> Iterator[Difference]:
    if one.rate_bp != other.rate_bp:
        yield Difference(f"{path}.rate_bp", Topic.RATE, one.rate_bp, other.rate_bp, other.when)
    if one.reason != other.reason:
        yield Difference(f"{path}.reason", Topic.RATE_REASON, one.reason, other.reason, other.when)


def _same_rate(one: Rate, other: Rate) -> bool:
    return one.reason == other.reason if one.reason and other.reason else one.rate_bp == other.rate_bp


def _caps(old: Policy, new: Policy) -> Iterator[Difference]:
    kept, gone, come = _matched(old.caps, new.caps, lambda cap: (cap.scope, _meaning(cap.when)))
    for before, after in kept:
        one, other = old.caps[before], new.caps[after]
        if one.amount_fen != other.amount_fen:
            path = f"caps[{after}].amount_fen"
            yield Difference(path, Topic.CAP, one.amount_fen, other.amount_fen, other.when, other.scope.value)
    same = _paired(gone, come, lambda i, j: _same_cap(old.caps[i], new.caps[j]))
    for before, after in same:
        one, other = old.caps[before], new.caps[after]
        yield _conditions(f"caps[{after}].when", Topic.CAP_CONDITIONS, one.when, other.when, other.scope.value)
    for before in _left(gone, [i for i, _ in same]):
        cap = old.caps[before]
        yield Difference(f"caps[{before}]", Topic.CAP_REMOVED, cap, None, cap.when, cap.scope.value)
    for after in _left(come, [j for _, j in same]):
        cap = new.caps[after]
        yield Difference(f"caps[{after}]", Topic.CAP_ADDED, None, cap, cap.when, cap.scope.value)


def _same_cap(one: Cap, other: Cap) -> bool:
    return (one.scope, one.amount_fen) == (other.scope, other.amount_fen)


def _conditions(
    path: str, topic: Topic, before: Sequence[Condition], after: Sequence[Condition], subject: str = ""
) -> Difference:
    """Return which conditions go and which come; ``subject`` is the rate or the scope that they are of."""
    gone = tuple(each for each in before if _key(each) not in {_key(other) for other in after})
    come = tuple(each for each in after if _key(each) not in {_key(other) for other in before})
    return Difference(path, topic, gone, come, tuple(after), subject)


def _funders(old: Policy, new: Policy) -> Iterator[Difference]:
    kept, gone, come = _matched(old.funders, new.funders, lambda funder: funder.fund)
    for before, after in kept:
        one, other = old.funders[before], new.funders[after]
        if one.share_bp != other.share_bp:
            path = f"funders[{after}].share_bp"
            yield Difference(path, Topic.SHARE, one.share_bp, other.share_bp, subject=other.fund)
    for before in gone:
        yield _funder(f"funders[{before}]", Topic.FUNDER_REMOVED, old.funders[before], None)
    for after in come:
        yield _funder(f"funders[{after}]", Topic.FUNDER_ADDED, None, new.funders[after])
    if _reordered(kept):  # a fen that cannot be split goes to the fund that stands first
        yield Difference("funders", Topic.FUNDER_ORDER, None, None)


def _funder(path: str, topic: Topic, before: Funder | None, after: Funder | None) -> Difference:
    named = before or after
    return Difference(path, topic, before, after, subject=named.fund if named else "")


def _eligible(old: Tree, new: Tree) -> Iterator[Difference]:
    before, after = _flat(old), _flat(new)
    if before is not None and after is not None:
        if _meaning(before) != _meaning(after):
            yield _conditions("eligible", Topic.ELIGIBLE_CONDITIONS, before, after)
    elif _tree_key(old) != _tree_key(new):
        yield Difference("eligible", Topic.ELIGIBLE, old, new)


def _flat(tree: Tree) -> tuple[Condition, ...] | None:
    """Return the conditions of a tree that asks for all of them, None for one that is deeper."""
    members = tree.members if isinstance(tree, AllOf) else (tree,)
    flat = tuple(member for member in members if isinstance(member, Condition))
    return flat if len(flat) == len(members) else None


def _stacking(old: Stacking | None, new: Stacking | None) -> Iterator[Difference]:
    if old is None or new is None:
        if old is not new:
            yield Difference("stacking", Topic.SETTING, old, new)
        return
    names = tuple(each.name for each in fields(Stacking))
    yield from _settings(
        [f"stacking.{name}" for name in names],
        [getattr(old, name) for name in names],
        [getattr(new, name) for name in names],
    )


def _others(old: Policy, new: Policy) -> Iterator[Difference]:
    names = [each.name for each in fields(Policy) if each.name not in _OWN]
    yield from _settings(names, [getattr(old, name) for name in names], [getattr(new, name) for name in names])


def _settings(names: Sequence[str], old: Sequence[Any], new: Sequence[Any]) -> Iterator[Difference]:
    for name, before, after in zip(names, old, new, strict=True):
        if before != after:
            yield Difference(name, Topic.SETTING, before, after)


def _key(condition: Condition) -> Hashable:
    """Return what a condition says; ``true`` is not 1."""
    return condition.fact, condition.comparison, repr(condition.value)


def _meaning(conditions: Sequence[Condition]) -> Hashable:
    """Return what conditions say together: their order says nothing."""
    return frozenset(_key(condition) for condition in conditions)


def _tree_key(tree: Tree) -> Hashable:
    if isinstance(tree, Condition):
        return _key(tree)
    return isinstance(tree, AllOf), tuple(_tree_key(member) for member in tree.members)


def _matched(
    old: Sequence[Item], new: Sequence[Item], key: Callable[[Item], Hashable]
) -> tuple[list[tuple[int, int]], list[int], list[int]]:
    """Return the positions of items that are about the same, of those that are gone and of those that are new.

    Of several about the same thing, the first is compared with the first.
    """
    waiting: dict[Hashable, list[int]] = {}
    for index, item in enumerate(new):
        waiting.setdefault(key(item), []).append(index)
    kept, gone = [], []
    for index, item in enumerate(old):
        if found := waiting.get(key(item)):
            kept.append((index, found.pop(0)))
        else:
            gone.append(index)
    return kept, gone, sorted(index for left in waiting.values() for index in left)


def _paired(gone: Sequence[int], come: Sequence[int], same: Callable[[int, int], bool]) -> list[tuple[int, int]]:
    """Pair what is gone with what is new where the two are the same in another dress."""
    free, pairs = list(come), []
    for before in gone:
        found = next((after for after in free if same(before, after)), None)
        if found is not None:
            free.remove(found)
            pairs.append((before, found))
    return pairs


def _left(positions: Sequence[int], taken: Sequence[int]) -> list[int]:
    return [position for position in positions if position not in taken]


def _reordered(pairs: Sequence[tuple[int, int]]) -> bool:
    after = [new for _, new in sorted(pairs)]
    return after != sorted(after)
