"""Applying decisions to a line: each is used only where the park gets more by it than by the programme's own terms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from billing.rules.conditions import Facts
from billing.rules.eligibility import claim_on
from billing.rules.exemptions import Exemption, changed
from billing.rules.headroom import Claim, Headroom
from billing.rules.stacking import stack
from billing.rules.terms import OrderLine, Policy

Granted = Sequence[tuple[int, Exemption]]
"""Decisions that hold for an order, each with the position of the version it changes, in stable order."""


def with_exemptions(
    claims: Sequence[Claim],
    granted: Granted,
    policies: Sequence[Policy],
    line: OrderLine,
    facts: Facts,
    headroom: Headroom,
    group_taken: Mapping[str, int],
) -> list[Claim]:
    """Return the claims on a line, each under a decision where that raises what the line gets in all.

    Tried one after another on what is left: a decision that gives nothing more, because its limit or a fund is short
    or another programme is better anyway, is not spent. So none ever makes a line worse.
    """
    chosen = list(claims)
    best = _given(chosen, headroom, group_taken, line)
    for index, exemption in granted:
        if exemption.offering not in {None, line.offering}:
            continue
        claim = claim_on(changed(policies[index], exemption.terms), line, facts, None).under(exemption)
        tried = [*chosen[:index], claim, *chosen[index + 1 :]]
        amount = _given(tried, headroom, group_taken, line)
        if amount > best:
            chosen, best = tried, amount
    return chosen


def _given(claims: Sequence[Claim], headroom: Headroom, group_taken: Mapping[str, int], line: OrderLine) -> int:
    return sum(award.amount_fen for award in stack(claims, headroom.copy(), group_taken, line.gross_fen))
