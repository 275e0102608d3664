"""From wishes to a priced order: prices, programmes in force, what is used and what is left, all at one moment."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from billing.formats.fields import parse_fact
from billing.formats.quotes import quote_command_json
from billing.rules.discounts import Discount, best
from billing.rules.explanations import Explanation
from billing.rules.explanations import explain as explain_awards
from billing.rules.money import MAX_FEN
from billing.rules.subsidies import Award, LineQuote, quote
from billing.rules.terms import CapScope, OrderFacts, OrderLine
from billing.store.discounts import in_force_at
from billing.store.fund_queries import GENERAL, available_by_slug
from billing.usecases.aid_register import ceiling_of, used_in_registers
from billing.usecases.ceilings import Ceiling, used_before
from billing.usecases.exemptions_in_force import ExemptionNote, exemptions_in_force
from billing.usecases.fund_register import allotments
from billing.usecases.policies_in_force import EffectivePolicy, policies_in_force
from billing.usecases.pricing import PriceView, find_prices, no_price
from billing.usecases.quote_views import AwardView, Preview, QuoteLineView
from tenants.kernel.errors import FieldError, Invalid
from tenants.kernel.messages import msg
from tenants.kernel.work import Work


@dataclass(frozen=True)
class QuoteLineRequest:
    """A wish to be priced: how many units of an offering, and the facts that programmes may know of it."""

    offering: str
    quantity: int
    request: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    title: str = ""
    included: int = 0
    """How many of the units cost nothing, as the park's plan includes them or as they repeat a delivery."""
    repeats: UUID | None = None
    """The delivery that the line repeats for nothing."""


@dataclass(frozen=True)
class Evaluated:
    """A priced order, and the document that replays it: the input of the ``quote`` command.

    ``explain`` tells for each line why each award is what it is; it costs nothing until it is asked.
    """

    preview: Preview
    command: Mapping[str, Any]
    explain: Callable[[], tuple[tuple[Explanation, ...], ...]]


def evaluate(
    work: Work, *, tenant_id: UUID, lines: Sequence[QuoteLineRequest], facts: Mapping[str, Any], at: datetime
) -> Evaluated:
    """Price an order of a park at ``at`` by the programmes in force, as far as ceilings and funds carry them.

    Raises Conflict when an offering has no price and Invalid for a quantity that cannot be priced.
    """
    return evaluate_each(work, tenant_id=tenant_id, orders=[lines], facts=facts, at=at)[0]


def evaluate_each(
    work: Work,
    *,
    tenant_id: UUID,
    orders: Sequence[Sequence[QuoteLineRequest]],
    facts: Mapping[str, Any],
    at: datetime,
) -> tuple[Evaluated, ...]:
    """Price several orders of a park, each as if it were the only one, with as many statements as one takes.

    Raises as ``evaluate`` does, for the first order that cannot be priced.
    """
    offerings = {line.offering for lines in orders for line in lines}
    prices = find_prices(work, offerings=offerings, at=at, facts=facts)
    agreed = in_force_at(work.session, tenant_id, facts.get("tier"), offerings, at)
    charged = [_charge(lines, prices, agreed) for lines in orders]
    asked = [_order(lines, own, facts, at) for lines, own in zip(orders, charged, strict=True)]
    exemptions = exemptions_in_force(work, tenant_id, at)
    in_force = policies_in_force(work, at=at, exemptions=exemptions)
    policies = [each.policy for each in in_force]
    line_facts = [[{**facts, **line.facts} for line in lines] for lines in orders]
    rolled = used_in_registers(work, policies, tenant_id, facts, at)
    used = [replace(each, rolling=rolled) for each in used_before(work, policies, tenant_id, line_facts, at)]
    funders = {funder.fund for policy in policies for funder in policy.funders}
    left = available_by_slug(work.session, funders, (*allotments(facts), GENERAL))
    found = []
    for lines, charges, order, own in zip(orders, charged, asked, used, strict=True):
        priced = quote(policies, order, own, left, exemptions)
        views = zip(lines, charges, priced.lines, strict=True)
        shown = tuple(_line_view(line, charge, result, in_force) for line, charge, result in views)
        preview = Preview(
            lines=shown,
            facts=dict(facts),
            gross_fen=priced.gross_fen,
            subsidy_fen=sum(line.subsidy_fen for line in shown),
            payable_fen=sum(line.payable_fen for line in shown),
            later_fen=sum(line.later_fen for line in shown),
        )
        told = partial(explain_awards, policies, order, own, left, priced)
        found.append(Evaluated(preview, quote_command_json(policies, order, own, left, exemptions), told))
    return tuple(found)


