"""Usage events in, quantities out. Events are added and never changed; a correction is an event of its own.

What is done with the unusual: an event of a type that no meter knows is stored (a meter may be defined later) and
counted as unmetered; a late event is taken however late, and charged with the next invoice; one more than an hour ahead
of the clock is refused; a subject is the park's own name for a part of itself (empty: the park), but never another
park's id. Sources that begin with ``marketplace/`` are the platform's own, so nobody can claim an id that a delivery
will be settled by.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from billing.formats.events import BadEvent, differences, make_event
from billing.store.event_intake import PIECE, Intake, intake, note_corrections, note_rejected, take_in, targets
from billing.store.lateness import closed_of
from billing.usecases.event_batches import Batch, Refused, types_said, value_rules
from billing.usecases.usage import MeterAnswer, MeterRow, MeterView, UsageSum, list_meters, list_usage, query_meter
from tenants.kernel.errors import Conflict, Invalid, TooLarge
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import msg, stored_values
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work

__all__ = [
    "IngestResult", "MeterAnswer", "MeterRow", "MeterView", "UsageSum", "ingest_events", "list_meters", "list_usage",
    "query_meter", "record_event",
]  # fmt: skip

MOST_EVENTS = 10_000
SHOWN_FAULTS = 100


@dataclass(frozen=True)
class IngestResult:
    """What became of a batch: stored, known before (a retry), stored without a meter for their type, refused."""

    accepted: int
    duplicates: int
    unmetered: int
    late: int = 0
    """Of a month whose invoice is final or whose days of grace are over: what is charged of them is on the next one."""
    rejected: tuple[Refused, ...] = ()


def ingest_events(work: Work, *, events: Sequence[object], partial: bool = False) -> IngestResult:
    """Take in parsed CloudEvents 1.0 of the acting park, each (source, id) once and for good.

    A retry that says the same, at whatever time, is a duplicate and changes nothing. Without ``partial`` one bad event
    refuses the whole batch: Invalid names it as ``events[i].field``, Conflict names in what an event differs from the
    one of its id that came first. With ``partial`` the good ones are kept and the others listed, and noted for those
    who look after it. TooLarge for more than 10,000 events.
    """
    work.actor.require(Permission.SEND_EVENTS)
    tenant = work.actor.require_tenant()
    if len(events) > MOST_EVENTS:
        raise TooLarge("event.too_many", msg("一批最多 {most} 个事件。请分批发送。", most=MOST_EVENTS))
    batch = Batch(tenant, work.now)
    rules = value_rules(work.session, types_said(events))
    with intake(work.session, tenant, work.now) as taking:
        for first in range(0, len(events), PIECE):
            good = batch.take_piece(first, events[first : first + PIECE], rules)
            if partial or not batch.is_faulty:
                taking.send(good)
    _refuse_whole(batch, partial)
    new = _known(batch, taking) + _correct(work, tenant, batch)
    _refuse_whole(batch, partial)
    refused = sorted((*batch.invalid, *batch.conflicts), key=lambda each: each.index)
    note_rejected(work.session, tenant, [_rejected_row(work, each) for each in refused[:SHOWN_FAULTS]])
    late_before = closed_of(work.session, tenant).late_before(work.now)
    return IngestResult(
        accepted=new,
        duplicates=len(events) - new - len(refused),
        unmetered=sum(event.type not in rules for event in batch.events.values()),
        late=sum(event.time < late_before for event in batch.events.values()),
        rejected=tuple(refused),
    )


def _correct(work: Work, tenant: UUID, batch: Batch) -> int:
    """Store what of a batch's corrections is good, after all that they may name; return how many were new."""
    corrections = batch.corrections()
    if not corrections:
        return 0
    found = targets(work.session, tenant, {event.corrects.key for event in corrections if event.corrects})
    kept = batch.check_corrections(found, may_correct_platform=work.actor.may(Permission.METER_USAGE))
    with intake(work.session, tenant, work.now) as taking:
        for first in range(0, len(kept), PIECE):
            taking.send(kept[first : first + PIECE])
    added = _known(batch, taking)
    if note_corrections(work.session, tenant, kept) != added:
        raise Conflict("event.corrected_meanwhile", msg("同一事件正被另一请求更正，本批未保存。请稍后重发。"))
    return added


def _known(batch: Batch, taking: Intake) -> int:
    """Compare what was known before with what came; return how many were new."""
    new, known = taking.stored()
    for row in known:
        batch.compare(row, batch.events[row["source"], row["event_id"]])
    return new


def _refuse_whole(batch: Batch, partial: bool) -> None:
    """Refuse the whole batch for what is wrong with it so far, unless the good events are to be kept."""
    if partial:
        return
    if batch.invalid:
        raise Invalid(
            "event.invalid",
            msg("{count} 个事件无法接收，本批未保存。请按所列位置改正后重发。", count=len(batch.invalid)),
            errors=[each.fault for each in batch.invalid[:SHOWN_FAULTS]],
        )
    if batch.conflicts:
        raise Conflict(
            "event.conflict",
            msg(
                "{count} 个事件与同一来源和编号的已有事件内容不同，本批未保存。首个有效；更正请用新编号。",
                count=len(batch.conflicts),
            ),
            errors=[each.fault for each in batch.conflicts[:SHOWN_FAULTS]],
        )


def _rejected_row(work: Work, refused: Refused) -> dict[str, Any]:
    return {
        "tenant_id": work.actor.require_tenant(),
        "id": new_id(),
        "received_at": work.now,
        "source": refused.source,
        "event_id": refused.id,
        "field": refused.fault.field[:200],
        "code": refused.fault.code,
        "reason": refused.fault.message.template[:1000],
        "reason_values": stored_values(refused.fault.message),
    }


def record_event(
    work: Work, *, source: str, event_id: str, event_type: str, subject: str, time: datetime, data: Mapping[str, Any]
) -> bool:
    """Meter a use inside the platform, in the transaction of what was used; False when it is metered already.

    Raises Conflict when the event of this source and id said something else.
    """
    work.actor.require(Permission.METER_USAGE)
    tenant = work.actor.require_tenant()
    return note_event(
        work, tenant, source=source, event_id=event_id, event_type=event_type, subject=subject, time=time, data=data
    )


def note_event(
    work: Work,
    tenant: UUID,
    *,
    source: str,
    event_id: str,
    event_type: str,
    subject: str,
    time: datetime,
    data: Mapping[str, Any],
) -> bool:
    """Do what ``record_event`` does for any park, for use cases of billing that have asked for their own permission."""
    try:
        event = make_event(
            source=source, event_id=event_id, event_type=event_type, subject=subject, time=time, data=data
        )
    except BadEvent as bad:
        raise Invalid("event.invalid", bad.fault.message, errors=[bad.fault]) from bad
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
