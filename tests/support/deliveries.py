"""Ordered and delivered lines for tests of money, without runs or bookings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from billing.usecases import quotes, settlement, wallets
from billing.usecases.delivered_lines import DeliveredLine
from billing.usecases.settlement import SettledUsage
from tenants.kernel.context import Actor
from tenants.kernel.identifiers import new_id
from tenants.kernel.work import Work, WorkShop
from tests.support import subsidies

PROVIDER = new_id()
"""Who provides every offering here."""


def order(
    shop: WorkShop, actor: Actor, *offerings: str, payment_method: str = "invoice", quantity: int = 1,
    facts: Mapping[str, Any] = subsidies.FACTS,
) -> list[DeliveredLine]:  # fmt: skip
    """Check offerings out: subsidy held, and the rest too where the wallet pays."""
    quote = subsidies.ask(shop, actor, *offerings, quantity=quantity, facts=facts)
    line_ids, _ = subsidies.check_out(shop, actor, quote)
    lines = [
        replace(_line(each, line_id, payment_method), quote_id=quote.id, position=position, reference=quote.id.hex[-8:])
        for position, (each, line_id) in enumerate(zip(quote.lines, line_ids, strict=True))
    ]
    if payment_method == "wallet":
        with shop.work(actor) as work:
            for line in lines:
                if line.payable_fen:
                    wallets.hold_wallet(work, order_line_id=line.order_line_id, amount_fen=line.payable_fen)
    return lines


def settle(
    work: Work, line: DeliveredLine, *, run_id: UUID | None = None, at: datetime | None = None, **data: Any
) -> SettledUsage:
    """Settle a line as fulfilment does when its run has finished."""
    run = str(run_id or line.order_line_id)
    return settlement.settle_delivery(
        work,
        line=line,
        source="marketplace/twin",
        event_id=run,
        event_type="twin.run",
        subject=str(work.actor.tenant_id),
        occurred_at=at or work.now,
        data={"run_id": run, "quantity": line.quantity, **data},
    )


def deliver(
    shop: WorkShop, actor: Actor, *offerings: str, payment_method: str = "invoice", quantity: int = 1,
    at: datetime | None = None,
) -> list[SettledUsage]:  # fmt: skip
    """Order and settle offerings in one go."""
    lines = order(shop, actor, *offerings, payment_method=payment_method, quantity=quantity)
    with shop.work(actor) as work:
        return [settle(work, line, at=at) for line in lines]


def unsubsidised(line: DeliveredLine, **changes: Any) -> DeliveredLine:
    """Return a line of another order that the park pays alone."""
    return replace(
        line, order_line_id=new_id(), subsidy_fen=0, payable_fen=line.gross_fen, awards=(), **changes
    )  # fmt: skip


def _line(line: quotes.QuoteLineView, line_id: UUID, payment_method: str) -> DeliveredLine:
    return DeliveredLine(
        order_line_id=line_id,
        offering=line.offering,
        price_id=line.price_id,
        quantity=line.quantity,
        gross_fen=line.gross_fen,
        subsidy_fen=line.subsidy_fen,
        payable_fen=line.payable_fen,
        vat_bp=line.vat_bp,
        awards=[award.document() for award in line.awards],
        payment_method=payment_method,
        evidence={"order_line": str(line_id), "report_sha256": "0" * 64},
        title=f"服务 {line.offering}",
        provider_id=PROVIDER,
        agreed_discount_fen=line.agreed_discount_fen,
        agreed_discount_id=line.agreed_discount_id,
    )
