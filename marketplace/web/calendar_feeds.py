"""Calendar addresses: made, listed and revoked by their owners, and read by calendar programs without a session."""

from __future__ import annotations

from flask import Response, make_response, request, url_for

from marketplace.doors.identity import platform_working
from marketplace.doors.requests import at_secret_address
from marketplace.web.pages import field, given, go, id_of, page_group, page_work
from marketplace.web.refusals import Refusal, refusal_of
from marketplace.web.rendering import show
from services.usecases import calendar_feeds as use_cases
from services.usecases import instruments
from tenants.kernel.errors import Problem

pages = page_group("calendar_feeds")


@pages.get("/calendar-feeds")
def feeds() -> Response:
    """Show the own organisation's addresses."""
    return _page()


@pages.post("/calendar-feeds")
def make() -> Response:
    """Make an address and show it this once."""
    chosen = field("instrument_id")
    try:
        with page_work() as work:
            made = use_cases.create_feed(work, name=field("name"), instrument_id=id_of(chosen) if chosen else None)
    except Problem as problem:
        return _page(refusal_of(problem))
    address = url_for(
        "calendar_feeds.calendar", owner_id=made.owner_id, feed_id=made.id, secret=made.secret, _external=True
    )
    return _page(address=address, status=201)


@pages.post("/calendar-feeds/<feed_id>/revoke")
def revoke(feed_id: str) -> Response:
    """End an address."""
    with page_work() as work:
        use_cases.revoke_feed(work, feed_id=id_of(feed_id))
    return go(url_for("calendar_feeds.feeds"))


@pages.get("/calendars/<owner_id>/<feed_id>/<secret>.ics")
@at_secret_address
def calendar(owner_id: str, feed_id: str, secret: str) -> Response:
    """Send the calendar at an address to whoever has it; 304 when it is as it was."""
    with platform_working("calendar-feed") as work:
        content = use_cases.read_feed(work, owner_id=id_of(owner_id), feed_id=id_of(feed_id), secret=secret)
    response = make_response(content)
    response.headers["Content-Type"] = "text/calendar; charset=utf-8"
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers["X-Robots-Tag"] = "noindex"
    response.add_etag()
    response.make_conditional(request)
    return response


def _page(refusal: Refusal | None = None, address: str | None = None, status: int = 200) -> Response:
    with page_work() as work:
        page = use_cases.list_feeds(work, cursor=request.args.get("cursor"))
        is_park = work.actor.tenant_id is not None
        own = () if is_park else instruments.list_instruments(work, own=True)
    return show(
        "calendar_feeds.html",
        status=status if refusal is None else refusal.status,
        page=page,
        instruments=own,
        is_park=is_park,
        address=address,
        refusal=refusal,
        typed=given() if refusal else {},
    )
