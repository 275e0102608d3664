"""Amounts of money and shares as people type them."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from marketplace.web.pages import field
from tenants.kernel.errors import FieldError, Invalid
from tenants.kernel.messages import Message, msg


def fen_of(name: str, *, empty: int | None = None) -> int:
    """Return the yuan typed into a field, with or without thousands' commas, in whole fen; ``empty`` for nothing typed.

    Raises Invalid at the field for what is no amount.
    """
    if not field(name) and empty is not None:
        return empty
    not_one = msg("金额须为数字，以元为单位，例如 1000000.00。")
    return hundredfold(name, field(name), not_one, msg("金额最多两位小数，且不能过大。请改正金额。"))


def share_of(name: str) -> int:
    """Return the share typed into a field in per cent, in basis points. Raises Invalid at the field for what is none."""
    not_one = msg("比例须为百分数，例如 40 或 12.5。")
    return hundredfold(name, field(name).removesuffix("%"), not_one, not_one)


def hundredfold(name: str, text: str, no_number: Message, too_fine: Message) -> int:
    """Return a hundred times the number in ``text``: yuan in fen, per cent in basis points. Raises Invalid at ``name``."""
    try:
        amount = Decimal(text.replace(",", "").replace("，", "")) * 100
    except InvalidOperation:
        raise _wrong(name, no_number) from None
    if not amount.is_finite() or amount.adjusted() > 16 or amount != amount.to_integral_value():
        raise _wrong(name, too_fine)
    return int(amount)


def _wrong(name: str, message: Message) -> Invalid:
    return Invalid(f"form.{name}", message, errors=[FieldError(name, f"form.{name}", message)])
