"""The two-payer bar: one price, the fund's part and the park's part, drawn to scale."""

from __future__ import annotations

from dataclasses import dataclass

WIDTH = 1000
"""Units of the drawing's width."""
LEAST = 12
"""Units below which a part that is not nothing would not be seen."""


@dataclass(frozen=True)
class PriceBar:
    """A price in fen with both payers' parts, and where the line between them is drawn."""

    gross_fen: int
    fund_fen: int
    park_fen: int
    fund_width: int

    @property
    def park_width(self) -> int:
        """The width of the park's part."""
        return WIDTH - self.fund_width

    @property
    def fund_bp(self) -> int:
        """The fund's share in basis points, rounded down as subsidies are."""
        return self.fund_fen * 10_000 // self.gross_fen if self.gross_fen else 0


def price_bar(gross_fen: int, fund_fen: int) -> PriceBar:
    """Return the bar of a price; a part that is not nothing stays visible however small."""
    if gross_fen <= 0:
        return PriceBar(gross_fen, fund_fen, gross_fen - fund_fen, 0)
    width = fund_fen * WIDTH // gross_fen
    if 0 < fund_fen < gross_fen:
        width = min(max(width, LEAST), WIDTH - LEAST)
    return PriceBar(gross_fen, fund_fen, gross_fen - fund_fen, width)
