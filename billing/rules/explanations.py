"""Why an award is what it is, told from the rules themselves: structured, so that any door can put it into words.

Nothing here decides anything: the award is given, and each statement is worked out from the same terms and facts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from itertools import product

from billing.rules.conditions import AllOf, AnyOf, Comparison, Condition, Fact, Facts, Tree, all_hold, evaluate
from billing.rules.eligibility import line_facts
from billing.rules.exemptions import Exemption, as_told
from billing.rules.money import share_down
from billing.rules.periods import cap_year, local_day
from billing.rules.subsidies import Award, Quote
from billing.rules.terms import CapScope, OrderFacts, Policy, Rate, Used

MOST_WAYS = 6
"""Ways to meet a condition that are told; more would not be read."""
ROLLING = "rolling"
"""Scope of a ceiling over years that roll."""
EXEMPTION = "exemption"
"""Scope of what a case-by-case decision may give in all."""
FEW = 10
"""A fund is nearly used up when it does not carry so many more awards like this one."""
SERVICE = frozenset({"offering", "offering_tier", "delivery"})
"""Facts of the service alone: a park can change all others, but these only by renting something else."""


class FundState(StrEnum):
    """How much a fund has left, without its balance: that is the province's to know."""

    AVAILABLE = "available"
    NEARLY_USED_UP = "nearly_used_up"
    USED_UP = "used_up"


@dataclass(frozen=True, slots=True)
class Unmet:
    """A condition that does not hold, and what the order states instead (None: nothing)."""

    condition: Condition
    stated: Fact


Way = tuple[Unmet, ...]
"""Conditions that would all have to hold."""


@dataclass(frozen=True, slots=True)
class BetterRate:
    """A higher rate of the same version, and what it lacks."""

    rate_bp: int
    reason: str | None
    unmet: Way


@dataclass(frozen=True, slots=True)
class CeilingState:
    """A ceiling in force for this line. ``used_fen`` was taken before, ``left_fen`` is left after this award.

    ``scope`` is that of a cap, EXEMPTION, or ROLLING, which counts over any ``years`` together (0 for the others). ``starts_anew`` is the
    first day of the next cap year, None for a ceiling without cap years.
    """

    scope: str
    limit_fen: int
    used_fen: int
    taken_fen: int
    left_fen: int
    starts_anew: date | None
    years: int = 0


@dataclass(frozen=True, slots=True)
class Explanation:
    """One programme's award on one line.

    ``rate_bp`` and ``reason`` are the rate that applied, 0 and None when none did; ``eligibility`` is empty for an
    eligible line, else the ways in which it would become eligible. ``document_no`` is that of the case-by-case decision
    whose terms applied; what is told is then of those terms.
    """

    programme: str
    version: int
    mode: str
    rate_bp: int
    reason: str | None
    base_fen: int
    claim_fen: int
    amount_fen: int
    reasons: tuple[str, ...]
    eligibility: tuple[Way, ...]
    price_limit_fen: int | None
    better_rates: tuple[BetterRate, ...]
    ceilings: tuple[CeilingState, ...]
    funds: Mapping[str, FundState]
    document_no: str | None = None
    other_services: bool = False
    """The version is for other services: whatever the park does, it gives nothing on this one."""


def explain(
    policies: Sequence[Policy], order: OrderFacts, used: Used, funds: Mapping[str, int], priced: Quote
) -> tuple[tuple[Explanation, ...], ...]:
    """Return the explanation of every award of every line of ``priced``, which came of the other arguments."""
    by_version = {policy.order_key: policy for policy in policies}
    taken: dict[tuple[str, CapScope], int] = {}
    rolled = dict(used.rolling)
    exempted: dict[str, int] = {}
    left = dict(funds)
    lines = []
    for line, result in zip(order.lines, priced.lines, strict=True):
        facts = line_facts(order, line)
        told = []
        for award in result.awards:
            policy = by_version[award.programme, award.version]
            terms = policy if award.exemption is None else as_told(policy, award.exemption.terms)
            told.append(_explanation(terms, facts, award, _before(policy, used, taken), rolled, order.moment, left))
            if award.exemption is not None:
                before = exempted.get(award.exemption.id, award.exemption.used_fen)
                exempted[award.exemption.id] = before + award.amount_fen
                told[-1] = _decided(told[-1], award.exemption, before)
            for scope in {cap.scope for cap in policy.caps}:
                key = (policy.programme, scope)
                taken[key] = taken.get(key, 0) + award.amount_fen
            if policy.rolling is not None:
                rolled[policy.rolling.register] = rolled.get(policy.rolling.register, 0) + award.amount_fen
        for fund, amount in (draw for award in result.awards for draw in award.fund_draws if draw[0] in left):
            left[fund] -= amount
        lines.append(tuple(told))
    return tuple(lines)


