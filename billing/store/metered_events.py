"""Which charges of metered use counted some events, and the invoice lines that these stand on."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from billing.rules.meters import Meter
from billing.store import usage
from billing.store.invoices import Invoice, InvoiceLine
from billing.store.meter_readings import readings
from billing.store.metered import MeteredUsage
from billing.store.settlements import meter_of
from billing.store.trace_queries import LinePlace
from billing.store.usage import RatedUsage, UsageEvent

EventName = tuple[str, str]
"""Source and id."""


@dataclass(frozen=True)
class CountedIn:
    """A charge that counted an event: its rated usage (None: it costs nothing), and its invoice line, if it has one."""

    event: EventName
    usage_id: UUID | None
    place: LinePlace | None


def charges_counting(
    session: Session, park_id: UUID, names: Collection[EventName], first: datetime, last: datetime
) -> Iterator[CountedIn]:
    """Yield the charges whose snapshot saw some events of a park, which happened between two moments; in their order."""
    for meter in _charged(session, park_id, first, last):
        counted = readings(
            meter,
            UsageEvent.tenant_id == park_id,
            tuple_(UsageEvent.source, UsageEvent.event_id).in_(sorted(names)),
            MeteredUsage.tenant_id == UsageEvent.tenant_id,
            MeteredUsage.meter == meter.slug,
            MeteredUsage.span_from <= UsageEvent.time,
            MeteredUsage.span_to > UsageEvent.time,
            as_of=MeteredUsage.snapshot,
        ).with_only_columns(UsageEvent.source, UsageEvent.event_id, MeteredUsage.id, MeteredUsage.number)
        found = counted.subquery()
        query = (
            select(
                found.c.source, found.c.event_id, RatedUsage.id,
                Invoice.id, Invoice.number, Invoice.period, Invoice.status, InvoiceLine.line, InvoiceLine.vat_fen,
            )
            .select_from(found)
            .outerjoin(
                RatedUsage, (RatedUsage.tenant_id == park_id) & (RatedUsage.order_line_id == found.c.id)
            )
            .outerjoin(
                InvoiceLine,
                (InvoiceLine.tenant_id == park_id)
                & (InvoiceLine.rated_usage_id == RatedUsage.id)
                & ~InvoiceLine.voided,
            )
            .outerjoin(Invoice, (Invoice.tenant_id == park_id) & (Invoice.id == InvoiceLine.invoice_id))
            .order_by(found.c.number)
        )  # fmt: skip
        for source, event_id, usage_id, *place in session.execute(query):
            yield CountedIn((source, event_id), usage_id, None if place[0] is None else LinePlace(*place))


def _charged(session: Session, park_id: UUID, first: datetime, last: datetime) -> list[Meter]:
    """Return the meters by which a park was charged for some time between two moments."""
    charged = select(MeteredUsage.meter).where(
        MeteredUsage.tenant_id == park_id, MeteredUsage.span_from <= last, MeteredUsage.span_to > first
    )
    rows = session.execute(select(usage.Meter).where(usage.Meter.slug.in_(charged)).order_by(usage.Meter.slug))
    return [meter_of(row) for row in rows.scalars()]
