"""From an invoice line to the event it was made from, and back: one indexed read each way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.store.funds import Hold
from billing.store.invoices import Invoice, InvoiceLine
from billing.store.ledger import Journal
from billing.store.usage import Meter, RatedUsage, UsageEvent


@dataclass(frozen=True)
class LinePlace:
    """The invoice line that a delivery stands on."""

    invoice_id: UUID
    number: str | None
    period: str
    status: str
    line: int
    vat_fen: int


def usage_of_invoice_line(session: Session, invoice_id: UUID, line: int) -> tuple[InvoiceLine, RatedUsage] | None:
    """Return an invoice line and the delivery it bills, if the transaction may see it."""
    query = (
        select(InvoiceLine, RatedUsage)
        .join(
            RatedUsage,
            (RatedUsage.tenant_id == InvoiceLine.tenant_id) & (RatedUsage.id == InvoiceLine.rated_usage_id),
        )
        .where(InvoiceLine.invoice_id == invoice_id, InvoiceLine.line == line)
    )
    found = session.execute(query).one_or_none()
    return None if found is None else (found[0], found[1])


def events_named(session: Session, source: str, event_id: str, tenant_id: UUID | None) -> Sequence[UsageEvent]:
    """Return the events of that name, of one park or of all that the transaction may see (at most two of them)."""
    query = select(UsageEvent).where(UsageEvent.source == source, UsageEvent.event_id == event_id)
    if tenant_id is not None:
        query = query.where(UsageEvent.tenant_id == tenant_id)
    return session.execute(query.order_by(UsageEvent.tenant_id).limit(2)).scalars().all()


def usage_of_event(session: Session, event: UsageEvent) -> RatedUsage | None:
    """Return what an event was charged, if it was."""
    query = select(RatedUsage).where(
        RatedUsage.tenant_id == event.tenant_id,
        RatedUsage.event_source == event.source,
        RatedUsage.event_id == event.event_id,
    )
    return session.execute(query).scalar_one_or_none()


def usage_of_order_line(session: Session, tenant_id: UUID, order_line_id: UUID) -> RatedUsage | None:
    """Return what stands for an order line, or for a charge that is no order's, if it was charged."""
    query = select(RatedUsage).where(RatedUsage.tenant_id == tenant_id, RatedUsage.order_line_id == order_line_id)
    return session.execute(query).scalar_one_or_none()


def event_of_usage(session: Session, usage: RatedUsage) -> UsageEvent:
    """Return the event that a delivery was charged from."""
    query = select(UsageEvent).where(
        UsageEvent.tenant_id == usage.tenant_id,
        UsageEvent.source == usage.event_source,
        UsageEvent.event_id == usage.event_id,
    )
    return session.execute(query).scalar_one()


def place_of_usage(session: Session, usage: RatedUsage) -> LinePlace | None:
    """Return the line that a delivery stands on, None while it is on no invoice."""
    return place_of(session, usage.tenant_id, usage.id)


def place_of(session: Session, tenant_id: UUID, usage_id: UUID) -> LinePlace | None:
    """Return the line that a park's rated usage stands on, None while it is on no invoice."""
    query = (
        select(Invoice.id, Invoice.number, Invoice.period, Invoice.status, InvoiceLine.line, InvoiceLine.vat_fen)
        .join(InvoiceLine, (InvoiceLine.tenant_id == Invoice.tenant_id) & (InvoiceLine.invoice_id == Invoice.id))
        .where(
            InvoiceLine.tenant_id == tenant_id,
            InvoiceLine.rated_usage_id == usage_id,
            ~InvoiceLine.voided,
        )
    )
    found = session.execute(query).one_or_none()
    return None if found is None else LinePlace(*found)


def meters_of_type(session: Session, event_type: str) -> Sequence[str]:
    """Return the names of the meters that read events of a type."""
    return (
        session.execute(select(Meter.slug).where(Meter.event_type == event_type).order_by(Meter.slug)).scalars().all()
    )


def holds_of_usage(session: Session, usage: RatedUsage) -> Sequence[Hold]:
    """Return the holds that paid a part of a delivery, or promise to."""
    query = select(Hold).where(Hold.tenant_id == usage.tenant_id, Hold.order_line_id == usage.order_line_id)
    return session.execute(query.order_by(Hold.id)).scalars().all()


def journals_of_usage(session: Session, usage: RatedUsage) -> Sequence[Journal]:
    """Return the journals that booked a delivery."""
    query = select(Journal).where(
        Journal.source_kind.in_(("delivery", "wallet_capture")), Journal.source_id == str(usage.order_line_id)
    )
    return session.execute(query.order_by(Journal.occurred_at, Journal.id)).scalars().all()


@dataclass(frozen=True)
class ChargedRow:
    """A delivery that was charged, with its line where it has one."""

    usage: RatedUsage
    used_at: datetime
    invoice_id: UUID | None
    number: str | None
    line: int | None


def charged_page(
    session: Session, *, tenant_id: UUID | None, before: tuple[datetime, UUID] | None, limit: int
) -> Sequence[ChargedRow]:
    """Return charged deliveries, newest first."""
    standing = (
        select(Invoice.tenant_id, Invoice.id, Invoice.number, InvoiceLine.line, InvoiceLine.rated_usage_id)
        .join(InvoiceLine, (InvoiceLine.tenant_id == Invoice.tenant_id) & (InvoiceLine.invoice_id == Invoice.id))
        .where(~InvoiceLine.voided)
        .subquery()
    )
    query = (
        select(RatedUsage, UsageEvent.time, standing.c.id, standing.c.number, standing.c.line)
        .join(
            UsageEvent,
            (UsageEvent.tenant_id == RatedUsage.tenant_id)
            & (UsageEvent.source == RatedUsage.event_source)
            & (UsageEvent.event_id == RatedUsage.event_id),
        )
        .outerjoin(
            standing,
            (standing.c.tenant_id == RatedUsage.tenant_id) & (standing.c.rated_usage_id == RatedUsage.id),
        )
        .order_by(RatedUsage.rated_at.desc(), RatedUsage.id.desc())
        .limit(limit)
    )
    if tenant_id is not None:
        query = query.where(RatedUsage.tenant_id == tenant_id)
    if before is not None:
        at, usage_id = before
        query = query.where((RatedUsage.rated_at < at) | ((RatedUsage.rated_at == at) & (RatedUsage.id < usage_id)))
    return [ChargedRow(*row) for row in session.execute(query)]
