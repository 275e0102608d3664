"""Usage events: CloudEvents 1.0, alone or in batches, each taken once and for good."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response, request
from pydantic import Field

from billing.usecases import metering
from marketplace.api.calls import call, noun
from marketplace.api.fields import Parameters
from marketplace.doors.current import current_market
from marketplace.doors.identity import bearer_actor
from tenants.kernel.errors import Invalid, NotFound
from tenants.kernel.messages import msg

events = noun("events", "What was used.")

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
    },
}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            SINGLE: {"schema": _EVENT},
            BATCH: {"schema": {"type": "array", "items": _EVENT, "maxItems": metering.MOST_EVENTS}},
        },
    }
}


class Whose(Parameters):
    """The park whose use it is; a park's own programs need not say it."""

    park_id: UUID | None = Field(None, description="For staff: the park whose use it is")


@events.post("/events", **call(status=204), openapi_extensions=_BODY)
def ingest_events(query: Whose) -> Response:
    """Take in events. One that is known already changes nothing; one bad event refuses its whole batch."""
    actor = bearer_actor()
    if query.park_id is not None:
        if actor.tenant_id not in {None, query.park_id}:
            raise NotFound("park.not_found", msg("没有找到该园区。请核对园区编号。"))
        actor = actor.acting_for(query.park_id)
    found = _events()
    with current_market().workshop.work(actor) as work:
        metering.ingest_events(work, events=found)
    return Response(status=204)


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
