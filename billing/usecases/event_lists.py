"""Events in lists: what came in for a park and what became of each, and what the meters wait for or miss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

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
from billing.store.metered_events import EventName
from billing.usecases.event_views import EventBilling, billing_of, counting, known_meters
from billing.usecases.metered_events import MeteredEvent, MeteredFate, metered_fates
from billing.usecases.usage import MeterView, list_meters
from tenants.kernel.paging import Page, check_limit, decode_cursor, page_of
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work

MOST_TYPES = 100
"""Types without a meter that are listed: whoever sends events names their type."""


@dataclass(frozen=True)
class Stand:
    """A line of an invoice."""

    invoice_id: UUID
    number: str | None
    line: int


@dataclass(frozen=True)
class ListedEvent:
    """An event that came in, and how far it went: ``meters`` count it, ``corrected_by`` stands in its place, ``late``
    came after its month was closed; ``metered`` tells how metered use bills it, where no delivery did.
    """

    row: EventRow
    meters: tuple[str, ...]
    late: bool
    metered: MeteredFate | None = None

    @property
    def billing(self) -> EventBilling:
        """Return what becomes of it on an invoice."""
        charged = self.row.gross_fen is not None or self.metered is not None
        return billing_of(charged=charged, invoiced=self.invoice is not None)

    @property
    def invoice(self) -> Stand | None:
        """Return the invoice line that it is billed by, None while there is none."""
        row, place = self.row, None if self.metered is None else self.metered.place
        if place is not None:
            return Stand(place.invoice_id, place.number, place.line)
        if row.invoice_id is None or row.invoice_line is None:
            return None
        return Stand(row.invoice_id, row.invoice_number, row.invoice_line)

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
    asked = [
        MeteredEvent((row.source, row.id), row.time, _counting(row, known)) for row in rows if row.gross_fen is None
    ]  # fmt: skip
    fates = metered_fates(work, park_id=wanted.park_id, events=asked)
    return page_of(
        rows, limit, lambda row: _listed(row, known, closed, fates), lambda row: (row.received_at, row.place)
    )  # fmt: skip


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


def _counting(row: EventRow, known: Sequence[meters.Meter]) -> tuple[str, ...]:
    if row.by_id is not None or row.void:
        return ()
    return counting(known, meters.UsageEvent(row.id, row.source, row.type, row.subject, row.time, row.data))


def _listed(
    row: EventRow, known: Sequence[meters.Meter], closed: Closed, fates: Mapping[EventName, MeteredFate]
) -> ListedEvent:  # fmt: skip
    fate = fates.get((row.source, row.id))
    billed_for = row.invoice_period if fate is None or fate.place is None else fate.place.period
    late = closed.is_late(row.time, row.received_at, billed_for)
    return ListedEvent(row, _counting(row, known), late, fate)
