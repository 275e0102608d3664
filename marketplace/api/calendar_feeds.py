"""Calendar addresses: bookings that calendar programs read by themselves. An address is shown once."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from flask import Response, url_for
from pydantic import Field

from marketplace.api.calls import call, noun, read, show
from marketplace.api.fields import Answer, Body, ById, Moment, Paged
from marketplace.doors.identity import working
from services.usecases import calendar_feeds as use_cases

calendar_feeds = noun("calendar-feeds", "Secret addresses at which calendars read bookings.")


class FeedWish(Body):
    """Who uses it; a provider also names one of its instruments."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    instrument_id: UUID | None = None


class NewFeed(Answer):
    """A new address. ``address`` is shown now and never again: whoever has it reads the calendar without signing in."""

    id: UUID
    name: str
    address: str


class Feed(Answer):
    """An address without its secret."""

    id: UUID
    name: str
    instrument_id: UUID | None
    instrument_name: str | None
    created_at: Moment
    revoked_at: Moment | None
    last_read_at: Moment | None = Field(description="When a calendar last asked, to the hour")


class Feeds(Answer):
    """Addresses, newest first."""

    items: list[Feed]
    next_cursor: str | None


@calendar_feeds.post("/calendar-feeds", **call(NewFeed, status=201))
def create_calendar_feed(body: FeedWish) -> Response:
    """Make an address of the park's bookings, or of one of the provider's instruments."""
    with working() as work:
        made = use_cases.create_feed(work, name=body.name, instrument_id=body.instrument_id)
        address = url_for(
            "calendar_feeds.calendar", owner_id=made.owner_id, feed_id=made.id, secret=made.secret, _external=True
        )
        return show(NewFeed(id=made.id, name=made.name, address=address), 201)


@calendar_feeds.get("/calendar-feeds", **call(Feeds))
def list_calendar_feeds(query: Paged) -> Response:
    """List the organisation's addresses, without their secrets."""
    return read(Feeds, lambda work: use_cases.list_feeds(work, limit=query.limit, cursor=query.cursor))


@calendar_feeds.delete("/calendar-feeds/<id>", **call(status=204))
def revoke_calendar_feed(path: ById) -> Response:
    """Revoke an address: calendars that use it are refused from now on."""
    with working() as work:
        use_cases.revoke_feed(work, feed_id=path.id)
    return Response(status=204)
