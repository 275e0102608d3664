"""What an order looks like to those who may see it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from billing.usecases.attendance_fees import BookingFeeView
from billing.usecases.clawback_cases import ClawbackRow
from billing.usecases.return_views import ReturnView
from billing.usecases.unused_parts import UnusedPartView
from marketplace.rules.orders import LineStatus, OrderStatus, PaymentMethod
from marketplace.rules.settled import Payers, total, went_back
from services.usecases.artefacts import ArtefactView
from services.usecases.bookings import BookingView
from services.usecases.runs import RunView
from services.usecases.sample_views import SampleBatchView
from services.usecases.site_months import SiteMonthView


@dataclass(frozen=True)
class OrderLineView:
    """One rented service: what it costs whom, how far it is, and what was delivered."""

    id: UUID
    offering: str
    title: str
    quantity: int
    gross_fen: int
    subsidy_fen: int
    payable_fen: int
    awards: tuple[dict[str, Any], ...]
    included: int
    discount_fen: int
    agreed_discount_fen: int
    repeats: UUID | None
    status: LineStatus
    failure_code: str | None
    result_sha256: str | None
    run: RunView | None
    booking: BookingView | None
    site_month: SiteMonthView | None
    samples: SampleBatchView | None
    artefacts: tuple[ArtefactView, ...]
    returns: tuple[ReturnView, ...]
    clawbacks: tuple[ClawbackRow, ...]
    fees: tuple[BookingFeeView, ...]
    """What its booking was charged beside the price."""
    unused: UnusedPartView | None = None
    """What of it was booked and not used, and so given back; the amounts above are the order's."""

    @property
    def list_fen(self) -> int:
        """Return the list price: without included units and discounts."""
        return self.gross_fen + self.discount_fen + self.agreed_discount_fen

    @property
    def ordered(self) -> Payers:
        """Return what was ordered."""
        return Payers(self.gross_fen, self.subsidy_fen, self.payable_fen)

    @property
    def back(self) -> Payers:
        """Return what of it went back."""
        return went_back(self.status, self.ordered, parts_back(self.ordered, self.unused, self.returns))

    @property
    def settled(self) -> Payers:
        """Return what is left of it."""
        return self.ordered - self.back


def parts_back(ordered: Payers, unused: UnusedPartView | None, returns: Sequence[ReturnView]) -> list[Payers]:
    """Return what went back of a line that was delivered: what was not used, and each return.

    One that came back as a whole leaves nothing, also where the invoice had a discount, which nobody paid or gets back.
    """
    if any(each.whole for each in returns):
        return [ordered]
    parts = [Payers(each.amount_fen, each.public_fen, each.park_fen) for each in returns]
    if unused is not None:
        parts.append(Payers(unused.gross_fen, unused.subsidy_fen, unused.payable_fen))
    return parts


@dataclass(frozen=True)
class OrderView:
    """An order with its lines."""

    id: UUID
    number: str
    quote_id: UUID
    contract_no: str | None
    status: OrderStatus
    payment_method: PaymentMethod
    gross_fen: int
    subsidy_fen: int
    payable_fen: int
    park_id: UUID
    park_name: str
    placed_at: datetime
    closed_at: datetime | None
    lines: tuple[OrderLineView, ...]

    @property
    def back(self) -> Payers:
        """Return what of the ordered amounts went back."""
        return total(line.back for line in self.lines)

    @property
    def settled(self) -> Payers:
        """Return what is left of the ordered amounts."""
        return total(line.settled for line in self.lines)

    @property
    def fees_fen(self) -> int:
        """Return what the park pays beside the price for its bookings: fees less what of them came back."""
        return sum(fee.amount_fen - fee.returned_fen for line in self.lines for fee in line.fees)

    @property
    def exemptions(self) -> tuple[dict[str, Any], ...]:
        """Return the case-by-case decisions that its awards stand on, each once: ``id`` and ``document_no``."""
        notes = [award.get("exemption") for line in self.lines for award in line.awards]
        return tuple({note["id"]: note for note in notes if note}.values())


@dataclass(frozen=True)
class OrderRow:
    """An order as a list shows it."""

    id: UUID
    number: str
    status: OrderStatus
    park_id: UUID
    park_name: str
    titles: tuple[str, ...]
    gross_fen: int
    subsidy_fen: int
    payable_fen: int
    back: Payers
    """What of these went back."""
    fees_fen: int
    """What the park pays beside them for its bookings."""
    placed_at: datetime

    @property
    def settled(self) -> Payers:
        """Return what is left of the ordered amounts."""
        return Payers(self.gross_fen, self.subsidy_fen, self.payable_fen) - self.back
