"""Money is whole fen (integers). This is the one place that rounds, splits and prints it.

Rates are basis points (1 bp = 1/10,000). Unit prices are exact decimals in yuan until an amount is due.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Context, Decimal

FEN_PER_YUAN = 100
WHOLE_BP = 10_000
MAX_FEN = 2**53 - 1
"""The largest amount the platform handles: every JSON reader still takes it for the exact integer (90 trillion yuan)."""

EXACT = Context(prec=120)
"""Wide enough that sums and products of bounded prices and quantities are never rounded on the way."""


def allocate(total_fen: int, weights: Sequence[int]) -> tuple[int, ...]:
    """Split ``total_fen`` by ``weights`` so that the parts sum to it exactly (largest remainder).

    Every part is its exact share rounded down or up. The fen left over go to the largest remainders; of equal
    remainders the earlier one wins. A negative total is split like the positive one. Raises ValueError for a
    negative weight, and for weights that are all zero unless the total is zero.
    """
    whole = sum(weights)
    if any(weight < 0 for weight in weights) or (whole == 0 and total_fen != 0):
        raise ValueError("weights must be non-negative and not all zero")
    if whole == 0:
        return (0,) * len(weights)
    sign = -1 if total_fen < 0 else 1
    shares = [divmod(abs(total_fen) * weight, whole) for weight in weights]
    parts = [part for part, _ in shares]
    left = abs(total_fen) - sum(parts)
    for index in sorted(range(len(shares)), key=lambda i: -shares[i][1])[:left]:
        parts[index] += 1
    return tuple(sign * part for part in parts)


def round_half_up(yuan: Decimal) -> int:
    """Return an exact amount in yuan as whole fen; half a fen goes away from zero."""
    return int(EXACT.multiply(yuan, Decimal(FEN_PER_YUAN)).quantize(Decimal(1), ROUND_HALF_UP, context=EXACT))


def share_down(amount_fen: int, rate_bp: int) -> int:
    """Return ``rate_bp`` of a non-negative amount, rounded down: a subsidy is rounded in the fund's favour."""
    return amount_fen * rate_bp // WHOLE_BP


def vat_of_gross(gross_fen: int, vat_bp: int) -> int:
    """Return the VAT contained in a non-negative gross amount, rounded half up; the rest is the net amount."""
    divisor = WHOLE_BP + vat_bp
    return (2 * gross_fen * vat_bp + divisor) // (2 * divisor)


def net_of_vat(gross_fen: int, vat_bp: int) -> int:
    """Return a gross amount without the VAT it contains."""
    return gross_fen - vat_of_gross(gross_fen, vat_bp)


def yuan(amount_fen: int) -> Decimal:
    """Return fen as exact yuan with two places."""
    return Decimal(amount_fen).scaleb(-2)


def format_yuan(amount_fen: int) -> str:
    """Return fen as people read yuan: ``1234567`` is ``12,345.67``."""
    return f"{yuan(amount_fen):,.2f}"
