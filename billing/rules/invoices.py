"""Invoices: VAT once on the whole of each rate, then split, so that lines always sum to totals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from billing.rules.money import allocate, vat_of_gross
from billing.rules.periods import DEFAULT_ZONE, Period, local_day, month_before, month_name, month_of, start_of_day

PAYMENT_DAYS = 30
LEGAL_ENTITY = "PTM"
"""The legal entity in whose name invoices are issued; numbers run on within it and a year."""


class InvoiceStatus(StrEnum):
    """Where an invoice is; after ``finalized`` nothing on it changes."""

    DRAFT = "draft"
    FINALIZED = "finalized"
    PAID = "paid"
    VOID = "void"


ALLOWED_FROM = {
    InvoiceStatus.FINALIZED: frozenset((InvoiceStatus.DRAFT,)),
    InvoiceStatus.PAID: frozenset((InvoiceStatus.FINALIZED,)),
    InvoiceStatus.VOID: frozenset((InvoiceStatus.DRAFT, InvoiceStatus.FINALIZED)),
}
"""From which states each state may be reached; a paid invoice is corrected by a credit note only."""


@dataclass(frozen=True, slots=True)
class BilledLine:
    """A delivered service: its price, its two payers' parts and what the invoice's discount takes off, VAT included."""

    gross_fen: int
    subsidy_fen: int
    payable_fen: int
    vat_bp: int
    discount_fen: int = 0

    def __post_init__(self) -> None:
        if self.gross_fen != self.subsidy_fen + self.discount_fen + self.payable_fen:
            raise ValueError("a line's price is what its two payers pay and what is taken off")
        if min(self.subsidy_fen, self.discount_fen, self.payable_fen) < 0:
            raise ValueError("no part of a line's price is negative")


@dataclass(frozen=True, slots=True)
class Totals:
    """An invoice's sums and each line's VAT, in the order of the lines."""

    gross_fen: int
    subsidy_fen: int
    discount_fen: int
    payable_fen: int
    vat_fen: int
    net_fen: int
    line_vat_fen: tuple[int, ...]


def totals(lines: Sequence[BilledLine]) -> Totals:
    """Return the sums of an invoice. VAT is contained in ``gross_fen`` less ``discount_fen``, subsidised or not."""
    line_vat = [0] * len(lines)
    for vat_bp in sorted({line.vat_bp for line in lines}):
        places = [index for index, line in enumerate(lines) if line.vat_bp == vat_bp]
        prices = [lines[index].gross_fen - lines[index].discount_fen for index in places]
        parts = allocate(vat_of_gross(sum(prices), vat_bp), prices)
        for index, part in zip(places, parts, strict=True):
            line_vat[index] = part
    gross = sum(line.gross_fen for line in lines)
    discount = sum(line.discount_fen for line in lines)
    return Totals(
        gross_fen=gross,
        subsidy_fen=sum(line.subsidy_fen for line in lines),
        discount_fen=discount,
        payable_fen=sum(line.payable_fen for line in lines),
        vat_fen=sum(line_vat),
        net_fen=gross - discount - sum(line_vat),
        line_vat_fen=tuple(line_vat),
    )


def invoice_number(legal_entity: str, year: int, serial: int) -> str:
    """Return the number of the ``serial``-th invoice of a legal entity in a year, ``PTM-2026-000001``."""
    return f"{legal_entity.upper()}-{year:04d}-{serial:06d}"


def credit_note_number(legal_entity: str, year: int, serial: int) -> str:
    """Return the number of the ``serial``-th credit note of a legal entity in a year, ``PTM-CN-2026-000001``."""
    return f"{legal_entity.upper()}-CN-{year:04d}-{serial:06d}"


def due_on(finalized_on: date) -> date:
    """Return the day by which an invoice is to be paid."""
    return finalized_on + timedelta(days=PAYMENT_DAYS)


def grace_ends(month: Period, grace_days: int, timezone: str = DEFAULT_ZONE) -> datetime:
    """Return the moment until which late use of a month is waited for: so many whole days of the next month."""
    return start_of_day(local_day(month.end, timezone) + timedelta(days=grace_days), timezone)


@dataclass(frozen=True, slots=True)
class Closed:
    """How far a park's months are closed: the days of grace, and its final invoices as (month, when it became final).

    An invoice holds all use up to its month, so it closes the months before it too.
    """

    grace_days: int
    invoices: tuple[tuple[str, datetime], ...] = ()

    def is_late(self, used_at: datetime, received_at: datetime, billed_for: str | None = None) -> bool:
        """Tell whether a use came after the days of grace of its month, or after the invoice that would have held it.

        What stands on its own month's invoice (``billed_for``) is not late.
        """
        if billed_for == month_name(used_at):
            return False
        month = month_of(used_at)
        if received_at >= grace_ends(month, self.grace_days):
            return True
        name = month_name(used_at)
        return any(period >= name and at <= received_at for period, at in self.invoices)

    def late_before(self, received_at: datetime) -> datetime:
        """Return the moment before which all use that comes at ``received_at``, and none after it, is late.

        Months close one after another, so one moment says it of a whole batch. It looks a month ahead of the clock.
        """
        month = month_of(month_of(received_at).end)
        while not self.is_late(month.start, received_at):
            month = month_before(month.start)
        return month.end
