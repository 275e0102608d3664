"""What is left of an order's price when a part of it went back: for each payer, in whole fen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from marketplace.rules.orders import LineStatus


@dataclass(frozen=True, slots=True)
class Payers:
    """An amount and who pays it: public funds the ``subsidy_fen``, the park the ``payable_fen``."""

    gross_fen: int = 0
    subsidy_fen: int = 0
    payable_fen: int = 0

    def __add__(self, other: Payers) -> Payers:
        """Return both together."""
        return Payers(
            self.gross_fen + other.gross_fen, self.subsidy_fen + other.subsidy_fen, self.payable_fen + other.payable_fen
        )

    def __sub__(self, other: Payers) -> Payers:
        """Return what is left without ``other``."""
        return Payers(
            self.gross_fen - other.gross_fen, self.subsidy_fen - other.subsidy_fen, self.payable_fen - other.payable_fen
        )


def total(amounts: Iterable[Payers]) -> Payers:
    """Return all amounts together."""
    return sum(amounts, Payers())


def went_back(status: LineStatus, ordered: Payers, parts: Iterable[Payers]) -> Payers:
    """Return what of a line went back: all of one that was not delivered, else what was not used and what was returned.

    An open line still holds what was ordered. A clawback alone moves no price, so it is not among the parts.
    """
    if status in {LineStatus.CANCELLED, LineStatus.FAILED}:
        return ordered
    return total(parts)
