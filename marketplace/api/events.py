"""Usage events: CloudEvents 1.0, alone or in batches, each taken once and for good."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response, request
from pydantic import Field

from billing.usecases import event_views, metering
from marketplace.api.calls import call, noun, read, show
from marketplace.api.fields import Answer, Moment, Parameters
from marketplace.doors.current import current_market
from marketplace.doors.identity import bearer_actor, working
from marketplace.doors.language import reader_language
from marketplace.doors.texts import translate
from tenants.kernel.errors import Invalid, NotFound
from tenants.kernel.messages import msg
from tenants.kernel.work import Work

events = noun("events", "What was used, and what was refused of it.")

SINGLE = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
PLAIN = "application/json"

_EVENT = {
    "type": "object",
    "required": ["specversion", "id", "source", "type"],
    "properties": {
        "specversion": {"const": "1.0"},
        "id": {"type": "string", "minLength": 1, "maxLength": 200},
        "source": {"type": "string", "minLength": 1, "maxLength": 200},
        "type": {"type": "string", "minLength": 1, "maxLength": 100},
        "subject": {"type": "string", "maxLength": 200},
        "time": {"type": "string", "format": "date-time"},
        "data": {"type": "object"},
        "correctsid": {"type": "string", "maxLength": 200, "description": "The id of the event that this one corrects"},
        "correctssource": {
            "type": "string",
            "maxLength": 200,
            "description": "Its source; the event's own if not given",
        },
        "correction": {"enum": ["replace", "void"], "description": "Stands in its place, or leaves it empty"},
    },
}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            SINGLE: {"schema": _EVENT},
            BATCH: {"schema": {"type": "array", "items": _EVENT, "maxItems": metering.MOST_EVENTS}},
            PLAIN: {"schema": {"oneOf": [_EVENT, {"type": "array", "items": _EVENT}]}},
        },
    }
}


class Whose(Parameters):
    """The park whose use it is; a park's own programs need not say it."""

    park_id: UUID | None = Field(None, description="For staff: the park whose use it is")
    partial: bool = Field(False, description="Keep the good events of a batch and answer what was refused")


class RefusedEvent(Answer):
    """An event that was not taken, and why. What it was is told as far as it could be read."""

    index: int
    source: str
    id: str
    field: str
    code: str
    detail: str


class TakenEvents(Answer):
    """What became of a batch whose good events were kept.

    ``late`` ones came after the days of grace of their month, or after the invoice that would have held them: what is
    charged of them is on the next invoice. ``unmetered`` ones wait for a meter.
    """

    accepted: int
    duplicates: int
    unmetered: int
    late: int
    rejected: list[RefusedEvent]


class WhichEvent(Parameters):
    """The source and id of an event."""

    source: str = Field(max_length=200)
    id: str = Field(max_length=200)
    park_id: UUID | None = Field(None, description="For staff: the park whose event it is")


class EventState(Answer):
    """An event and what became of it; no meter counts one that is corrected or void.

    ``billing`` says whether it stands on an invoice, will stand on the next one, or is not charged; ``late`` as in the
    answer to a batch.
    """

    park_id: UUID
    source: str
    id: str
    type: str
    subject: str
    time: Moment
    received_at: Moment
    data: dict[str, Any]
    corrects: tuple[str, str] | None
    corrected_by: tuple[str, str] | None
    is_void: bool
    meters: list[str]
    rated_usage_id: UUID | None
    order_line_id: UUID | None
    period: str
    late: bool
    billing: event_views.EventBilling
    invoice_id: UUID | None
    invoice_number: str | None
    invoice_line: int | None


class RejectedEvent(Answer):
    """An event that was refused, and why: ``code`` for programs, ``reason`` in the caller's language."""

    park_id: UUID
    received_at: Moment
    source: str
    id: str
    field: str
    code: str
    reason: str


class RejectedEvents(Answer):
    """The last hundred refused events."""

    items: list[RejectedEvent]


_ANSWERS = call(status=204)
_ANSWERS["responses"] = {200: TakenEvents, **_ANSWERS["responses"]}


@events.post("/events", **_ANSWERS, openapi_extensions=_BODY)
def ingest_events(query: Whose) -> Response:
    """Take in events. One that is known already changes nothing.

    One bad event refuses its whole batch; with ``partial`` the others are kept, and 200 tells what became of each.
    """
    actor = bearer_actor()
    if query.park_id is not None:
        if actor.tenant_id not in {None, query.park_id}:
            raise NotFound("park.not_found", msg("没有找到该园区。请核对园区编号。"))
        actor = actor.acting_for(query.park_id)
    found = _events()
    with current_market().workshop.work(actor) as work:
        result = metering.ingest_events(work, events=found, partial=query.partial)
    return show(_taken(result)) if query.partial else Response(status=204)


def _taken(result: metering.IngestResult) -> TakenEvents:
    rejected = [
        RefusedEvent(
            index=each.index,
            source=each.source,
            id=each.id,
            field=each.fault.field,
            code=each.code,
            detail=translate(each.fault.message, reader_language()),
        )
        for each in result.rejected
    ]
    return TakenEvents(
        accepted=result.accepted,
        duplicates=result.duplicates,
        unmetered=result.unmetered,
        late=result.late,
        rejected=rejected,
    )


@events.get("/events", **call(EventState))
def read_event(query: WhichEvent) -> Response:
    """Tell what became of an event: which meters count it, what corrects it, and which order it was charged to."""

    def ask(work: Work) -> event_views.EventView:
        return event_views.read_event(work, source=query.source, event_id=query.id, park_id=query.park_id)

    return read(EventState, ask)


@events.get("/rejected-events", **call(RejectedEvents))
def list_rejected_events() -> Response:
    """List what was refused last while the rest of its batch was kept, newest first."""
    with working() as work:
        found = event_views.list_rejected(work)
    language = reader_language()
    items = [RejectedEvent(**{**vars(each), "reason": translate(each.reason, language)}) for each in found]
    return show(RejectedEvents(items=items))


def _events() -> list[Any]:
    """Return the events of the body, by its content type; Invalid when the shape is another."""
    value = request.get_json()
    if request.mimetype == BATCH or (request.mimetype == PLAIN and isinstance(value, list)):
        if not isinstance(value, list):
            raise Invalid("event.not_a_batch", msg("{type} 须为 JSON 数组。", type=BATCH))
        return value
    if request.mimetype not in {SINGLE, PLAIN}:
        raise Invalid("event.content_type", msg("内容类型须为 {one} 或 {many}。", one=SINGLE, many=BATCH))
    return [value]
