"""Returning a delivered service, wholly or in part: what goes back to each of those who paid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from billing.rules.money import allocate, vat_of_gross


class ReturnCause(StrEnum):
    """Why a delivered service is taken back. In all of them its provider has agreed and bears it."""

    RETURNED = "returned"
    """It was of no use."""
    UNDELIVERED = "undelivered"
    """It was booked as delivered, and was not."""
    WRONG = "wrong"
    """Something else was delivered than had been ordered."""


@dataclass(frozen=True, slots=True)
class Shares:
    """What goes back to whom, in fen: to the park, and to the fund of each hold."""

    park_fen: int
    by_hold: tuple[int, ...]

    @property
    def public_fen(self) -> int:
        """What goes back to funds."""
        return sum(self.by_hold)


def split_return(amount_fen: int, park_left_fen: int, holds_left_fen: Sequence[int]) -> Shares:
    """Split what is returned over those who paid, by what each has not got back yet (largest remainder).

    Nobody gets back more than that. Raises ValueError for more than all of them have left, and for nothing.
    """
    left = (park_left_fen, *holds_left_fen)
    if not 0 < amount_fen <= sum(left):
        raise ValueError("a return is positive and no larger than what was paid and not returned")
    park, *holds = allocate(amount_fen, left)
    return Shares(park, tuple(holds))


def vat_back(before_fen: int, amount_fen: int, vat_bp: int) -> int:
    """Return the VAT in a part that is taken back after ``before_fen`` was: parts add up to the VAT of the whole."""
    return vat_of_gross(before_fen + amount_fen, vat_bp) - vat_of_gross(before_fen, vat_bp)


def vat_back_of_line(line_vat_fen: int, gross_fen: int, returned_fen: int, back_fen: int) -> int:
    """Return the VAT in a part of an invoice line that is taken back, ``back_fen`` of it having come back before.

    ``returned_fen`` is all that is taken back of ``gross_fen``, this part included: a line that comes back as a whole
    gives back the VAT that the invoice allotted to it, to the fen. Never negative.
    """
    if not gross_fen:
        return 0
    due = (2 * line_vat_fen * returned_fen + gross_fen) // (2 * gross_fen)
    return max(due - back_fen, 0)
