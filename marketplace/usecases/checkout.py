"""Checkout: a price is asked and confirmed, and an order holds public money and capacity in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from billing.rules.budgets import Spending
from billing.usecases import budgets, holds, order_contracts, plan_uses, quotes, wallets
from billing.usecases.plan_uses import Wanted
from marketplace.rules.orders import (
    QUOTE_VALID_FOR,
    LineStatus,
    OrderStatus,
    PaymentMethod,
    hold_until,
    order_number,
)
from marketplace.store.orders import Order, OrderLine
from marketplace.usecases import standing_orders
from marketplace.usecases.order_facts import stated_facts
from marketplace.usecases.orders import read_order
from marketplace.usecases.rights import Rights, read_rights
from marketplace.usecases.views import OrderView
from services.rules.catalogue import Delivery
from services.usecases import catalogue, deliveries, slot_holds
from tenants.kernel.errors import Conflict, FieldError, Invalid, NotAllowed, Problem
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.kernel.writing import rows_written
from tenants.usecases import audit, onboarding
from tenants.usecases.views import ParkView

MOST_LINES = 20


@dataclass(frozen=True)
class LineWish:
    """What a park wants to rent: an offering by slug, and the document that says what for."""

    offering: str
    request: Mapping[str, Any]


def ask_quote(
    work: Work, *, lines: Sequence[LineWish], contract_no: str | None = None, hold_slots: bool = False
) -> quotes.QuoteView:
    """Return what ``lines`` would cost the acting park now, and keep that price for a while.

    ``contract_no`` is the contract that the order stands on, if any: one contract is subsidised once. ``hold_slots``
    keeps the inspections' slots from others for some minutes, for who may order and is about to confirm.

    Raises Invalid for a request that could not be delivered (``lines[i].request.…``), NotAllowed for an offering
    that the park's tier does not cover, Conflict for a park that is not verified, or slots that cannot be held.
    """
    work.actor.require(Permission.ASK_QUOTE)
    if not 1 <= len(lines) <= MOST_LINES:
        raise Invalid(
            "order.line_count",
            msg("一次询价须包含 1 至 {most} 项服务。请增减后重试。", most=MOST_LINES),
            errors=[FieldError("lines", "order.line_count", msg("须为 1 至 {most} 项", most=MOST_LINES))],
        )
    park = _ordering_park(work)
    rights = read_rights(work)
    checked = [_checked(work, rights, wish, f"lines[{index}]") for index, wish in enumerate(lines)]
    wished = [Wanted(offering.slug, plan.quantity, repeats=plan.repeats) for offering, plan in checked]
    free = _included(work, rights, wished)
    facts, line_facts = stated_facts(work, park, [offering for offering, _ in checked], (contract_no or "").strip())
    wanted = [
        quotes.QuoteLineRequest(
            offering=offering.slug,
            quantity=plan.quantity,
            request=dict(plan.request),
            title=plan.title,
            facts=own,
            included=units,
            repeats=plan.repeats,
        )
        for (offering, plan), own, units in zip(checked, line_facts, free, strict=True)
    ]
    quote = quotes.make_quote(work, lines=wanted, facts=facts, valid_for=QUOTE_VALID_FOR)
    if hold_slots:
        _hold_slots(work, quote.id, [plan for _, plan in checked])
    return quote


def place_order(work: Work, *, quote_id: UUID, payment_method: PaymentMethod) -> OrderView:
    """Turn a quote into an order: capacity, wallet and public money are taken together or not at all.

    The funds' rows, which every checkout of the province meets at, are taken last and so held shortest. What counts is
    how the facts stand now: a park that joined its provider's group since, or is on the dishonesty list, is told so.
    Raises Conflict when the quote has expired, its price or subsidy has changed, the contract was subsidised meanwhile,
    the slot is taken, the wallet or a fund is short, or the quote has already become an order; then nothing is kept.
    """
    work.actor.require(Permission.PLACE_ORDER)
    park = _ordering_park(work)
    _check_unused(work, quote_id)
    rights = read_rights(work)
    offerings, quote = _confirmed(work, park, rights, quote_id)
    order_id = new_id()
    _insert_order(work, order_id, quote, payment_method)
    _claim_contract(work, order_id, quote, offerings)
    line_ids = [new_id() for _ in quote.lines]
    budgets.count_order(work, lines=dict(zip(line_ids, spending(work, quote), strict=True)))
    units = [_wanted(line) for line in quote.lines]
    plan_uses.count_order(
        work,
        entitlements=rights.entitlements,
        month_from=rights.month_from,
        lines=dict(zip(line_ids, units, strict=True)),
    )
    for position, (line_id, line) in enumerate(zip(line_ids, quote.lines, strict=True)):
        delivery = _start(work, rights, line, line_id, f"lines[{position}]")
        work.session.execute(
            insert(OrderLine).values(
                tenant_id=park.id,
                id=line_id,
                order_id=order_id,
                position=position,
                offering=line.offering,
                title=line.title,
                quantity=line.quantity,
                price_id=line.price_id,
                vat_bp=line.vat_bp,
                gross_fen=line.gross_fen,
                subsidy_fen=line.subsidy_fen,
                payable_fen=line.payable_fen,
                awards=[award.document() for award in line.awards],
                included=line.included,
                discount_fen=line.discount_fen,
                agreed_discount_fen=line.agreed_discount_fen,
                agreed_discount_id=line.agreed_discount_id,
                repeats=line.repeats,
                status=LineStatus.PLACED,
                run_id=delivery.run_id,
                booking_id=delivery.booking_id,
                site_month_id=delivery.site_month_id,
                sample_batch_id=delivery.sample_batch_id,
            )
        )
        if delivery.site_month_id is not None:
            standing_orders.begin_standing_order(work, order_id=order_id, line=line, payment_method=payment_method)
        if payment_method is PaymentMethod.WALLET and line.payable_fen:
            wallets.hold_wallet(work, order_line_id=line_id, amount_fen=line.payable_fen)
    audit.record(work, "order.place", "order", order_id, payable_fen=quote.payable_fen, subsidy_fen=quote.subsidy_fen)
    view = read_order(work, order_id=order_id)
    ends = [each.ends_at for line in view.lines for each in (line.booking, line.site_month) if each is not None]
    ends += [line.samples.arrive_by for line in view.lines if line.samples is not None]
    expires_at = hold_until(work.now, ends)
    holds.hold_subsidies(work, quote=quote, line_ids=line_ids, expires_at=expires_at)
    return view


def spending(work: Work, quote: quotes.QuoteView) -> list[Spending]:
    """Return what a quote's lines would count on the park's budgets, for the acting person."""
    person = work.actor.user_id
    return [Spending(line.offering, person, line.payable_fen, line.gross_fen, line.quantity) for line in quote.lines]


def exceeded_budgets(work: Work, *, quote_id: UUID) -> tuple[budgets.Exceeded, ...]:
    """Return the limits that an order of a quote would pass, for the park to see before it confirms."""
    work.actor.require(Permission.ASK_QUOTE)
    return budgets.preview(work, lines=spending(work, quotes.read_quote(work, quote_id=quote_id)))


def _hold_slots(work: Work, quote_id: UUID, plans: Sequence[deliveries.DeliveryPlan]) -> None:
    """Hold the slots of a quote, in one order for everybody, so that two who want the same ones never wait in a ring."""
    inspections = [plan.request for plan in plans if plan.delivery is Delivery.INSPECTION]
    for request in sorted(inspections, key=lambda each: (each["instrument_id"], each["starts_at"])):
        slot_holds.hold_request(work, request=request, quote_id=quote_id)


def _ordering_park(work: Work) -> ParkView:
    park = onboarding.read_park(work, park_id=work.actor.require_tenant())
    if park.verification != "verified":
        raise Conflict("park.not_verified", msg("园区尚未通过审核,暂不能租用服务。请等待审核或补充材料。"))
    return park


def _included(work: Work, rights: Rights, lines: Sequence[Wanted]) -> tuple[int, ...]:
    """Return how many units of each line cost nothing now: those that the park's plan includes, and repeats."""
    if rights.month_from is None:
        return tuple(0 if line.repeats is None else line.units for line in lines)
    return plan_uses.split_included(
        work, entitlements=rights.entitlements, month_from=rights.month_from, lines=lines
    )  # fmt: skip


