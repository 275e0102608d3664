"""What ceilings and funds still have, while the lines of one order are worked through."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from billing.rules.conditions import Facts, all_hold
from billing.rules.exemptions import Exemption
from billing.rules.money import WHOLE_BP, allocate
from billing.rules.reasons import Reason
from billing.rules.terms import CapScope, Funder, Policy, Rolling, Shortfall, Used

_CAP_REASONS = {
    CapScope.ORDER: Reason.CAP_ORDER,
    CapScope.ENTITY_YEAR: Reason.CAP_ENTITY_YEAR,
    CapScope.CONTROLLER_YEAR: Reason.CAP_CONTROLLER_YEAR,
    CapScope.PROVIDER_POOL: Reason.POOL_PARTIAL,
    CapScope.FUND_YEAR: Reason.FUND_PARTIAL,
    CapScope.SCHEME: Reason.CAP_SCHEME,
}


_IN_ORDER = tuple(CapScope)


@dataclass(frozen=True, slots=True)
class Claim:
    """What one programme gives on one line, on its way from the rate to the award."""

    policy: Policy
    rate_bp: int = 0
    base_fen: int = 0
    claim_fen: int = 0
    """The rate's share of the base, before ceilings and funds."""
    amount_fen: int = 0
    reasons: tuple[str, ...] = ()
    unknown: frozenset[str] = frozenset()
    limits: Mapping[CapScope, int | None] = field(default_factory=dict)
    """The ceiling in force per scope the programme counts; None where its condition does not hold."""
    exemption: Exemption | None = None
    """The case-by-case decision whose terms it was worked out by."""

    def because(self, *reasons: str, amount_fen: int | None = None, unknown: frozenset[str] = frozenset()) -> Claim:
        """Return the claim with further reasons (each told once) and, where given, another amount."""
        unknown |= self.unknown
        told = (*self.reasons, *reasons, *((Reason.UNKNOWN_FACT,) if unknown else ()))
        amount = self.amount_fen if amount_fen is None else amount_fen
        # Built by hand: quotes make thousands of these, and dataclasses.replace takes three times as long.
        reasons = tuple(dict.fromkeys(told))
        return Claim(
            self.policy, self.rate_bp, self.base_fen, self.claim_fen, amount, reasons, unknown, self.limits,
            self.exemption,
        )  # fmt: skip

    def under(self, exemption: Exemption) -> Claim:
        """Return the claim as one under a decision: with its ceilings, which still count where they are lifted."""
        ceilings = exemption.terms.ceilings
        limits = {scope: ceilings.get(scope, limit) for scope, limit in self.limits.items()}
        return replace(self, limits=limits, exemption=exemption).because(Reason.EXEMPTION)


class Headroom:
    """Counts what programmes have taken and what funds have left; funds not named are unlimited."""

    def __init__(self, used: Used, funds: Mapping[str, int]) -> None:
        self._used = used
        self._taken: dict[tuple[str, CapScope], int] = {}
        self._rolled: dict[str, int] = {}
        self._left = dict(funds)
        self._exempted: dict[str, int] = {}

    def copy(self) -> Headroom:
        """Return a scratch copy for trying out."""
        other = Headroom(self._used, self._left)
        other._taken = dict(self._taken)
        other._rolled = dict(self._rolled)
        other._exempted = dict(self._exempted)
        return other

    def within_caps(self, policy: Policy, scope: CapScope, limit_fen: int) -> int:
        """Return what is left under one ceiling."""
        before = self._used.taken(policy.programme, scope)
        return max(0, limit_fen - before - self._taken.get((policy.programme, scope), 0))

    def within_rolling(self, rolling: Rolling) -> int:
        """Return what is left in a rolling register, which several programmes may share."""
        before = self._used.rolling.get(rolling.register, 0) + self._rolled.get(rolling.register, 0)
        return max(0, rolling.amount_fen - before)

    def within_funds(self, funders: Iterable[Funder]) -> int | None:
        """Return the largest award whose shares all funders can pay; None when no fund limits it.

        The split is a term of the programme: when one fund runs short the award shrinks for all of them, so that
        nobody pays more than their share. The exact share of the answer fits every fund, hence the rounded one does.
        """
        limits = [
            max(0, self._left[funder.fund]) * WHOLE_BP // funder.share_bp
            for funder in funders
            if funder.share_bp and funder.fund in self._left
        ]
        return min(limits, default=None)

    def within_exemption(self, exemption: Exemption) -> int:
        """Return what a decision may still give."""
        return max(0, exemption.left_fen - self._exempted.get(exemption.id, 0))

    def take(self, claim: Claim) -> None:
        """Count an award against its programme's ceilings, the decision it stands on, and its funds."""
        if not claim.amount_fen:
            return
        if claim.exemption is not None:
            self._exempted[claim.exemption.id] = self._exempted.get(claim.exemption.id, 0) + claim.amount_fen
        for scope in claim.limits:
            key = (claim.policy.programme, scope)
            self._taken[key] = self._taken.get(key, 0) + claim.amount_fen
        if (rolling := claim.policy.rolling) is not None:
            self._rolled[rolling.register] = self._rolled.get(rolling.register, 0) + claim.amount_fen
        for fund, share_fen in split(claim.policy, claim.amount_fen).items():
            if fund in self._left:
                self._left[fund] -= share_fen