def ways_to_hold(tree: Tree, facts: Facts) -> tuple[Way, ...]:
    """Return the ways in which a tree that does not hold would hold, the shortest first; none when it holds.

    Each way is a set of conditions that do not hold now.
    """
    return () if evaluate(tree, facts).holds else tuple(_ways(tree, facts)[:MOST_WAYS])


def for_other_services(policy: Policy, facts: Facts) -> bool:
    """Tell whether a version can give nothing on a line because of what the service is, whoever rents it."""
    rated = AnyOf(tuple(AllOf(rate.when) for rate in policy.rates))
    return not _could_hold(AllOf((policy.eligible, rated)), facts)


def better_rates(rates: Sequence[Rate], facts: Facts) -> tuple[BetterRate, ...]:
    """Return the rates above the one that applies, best first, that would apply if what they lack were met."""
    applied = next((index for index, rate in enumerate(rates) if all_hold(rate.when, facts).holds), None)
    low_bp = 0 if applied is None else rates[applied].rate_bp
    found = []
    for index, rate in enumerate(rates):
        unmet = _unmet(rate.when, facts)
        if rate.rate_bp > low_bp and unmet and _would_apply(rates, index, facts, unmet):
            found.append(BetterRate(rate.rate_bp, rate.reason, unmet))
    return tuple(sorted(found, key=lambda rate: -rate.rate_bp))


def ceilings(
    policy: Policy, facts: Facts, used: Mapping[CapScope, int], taken_fen: int, day: date
) -> list[CeilingState]:
    """Return the ceilings in force, of several of one scope the lowest, in the order in which they are applied."""
    limits: dict[CapScope, int] = {}
    for cap in policy.caps:
        if all_hold(cap.when, facts).holds:
            limits[cap.scope] = min(cap.amount_fen, limits.get(cap.scope, cap.amount_fen))
    anew = cap_year(day, policy.year_starts).days.end
    return [
        CeilingState(
            scope=scope,
            limit_fen=limits[scope],
            used_fen=used.get(scope, 0),
            taken_fen=taken_fen,
            left_fen=max(0, limits[scope] - used.get(scope, 0) - taken_fen),
            starts_anew=anew if scope.yearly else None,
        )
        for scope in CapScope
        if scope in limits
    ]


def rolling_ceiling(policy: Policy, used: Mapping[str, int], taken_fen: int) -> list[CeilingState]:
    """Return the version's rolling ceiling, with what its register counted before; empty for a version without."""
    rolling = policy.rolling
    if rolling is None:
        return []
    before = used.get(rolling.register, 0)
    left = max(0, rolling.amount_fen - before - taken_fen)
    return [CeilingState(ROLLING, rolling.amount_fen, before, taken_fen, left, None, rolling.years)]


def fund_state(left_fen: int, share_fen: int) -> FundState:
    """Return how much a fund has left beside what one more award would take of it."""
    if left_fen <= 0:
        return FundState.USED_UP
    return FundState.NEARLY_USED_UP if left_fen < FEW * share_fen else FundState.AVAILABLE


