"""What is charged of an order's line when less of it was used than ordered, in whole fen: the one place that rounds it.

Everything is taken in proportion of what the order agreed, never worked out anew. Units that cost nothing are used first.
Parts of a fen fall away: of the price in the park's favour, of an award in its fund's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from billing.rules.money import allocate


@dataclass(frozen=True, slots=True)
class PartUse:
    """Units that were ordered, how many of them cost nothing, and how many were used: at least one, at most all."""

    booked: int
    included: int
    used: int

    def __post_init__(self) -> None:
        if not 1 <= self.used <= self.booked or not 0 <= self.included <= self.booked:
            raise ValueError(f"{self.used} of {self.booked} units cannot be used, {self.included} of them for nothing")

    @property
    def included_used(self) -> int:
        """How many of the units that cost nothing were used."""
        return min(self.included, self.used)

    def price(self, booked_fen: int) -> int:
        """Return the part of an amount that was agreed for the units that cost something."""
        paid = self.booked - self.included
        return booked_fen * (self.used - self.included_used) // paid if paid else booked_fen

    def discount(self, booked_fen: int) -> int:
        """Return the part of what the units that cost nothing would have cost."""
        return booked_fen * self.included_used // self.included if self.included else booked_fen


def award_part(award: Mapping[str, Any], booked_fen: int, charged_fen: int) -> dict[str, Any]:
    """Return an award on a line of ``booked_fen``, as its document, when only ``charged_fen`` of it is charged.

    The amount keeps its share of the price, so no rate and no ceiling is passed that was kept before; its funds keep
    their shares of the amount, and none gives more than it would have.
    """
    if not booked_fen:
        return dict(award)
    parts = {name: award[name] * charged_fen // booked_fen for name in ("base_fen", "claim_fen", "amount_fen")}
    funds = sorted(award["by_fund"])
    shares = allocate(parts["amount_fen"], [award["by_fund"][fund] for fund in funds])
    return {**award, **parts, "by_fund": dict(zip(funds, shares, strict=True))}
