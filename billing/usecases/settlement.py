"""Settling a delivery: metered, rated, posted, paid from the wallet, claimed and captured, in one transaction and once.

What makes it once: the event is unique by (park, source, id), the rated usage by order line, each journal by its
source, a wallet movement by kind and order line, a claim line by hold. A second caller waits at the first of these
for the first one's end, and then finds everything done. The funds' rows, which every settlement of the province meets
at, are taken last and so held shortest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from billing.rules import ledger, meters
from billing.rules.claims import PayeeKind, exemption_of, payee_kind_of
from billing.rules.meters import UsageEvent
from billing.rules.money import format_yuan
from billing.rules.periods import month_name
from billing.rules.rating import rate_after
from billing.store import settlements, wallet_movements
from billing.store.books import post_journal
from billing.store.usage import RatedUsage
from billing.store.wallet_movements import Outcome
from billing.usecases import plan_uses
from billing.usecases.budgets import give_back
from billing.usecases.claim_intake import NewClaim, enter_claim_line
from billing.usecases.delivered_lines import DeliveredLine, charged_of, parts_of_holds
from billing.usecases.entitlement_offers import SettledLine, offer_later_awards
from billing.usecases.holds import HoldView, capture_holds, read_line_holds, release_lines
from billing.usecases.metering import record_event
from billing.usecases.rated import charge_of, quantity_of
from billing.usecases.unused_parts import note_unused
from billing.usecases.wallets import mover_of
from tenants.kernel.errors import Conflict, Invalid
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.usecases import audit

WALLET = "wallet"


@dataclass(frozen=True)
class SettledUsage:
    """What a delivery cost whom. ``period`` is the month it was used in, ``YYYY-MM``."""

    id: UUID
    order_line_id: UUID
    event_source: str
    event_id: str
    quantity: Decimal
    gross_fen: int
    subsidy_fen: int
    payable_fen: int
    period: str
    rated_at: datetime


def settle_delivery(
    work: Work,
    *,
    line: DeliveredLine,
    source: str,
    event_id: str,
    event_type: str,
    subject: str,
    occurred_at: datetime,
    data: Mapping[str, Any],
) -> SettledUsage:
    """Charge a delivered order line to its payers; a repeat changes nothing and returns the first result.

    What was ordered and not used (``line.used``) is given back to both payers in the same transaction.

    Raises Conflict, and the caller's transaction is undone, when the metered quantity does not come to the order's
    amount (``settlement.amount_differs``), the subsidy or wallet held for the line is not there any more, or the line
    or the event was settled otherwise.
    """
    work.actor.require(Permission.METER_USAGE)
    tenant = work.actor.require_tenant()
    event = UsageEvent(event_id, source, event_type, subject, occurred_at, data)
    record_event(
        work, source=source, event_id=event_id, event_type=event_type, subject=subject, time=occurred_at, data=data
    )
    quantity = _metered(work, event)
    _check_amount(work, line, quantity)
    charged = charged_of(line)
    usage, is_new = settlements.insert_rated(work.session, _rated(work, tenant, charged, event, quantity))
    if not is_new:
        return _first_result(usage, line, event)
    holds = read_line_holds(work, line.order_line_id)
    _check_holds(line, holds)
    parts = parts_of_holds(line, charged, holds)
    if charged is not line:
        note_unused(work, line=line, charged=charged)
    if line.payment_method == WALLET and line.payable_fen:
        _spend_wallet(work, tenant, line, charged.payable_fen)
    _post(work, tenant, charged, holds, parts)
    _claim(work, tenant, usage, charged, holds, parts)
    _offer(work, line)
    audit.record(work, "delivery.settle", "order_line", line.order_line_id, gross_fen=charged.gross_fen)
    if line.subsidy_fen:
        capture_holds(work, order_line_id=line.order_line_id, amount_fen=charged.subsidy_fen, parts=parts)
    return _view(usage)


def undo_deliveries(work: Work, *, order_line_ids: Sequence[UUID], reason: str) -> None:
    """Give back the subsidy, its ceilings and the wallet money held for lines of one order; a repeat changes nothing.

    All lines at once, so that ceilings and funds are taken in the same order as by every checkout.
    Raises Conflict for a line that was settled: what was delivered is corrected by a credit note.
    """
    work.actor.require(Permission.CANCEL_ORDER)
    tenant = work.actor.require_tenant()
    give_back(work, order_line_ids)
    plan_uses.give_back(work, order_line_ids)
    for order_line_id in order_line_ids:
        if settlements.rated_of_line(work.session, tenant, order_line_id) is not None:
            raise Conflict("settlement.settled", msg("该服务已交付并计费，不能撤销。请改用红字更正。"))
        outcome = wallet_movements.release(work.session, mover_of(work, tenant), order_line_id)
        if outcome in {Outcome.SETTLED, Outcome.SHORT}:
            raise Conflict("wallet.settled", msg("该订单项的钱包冻结已扣款，不能释放。请核对订单状态。"))
    release_lines(work, order_line_ids=order_line_ids, reason=reason)


def _metered(work: Work, event: UsageEvent) -> Decimal:
    """Return the quantity that the meter of the event's type reads in it."""
    quantity = quantity_of(event, settlements.meter_of_type(work.session, event.type))
    if quantity is None:
        raise Invalid(
            "settlement.not_metered",
            msg("交付事件 {id} 中没有可计量的数量。请检查计量定义。", id=event.id),
        )
    return quantity


