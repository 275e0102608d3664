"""What an invoice looks like to those who may see it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from billing.store.invoice_queries import LineRow
from billing.store.invoices import Invoice
from billing.store.usage import RatedUsage
from billing.usecases.upcoming import Upcoming
from tenants.kernel.errors import NotFound
from tenants.kernel.messages import msg
from tenants.rules.organisations import payment_reference


@dataclass(frozen=True)
class InvoiceRow:
    """An invoice as a list shows it. ``vat_fen`` is contained in ``gross_fen`` less ``discount_fen``, the invoice's own."""

    id: UUID
    number: str
    park_id: UUID
    park_name: str
    period: str
    status: str
    gross_fen: int
    subsidy_fen: int
    discount_fen: int
    payable_fen: int
    vat_fen: int
    paid_fen: int
    due_on: date | None
    finalized_at: datetime | None
    payment_reference: str

    @property
    def open_fen(self) -> int:
        """Return what is still to be paid."""
        return self.payable_fen - self.paid_fen


@dataclass(frozen=True)
class InvoiceLineView:
    """One delivered service. ``period`` differs from the invoice's for late usage; ``paid`` says the wallet paid it.

    ``included`` units cost nothing and would have cost ``included_fen``: by the plan, or as the line ``repeats`` a delivery; ``agreed_discount_fen`` came off the price before
    the subsidy, ``discount_fen`` is the line's part of the whole invoice's discount.
    """

    line: int
    offering: str
    title: str
    quantity: Decimal
    gross_fen: int
    subsidy_fen: int
    payable_fen: int
    included: int
    included_fen: int
    agreed_discount_fen: int
    discount_fen: int
    vat_bp: int
    vat_fen: int
    awards: tuple[Mapping[str, Any], ...]
    period: str
    paid: bool
    rated_usage_id: UUID
    event_source: str
    event_id: str
    used_at: datetime
    repeats: UUID | None = None

    @property
    def repeated_fen(self) -> int:
        """Return what the line would have cost if it did not repeat a delivery."""
        return 0 if self.repeats is None else self.included_fen

    @property
    def list_fen(self) -> int:
        """Return the list price: what it would have cost without included units and the discount agreed before."""
        return self.gross_fen + self.included_fen + self.agreed_discount_fen


@dataclass(frozen=True)
class InvoiceView(InvoiceRow):
    """An invoice with its lines. Somebody may have asked for it to be voided; a void one says who did it and why."""

    void_reason: str | None
    void_asked_by: UUID | None
    void_asked_at: datetime | None
    voided_at: datetime | None
    discount_id: UUID | None
    lines: tuple[InvoiceLineView, ...]

    @property
    def list_fen(self) -> int:
        """Return the sum of the lines' list prices."""
        return sum(line.list_fen for line in self.lines)

    @property
    def included_fen(self) -> int:
        """Return what the included units would have cost."""
        return sum(line.included_fen for line in self.lines)

    @property
    def repeated_fen(self) -> int:
        """Return what of it is of deliveries that were repeated."""
        return sum(line.repeated_fen for line in self.lines)

    @property
    def agreed_discount_fen(self) -> int:
        """Return what discounts took off prices before any subsidy."""
        return sum(line.agreed_discount_fen for line in self.lines)


def invoice_not_found() -> NotFound:
    """Return the refusal for an invoice that is not there, or not the caller's."""
    return NotFound("invoice.not_found", msg("没有找到该账单。请核对账单编号。"))


def row_fields(invoice: Invoice, park_name: str) -> dict[str, Any]:
    """Return the fields that a list and a page share."""
    return {
        "id": invoice.id,
        "number": invoice.number or "",
        "park_id": invoice.tenant_id,
        "park_name": park_name,
        "period": invoice.period,
        "status": invoice.status,
        "gross_fen": invoice.gross_fen,
        "subsidy_fen": invoice.subsidy_fen,
        "discount_fen": invoice.discount_fen,
        "payable_fen": invoice.payable_fen,
        "vat_fen": invoice.vat_fen,
        "paid_fen": invoice.paid_fen,
        "due_on": invoice.due_on,
        "finalized_at": invoice.finalized_at,
        "payment_reference": payment_reference(invoice.tenant_id),
    }


def invoice_view(invoice: Invoice, park_name: str, lines: Iterable[LineRow]) -> InvoiceView:
    """Return a stored invoice with its lines."""
    return InvoiceView(
        **row_fields(invoice, park_name),
        void_reason=invoice.void_reason,
        void_asked_by=invoice.void_asked_by,
        void_asked_at=invoice.void_asked_at,
        voided_at=invoice.voided_at,
        discount_id=invoice.discount_id,
        lines=tuple(line_view(row) for row in lines),
    )


def draft_line(
    place: int, usage: RatedUsage, vat_fen: int, discount_fen: int, used_at: datetime
) -> InvoiceLineView:  # fmt: skip
    """Return a line that is on no invoice yet."""
    return InvoiceLineView(
        line=place,
        offering=usage.offering,
        title=usage.title,
        quantity=usage.quantity,
        gross_fen=usage.gross_fen,
        subsidy_fen=usage.subsidy_fen,
        payable_fen=usage.payable_fen - discount_fen,
        included=usage.included,
        included_fen=usage.discount_fen,
        agreed_discount_fen=usage.agreed_discount_fen,
        discount_fen=discount_fen,
        vat_bp=usage.vat_bp,
        vat_fen=vat_fen,
        awards=tuple(usage.awards),
        period=usage.period,
        paid=usage.payment_method == "wallet",
        rated_usage_id=usage.id,
        event_source=usage.event_source,
        event_id=usage.event_id,
        used_at=used_at,
        repeats=usage.repeats,
    )


def upcoming_line(place: int, upcoming: Upcoming, vat_fen: int, discount_fen: int) -> InvoiceLineView:
    """Return a line that charging would make: it has no event yet."""
    pending = upcoming.pending
    return InvoiceLineView(
        line=place,
        offering=upcoming.offering,
        title=upcoming.title,
        quantity=upcoming.quantity,
        gross_fen=pending.gross_fen,
        subsidy_fen=pending.subsidy_fen,
        payable_fen=pending.payable_fen - discount_fen,
        included=0,
        included_fen=0,
        agreed_discount_fen=0,
        discount_fen=discount_fen,
        vat_bp=pending.vat_bp,
        vat_fen=vat_fen,
        awards=(),
        period=upcoming.period,
        paid=False,
        rated_usage_id=pending.id,
        event_source="",
        event_id="",
        used_at=upcoming.used_at,
    )


def line_view(row: LineRow) -> InvoiceLineView:
    """Return a line."""
    return InvoiceLineView(
        line=row.line.line,
        offering=row.line.offering,
        title=row.line.title,
        quantity=row.line.quantity,
        gross_fen=row.line.gross_fen,
        subsidy_fen=row.line.subsidy_fen,
        payable_fen=row.line.payable_fen,
        included=row.included,
        included_fen=row.included_fen,
        agreed_discount_fen=row.agreed_discount_fen,
        discount_fen=row.line.discount_fen,
        vat_bp=row.line.vat_bp,
        vat_fen=row.line.vat_fen,
        awards=tuple(row.line.awards),
        period=row.period,
        paid=row.payment_method == "wallet",
        rated_usage_id=row.line.rated_usage_id,
        event_source=row.event_source,
        event_id=row.event_id,
        used_at=row.used_at,
        repeats=row.repeats,
    )
