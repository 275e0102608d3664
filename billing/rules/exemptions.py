"""Case-by-case decisions (一事一议): approved exceptions from a programme's terms for one park, as data.

An exemption changes terms of the programme and nothing else: who is related or has been subsidised already stays
barred, and no fund gives what it does not have. Its own limit is a ceiling like the programme's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from billing.rules.conditions import AllOf, AnyOf, Condition, Tree
from billing.rules.money import WHOLE_BP
from billing.rules.periods import DEFAULT_ZONE, Days, local_day, start_of_day
from billing.rules.reasons import Reason
from billing.rules.terms import CapScope, Policy, Rate
from tenants.kernel.errors import FieldError
from tenants.kernel.messages import msg

STANDING_FACTS = frozenset(
    (
        "related_party", "already_subsidised", "control_group", "provider_control_group", "credit_blocked",
        "provider_credit_blocked",
    )
)  # fmt: skip
"""Facts that no decision can waive: they say who may have public money at all."""
LIFTABLE = tuple(scope for scope in CapScope if scope is not CapScope.FUND_YEAR)
"""Ceilings that a decision may lift or replace. What a programme may take of a fund in a year is the fund's money."""


@dataclass(frozen=True, slots=True)
class ExemptTerms:
    """What a decision changes; what it does not name stays as the programme says."""

    rate_bp: int | None = None
    waive_price_limit: bool = False
    waived_facts: frozenset[str] = frozenset()
    """Eligibility conditions on these facts are taken as met."""
    ceilings: Mapping[CapScope, int | None] = field(default_factory=dict)
    """By scope another amount in fen, None for no ceiling; what is given still counts in it."""
    window_to: date | None = None
    """The first day on which the programme's window is over for this park."""


@dataclass(frozen=True, slots=True)
class Exemption:
    """A decision in force: its scope, its terms, and the most it may give in all (``limit_fen``)."""

    id: str
    document_no: str
    programme: str
    terms: ExemptTerms
    limit_fen: int
    used_fen: int = 0
    """What was given under it before this order."""
    offering: str | None = None
    expires_at: datetime | None = None

    @property
    def left_fen(self) -> int:
        """What it may still give."""
        return max(0, self.limit_fen - self.used_fen)

    def holds_at(self, moment: date | datetime) -> bool:
        """Tell whether it has not expired; a plain day is taken at its first moment."""
        at = moment if isinstance(moment, datetime) else start_of_day(moment, DEFAULT_ZONE)
        return self.expires_at is None or at < self.expires_at


def subject_of(
    exemption: Exemption, policies: Sequence[Policy], barred: Sequence[Reason | None], moment: date | datetime
) -> int | None:
    """Return the position of the version whose terms a decision changes, None for none (see ``timing`` for ``barred``).

    The version that counts that day; without one, the latest whose window has ended and is extended to that day.
    """
    own = [index for index, policy in enumerate(policies) if policy.programme == exemption.programme]
    for index in own:
        if barred[index] is None:
            return index
    extended = [i for i in own if barred[i] is Reason.OUT_OF_WINDOW and _extends(exemption.terms, policies[i], moment)]
    return max(extended, key=lambda index: policies[index].version, default=None)


def _extends(terms: ExemptTerms, policy: Policy, moment: date | datetime) -> bool:
    end = policy.window.end
    return (
        terms.window_to is not None
        and end is not None
        and end <= local_day(moment, policy.timezone) < terms.window_to
    )  # fmt: skip


def changed(policy: Policy, terms: ExemptTerms) -> Policy:
    """Return the policy with the terms that a decision changes. Ceilings are changed where they are applied."""
    end = policy.window.end
    if terms.window_to is not None and end is not None:
        end = max(end, terms.window_to)
    return replace(
        policy,
        rates=policy.rates if terms.rate_bp is None else (Rate(terms.rate_bp),),
        price_limit_fen=None if terms.waive_price_limit else policy.price_limit_fen,
        eligible=_without(policy.eligible, terms.waived_facts),
        window=Days(policy.window.start, end),
    )


def as_told(policy: Policy, terms: ExemptTerms) -> Policy:
    """Return the changed policy with its ceilings as they bind under the decision, for explaining an award."""
    amounts = [(cap, terms.ceilings.get(cap.scope, cap.amount_fen)) for cap in policy.caps]
    caps = tuple(replace(cap, amount_fen=amount) for cap, amount in amounts if amount is not None)
    return replace(changed(policy, terms), caps=caps)


def _without(tree: Tree, facts: frozenset[str]) -> Tree:
    """Return the tree with every condition on one of ``facts`` taken as met."""
    if isinstance(tree, Condition):
        return AllOf() if tree.fact in facts else tree
    members = tuple(_without(member, facts) for member in tree.members)
    return AllOf(members) if isinstance(tree, AllOf) else AnyOf(members)


def check_terms(terms: ExemptTerms, path: str = "terms.") -> list[FieldError]:
    """Return why a decision may not change these terms; ``path`` is put before each field."""
    errors = list(_refused(terms))
    if terms == ExemptTerms():
        errors.append(FieldError("rate_bp", "exemption.no_terms", msg("未变更任何条款。请至少填写一项要变更的条款。")))
    return [FieldError(f"{path}{error.field}", error.code, error.message) for error in errors]


def _refused(terms: ExemptTerms) -> Iterable[FieldError]:
    if terms.rate_bp is not None and not 0 < terms.rate_bp <= WHOLE_BP:
        yield FieldError("rate_bp", "exemption.rate", msg("补贴比例须大于 0 且不超过 10000（100%）。请改正该比例。"))
    standing = sorted(terms.waived_facts & STANDING_FACTS)
    if standing:
        yield FieldError(
            "waived_facts",
            "exemption.standing",
            msg("关联方、失信与重复补贴的限制不得豁免：{facts}。请删去这些条件。", facts="、".join(standing)),
        )
    for scope in terms.ceilings:
        if scope not in LIFTABLE:
            yield FieldError(
                f"ceilings.{scope.value}",
                "exemption.fund_money",
                msg("资金池的年度额度不得豁免。请删去该项；资金不足时请申请追加拨款。"),
            )