def _explanation(
    policy: Policy,
    facts: Facts,
    award: Award,
    used: Mapping[CapScope, int],
    rolled: Mapping[str, int],
    moment: date | datetime,
    funds: Mapping[str, int],
) -> Explanation:
    applied = next((rate for rate in policy.rates if all_hold(rate.when, facts).holds), None)
    gross_fen = facts["gross_fen"]
    too_dear = policy.price_limit_fen is not None and isinstance(gross_fen, int) and gross_fen > policy.price_limit_fen
    return Explanation(
        programme=award.programme,
        version=award.version,
        mode=award.mode.value,
        rate_bp=award.rate_bp,
        reason=applied.reason if applied and applied.rate_bp == award.rate_bp else None,
        base_fen=award.base_fen,
        claim_fen=award.claim_fen,
        amount_fen=award.amount_fen,
        reasons=award.reasons,
        eligibility=ways_to_hold(policy.eligible, facts),
        price_limit_fen=policy.price_limit_fen if too_dear else None,
        better_rates=better_rates(policy.rates, facts),
        ceilings=(
            *ceilings(policy, facts, used, award.amount_fen, local_day(moment, policy.timezone)),
            *rolling_ceiling(policy, rolled, award.amount_fen),
        ),
        funds={
            funder.fund: fund_state(funds[funder.fund], share_down(award.claim_fen, funder.share_bp))
            for funder in policy.funders
            if funder.fund in funds
        },
        other_services=for_other_services(policy, facts),
    )


def _decided(told: Explanation, exemption: Exemption, used_fen: int) -> Explanation:
    """Return an explanation that names the decision behind it, and what is left of that."""
    taken = told.amount_fen
    left = max(0, exemption.limit_fen - used_fen - taken)
    limit = CeilingState(EXEMPTION, exemption.limit_fen, used_fen, taken, left, None)
    return replace(told, document_no=exemption.document_no, ceilings=(limit, *told.ceilings))


def _before(policy: Policy, used: Used, taken: Mapping[tuple[str, CapScope], int]) -> dict[CapScope, int]:
    """Return what counts against each ceiling before a line: from before the order, and from its earlier lines."""
    return {scope: used.taken(policy.programme, scope) + taken.get((policy.programme, scope), 0) for scope in CapScope}


def _unmet(conditions: Iterable[Condition], facts: Facts) -> Way:
    return tuple(Unmet(each, facts.get(each.fact)) for each in conditions if not all_hold((each,), facts).holds)


def _could_hold(tree: Tree, facts: Facts) -> bool:
    """Tell whether a tree could hold for this service if everything else were as it asks."""
    if isinstance(tree, Condition):
        return tree.fact not in SERVICE or evaluate(tree, facts).holds
    could = (_could_hold(member, facts) for member in tree.members)
    return all(could) if isinstance(tree, AllOf) else any(could)


def _ways(tree: Tree, facts: Facts) -> list[Way]:
    if evaluate(tree, facts).holds:
        return [()]
    if isinstance(tree, Condition):
        return [_unmet((tree,), facts)]
    if isinstance(tree, AllOf):
        found: list[Way] = [()]
        for member in tree.members:
            longer = product(found, _ways(member, facts))
            # Cut at every step: the product of many alternatives would outgrow any reader, and any memory.
            found = sorted((tuple(dict.fromkeys((*one, *other))) for one, other in longer), key=len)[:MOST_WAYS]
        return found
    return sorted((way for member in tree.members for way in _ways(member, facts)), key=len)[:MOST_WAYS]


def _would_apply(rates: Sequence[Rate], index: int, facts: Facts, unmet: Way) -> bool:
    """Tell whether a rate would be the first that holds if what it lacks were met.

    Where no value can be named that would meet a condition, the place in the list decides.
    """
    met = dict(facts)
    for each in unmet:
        value = _meeting(each.condition)
        if value is None:
            return not any(all_hold(rate.when, facts).holds for rate in rates[:index])
        met[each.condition.fact] = value
    return next((at for at, rate in enumerate(rates) if all_hold(rate.when, met).holds), None) == index


def _meeting(condition: Condition) -> Fact:
    """Return a value that meets a condition, None where none can be named."""
    value = condition.value
    match condition.comparison:
        case Comparison.EQ | Comparison.LTE | Comparison.GTE:
            return value
        case Comparison.IN:
            return value[0] if isinstance(value, tuple) and value else None
        case Comparison.LT | Comparison.GT if isinstance(value, int | Decimal) and not isinstance(value, bool):
            return value - 1 if condition.comparison is Comparison.LT else value + 1
        case _:
            return None
