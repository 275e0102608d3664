"""What orders state of themselves, and the values each fact can take: a condition on anything else would never hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from billing.rules.conditions import AllOf, Comparison, Condition, Scalar, Tree
from billing.rules.terms import Policy
from tenants.kernel.errors import FieldError
from tenants.kernel.messages import Message, msg
from tenants.kernel.vocabulary import ParkSize, Tier
from tenants.rules.regions import Level, RegionClass, regions


class FactKind(StrEnum):
    """What a fact's values are."""

    CHOICE = "choice"
    """One of a few codes."""
    COUNTY = "county"
    """The six-digit code of a county."""
    TEXT = "text"
    FLAG = "flag"
    FEN = "fen"
    """An amount in whole fen."""


@dataclass(frozen=True, slots=True)
class KnownFact:
    """A fact that orders state. ``values`` are the codes of a choice."""

    kind: FactKind
    values: tuple[str, ...] = ()

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        """The comparisons that make sense of it: only amounts have an order."""
        return tuple(Comparison) if self.kind is FactKind.FEN else (Comparison.EQ, Comparison.NE, Comparison.IN)

    def takes(self, value: Scalar) -> bool:
        """Tell whether an order can state ``value``."""
        match self.kind:
            case FactKind.CHOICE:
                return value in self.values
            case FactKind.COUNTY:
                region = regions().get(value) if isinstance(value, str) else None
                return region is not None and region.level is Level.COUNTY
            case FactKind.TEXT:
                return isinstance(value, str) and value != ""
            case FactKind.FLAG:
                return isinstance(value, bool)
            case FactKind.FEN:
                return isinstance(value, int) and not isinstance(value, bool) and value >= 0


_TEXT = KnownFact(FactKind.TEXT)
_FLAG = KnownFact(FactKind.FLAG)
_TIER = KnownFact(FactKind.CHOICE, tuple(Tier))
KNOWN_FACTS: Mapping[str, KnownFact] = {
    "park_size": KnownFact(FactKind.CHOICE, tuple(ParkSize)),
    "region_class": KnownFact(FactKind.CHOICE, tuple(RegionClass)),
    "region": KnownFact(FactKind.COUNTY),
    "tier": _TIER,
    "verification": KnownFact(FactKind.CHOICE, ("pending", "verified", "rejected")),
    "offering": _TEXT,
    "offering_tier": _TIER,
    "delivery": _TEXT,
    "gross_fen": KnownFact(FactKind.FEN),
    "control_group": _TEXT,
    "provider": _TEXT,
    "provider_control_group": _TEXT,
    "related_party": _FLAG,
    "already_subsidised": _FLAG,
    "credit_blocked": _FLAG,
    "provider_credit_blocked": _FLAG,
}
"""By name, in the order in which forms offer them."""


def check_facts(policy: Policy, known: Mapping[str, KnownFact]) -> Iterator[FieldError]:
    """Refuse conditions on facts that no order states, and on values or comparisons that no order can meet.

    Without any ``known`` facts nothing is refused.
    """
    if not known:
        return
    places = [("eligible", list(_conditions(policy.eligible, "eligible")))]
    rows = [(f"rates[{index}].when", rate.when) for index, rate in enumerate(policy.rates)]
    rows += [(f"caps[{index}].when", cap.when) for index, cap in enumerate(policy.caps)]
    places += [(path, [(f"{path}[{i}]", each) for i, each in enumerate(when)]) for path, when in rows]
    for path, conditions in places:
        for fact in sorted({condition.fact for _, condition in conditions} - known.keys()):
            yield FieldError(
                path,
                "policy.unknown_fact",
                msg("没有任何订单提供事实 {fact}，该条件永远不成立。请从事实清单中选择。", fact=fact),
            )
        for at, condition in conditions:
            if condition.fact in known:
                yield from _check_condition(at, condition, known[condition.fact])


def _conditions(tree: Tree, path: str) -> Iterable[tuple[str, Condition]]:
    if isinstance(tree, Condition):
        yield path, tree
        return
    name = "all" if isinstance(tree, AllOf) else "any"
    for index, member in enumerate(tree.members):
        yield from _conditions(member, f"{path}.{name}[{index}]")


def _check_condition(path: str, condition: Condition, fact: KnownFact) -> Iterator[FieldError]:
    if condition.comparison not in fact.comparisons:
        yield FieldError(
            f"{path}.is",
            "policy.no_order",
            msg("事实 {fact} 没有大小之分。请改用 eq、ne 或 in。", fact=condition.fact),
        )
    wanted = condition.value if isinstance(condition.value, tuple) else (condition.value,)
    wrong = [value for value in wanted if not fact.takes(value)]
    if wrong or not wanted:
        yield FieldError(f"{path}.value", "policy.unknown_value", _remedy(condition.fact, fact, wrong))


def _remedy(name: str, fact: KnownFact, wrong: list[Scalar]) -> Message:
    said = "、".join(str(value) for value in wrong) or "—"
    match fact.kind:
        case FactKind.CHOICE:
            return msg(
                "事实 {fact} 不会取值 {value}，该条件永远不成立。请改为 {choices} 之一。",
                fact=name, value=said, choices="、".join(fact.values),
            )  # fmt: skip
        case FactKind.COUNTY:
            return msg("{value} 不是区县代码。请填写区县的六位区划代码，例如 411224。", value=said)
        case FactKind.FLAG:
            return msg("事实 {fact} 只有 true 与 false。请改正该值。", fact=name)
        case FactKind.FEN:
            return msg("事实 {fact} 须为不小于零的整数（分）。请改正该值。", fact=name)
        case FactKind.TEXT:
            return msg("事实 {fact} 须为非空文本。请改正该值。", fact=name)
