"""What is charged of an order's line when less of it was used than ordered, in whole fen: the one place that rounds it.

Everything is taken in proportion of what the order agreed, never worked out anew. Units that cost nothing are used first.
Parts of a fen fall away: of the price in the park's favour, of an award in its fund's, but never so that one pays more
than it would have paid for the whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from billing.rules.money import allocate
from billing.rules.terms import Mode


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


def award_parts(awards: Sequence[Mapping[str, Any]], booked_fen: int, charged_fen: int) -> list[dict[str, Any]]:
    """Return the awards on a line of ``booked_fen``, as their documents, when only ``charged_fen`` of it is charged.

    Each keeps its share of the price, so no rate and no ceiling is passed that was kept before, and its funds keep their
    shares of it. No fund gives more than it would have, and the park pays no more than it agreed to: where the parts of
    a fen that fall away would make it, the instant awards with the largest of them give the fen.
    """
    if not booked_fen:
        return [dict(award) for award in awards]
    instant = [index for index, award in enumerate(awards) if award["mode"] == Mode.INSTANT]
    shares = [divmod(award["amount_fen"] * charged_fen, booked_fen) for award in awards]
    amounts = [whole_fen for whole_fen, _ in shares]
    park_fen = booked_fen - sum(awards[index]["amount_fen"] for index in instant)
    above_fen = charged_fen - sum(amounts[index] for index in instant) - park_fen
    for index in sorted(instant, key=lambda index: -shares[index][1])[: max(0, above_fen)]:
        amounts[index] += 1
    return [
        _award_part(award, amount_fen, booked_fen, charged_fen)
        for award, amount_fen in zip(awards, amounts, strict=True)
    ]


def _award_part(
    award: Mapping[str, Any], amount_fen: int, booked_fen: int, charged_fen: int
) -> dict[str, Any]:  # fmt: skip
    bases = {name: max(amount_fen, award[name] * charged_fen // booked_fen) for name in ("base_fen", "claim_fen")}
    funds = sorted(award["by_fund"])
    shares = allocate(amount_fen, [award["by_fund"][fund] for fund in funds])
    return {**award, **bases, "amount_fen": amount_fen, "by_fund": dict(zip(funds, shares, strict=True))}


def sold_for(price_fen: int, charged_fen: int, sold_fen: int) -> int:
    """Return what a part of a line's price is when all that was charged was sold for less: parts of a fen fall away."""
    return price_fen * sold_fen // charged_fen if charged_fen else 0
