"""What a programme would give on a line if nothing ever ran short: window, standing, eligibility, price limit, rate."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from billing.rules.conditions import Facts, all_hold, evaluate
from billing.rules.headroom import Claim, with_limits
from billing.rules.money import net_of_vat, share_down
from billing.rules.reasons import Reason
from billing.rules.terms import Base, OrderFacts, OrderLine, Policy


def line_facts(order: OrderFacts, line: OrderLine) -> Facts:
    """Return the facts of a line: the order's, then its own, and always its offering and price."""
    return {**order.facts, **line.facts, "offering": line.offering, "gross_fen": line.gross_fen}


def timing(policies: Sequence[Policy], moment: date | datetime) -> list[Reason | None]:
    """Return for each policy why it does not count on the order's day, or None when it does.

    A day outside the window, or a higher version of the same programme that is in its window.
    """
    current: dict[str, int] = {}
    inside = [policy.in_window(moment) for policy in policies]
    for policy, counts in zip(policies, inside, strict=True):
        if counts:
            current[policy.programme] = max(policy.version, current.get(policy.programme, policy.version))
    return [
        Reason.OUT_OF_WINDOW
        if not counts
        else (None if policy.version == current[policy.programme] else Reason.EXCLUDED_BY)
        for policy, counts in zip(policies, inside, strict=True)
    ]


def claim_on(policy: Policy, line: OrderLine, facts: Facts, barred: Reason | None) -> Claim:
    """Return a programme's claim on a line; ``barred`` is why its version does not count that day (see ``timing``)."""
    claim = Claim(policy, base_fen=base_of(policy, line))
    barred = barred or _standing(facts)
    if barred is not None:
        return claim.because(barred)
    eligible = evaluate(policy.eligible, facts)
    if not eligible.holds:
        return claim.because(Reason.NOT_ELIGIBLE, unknown=eligible.unknown)
    if policy.price_limit_fen is not None and line.gross_fen > policy.price_limit_fen:
        return claim.because(Reason.PRICE_ABOVE_LIMIT)
    return _rated(claim, facts)


def base_of(policy: Policy, line: OrderLine) -> int:
    """Return what the policy's rate is applied to: the gross price, or the price without its VAT."""
    return line.gross_fen if policy.base is Base.GROSS else net_of_vat(line.gross_fen, line.vat_bp)


def _standing(facts: Facts) -> Reason | None:
    """Return what bars the line whatever the programme says, from facts with names reserved for it."""
    group = facts.get("control_group")
    if facts.get("related_party") is True or (group is not None and group == facts.get("provider_control_group")):
        return Reason.RELATED_PARTY
    if facts.get("credit_blocked") is True or facts.get("provider_credit_blocked") is True:
        return Reason.CREDIT_BLOCKED
    return Reason.ALREADY_SUBSIDISED if facts.get("already_subsidised") is True else None


def _rated(claim: Claim, facts: Facts) -> Claim:
    """Apply the first rate whose conditions all hold."""
    unknown: frozenset[str] = frozenset()
    for rate in claim.policy.rates:
        verdict = all_hold(rate.when, facts)
        unknown |= verdict.unknown
        if verdict.holds:
            amount = share_down(claim.base_fen, rate.rate_bp)
            rated = Claim(claim.policy, rate.rate_bp, claim.base_fen, amount, amount)
            reasons = (rate.reason,) if rate.reason else ()
            return with_limits(rated.because(*reasons, unknown=unknown), facts)
    return claim.because(Reason.NOT_ELIGIBLE, unknown=unknown)
