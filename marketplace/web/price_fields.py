"""The form of a price, which services and meters share."""

from __future__ import annotations

from datetime import datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any

from billing.rules.prices import PriceScope
from marketplace.web.pages import field
from marketplace.web.policy_fields import json_of, parse_day
from tenants.kernel.clock import CHINA
from tenants.kernel.errors import FieldError, Invalid
from tenants.kernel.messages import Message, msg


def typed_scope() -> PriceScope:
    """Return for whom the price is."""
    return PriceScope(field("tier"), field("region_class"), field("region"))


def field_of(path: str) -> str | None:
    """Return the field of the form that a refusal names."""
    if path == "charge" and field("charge"):
        return "charge"
    if path.startswith("charge"):
        return "unit_price" if not field("charge") else "charge"
    return {"vat_bp": "vat"}.get(path, path)


def typed_charge() -> dict[str, Any]:
    """Return the charge: the price per unit, or any other model as JSON."""
    if field("charge"):
        return json_of("charge")
    return {"model": "per_unit", "unit_price": field("unit_price").replace(",", "")}


def typed_vat_bp() -> int:
    """Return the rate of VAT in basis points; Invalid at its field for what is no rate."""
    try:
        rate = Decimal(field("vat")) * 100
    except InvalidOperation:
        raise _wrong("vat", msg("税率须为数字，以百分比为单位，例如 6。")) from None
    if not rate.is_finite() or rate != rate.to_integral_value() or abs(rate) > 10**6:
        raise _wrong("vat", msg("税率最多两位小数，例如 6 或 13。请改正税率。"))
    return int(rate)


def typed_moment(name: str) -> datetime | None:
    """Return the first moment of the day that was chosen, in China; None for nothing chosen."""
    return datetime.combine(parse_day(name), time(), CHINA) if field(name) else None


def _wrong(name: str, message: Message) -> Invalid:
    return Invalid(f"form.{name}", message, errors=[FieldError(name, f"form.{name}", message)])
