"""What an unsaved draft of a version would give: the rules of a quote, applied to it alone, with nothing used yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from uuid import UUID

from billing.formats.fields import parse_fact
from billing.rules.periods import Days
from billing.rules.policies import check_policy
from billing.rules.subsidies import Award, quote
from billing.rules.terms import OrderFacts, OrderLine, Policy, Used
from billing.usecases.policies_in_force import policies_in_force, read_policy
from billing.usecases.pricing import find_prices
from billing.usecases.programme_views import read_programme_view
from tenants.kernel.errors import Invalid
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work

DEFAULT_VAT_BP = 600
"""The rate of modern services, for a service that has no price yet."""


@dataclass(frozen=True)
class Trial:
    """What a draft gives on an order's line, and what the version in force would (None: there is none)."""

    gross_fen: int
    amount_fen: int
    rate_bp: int
    reasons: tuple[str, ...]
    by_fund: Mapping[str, int]
    now_fen: int | None


def try_draft(
    work: Work,
    *,
    programme_id: UUID,
    policy: Mapping[str, Any],
    offering: str,
    gross_fen: int,
    vat_bp: int | None,
    facts: Mapping[str, Any],
) -> Trial:
    """Return what a draft would give on one line with nothing used yet and funds without limit.

    ``vat_bp`` None takes the service's own. Raises Invalid for a document that is no policy.
    """
    work.actor.require(Permission.WRITE_PROGRAMME)
    programme = read_programme_view(work, programme_id)
    latest = programme.versions[-1].version if programme.versions else 0
    rules = read_policy({**policy, "programme": programme.slug, "version": latest + 1})
    errors = check_policy(rules)
    if errors:
        raise Invalid(
            "policy.invalid", msg("政策版本有 {count} 处问题。请按所列字段逐一改正。", count=len(errors)), errors=errors
        )
    if vat_bp is None:
        prices = find_prices(work, offerings={offering}, at=work.now, facts=facts)
        vat_bp = prices[offering].vat_bp if offering in prices else DEFAULT_VAT_BP
    line = OrderLine(offering, gross_fen, vat_bp, {name: parse_fact(value) for name, value in facts.items()})
    now = [each.policy for each in policies_in_force(work, at=work.now) if each.policy.programme == programme.slug]
    award = _award(rules, line, rules.window.start)
    return Trial(
        gross_fen=gross_fen,
        amount_fen=award.amount_fen,
        rate_bp=award.rate_bp,
        reasons=award.reasons,
        by_fund=dict(award.fund_draws),
        now_fen=_award(now[0], line, rules.window.start).amount_fen if now else None,
    )


def _award(policy: Policy, line: OrderLine, day: date) -> Award:
    order = OrderFacts(day, (line,))
    return quote([replace(policy, window=Days(date.min))], order, Used(), {}).lines[0].awards[0]
