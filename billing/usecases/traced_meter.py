"""The part of a trace that metered use has: from a line to what the meter counted, and from a reading to its line."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from billing.rules.periods import Period
from billing.store import metered_queries, trace_queries
from billing.store.meter_parks import counted_events, is_counted
from billing.store.metered import METERED
from billing.store.usage import RatedUsage, UsageEvent
from billing.usecases.arrears_charging import SOURCE
from tenants.kernel.work import Work


@dataclass(frozen=True)
class TracedMeter:
    """What a line of metered use was charged from.

    The ``meter`` counted ``quantity`` in ``events`` events from ``span_from`` until just before ``span_to``, in the
    snapshot of the database that ``snapshot`` names, taken at ``taken_at``. ``already_units`` and ``already_fen`` were
    charged before by the same price for the same time; ``lowered_fen`` was asked back since.
    """

    meter: str
    span_from: datetime
    span_to: datetime
    snapshot: str
    taken_at: datetime
    events: int
    quantity: Decimal
    already_units: Decimal
    already_fen: int
    charged_fen: int
    lowered_fen: int


@dataclass(frozen=True)
class TracedCount:
    """A charge that counted an event: whose own trace leads on, and the invoice line it stands on, if it does."""

    meter: str
    period: str
    event_source: str
    event_id: str
    invoice_id: UUID | None
    invoice_number: str | None
    invoice_line: int | None


def traced_meter(work: Work, usage: RatedUsage) -> TracedMeter | None:
    """Return what metered use was charged from, None for any other; for use cases that have asked for their permission."""
    if not usage.offering.startswith(METERED):
        return None
    row = metered_queries.metered_row(work.session, usage.tenant_id, usage.order_line_id)
    if row is None:
        return None
    meter = metered_queries.meters_by_slug(work.session, [row.meter])[row.meter]
    during = Period(row.span_from, row.span_to)
    lowered = metered_queries.lowered_after(work.session, row)
    return TracedMeter(
        meter=row.meter,
        span_from=row.span_from,
        span_to=row.span_to,
        snapshot=row.snapshot,
        taken_at=row.taken_at,
        events=counted_events(work.session, meter, during, usage.tenant_id, as_of=row.snapshot),
        quantity=row.quantity,
        already_units=row.already_units,
        already_fen=row.already_fen,
        charged_fen=row.charged_fen,
        lowered_fen=lowered,
    )


def traced_counts(work: Work, event: UsageEvent) -> tuple[TracedCount, ...]:
    """Return the charges of meters that counted an event, by meter; of several of one part of a month the first."""
    rows = metered_queries.rows_counting(work.session, event.tenant_id, event.type, event.time)
    meters = metered_queries.meters_by_slug(work.session, {row.meter for row in rows})
    found: dict[tuple[str, UUID], TracedCount] = {}
    for row in rows:
        key = (row.meter, row.price_id)
        if key in found or not is_counted(work.session, meters[row.meter], event, as_of=row.snapshot):
            continue
        usage = trace_queries.usage_of_order_line(work.session, event.tenant_id, row.id)
        place = None if usage is None else trace_queries.place_of_usage(work.session, usage)
        if usage is not None:
            found[key] = TracedCount(
                meter=row.meter,
                period=row.period,
                event_source=SOURCE,
                event_id=str(row.id),
                invoice_id=None if place is None else place.invoice_id,
                invoice_number=None if place is None else place.number,
                invoice_line=None if place is None else place.line,
            )
    return tuple(found.values())
