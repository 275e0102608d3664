"""What an order costs and who pays it: every line's price, the awards on it, and each reason. Pure and replayable.

``quote`` needs nothing but its arguments, so stored arguments give the same fen years later. Earlier lines of an
order count against ceilings and funds for later ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from billing.rules.eligibility import claim_on, line_facts, timing
from billing.rules.exempting import Granted, with_exemptions
from billing.rules.exemptions import Exemption, subject_of
from billing.rules.headroom import Claim, Headroom, split
from billing.rules.periods import cap_year, local_day
from billing.rules.reasons import Reason
from billing.rules.stacking import stack
from billing.rules.terms import CapScope, Mode, OrderFacts, Payee, Policy, Rolling, Used


@dataclass(frozen=True, slots=True)
class CapDraw:
    """What an award counts against one ceiling of its programme.

    ``year`` is the label of the cap year for yearly scopes. ``limit_fen`` is the ceiling in force, None when its
    condition does not hold for this line: it counts all the same, for orders where it does.
    """

    programme: str
    scope: CapScope
    year: str | None
    amount_fen: int
    limit_fen: int | None


@dataclass(frozen=True, slots=True)
class Award:
    """What one version of a programme gives on one line; ``reasons`` also say why it gives nothing, or less."""

    programme: str
    version: int
    mode: Mode
    payee: Payee
    rate_bp: int
    base_fen: int
    claim_fen: int
    """The rate's share of the base, before ceilings, funds and other programmes took from it."""
    amount_fen: int
    by_funder: Mapping[str, int]
    reasons: tuple[str, ...]
    unknown_facts: tuple[str, ...]
    caps: tuple[CapDraw, ...]
    rolling: Rolling | None
    """The rolling ceiling the award counts against; None without one, or without an amount."""
    exemption: Exemption | None = None
    """The case-by-case decision by whose terms it was worked out."""

    @property
    def fund_draws(self) -> tuple[tuple[str, int], ...]:
        """What each fund has to give, funds without a part left out, sorted by fund."""
        return tuple(sorted((fund, amount) for fund, amount in self.by_funder.items() if amount))


@dataclass(frozen=True, slots=True)
class LineQuote:
    """One line: ``payable_fen`` is what the park bears in the end, ``due_fen`` what it pays at checkout.

    They differ by the awards that come later (modes ``reimburse`` and ``auto``).
    """

    offering: str
    gross_fen: int
    vat_bp: int
    subsidy_fen: int
    payable_fen: int
    due_fen: int
    awards: tuple[Award, ...]


@dataclass(frozen=True, slots=True)
class Quote:
    """An order's lines and their sums."""

    lines: tuple[LineQuote, ...]
    gross_fen: int
    subsidy_fen: int
    payable_fen: int
    due_fen: int

    @property
    def cap_draws(self) -> tuple[CapDraw, ...]:
        """Every ceiling of the order with what all lines count against it; the order's lowest limit holds.

        Sorted by programme, scope and year: the order in which a database may lock and update them.
        """
        draws: dict[tuple[str, str, str], CapDraw] = {}
        for line in self.lines:
            for draw in (draw for award in line.awards for draw in award.caps):
                key = (draw.programme, draw.scope.value, draw.year or "")
                draws[key] = _joined(draws[key], draw) if key in draws else draw
        return tuple(draws[key] for key in sorted(draws))

    @property
    def fund_draws(self) -> tuple[tuple[str, int], ...]:
        """What all lines take from each fund, sorted by fund."""
        draws: dict[str, int] = {}
        for line in self.lines:
            for fund, amount in (draw for award in line.awards for draw in award.fund_draws):
                draws[fund] = draws.get(fund, 0) + amount
        return tuple(sorted(draws.items()))


def quote(
    policies: Sequence[Policy],
    order: OrderFacts,
    used: Used,
    funds: Mapping[str, int],
    exemptions: Sequence[Exemption] = (),
) -> Quote:
    """Price an order under ``policies``, with what was ``used`` before and what ``funds`` have left (fen).

    ``exemptions`` are the decisions for this order's park. Funds not named are unlimited. The result does not depend
    on the order of ``policies`` and ``exemptions``. Policies and order are taken as valid (see
    ``policies.check_policy``).
    """
    stable = sorted(policies, key=lambda policy: policy.order_key)
    barred = timing(stable, order.moment)
    granted = _granted(exemptions, stable, barred, order.moment)
    headroom = Headroom(used, funds)
    group_taken: dict[str, int] = {}
    lines = []
    for line in order.lines:
        facts = line_facts(order, line)
        claims = [claim_on(policy, line, facts, reason) for policy, reason in zip(stable, barred, strict=True)]
        if granted:
            claims = with_exemptions(claims, granted, stable, line, facts, headroom, group_taken)
        awards = stack(claims, headroom, group_taken, line.gross_fen)
        for award in awards:
            if award.policy.stacking is not None:
                group = award.policy.stacking.group
                group_taken[group] = group_taken.get(group, 0) + award.amount_fen
        subsidy = sum(award.amount_fen for award in awards)
        instant = sum(award.amount_fen for award in awards if award.policy.mode is Mode.INSTANT)
        lines.append(
            LineQuote(
                offering=line.offering,
                gross_fen=line.gross_fen,
                vat_bp=line.vat_bp,
                subsidy_fen=subsidy,
                payable_fen=line.gross_fen - subsidy,
                due_fen=line.gross_fen - instant,
                awards=tuple(_award(award, order.moment) for award in awards),
            )
        )
    return Quote(
        lines=tuple(lines),
        gross_fen=sum(line.gross_fen for line in lines),
        subsidy_fen=sum(line.subsidy_fen for line in lines),
        payable_fen=sum(line.payable_fen for line in lines),
        due_fen=sum(line.due_fen for line in lines),
    )


def _granted(
    exemptions: Sequence[Exemption],
    policies: Sequence[Policy],
    barred: Sequence[Reason | None],
    moment: date | datetime,
) -> Granted:
    found = []
    for exemption in sorted(exemptions, key=lambda each: each.id):
        index = subject_of(exemption, policies, barred, moment) if exemption.holds_at(moment) else None
        if index is not None:
            found.append((index, exemption))
    return found


def _award(claim: Claim, moment: date | datetime) -> Award:
    policy = claim.policy
    return Award(
        programme=policy.programme,
        version=policy.version,
        mode=policy.mode,
        payee=policy.payee,
        rate_bp=claim.rate_bp,
        base_fen=claim.base_fen,
        claim_fen=claim.claim_fen,
        amount_fen=claim.amount_fen,
        by_funder=split(policy, claim.amount_fen),
        reasons=tuple(str(reason) for reason in claim.reasons),
        unknown_facts=tuple(sorted(claim.unknown)),
        caps=_cap_draws(claim, moment) if claim.amount_fen else (),
        rolling=policy.rolling if claim.amount_fen else None,
        exemption=claim.exemption,
    )


def _cap_draws(claim: Claim, moment: date | datetime) -> tuple[CapDraw, ...]:
    policy = claim.policy
    year = cap_year(local_day(moment, policy.timezone), policy.year_starts).label
    return tuple(
        CapDraw(policy.programme, scope, year if scope.yearly else None, claim.amount_fen, limit)
        for scope, limit in claim.limits.items()
    )


def _joined(one: CapDraw, other: CapDraw) -> CapDraw:
    limits = [draw.limit_fen for draw in (one, other) if draw.limit_fen is not None]
    return CapDraw(
        one.programme, one.scope, one.year, one.amount_fen + other.amount_fen, min(limits) if limits else None
    )
