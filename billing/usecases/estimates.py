"""What a park that is not known yet would get: the real rules, and nobody's figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from billing.rules.explanations import Explanation, FundState, fund_state
from billing.rules.explanations import explain as explain_awards
from billing.rules.money import share_down
from billing.rules.subsidies import LineQuote, quote
from billing.rules.terms import CapScope, Mode, OrderFacts, OrderLine, Policy, Used
from billing.store.ceiling_queries import NOBODY
from billing.store.fund_queries import GENERAL, available_by_slug
from billing.usecases.ceilings import used_before
from billing.usecases.evaluation import QuoteLineRequest
from billing.usecases.fund_register import allotments
from billing.usecases.policies_in_force import EffectivePolicy, policies_in_force
from billing.usecases.pricing import find_prices
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work

COMMON = frozenset({CapScope.PROVIDER_POOL, CapScope.FUND_YEAR, CapScope.SCHEME})
"""Ceilings that all parks share."""


@dataclass(frozen=True)
class EstimatedAward:
    """What one programme would give now or later; its programme's names stand in both languages."""

    programme_name: str
    programme_name_en: str
    instant: bool
    explanation: Explanation


@dataclass(frozen=True)
class Estimate:
    """One unit of an offering. ``payable_fen`` is what would be paid at checkout; ``later_fen`` would come back."""

    offering: str
    gross_fen: int
    subsidy_fen: int
    payable_fen: int
    later_fen: int
    awards: tuple[EstimatedAward, ...]


def estimate(work: Work, *, lines: Sequence[QuoteLineRequest], facts: Mapping[str, Any]) -> tuple[Estimate, ...]:
    """Return what each line would cost a park of such facts now, bought alone; offerings without a price are left out.

    The park is new: its own ceilings are untouched. Common ceilings and funds count only when nothing is left of them,
    so no answer tells a balance; how much a fund has left is said as a ``FundState``.
    """
    work.actor.require(Permission.ASK_QUOTE)
    prices = find_prices(work, offerings={line.offering for line in lines}, at=work.now, facts=facts)
    in_force = policies_in_force(work, at=work.now)
    policies = [each.policy for each in in_force]
    funders = {funder.fund for policy in policies for funder in policy.funders}
    left = available_by_slug(work.session, funders, (*allotments(facts), GENERAL))
    empty = {fund: 0 for fund, fen in left.items() if fen <= 0}
    priced = [line for line in lines if line.offering in prices]
    line_facts = [[{**facts, **line.facts}] for line in priced]
    found = []
    for line, used in zip(priced, used_before(work, policies, NOBODY, line_facts, work.now), strict=True):
        price = prices[line.offering]
        wanted = OrderLine(line.offering, price.gross_fen(line.quantity), price.vat_bp, line.facts)
        order = OrderFacts(work.now, (wanted,), facts)
        known = _without_figures(policies, used)
        result = quote(policies, order, known, empty)
        explanations = explain_awards(policies, order, known, empty, result)[0]
        found.append(_estimate(result.lines[0], _with_states(explanations, policies, left), in_force))
    return tuple(found)


def _without_figures(policies: Sequence[Policy], used: Used) -> Used:
    """Return what counts of common ceilings: one that is used up wholly, any other not at all."""
    taken: dict[str, dict[CapScope, int]] = {}
    for policy in policies:
        for cap in policy.caps:
            before = used.taken(policy.programme, cap.scope)
            if cap.scope in COMMON and before >= cap.amount_fen:
                scopes = taken.setdefault(policy.programme, {})
                scopes[cap.scope] = max(cap.amount_fen, scopes.get(cap.scope, 0))
    return Used(by_programme=taken)


def _with_states(
    explanations: Sequence[Explanation], policies: Sequence[Policy], left: Mapping[str, int]
) -> tuple[Explanation, ...]:
    """Return the explanations with every fund's state, and without the common ceilings, whose use is not told."""
    by_name = {policy.programme: policy for policy in policies}
    return tuple(
        replace(
            each,
            ceilings=tuple(ceiling for ceiling in each.ceilings if ceiling.scope not in COMMON),
            funds=_states(by_name[each.programme], each.claim_fen, left),
        )
        for each in explanations
    )


def _states(policy: Policy, claim_fen: int, left: Mapping[str, int]) -> dict[str, FundState]:
    return {
        funder.fund: fund_state(left[funder.fund], share_down(claim_fen, funder.share_bp)) for funder in policy.funders
    }


def _estimate(line: LineQuote, explanations: Sequence[Explanation], in_force: Sequence[EffectivePolicy]) -> Estimate:
    names = {each.policy.programme: each for each in in_force}
    awards = tuple(
        EstimatedAward(
            programme_name=names[each.programme].name,
            programme_name_en=names[each.programme].name_en,
            instant=each.mode == Mode.INSTANT,
            explanation=each,
        )
        for each in explanations
    )
    return Estimate(
        offering=line.offering,
        gross_fen=line.gross_fen,
        subsidy_fen=line.gross_fen - line.due_fen,
        payable_fen=line.due_fen,
        later_fen=line.due_fen - line.payable_fen,
        awards=awards,
    )