def _wanted(line: quotes.QuoteLineView) -> Wanted:
    return Wanted(line.offering, line.quantity, line.included, line.title, line.repeats)


def _confirmed(
    work: Work, park: ParkView, rights: Rights, quote_id: UUID
) -> tuple[list[catalogue.OfferingView], quotes.QuoteView]:
    """Return a quote as it stands by the facts of now, with the offering of each line."""
    shown = quotes.read_quote(work, quote_id=quote_id)
    known = {slug: _rentable(work, rights, slug) for slug in {line.offering for line in shown.lines}}
    offerings = [known[line.offering] for line in shown.lines]
    facts, line_facts = stated_facts(work, park, offerings, shown.contract_no or "")
    again = [
        deliveries.repeat_of(work, offering=offering, request=line.request)
        for offering, line in zip(offerings, shown.lines, strict=True)
    ]
    free = _included(work, rights, [_wanted(line) for line in shown.lines])
    confirmed = quotes.confirm_quote(
        work, quote_id=quote_id, facts=facts, line_facts=line_facts, included=free, repeats=again
    )
    return offerings, confirmed


def _claim_contract(
    work: Work, order_id: UUID, quote: quotes.QuoteView, offerings: Sequence[catalogue.OfferingView]
) -> None:
    """Note that public money is given on the order's contract; of two orders at once the second one is refused.

    Before wallet and funds: who waits here for another order holds nothing that it needs.
    """
    if quote.contract_no is None:
        return
    parties = {
        offering.provider_uscc
        for offering, line in zip(offerings, quote.lines, strict=True)
        if any(award.amount_fen for award in line.awards)
    }
    order_contracts.claim_for_order(
        work,
        order_id=order_id,
        order_number=order_number(work.now, order_id),
        contract_no=quote.contract_no,
        counterparty_usccs=parties,
    )


