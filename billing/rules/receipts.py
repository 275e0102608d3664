"""Receipts on a bank statement."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


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
