"""Lists of events: a park's as they came in with what became of each, and the types that came in at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Select, Text, Uuid, and_, cast, func, literal, select, tuple_
from sqlalchemy.orm import Session, aliased

from billing.rules.periods import Period
from billing.store.invoices import Invoice, InvoiceLine
from billing.store.usage import EventCorrection, Meter, RatedUsage, UsageEvent

Place = tuple[datetime, UUID]


@dataclass(frozen=True)
class EventWanted:
    """Which events of a park: of one type, received within a period; all where these are None."""

    park_id: UUID
    type: str | None = None
    received: Period | None = None


@dataclass(frozen=True)
class EventRow:
    """An event and what refers to it. ``place`` orders it among those that came in at one moment."""

    source: str
    id: str
    type: str
    subject: str
    time: datetime
    received_at: datetime
    data: dict[str, Any]
    place: UUID
    corrected_source: str | None
    corrected_id: str | None
    void: bool | None
    by_source: str | None
    by_id: str | None
    gross_fen: int | None
    payable_fen: int | None
    invoice_id: UUID | None
    invoice_number: str | None
    invoice_line: int | None
    invoice_period: str | None


@dataclass(frozen=True)
class TypeRow:
    """A type of events, and when one of it was received last."""

    type: str
    last_received_at: datetime


def events_page(session: Session, wanted: EventWanted, before: Place | None, limit: int) -> list[EventRow]:
    """Return up to ``limit`` events, last received first; only these are joined to what refers to them."""
    return [EventRow(*row) for row in session.execute(_with_fate(_asked(wanted, before, limit)))]


def last_received(session: Session, types: Sequence[str]) -> dict[str, datetime]:
    """Return when an event of each type came last: one step into the index for each, however many there are."""
    name = func.unnest(literal(list(types), ARRAY(Text))).column_valued("name")
    last = (
        select(UsageEvent.received_at)
        .where(UsageEvent.type == name)
        .order_by(UsageEvent.written_in.desc())
        .limit(1)
        .scalar_subquery()
    )
    return {found: at for found, at in session.execute(select(name, last)) if at is not None}


def unmetered_types(session: Session, limit: int) -> list[TypeRow]:
    """Return types of events that no meter in use counts, by name.

    It leaps from type to type in the index, so it reads as many entries as there are types, not as there are events.
    """
    first = select(func.min(UsageEvent.type).label("type")).cte("types", recursive=True)
    following = select(func.min(UsageEvent.type)).where(UsageEvent.type > first.c.type).scalar_subquery()
    types = first.union_all(select(following).where(first.c.type.is_not(None)))
    metered = select(Meter.event_type).where(Meter.event_type == types.c.type, Meter.archived_at.is_(None)).exists()
    unmetered = select(types.c.type).where(types.c.type.is_not(None), ~metered).limit(limit)
    names = session.execute(unmetered).scalars().all()
    received = last_received(session, names)
    return [TypeRow(name, received[name]) for name in names]


def _place() -> ColumnElement[UUID]:
    """Return an id for a cursor: an event's own name is made of two texts."""
    return cast(func.md5(UsageEvent.source + "\x1f" + UsageEvent.event_id), Uuid)


def _asked(wanted: EventWanted, before: Place | None, limit: int) -> Select[Any]:
    place = _place()
    query = select(
        UsageEvent.tenant_id, UsageEvent.source, UsageEvent.event_id, UsageEvent.type, UsageEvent.subject,
        UsageEvent.time, UsageEvent.received_at, UsageEvent.data, place.label("place"),
    ).where(UsageEvent.tenant_id == wanted.park_id)  # fmt: skip
    if wanted.type is not None:
        query = query.where(UsageEvent.type == wanted.type)
    if wanted.received is not None:
        query = query.where(
            UsageEvent.received_at >= wanted.received.start, UsageEvent.received_at < wanted.received.end
        )
    if before is not None:
        # The first condition says what the second implies: it is the one that the index answers.
        query = query.where(UsageEvent.received_at <= before[0], tuple_(UsageEvent.received_at, place) < before)
    return query.order_by(UsageEvent.received_at.desc(), place.desc()).limit(limit)


def _with_fate(asked: Select[Any]) -> Select[Any]:
    event = asked.subquery("event").c
    own, other = aliased(EventCorrection), aliased(EventCorrection)
    return (
        select(
            event.source, event.event_id, event.type, event.subject, event.time, event.received_at, event.data,
            event.place, own.corrected_source, own.corrected_id, own.void, other.source, other.event_id,
            RatedUsage.gross_fen, RatedUsage.payable_fen, Invoice.id, Invoice.number, InvoiceLine.line,
            Invoice.period,
        )
        .select_from(event.source.table)
        .outerjoin(
            own,
            and_(own.tenant_id == event.tenant_id, own.source == event.source, own.event_id == event.event_id),
        )
        .outerjoin(
            other,
            and_(
                other.tenant_id == event.tenant_id,
                other.corrected_source == event.source,
                other.corrected_id == event.event_id,
            ),
        )
        .outerjoin(
            RatedUsage,
            and_(
                RatedUsage.tenant_id == event.tenant_id,
                RatedUsage.event_source == event.source,
                RatedUsage.event_id == event.event_id,
            ),
        )
        .outerjoin(
            InvoiceLine,
            and_(
                InvoiceLine.tenant_id == RatedUsage.tenant_id,
                InvoiceLine.rated_usage_id == RatedUsage.id,
                ~InvoiceLine.voided,
            ),
        )
        .outerjoin(
            Invoice, and_(Invoice.tenant_id == InvoiceLine.tenant_id, Invoice.id == InvoiceLine.invoice_id)
        )
        .order_by(event.received_at.desc(), event.place.desc())
    )  # fmt: skip
