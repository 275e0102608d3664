"""Renewing standing orders: what the clock does when a month begins."""

from __future__ import annotations

from uuid import UUID

from marketplace.usecases import checkout, standing_orders
from marketplace.usecases.standing_orders import StandingOrderView
from tenants.kernel.errors import Conflict
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work

TAKEN = "site.month_taken"


def renew(work: Work, *, standing_order_id: UUID) -> bool:
    """Order the month that has begun; False when there was nothing to order, or it is rented already.

    Price, subsidy, tier, wallet and budgets are those of now. Raises the refusal of the checkout, and Conflict
    ``standing_order.price_rose`` when the park would pay more than it agreed to.
    """
    work.actor.require(Permission.PLACE_ORDER)
    claimed = standing_orders.claim_month(work, standing_order_id=standing_order_id)
    if claimed is None:
        return False
    standing, month = claimed
    request = {"site_id": str(standing.site_id), "month": f"{month:%Y-%m}", "months": 1}
    try:
        with work.savepoint():
            quote = checkout.ask_quote(work, lines=[checkout.LineWish(standing.offering, request)])
            _check_price(standing, quote.payable_fen)
            checkout.place_order(work, quote_id=quote.id, payment_method=standing.payment_method)
    except Conflict as problem:
        if problem.code == TAKEN:  # ordered by hand meanwhile: what the standing order wants is so
            return False
        raise
    return True


def _check_price(standing: StandingOrderView, payable_fen: int) -> None:
    if payable_fen > standing.most_payable_fen:
        raise Conflict(
            "standing_order.price_rose",
            msg(
                "本月园区应付 {now} 元，高于约定的每月 {agreed} 元（价格上调或补贴减少）。请重新下单确认。",
                now=f"{payable_fen / 100:.2f}",
                agreed=f"{standing.most_payable_fen / 100:.2f}",
            ),
        )