def _check_amount(work: Work, line: DeliveredLine, quantity: Decimal) -> None:
    """Rate the metered quantity by the price of the order: it must come to what the park confirmed.

    Where only what was used is charged, that is what must be metered, and the ordered quantity is what is rated.
    """
    price = settlements.price_of(work.session, line.price_id)
    rated_fen = None
    if price is not None and line.used in {None, quantity}:
        ordered = quantity if line.used is None else Decimal(line.quantity)
        rated_fen = rate_after(charge_of(price), ordered, Decimal(line.included)) - line.agreed_discount_fen
    if rated_fen != line.gross_fen or line.gross_fen != line.subsidy_fen + line.payable_fen:
        raise Conflict(
            "settlement.amount_differs",
            msg(
                "按计量数量 {quantity} 计价为 {rated} 元，与订单金额 {ordered} 元不符。请核对计量与价格。",
                quantity=meters.plain(quantity),
                rated="—" if rated_fen is None else format_yuan(rated_fen),
                ordered=format_yuan(line.gross_fen),
            ),
        )


def _rated(
    work: Work, tenant: UUID, line: DeliveredLine, event: UsageEvent, quantity: Decimal
) -> dict[str, Any]:  # fmt: skip
    return {
        "tenant_id": tenant,
        "id": new_id(),
        "event_source": event.source,
        "event_id": event.id,
        "order_line_id": line.order_line_id,
        "offering": line.offering,
        "title": (line.title or line.offering)[:200],
        "price_id": line.price_id,
        "quantity": quantity,
        "vat_bp": line.vat_bp,
        "gross_fen": line.gross_fen,
        "subsidy_fen": line.subsidy_fen,
        "payable_fen": line.payable_fen,
        "awards": [dict(award) for award in line.awards],
        "payment_method": line.payment_method,
        "included": line.included,
        "discount_fen": line.discount_fen,
        "agreed_discount_fen": line.agreed_discount_fen,
        "agreed_discount_id": line.agreed_discount_id,
        "repeats": line.repeats,
        "period": month_name(event.time),
        "rated_at": work.now,
    }


def _first_result(usage: RatedUsage, line: DeliveredLine, event: UsageEvent) -> SettledUsage:
    same = (usage.order_line_id, usage.event_source, usage.event_id) == (line.order_line_id, event.source, event.id)
    if not same:
        raise Conflict("settlement.settled_otherwise", msg("该订单项或该事件已按另一对应关系计费。请核对订单与事件。"))
    return _view(usage)