def _start(
    work: Work, rights: Rights, line: quotes.QuoteLineView, line_id: UUID, where: str
) -> deliveries.Delivery:  # fmt: skip
    """Begin a line's delivery; whether it repeats an earlier one is as confirmed, since that decided the price."""
    offering, plan = _checked(work, rights, LineWish(line.offering, line.request), where)
    return deliveries.start_delivery(
        work,
        offering=offering,
        plan=replace(plan, repeats=line.repeats),
        order_line_id=line_id,
        priority=rights.entitlements.priority,
    )


def _rentable(work: Work, rights: Rights, slug: str) -> catalogue.OfferingView:
    """Return an offering that the park may rent now."""
    offering = catalogue.read_offering(work, slug=slug)
    if not offering.orderable:
        raise Conflict("offering.not_orderable", msg("“{name}”目前不能在线下单。", name=offering.name))
    if not rights.cover(offering):
        raise NotAllowed(
            "subscription.tier_too_low",
            msg(
                "“{name}”需要 {needed} 层级,您的订阅为 {held}。请先升级订阅。",
                name=offering.name,
                needed=offering.tier.value,
                held=rights.tier.value if rights.tier else "—",
            ),
        )
    return offering


def _checked(
    work: Work, rights: Rights, wish: LineWish, where: str
) -> tuple[catalogue.OfferingView, deliveries.DeliveryPlan]:
    offering = _rentable(work, rights, wish.offering)
    try:
        return offering, deliveries.plan_delivery(work, offering=offering, request=wish.request)
    except Problem as problem:
        raise _within(problem, where) from problem


def _within(problem: Problem, where: str) -> Problem:
    """Return ``problem`` with its fields named as the order's caller sees them."""
    errors = [replace(error, field=f"{where}.{error.field}") for error in problem.errors]
    return type(problem)(problem.code, problem.message, errors=errors)


def _insert_order(work: Work, order_id: UUID, quote: quotes.QuoteView, payment_method: PaymentMethod) -> None:
    tenant = work.actor.require_tenant()
    row = {
        "tenant_id": tenant,
        "id": order_id,
        "number": order_number(work.now, order_id),
        "quote_id": quote.id,
        "contract_no": quote.contract_no,
        "status": OrderStatus.PLACED,
        "payment_method": payment_method,
        "gross_fen": quote.gross_fen,
        "subsidy_fen": quote.subsidy_fen,
        "payable_fen": quote.payable_fen,
        "placed_by": work.actor.user_id,
        "placed_at": work.now,
    }
    # Of two who confirm one quote at once, the second waits here for the first and then finds its order.
    once = insert(Order).values(row).on_conflict_do_nothing(index_elements=["tenant_id", "quote_id"])
    if not rows_written(work.session, once):
        _check_unused(work, quote.id)


def _check_unused(work: Work, quote_id: UUID) -> None:
    used = select(Order.number).where(Order.tenant_id == work.actor.require_tenant(), Order.quote_id == quote_id)
    number = work.session.execute(used).scalar()
    if number is not None:
        raise Conflict("order.quote_used", msg("该报价已生成订单 {number}。如需再次租用,请重新询价。", number=number))
