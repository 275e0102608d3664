"""Adjustments (补收): what a finalised invoice billed too little for a line, charged on the next one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, CheckConstraint, ForeignKeyConstraint, Index, Integer, String, insert, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from billing.store.invoices import Invoice, InvoiceLine
from billing.store.usage import RatedUsage
from tenants.kernel.database import Base, Code, Fen, TenantOwned, one_of

ADJUSTMENT = "adjustment"
"""What stands for an offering on the usage of an adjustment."""


class Adjustment(TenantOwned, Base):
    """More to be paid for one line of one invoice. Decided once; then it is usage and stands on the next invoice.

    ``amount_fen`` contains VAT at the line's rate. ``by_two`` says that it is above what one person may decide.
    """

    __tablename__ = "invoice_adjustments"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "invoice_id", "invoice_line"],
            ["invoice_lines.tenant_id", "invoice_lines.invoice_id", "invoice_lines.line"],
            name="fk_invoice_adjustments_invoice_line",
        ),
        one_of("status", ("asked", "charged", "refused")),
        CheckConstraint("amount_fen > 0", name="positive"),
        CheckConstraint("(status = 'asked') = (decided_at IS NULL)", name="decided"),
        CheckConstraint("NOT by_two OR status <> 'charged' OR decided_by <> asked_by", name="four_eyes"),
        Index(None, "tenant_id", "invoice_id"),
        Index(None, "asked_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    invoice_id: Mapped[UUID]
    invoice_line: Mapped[int] = mapped_column(Integer)
    amount_fen: Mapped[Fen]
    reason: Mapped[str] = mapped_column(String(500))
    status: Mapped[Code]
    by_two: Mapped[bool] = mapped_column(Boolean)
    asked_by: Mapped[UUID]
    asked_at: Mapped[datetime]
    decided_by: Mapped[UUID | None]
    decided_at: Mapped[datetime | None]


AdjustmentRow = tuple[Adjustment, Invoice, InvoiceLine, str]
"""An adjustment, the invoice and line that it is of, and the month that line was used in."""


def insert_adjustment(session: Session, values: Mapping[str, Any]) -> None:
    """Write an adjustment that was asked for."""
    session.execute(insert(Adjustment).values(values))


def adjusted_line(session: Session, invoice_id: UUID, line: int) -> tuple[Invoice, InvoiceLine, str] | None:
    """Return an invoice with one of its lines, and the month that line was used in."""
    query = (
        select(Invoice, InvoiceLine, RatedUsage.period)
        .join(InvoiceLine, (InvoiceLine.tenant_id == Invoice.tenant_id) & (InvoiceLine.invoice_id == Invoice.id))
        .join(
            RatedUsage,
            (RatedUsage.tenant_id == InvoiceLine.tenant_id) & (RatedUsage.id == InvoiceLine.rated_usage_id),
        )
        .where(Invoice.id == invoice_id, InvoiceLine.line == line)
    )
    found = session.execute(query.execution_options(populate_existing=True)).one_or_none()
    return None if found is None else (found[0], found[1], found[2])


def lock_adjustment(session: Session, adjustment_id: UUID) -> Adjustment | None:
    """Return an adjustment, under lock until the transaction ends."""
    query = select(Adjustment).where(Adjustment.id == adjustment_id).execution_options(populate_existing=True)
    return session.execute(query.with_for_update(key_share=True)).scalar_one_or_none()


def adjustments_page(
    session: Session,
    *,
    adjustment_id: UUID | None = None,
    park_id: UUID | None = None,
    invoice_id: UUID | None = None,
    status: str | None = None,
    before: tuple[datetime, UUID] | None = None,
    limit: int | None = None,
) -> Sequence[AdjustmentRow]:
    """Return adjustments that the transaction may see, newest first."""
    query = (
        select(Adjustment, Invoice, InvoiceLine, RatedUsage.period)
        .join(Invoice, (Invoice.tenant_id == Adjustment.tenant_id) & (Invoice.id == Adjustment.invoice_id))
        .join(
            InvoiceLine,
            (InvoiceLine.tenant_id == Adjustment.tenant_id)
            & (InvoiceLine.invoice_id == Adjustment.invoice_id)
            & (InvoiceLine.line == Adjustment.invoice_line),
        )
        .join(
            RatedUsage,
            (RatedUsage.tenant_id == InvoiceLine.tenant_id) & (RatedUsage.id == InvoiceLine.rated_usage_id),
        )
        .order_by(Adjustment.asked_at.desc(), Adjustment.id.desc())
        .limit(limit)
    )
    wanted = (
        (Adjustment.id, adjustment_id),
        (Adjustment.tenant_id, park_id),
        (Adjustment.invoice_id, invoice_id),
        (Adjustment.status, status),
    )
    for column, value in wanted:
        if value is not None:
            query = query.where(column == value)
    if before is not None:
        at, last_id = before
        query = query.where((Adjustment.asked_at < at) | ((Adjustment.asked_at == at) & (Adjustment.id < last_id)))
    return [(row[0], row[1], row[2], row[3]) for row in session.execute(query)]


def places_of(session: Session, adjustment_ids: Sequence[UUID]) -> dict[UUID, tuple[UUID, str, int]]:
    """Return the invoice lines that charged adjustments stand on: invoice, its number, line; none where not invoiced."""
    query = (
        select(RatedUsage.order_line_id, Invoice.id, Invoice.number, InvoiceLine.line)
        .join(
            InvoiceLine,
            (InvoiceLine.tenant_id == RatedUsage.tenant_id) & (InvoiceLine.rated_usage_id == RatedUsage.id),
        )
        .join(Invoice, (Invoice.tenant_id == InvoiceLine.tenant_id) & (Invoice.id == InvoiceLine.invoice_id))
        .where(RatedUsage.order_line_id.in_(adjustment_ids), ~InvoiceLine.voided)
    )
    return {row[0]: (row[1], row[2] or "", row[3]) for row in session.execute(query)}


def amounts_of_month(session: Session, period: str) -> dict[UUID, int]:
    """Return, by rated usage, what the month's adjustments were decided to be."""
    query = (
        select(RatedUsage.id, Adjustment.amount_fen)
        .join(
            Adjustment,
            (Adjustment.tenant_id == RatedUsage.tenant_id) & (Adjustment.id == RatedUsage.order_line_id),
        )
        .where(RatedUsage.period == period, RatedUsage.offering == ADJUSTMENT)
    )
    return {row[0]: row[1] for row in session.execute(query)}