def split(policy: Policy, amount_fen: int) -> dict[str, int]:
    """Return an award by fund, every funder named; the shares sum to the award."""
    if not amount_fen:
        return {funder.fund: 0 for funder in policy.funders}
    shares = allocate(amount_fen, [funder.share_bp for funder in policy.funders])
    return {funder.fund: share for funder, share in zip(policy.funders, shares, strict=True)}


def with_limits(claim: Claim, facts: Facts) -> Claim:
    """Return the claim with the ceilings in force for it; of several of one scope the lowest."""
    if not claim.policy.caps:
        return claim
    limits: dict[CapScope, int | None] = {}
    unknown: frozenset[str] = frozenset()
    for cap in claim.policy.caps:
        verdict = all_hold(cap.when, facts)
        unknown |= verdict.unknown
        before = limits.setdefault(cap.scope, None)
        if verdict.holds:
            limits[cap.scope] = cap.amount_fen if before is None else min(before, cap.amount_fen)
    ordered = {scope: limits[scope] for scope in _IN_ORDER if scope in limits}
    claim = Claim(
        claim.policy, claim.rate_bp, claim.base_fen, claim.claim_fen, claim.amount_fen, claim.reasons, claim.unknown,
        ordered,
    )  # fmt: skip
    return claim.because(unknown=unknown) if unknown else claim


def fit(claim: Claim, headroom: Headroom) -> Claim:
    """Return the claim as far as ceilings (in the order of CapScope, then the rolling one, then its decision's limit) and
    then funds carry it.

    A ceiling is a reason only where it takes something away. With ``all_or_nothing`` any of them leaves nothing.
    """
    amount = claim.amount_fen
    if not amount:
        return claim
    reasons: list[str] = []
    for scope, limit in claim.limits.items():
        if limit is not None and (left := headroom.within_caps(claim.policy, scope, limit)) < amount:
            amount = left
            reasons.append(Reason.FUND_EXHAUSTED if scope is CapScope.FUND_YEAR and not left else _CAP_REASONS[scope])
    rolling = claim.policy.rolling
    if rolling is not None and (left := headroom.within_rolling(rolling)) < amount:
        amount = left
        reasons.append(Reason.CAP_ROLLING)
    if claim.exemption is not None and (left := headroom.within_exemption(claim.exemption)) < amount:
        amount = left
        reasons.append(Reason.CAP_EXEMPTION)
    fundable = headroom.within_funds(claim.policy.funders) if amount else None
    if fundable is not None and fundable < amount:
        amount = fundable
        reasons.append(Reason.FUND_PARTIAL if fundable else Reason.FUND_EXHAUSTED)
    if amount == claim.amount_fen:
        return claim
    if claim.policy.shortfall is Shortfall.ALL_OR_NOTHING:
        return claim.because(*reasons, Reason.ALL_OR_NOTHING, amount_fen=0)
    return claim.because(*reasons, amount_fen=amount)
