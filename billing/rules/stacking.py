"""How programmes meet on one line: add up, best one only, or one that excludes the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

from billing.rules.headroom import Claim, Headroom, fit
from billing.rules.money import allocate, share_down
from billing.rules.reasons import Reason
from billing.rules.terms import Stacking, StackingMode


def stack(claims: Sequence[Claim], headroom: Headroom, group_taken: Mapping[str, int], gross_fen: int) -> list[Claim]:
    """Return the awards of one line, in the stable order of ``claims``, and count them in ``headroom``.

    ``group_taken`` is what each group has already given on earlier lines of the order. Groups are worked through by
    name; programmes outside any group only add up. What meets a combined ceiling shrinks in proportion. The final
    fit keeps every ceiling and fund exact to the fen after that.
    """
    scratch = headroom.copy()
    settled: list[Claim] = []
    for name, members in groupby(sorted(claims, key=_group_key), key=_group_key):
        group = _meet(list(members), scratch)
        settled += _combined(group, group_taken.get(name[1], 0)) if name[0] else group
    settled = _shrink(settled, gross_fen)
    settled.sort(key=lambda claim: claim.policy.order_key)
    awards = []
    for claim in settled:
        award = fit(claim, headroom)
        headroom.take(award)
        awards.append(award)
    return awards


def _group_key(claim: Claim) -> tuple[bool, str]:
    stacking = claim.policy.stacking
    return (stacking is not None, stacking.group if stacking else "")


def _meet(claims: list[Claim], scratch: Headroom) -> list[Claim]:
    """Let the claims of one group meet; the strictest mode of those that would get something decides."""
    alone = [fit(claim, scratch) for claim in claims]
    for mode, reason in ((StackingMode.EXCLUSIVE, Reason.EXCLUDED_BY), (StackingMode.MAX, Reason.NOT_BEST)):
        rivals = [claim for claim in alone if claim.amount_fen and _mode(claim) is mode]
        if rivals:
            # An exclusive programme wins over any other; the best one only is sought among the whole group.
            field = rivals if mode is StackingMode.EXCLUSIVE else alone
            return _only(max(field, key=lambda claim: claim.amount_fen), alone, reason, scratch)
    together = []
    for claim in claims:
        fitted = fit(claim, scratch)
        scratch.take(fitted)
        together.append(fitted)
    return together


def _mode(claim: Claim) -> StackingMode:
    return claim.policy.stacking.mode if claim.policy.stacking else StackingMode.SUM


def _only(best: Claim, alone: list[Claim], reason: Reason, scratch: Headroom) -> list[Claim]:
    """Keep one claim; of equal ones ``max`` has taken the first in stable order."""
    scratch.take(best)
    return [claim if claim is best or not claim.amount_fen else claim.because(reason, amount_fen=0) for claim in alone]


def _combined(claims: list[Claim], taken_fen: int) -> list[Claim]:
    """Hold a group to the lowest combined ceiling among its awards: a share of each line, fen per order."""
    limits: list[int] = []
    for claim in claims:
        stacking = claim.policy.stacking
        if claim.amount_fen and stacking is not None:
            limits += _limits(stacking, claim.base_fen, taken_fen)
    return _shrink(claims, min(limits)) if limits else claims


def _limits(stacking: Stacking, base_fen: int, taken_fen: int) -> list[int]:
    limits = []
    if stacking.combined_cap_bp is not None:
        limits.append(share_down(base_fen, stacking.combined_cap_bp))
    if stacking.combined_cap_fen is not None:
        limits.append(max(0, stacking.combined_cap_fen - taken_fen))
    return limits


def _shrink(claims: list[Claim], limit_fen: int) -> list[Claim]:
    """Shrink claims in proportion until they sum to the limit; no claim grows."""
    amounts = [claim.amount_fen for claim in claims]
    if sum(amounts) <= limit_fen:
        return claims
    return [
        claim.because(Reason.CAP_COMBINED, amount_fen=part) if part < claim.amount_fen else claim
        for claim, part in zip(claims, allocate(limit_fen, amounts), strict=True)
    ]
