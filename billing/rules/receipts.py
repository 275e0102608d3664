"""Receipts on a bank statement."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Receipt:
    """Money that came in, as a row of a statement says it; ``row`` counts the file's rows from 1."""

    row: int
    account: str
    bank_reference: str
    booked_on: date
    amount_fen: int
    payer: str
    remittance: str
    arrived_on: str = ""
    """The account that it arrived on, where the bank names one: a park's virtual account, or the legal entity's own."""


@dataclass(frozen=True, slots=True)
class Payer:
    """Who paid a receipt, or None; ``disagree`` when its account and the references in its text say different parks."""

    park_id: UUID | None
    disagree: bool = False


def payer_of(by_account: UUID | None, by_reference: AbstractSet[UUID]) -> Payer:
    """Return whose a receipt is: that of the park whose virtual account it arrived on, or of the one park that its text
    names. Nobody's when the two disagree, or when the text names several.
    """
    if by_account is None:
        return Payer(next(iter(by_reference)) if len(by_reference) == 1 else None)
    if by_reference <= {by_account}:
        return Payer(by_account)
    return Payer(None, disagree=True)
