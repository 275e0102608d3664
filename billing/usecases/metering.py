"""Usage events in, quantities out. Events are added and never changed; a correction is an event of its own.

What is done with the unusual: an event of a type that no meter knows is stored (a meter may be defined later) and
counted as unmetered; a late event is taken however late; one more than an hour ahead of the clock is refused; a
subject is the park's own name for a part of itself (empty: the park), but never another park's id.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select

from billing.formats.events import BadEvent, differences, make_event, read_event
from billing.rules.events import IncomingEvent
from billing.store.event_intake import take_in
from billing.store.usage import Meter
from billing.usecases.usage import MeterAnswer, MeterRow, MeterView, UsageSum, list_meters, list_usage, query_meter
from tenants.kernel.errors import Conflict, FieldError, Invalid, TooLarge
from tenants.kernel.identifiers import parse_id
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work

__all__ = [
    "IngestResult", "MeterAnswer", "MeterRow", "MeterView", "UsageSum", "ingest_events", "list_meters", "list_usage",
    "query_meter", "record_event",
]  # fmt: skip

MOST_EVENTS = 10_000
CLOCK_SKEW = timedelta(hours=1)
UUID_LENGTH = 36
SHOWN_FAULTS = 100


@dataclass(frozen=True)
class IngestResult:
    """What became of a batch: stored, known before (a retry), stored without a meter for their type, refused."""

    accepted: int
    duplicates: int
    unmetered: int
    rejected: tuple[FieldError, ...] = ()


def ingest_events(work: Work, *, events: Sequence[object], partial: bool = False) -> IngestResult:
    """Take in parsed CloudEvents 1.0 of the acting park, each (source, id) once and for good.

    A retry that says the same, at whatever time, is a duplicate and changes nothing. Without ``partial`` one bad event
    refuses the whole batch: Invalid names it as ``events[i].field``, Conflict names in what an event differs from the
    one of its id that came first. With ``partial`` the good ones are kept and the others listed. TooLarge for more
    than 10,000 events.
    """
    work.actor.require(Permission.METER_USAGE)
    tenant = work.actor.require_tenant()
    if len(events) > MOST_EVENTS:
        raise TooLarge("event.too_many", msg("一批最多 {most} 个事件。请分批发送。", most=MOST_EVENTS))
    sorted_in = _SortedEvents(tenant, work.now)
    for index, raw in enumerate(events):
        sorted_in.take(index, raw)
    if sorted_in.invalid and not partial:
        raise Invalid(
            "event.invalid",
            msg("{count} 个事件无法接收，本批未保存。请按所列位置改正后重发。", count=len(sorted_in.invalid)),
            errors=sorted_in.invalid[:SHOWN_FAULTS],
        )
    fresh = list(sorted_in.events.values())
    new, known = take_in(work.session, tenant, fresh, work.now)
    for row in known:
        key = (row["source"], row["event_id"])
        sorted_in.compare(row, sorted_in.events[key], sorted_in.places[key])
    if sorted_in.conflicts and not partial:
        raise Conflict(
            "event.conflict",
            msg(
                "{count} 个事件与同一来源和编号的已有事件内容不同，本批未保存。首个有效；更正请用新编号。",
                count=len(sorted_in.conflicts),
            ),
            errors=sorted_in.conflicts[:SHOWN_FAULTS],
        )
    rejected = (*sorted_in.invalid, *sorted_in.conflicts)
    return IngestResult(
        accepted=new,
        duplicates=len(events) - new - len(rejected),
        unmetered=_unmetered(work, fresh),
        rejected=rejected,
    )


def record_event(
    work: Work, *, source: str, event_id: str, event_type: str, subject: str, time: datetime, data: Mapping[str, Any]
) -> bool:
    """Meter a use inside the platform, in the transaction of what was used; False when it is metered already.

    Raises Conflict when the event of this source and id said something else.
    """
    work.actor.require(Permission.METER_USAGE)
    try:
        event = make_event(
            source=source, event_id=event_id, event_type=event_type, subject=subject, time=time, data=data
        )
    except BadEvent as bad:
        raise Invalid("event.invalid", bad.fault.message, errors=[bad.fault]) from bad
    tenant = work.actor.require_tenant()
    new, known = take_in(work.session, tenant, [event], work.now)
    paths = [path for row in known for path in differences(row, event)]
    if paths:
        raise Conflict(
            "event.conflict",
            msg(
                "事件 {id} 与先前的内容不同（{paths}）。首个有效；更正请用新编号。",
                id=event_id,
                paths=", ".join(paths),
            ),
        )
    return bool(new)


class _SortedEvents:
    """The events of a batch by key, and what is wrong with the others."""

    def __init__(self, tenant: UUID, now: datetime) -> None:
        self._tenant = str(tenant)
        self._now = now
        self._latest = now + CLOCK_SKEW
        self.events: dict[tuple[str, str], IncomingEvent] = {}
        self.places: dict[tuple[str, str], int] = {}
        self.invalid: list[FieldError] = []
        self.conflicts: list[FieldError] = []

    def take(self, index: int, raw: object) -> None:
        """Read one event; of two with one key in the batch the first counts."""
        try:
            event = self._checked(read_event(raw, now=self._now, subject=self._tenant))
        except BadEvent as bad:
            field = f"events[{index}].{bad.fault.field}".rstrip(".")
            self.invalid.append(FieldError(field, bad.fault.code, bad.fault.message))
            return
        first = self.events.setdefault(event.key, event)
        if first is event:
            self.places[event.key] = index
        elif first.body_hash != event.body_hash:
            stored = {"type": first.type, "subject": first.subject, "data": json.loads(first.data)}
            self.compare(stored, event, index)

    def compare(self, stored: Mapping[str, Any], event: IncomingEvent, index: int) -> None:
        """Note in what an event differs from the one that came first; nothing when only the writing differs."""
        paths = differences(stored, event)
        if paths:
            message = msg("与已有事件不同：{paths}。首个有效；更正请用新编号。", paths=", ".join(paths[:10]))
            self.conflicts.append(FieldError(f"events[{index}]", "event.conflict", message))

    def _checked(self, event: IncomingEvent) -> IncomingEvent:
        if event.time > self._latest:
            message = msg("时间晚于现在一小时以上。请检查设备时钟。")
            raise BadEvent(FieldError("time", "event.in_future", message))
        subject = event.subject
        if subject != self._tenant and len(subject) == UUID_LENGTH and parse_id(subject) is not None:
            message = msg("主体是另一园区的编号。请填写本园区编号，或本园区内部的名称。")
            raise BadEvent(FieldError("subject", "event.foreign_subject", message))
        return event


def _unmetered(work: Work, events: Sequence[IncomingEvent]) -> int:
    types = {event.type for event in events}
    known = set(work.session.execute(select(Meter.event_type).where(Meter.event_type.in_(types))).scalars())
    unknown = types - known
    return sum(event.type in unknown for event in events) if unknown else 0