def _check_holds(line: DeliveredLine, holds: Sequence[HoldView]) -> None:
    held_fen = sum(hold.amount_fen for hold in holds if hold.status == "held")
    if held_fen != line.subsidy_fen:
        raise Conflict(
            "settlement.hold_differs",
            msg(
                "预占的补贴为 {held} 元，订单补贴为 {needed} 元。请核对预占是否已释放。",
                held=format_yuan(held_fen),
                needed=format_yuan(line.subsidy_fen),
            ),
        )


def _spend_wallet(work: Work, tenant: UUID, line: DeliveredLine, charged_fen: int) -> None:
    held_fen = wallet_movements.held_for(work.session, tenant, line.order_line_id)
    outcome = wallet_movements.capture(work.session, mover_of(work, tenant), line.order_line_id, charged_fen)
    if outcome is not Outcome.MOVED or held_fen != line.payable_fen:
        raise Conflict("wallet.not_held", msg("该订单项的钱包冻结不存在、金额不同或已释放。请核对订单状态。"))


def _post(
    work: Work, tenant: UUID, line: DeliveredLine, holds: Sequence[HoldView], parts: Mapping[UUID, int]
) -> None:  # fmt: skip
    by_fund: dict[UUID, int] = {}
    for hold in holds:
        by_fund[hold.fund_id] = by_fund.get(hold.fund_id, 0) + parts[hold.id]
    source_id = str(line.order_line_id)
    delivered = ledger.delivery(
        park_id=tenant,
        source_id=source_id,
        occurred_at=work.now,
        payable_fen=line.payable_fen,
        by_fund=by_fund,
        vat_bp=line.vat_bp,
    )
    if delivered is not None:
        post_journal(work.session, delivered, user_id=work.actor.user_id)
    if line.payment_method == WALLET and line.payable_fen:
        spent = ledger.wallet_capture(
            park_id=tenant, source_id=source_id, occurred_at=work.now, amount_fen=line.payable_fen
        )
        post_journal(work.session, spent, user_id=work.actor.user_id)


def _claim(
    work: Work,
    tenant: UUID,
    usage: RatedUsage,
    line: DeliveredLine,
    holds: Sequence[HoldView],
    parts: Mapping[UUID, int],
) -> None:
    """Claim what is captured of every hold from its fund, with what was delivered for it."""
    event = {"event_source": usage.event_source, "event_id": usage.event_id, "rated_usage": str(usage.id)}
    for hold in sorted((hold for hold in holds if parts[hold.id]), key=lambda hold: (hold.fund_id, hold.id)):
        kind = payee_kind_of(line.awards, hold.programme, hold.version)
        rule = {"programme": hold.programme, "version": hold.version}
        exemption = exemption_of(line.awards, hold.programme, hold.version)
        exempted = {} if exemption is None else {"exemption": exemption}
        enter_claim_line(
            work,
            claim=NewClaim(
                tenant_id=tenant,
                hold_id=hold.id,
                fund_id=hold.fund_id,
                amount_fen=parts[hold.id],
                payee_kind=kind,
                payee_id=tenant if kind is PayeeKind.TENANT else line.provider_id,
                evidence={**line.evidence, **event, **rule, **exempted},
            ),
            period=usage.period,
        )


def _offer(work: Work, line: DeliveredLine) -> None:
    """Offer the park the awards that come later; an order without a kept quote has none."""
    if line.quote_id is None:
        return
    settled = SettledLine(
        order_line_id=line.order_line_id,
        reference=line.reference,
        quote_id=line.quote_id,
        position=line.position,
        proof=line.evidence,
    )
    offer_later_awards(work, line=settled)


def _view(row: RatedUsage) -> SettledUsage:
    return SettledUsage(
        id=row.id,
        order_line_id=row.order_line_id,
        event_source=row.event_source,
        event_id=row.event_id,
        quantity=row.quantity,
        gross_fen=row.gross_fen,
        subsidy_fen=row.subsidy_fen,
        payable_fen=row.payable_fen,
        period=row.period,
        rated_at=row.rated_at,
    )
