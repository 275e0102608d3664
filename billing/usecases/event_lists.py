"""Events in lists: what came in for a park and what became of each, and what the meters wait for or miss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from billing.rules import meters
from billing.rules.invoices import Closed
from billing.rules.periods import DEFAULT_ZONE, Period, start_of_day
from billing.store.event_queries import (
    EventRow,
    EventWanted,
    TypeRow,
    events_page,
    last_received,
    unmetered_types,
)
from billing.store.lateness import closed_of
from billing.usecases.event_views import EventBilling, billing_of, counting, known_meters
from billing.usecases.usage import MeterView, list_meters
from tenants.kernel.paging import Page, check_limit, decode_cursor, page_of
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work

MOST_TYPES = 100
"""Types without a meter that are listed: whoever sends events names their type."""


@dataclass(frozen=True)
class ListedEvent:
    """An event that came in, and how far it went: ``meters`` count it, ``corrected_by`` stands in its place, ``late``
    came after its month was closed.
    """

    row: EventRow
    meters: tuple[str, ...]
    late: bool

    @property
    def billing(self) -> EventBilling:
        """Return what becomes of it on an invoice."""
        return billing_of(charged=self.row.gross_fen is not None, invoiced=self.row.invoice_id is not None)

    @property
    def corrects(self) -> tuple[str, str] | None:
        """Return the source and id of the event that this one corrects."""
        row = self.row
        return (
            None
            if row.corrected_source is None or row.corrected_id is None
            else (row.corrected_source, row.corrected_id)
        )

    @property
    def corrected_by(self) -> tuple[str, str] | None:
        """Return the source and id of the event that corrects this one."""
        row = self.row
        return None if row.by_source is None or row.by_id is None else (row.by_source, row.by_id)


@dataclass(frozen=True)
class MeterInUse:
    """A meter, and when an event of its type was received last."""

    meter: MeterView
    last_received_at: datetime | None


@dataclass(frozen=True)
class MeterOverview:
    """The meters in use, and types of events that none of them counts."""

    meters: tuple[MeterInUse, ...]
    unmetered: tuple[TypeRow, ...]


def list_events(
    work: Work, *, event_type: str | None = None, day: date | None = None, limit: int = 50, cursor: str | None = None
) -> Page[ListedEvent]:
    """Return the acting park's events, last received first: of one type, or received on one day in Shanghai."""
    work.actor.require(Permission.READ_USAGE)
    wanted = EventWanted(work.actor.require_tenant(), event_type, None if day is None else _day(day))
    rows = events_page(work.session, wanted, decode_cursor(cursor), check_limit(limit) + 1)
    known, closed = known_meters(work), closed_of(work.session, wanted.park_id)
    return page_of(rows, limit, lambda row: _listed(row, known, closed), lambda row: (row.received_at, row.place))


def overview(work: Work) -> MeterOverview:
    """Return the meters in use and what they miss."""
    work.actor.require(Permission.RUN_PLATFORM)
    found = list_meters(work)
    received = last_received(work.session, sorted({each.event_type for each in found}))
    return MeterOverview(
        meters=tuple(MeterInUse(each, received.get(each.event_type)) for each in found),
        unmetered=tuple(unmetered_types(work.session, MOST_TYPES)),
    )


def _day(day: date) -> Period:
    return Period(start_of_day(day, DEFAULT_ZONE), start_of_day(day + timedelta(days=1), DEFAULT_ZONE))


def _listed(row: EventRow, known: Sequence[meters.Meter], closed: Closed) -> ListedEvent:
    counts = row.by_id is None and not row.void
    event = meters.UsageEvent(row.id, row.source, row.type, row.subject, row.time, row.data)
    return ListedEvent(
        row, counting(known, event) if counts else (), closed.is_late(row.time, row.received_at, row.invoice_period)
    )
