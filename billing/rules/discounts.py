"""Discounts that were agreed: which of several counts, what it takes off, and how it is split over an invoice's lines.

One of an offering comes off a price when it is quoted, before any subsidy, so no public money is paid on it. One of a
whole invoice comes off what the park itself still has to pay of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from billing.rules.money import allocate, share_down

WHOLE_INVOICE = ""
"""What stands for an offering on a discount of a whole invoice."""


@dataclass(frozen=True, slots=True)
class Discount:
    """A share (in basis points) or an amount that is taken off a price; exactly one of the two."""

    id: UUID
    rate_bp: int | None = None
    amount_fen: int | None = None

    def taken_off(self, price_fen: int) -> int:
        """Return what comes off a price: never more than it, and a share is rounded down."""
        wanted = share_down(price_fen, self.rate_bp) if self.rate_bp is not None else self.amount_fen or 0
        return min(wanted, price_fen)


def best(discounts: Iterable[Discount], price_fen: int) -> tuple[Discount | None, int]:
    """Return the discount that takes most off a price, and how much; of equal ones the first agreed (by id).

    Discounts are not added up. None and 0 where none takes anything off.
    """
    found = [(each.taken_off(price_fen), each) for each in sorted(discounts, key=lambda each: each.id)]
    fen, chosen = max(found, key=lambda pair: pair[0], default=(0, None))
    return (chosen, fen) if fen else (None, 0)


def spread(discount_fen: int, open_fen: Sequence[int]) -> tuple[int, ...]:
    """Split an invoice's discount over its lines by what the park has to pay of each (largest remainder).

    No line gets more than that, as long as the discount is no more than their sum.
    """
    if not discount_fen:
        return (0,) * len(open_fen)
    return allocate(discount_fen, open_fen)


def own_part(payable_fen: int, returned_fen: int, later_fen: int, *, prepaid: bool) -> int:
    """Return what of a line an invoice's discount may touch: the park's own part that it still has to pay.

    What the wallet paid, what was returned and what a later award will give back are no part of it.
    """
    return 0 if prepaid else max(0, payable_fen - returned_fen - later_fen)
