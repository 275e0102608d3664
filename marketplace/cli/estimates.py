"""The console's estimate of a twin run: no database, so the price is what the caller says a run costs."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from services.usecases.twin_estimate import estimate_command
from tenants.kernel.errors import FieldError, Invalid
from tenants.kernel.messages import msg


def estimate_document(path: Path, unit_price: str) -> dict[str, Any]:
    """Return whether the document is valid, every error, its steps, CPU seconds and price in fen."""
    try:
        fen = Decimal(unit_price) * 100
    except InvalidOperation:
        fen = Decimal("NaN")
    if not fen.is_finite() or fen < 0 or fen != fen.to_integral_value():
        wrong = msg("单价应为不小于 0、至多两位小数的元数。")
        raise Invalid("estimate.price", wrong, errors=[FieldError("unit_price", "estimate.price", wrong)])
    found = estimate_command(path)
    errors = [{**vars(each), "message": str(each.message)} for each in found.errors]
    price = {"unit": "run", "quantity": 1, "price_fen": int(fen)} if found.valid else None
    return {**vars(found), "errors": errors, "notes": list(found.notes), "price": price}