@dataclass(frozen=True)
class _Charge:
    """What a line comes to before any subsidy: the charge of its price, less the discount that takes most off it."""

    price: PriceView
    charge_fen: int
    discount: Discount | None
    taken_off_fen: int

    @property
    def gross_fen(self) -> int:
        """Return the price that is to be paid, by whomever."""
        return self.charge_fen - self.taken_off_fen


def _charge(
    lines: Sequence[QuoteLineRequest], prices: Mapping[str, PriceView], agreed: Mapping[str, Sequence[Discount]]
) -> list[_Charge]:
    return [
        _charge_of(line, prices, agreed.get(line.offering, ()), f"lines[{index}].quantity")
        for index, line in enumerate(lines)
    ]


def _charge_of(
    line: QuoteLineRequest, prices: Mapping[str, PriceView], agreed: Sequence[Discount], where: str
) -> _Charge:
    if line.offering not in prices:
        raise no_price(line.offering)
    price = prices[line.offering]
    charge_fen = price.gross_fen(line.quantity, line.included) if line.quantity > 0 else -1
    if not 0 <= charge_fen <= MAX_FEN:
        message = msg("数量须为正整数，且总价不超过平台上限。请改正数量。")
        raise Invalid("quote.quantity", message, errors=[FieldError(where, "field.range", message)])
    return _Charge(price, charge_fen, *best(agreed, charge_fen))


def _order(
    lines: Sequence[QuoteLineRequest], charges: Sequence[_Charge], facts: Mapping[str, Any], at: datetime
) -> OrderFacts:
    own = zip(lines, charges, strict=True)
    priced = (OrderLine(line.offering, each.gross_fen, each.price.vat_bp, _facts(line.facts)) for line, each in own)
    return OrderFacts(at, tuple(priced), _facts(facts))


def _facts(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: parse_fact(value) for name, value in facts.items()}


def _line_view(
    line: QuoteLineRequest, charge: _Charge, result: LineQuote, in_force: Sequence[EffectivePolicy]
) -> QuoteLineView:
    price = charge.price
    names = {each.policy.programme: each for each in in_force}
    return QuoteLineView(
        offering=line.offering,
        title=line.title,
        quantity=line.quantity,
        request=dict(line.request),
        facts=dict(line.facts),
        price_id=price.id,
        vat_bp=price.vat_bp,
        gross_fen=result.gross_fen,
        subsidy_fen=result.gross_fen - result.due_fen,
        payable_fen=result.due_fen,
        later_fen=result.due_fen - result.payable_fen,
        awards=tuple(_award_view(award, names[award.programme]) for award in result.awards),
        included=line.included,
        repeats=line.repeats,
        discount_fen=price.gross_fen(line.quantity) - charge.charge_fen if line.included else 0,
        agreed_discount_fen=charge.taken_off_fen,
        agreed_discount_id=None if charge.discount is None else charge.discount.id,
    )


def _award_view(award: Award, source: EffectivePolicy) -> AwardView:
    return AwardView(
        programme=award.programme,
        programme_name=source.name,
        programme_name_en=source.name_en,
        version=award.version,
        mode=award.mode.value,
        payee=award.payee.value,
        rate_bp=award.rate_bp,
        base_fen=award.base_fen,
        claim_fen=award.claim_fen,
        amount_fen=award.amount_fen,
        by_fund=dict(award.fund_draws),
        reasons=award.reasons,
        unknown_facts=award.unknown_facts,
        ceilings=tuple(
            Ceiling(draw.scope.value, draw.year or "", draw.limit_fen)
            for draw in award.caps
            if draw.scope is not CapScope.ORDER
        ),
        rolling=ceiling_of(source.policy) if award.rolling else None,
        exemption=ExemptionNote.of(award.exemption),
    )
