"""Tracing an invoice line to the order and the files that were delivered, and an event to its line."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from billing.usecases import traces
from billing.usecases.traces import Trace
from marketplace.store.order_queries import line_with_order
from services.usecases import artefacts
from services.usecases.artefacts import ArtefactView
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.usecases import onboarding


@dataclass(frozen=True)
class DeliveryView:
    """The order line that was charged: where it stands, the job that delivered it and its files."""

    order_id: UUID
    order_number: str
    quote_id: UUID
    run_id: UUID | None
    booking_id: UUID | None
    site_month_id: UUID | None
    sample_batch_id: UUID | None
    result_sha256: str | None
    artefacts: tuple[ArtefactView, ...]


@dataclass(frozen=True)
class FullTrace:
    """A trace with the park's name and the delivery behind it; None where the line is no order's."""

    park_name: str
    trace: Trace
    delivery: DeliveryView | None


def trace_invoice_line(work: Work, *, invoice_id: UUID, line: int) -> FullTrace:
    """Return all that an invoice line was made from; NotFound for another park's."""
    work.actor.require(Permission.READ_INVOICE)
    return _with_delivery(work, traces.trace_invoice_line(work, invoice_id=invoice_id, line=line))


def trace_event(work: Work, *, source: str, event_id: str, park_id: UUID | None = None) -> FullTrace:
    """Return all that an event has led to; NotFound for another park's."""
    work.actor.require(Permission.READ_USAGE)
    return _with_delivery(work, traces.trace_event(work, source=source, event_id=event_id, park_id=park_id))


def _with_delivery(work: Work, trace: Trace) -> FullTrace:
    name = onboarding.park_names(work, park_ids={trace.park_id}).get(trace.park_id, "")
    found = None if trace.charge is None else line_with_order(work.session, trace.charge.order_line_id)
    if found is None:
        return FullTrace(name, trace, None)
    line, order = found
    source = line.run_id or line.booking_id or line.site_month_id or line.sample_batch_id
    return FullTrace(
        park_name=name,
        trace=trace,
        delivery=DeliveryView(
            order_id=order.id,
            order_number=order.number,
            quote_id=order.quote_id,
            run_id=line.run_id,
            booking_id=line.booking_id,
            site_month_id=line.site_month_id,
            sample_batch_id=line.sample_batch_id,
            result_sha256=line.result_sha256,
            artefacts=tuple(artefacts.list_artefacts(work, source_id=source)) if source else (),
        ),
    )
