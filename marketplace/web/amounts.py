"""Amounts of money as people type them."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from marketplace.web.pages import field
from tenants.kernel.errors import FieldError, Invalid
from tenants.kernel.messages import Message, msg


def fen_of(name: str, *, empty: int | None = None) -> int:
    """Return the yuan typed into a field, with or without thousands' commas, in whole fen; ``empty`` for nothing typed.

    Raises Invalid at the field for what is no amount.
    """
    text = field(name).replace(",", "").replace("，", "")
    if not text and empty is not None:
        return empty
    try:
        amount = Decimal(text) * 100
    except InvalidOperation:
        raise _wrong(name, msg("金额须为数字，以元为单位，例如 1000000.00。")) from None
    if not amount.is_finite() or amount != amount.to_integral_value() or abs(amount) > Decimal(10) ** 17:
        raise _wrong(name, msg("金额最多两位小数，且不能过大。请改正金额。"))
    return int(amount)


def _wrong(name: str, message: Message) -> Invalid:
    return Invalid(f"form.{name}", message, errors=[FieldError(name, f"form.{name}", message)])
