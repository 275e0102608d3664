"""What became of events: which meters count them, what corrects them, what was charged for them, and what was refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import aliased

from billing.formats.fields import parse_number
from billing.rules import meters
from billing.rules.invoices import Closed
from billing.rules.periods import month_name
from billing.store import trace_queries, usage
from billing.store.lateness import closed_of
from billing.store.settlements import meter_of
from billing.store.usage import EventCorrection, RatedUsage, RejectedEvent, UsageEvent
from billing.usecases.metered_events import MeteredEvent, MeteredFate, metered_fates
from tenants.kernel.database import AnyRow
from tenants.kernel.errors import NotFound
from tenants.kernel.messages import Message, from_stored, msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work

SHOWN = 100


class EventBilling(StrEnum):
    """What becomes of an event on an invoice."""

    BILLED = "billed"
    """It stands on an invoice."""
    NEXT_INVOICE = "next_invoice"
    """It is charged, or a meter with a price counts it: it comes with the next invoice of its park, as (or in) a line that
    names its month."""
    NOT_BILLED = "not_billed"
    """It is counted at most: nothing is charged for it."""


@dataclass(frozen=True)
class EventView:
    """An event and what became of it. ``meters`` are those that count it; none for one that is corrected or void.

    ``late`` is one that came after the days of grace of its month ``period``, or after the invoice that would have held it.
    """

    park_id: UUID
    source: str
    id: str
    type: str
    subject: str
    time: datetime
    received_at: datetime
    data: dict[str, Any]
    corrects: tuple[str, str] | None
    corrected_by: tuple[str, str] | None
    is_void: bool
    meters: tuple[str, ...]
    rated_usage_id: UUID | None
    order_line_id: UUID | None
    period: str
    late: bool
    billing: EventBilling
    invoice_id: UUID | None
    invoice_number: str | None
    invoice_line: int | None


@dataclass(frozen=True)
class RejectedView:
    """An event that was refused while the rest of its batch was kept; ``reason`` is what its sender was told."""

    park_id: UUID
    received_at: datetime
    source: str
    id: str
    field: str
    code: str
    reason: Message


def read_event(work: Work, *, source: str, event_id: str, park_id: UUID | None = None) -> EventView:
    """Return an event of the acting park or, for staff, of ``park_id``. Raises NotFound."""
    work.actor.require(Permission.READ_USAGE)
    query = _query().where(UsageEvent.source == source, UsageEvent.event_id == event_id)
    whose = work.actor.tenant_id or park_id
    if whose is not None:
        query = query.where(UsageEvent.tenant_id == whose)
    row = work.session.execute(query.order_by(UsageEvent.tenant_id).limit(1)).one_or_none()
    if row is None:
        raise NotFound("event.not_found", msg("没有找到事件 {id}。请核对来源和编号。", id=event_id))
    slugs = _counting(row, known_meters(work))
    fate = None
    if row.rated_usage_id is not None:
        fate = MeteredFate(trace_queries.place_of(work.session, row.tenant_id, row.rated_usage_id))
    else:
        event = MeteredEvent((row.source, row.event_id), row.time, slugs)
        fate = metered_fates(work, park_id=row.tenant_id, events=[event]).get(event.name)
    return _view(row, slugs, closed_of(work.session, row.tenant_id), fate)


def list_rejected(work: Work, *, limit: int = SHOWN) -> tuple[RejectedView, ...]:
    """Return what was refused last, newest first, of the acting park or, for staff, of all."""
    work.actor.require(Permission.READ_USAGE)
    query = select(RejectedEvent).order_by(RejectedEvent.received_at.desc(), RejectedEvent.id.desc())
    if work.actor.tenant_id is not None:
        query = query.where(RejectedEvent.tenant_id == work.actor.tenant_id)
    return tuple(
        RejectedView(
            park_id=row.tenant_id,
            received_at=row.received_at,
            source=row.source,
            id=row.event_id,
            field=row.field,
            code=row.code,
            reason=from_stored(row.reason, row.reason_values or {}),
        )
        for row in work.session.execute(query.limit(min(limit, SHOWN))).scalars()
    )


def _query() -> Select[Any]:
    own, other = aliased(EventCorrection), aliased(EventCorrection)
    return (
        select(
            UsageEvent.tenant_id, UsageEvent.source, UsageEvent.event_id, UsageEvent.type, UsageEvent.subject,
            UsageEvent.time, UsageEvent.received_at, UsageEvent.data,
            own.corrected_source, own.corrected_id, own.void,
            other.source.label("by_source"), other.event_id.label("by_id"),
            RatedUsage.id.label("rated_usage_id"), RatedUsage.order_line_id,
        )
        .outerjoin(
            own,
            (own.tenant_id == UsageEvent.tenant_id)
            & (own.source == UsageEvent.source)
            & (own.event_id == UsageEvent.event_id),
        )
        .outerjoin(
            other,
            (other.tenant_id == UsageEvent.tenant_id)
            & (other.corrected_source == UsageEvent.source)
            & (other.corrected_id == UsageEvent.event_id),
        )
        .outerjoin(
            RatedUsage,
            (RatedUsage.tenant_id == UsageEvent.tenant_id)
            & (RatedUsage.event_source == UsageEvent.source)
            & (RatedUsage.event_id == UsageEvent.event_id),
        )
    )  # fmt: skip


def known_meters(work: Work) -> list[meters.Meter]:
    """Return all meters as the rules know them, by slug; those that were laid down still count."""
    work.actor.require(Permission.READ_USAGE)
    rows = work.session.execute(select(usage.Meter).order_by(usage.Meter.slug)).scalars()
    return [meter_of(row) for row in rows]


def counting(known: Sequence[meters.Meter], event: meters.UsageEvent) -> tuple[str, ...]:
    """Return the slugs of those meters that count an event which is neither corrected nor void."""
    return tuple(
        meter.slug
        for meter in known
        if meters.counts(meter, event) and meters.read_event(meter, event, parse_number) is not None
    )


def billing_of(*, charged: bool, invoiced: bool) -> EventBilling:
    """Return what becomes of an event that is charged by itself or by a meter, and whose line stands on an invoice."""
    if invoiced:
        return EventBilling.BILLED
    return EventBilling.NEXT_INVOICE if charged else EventBilling.NOT_BILLED


def _counting(row: AnyRow, known: Sequence[meters.Meter]) -> tuple[str, ...]:
    if row.by_id is not None or row.void:
        return ()
    return counting(known, meters.UsageEvent(row.event_id, row.source, row.type, row.subject, row.time, row.data))


def _view(row: AnyRow, slugs: tuple[str, ...], closed: Closed, fate: MeteredFate | None) -> EventView:
    place = None if fate is None else fate.place
    return EventView(
        park_id=row.tenant_id,
        source=row.source,
        id=row.event_id,
        type=row.type,
        subject=row.subject,
        time=row.time,
        received_at=row.received_at,
        data=row.data,
        corrects=None if row.corrected_id is None else (row.corrected_source, row.corrected_id),
        corrected_by=None if row.by_id is None else (row.by_source, row.by_id),
        is_void=bool(row.void),
        meters=slugs,
        rated_usage_id=row.rated_usage_id,
        order_line_id=row.order_line_id,
        period=month_name(row.time),
        late=closed.is_late(row.time, row.received_at, None if place is None else place.period),
        billing=billing_of(charged=fate is not None, invoiced=place is not None),
        invoice_id=None if place is None else place.invoice_id,
        invoice_number=None if place is None else place.number,
        invoice_line=None if place is None else place.line,
    )
