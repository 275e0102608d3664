"""Whether a price that was shown may still be accepted."""

from __future__ import annotations

from datetime import datetime

from billing.rules.subsidies import Quote
from tenants.kernel.errors import Conflict, FieldError
from tenants.kernel.messages import msg


def check_not_expired(expires_at: datetime, now: datetime) -> None:
    """Raise Conflict when a quote's time is over; the moment of expiry itself is too late."""
    if now >= expires_at:
        raise Conflict("quote.expired", msg("报价已过期。请重新询价后下单。"))


def check_unchanged(shown: Quote, fresh: Quote) -> None:
    """Raise Conflict when an order priced anew differs from what was shown: each line that changed is named.

    Any change counts, also a cheaper one: both payers have seen other amounts than they would pay. Who of the
    funders pays how much may change; the park pays the same.
    """
    if len(shown.lines) != len(fresh.lines):
        raise Conflict("quote.price_changed", msg("订单内容已变化。请重新询价后下单。"))
    errors = []
    subsidy_only = True
    for index, (before, after) in enumerate(zip(shown.lines, fresh.lines, strict=True)):
        if before.gross_fen != after.gross_fen:
            subsidy_only = False
            text = msg(
                "价格由 {before} 分变为 {after} 分。请重新询价。", before=before.gross_fen, after=after.gross_fen
            )
            errors.append(FieldError(f"lines[{index}].gross_fen", "quote.price_changed", text))
        elif (before.subsidy_fen, before.due_fen) != (after.subsidy_fen, after.due_fen):
            text = msg(
                "补贴由 {before} 分变为 {after} 分。请重新询价并确认自付金额。",
                before=before.subsidy_fen,
                after=after.subsidy_fen,
            )
            errors.append(FieldError(f"lines[{index}].subsidy_fen", "quote.subsidy_changed", text))
    if errors and subsidy_only:
        raise Conflict(
            "quote.subsidy_changed", msg("补贴金额自报价后已变化。请重新询价并确认自付金额。"), errors=errors
        )
    if errors:
        raise Conflict("quote.price_changed", msg("价格自报价后已变化。请重新询价后下单。"), errors=errors)
