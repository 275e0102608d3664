"""What a late cancellation, a no-show and an overrun cost, in whole fen. Parts of a fen fall away, in the park's favour."""

from __future__ import annotations

from enum import StrEnum

from billing.rules.money import share_down


class FeeKind(StrEnum):
    """What is charged for a booking beside its price; each at most once."""

    LATE_CANCEL = "late_cancel"
    NO_SHOW = "no_show"
    OVERRUN = "overrun"


def fee_of(kind: FeeKind, *, base_fen: int, rate_bp: int, units: int, unit_fen: int) -> int:
    """Return a fee: of an overrun by its started units, else a share of the booking's price, rounded down."""
    return units * unit_fen if kind is FeeKind.OVERRUN else share_down(base_fen, rate_bp)


def price_of_unit(gross_fen: int, booked_minutes: int, unit_minutes: int) -> int:
    """Return what ``unit_minutes`` cost by a booking's own price, rounded down."""
    return gross_fen * unit_minutes // booked_minutes
