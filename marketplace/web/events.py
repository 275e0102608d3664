"""A park's usage events: what came in, what became of each, and what was refused."""

from __future__ import annotations

from flask import Response, request

from billing.usecases import event_lists, event_views
from billing.usecases.usage import list_meters
from marketplace.web.pages import page_group, page_work
from marketplace.web.policy_fields import parse_day
from marketplace.web.refusals import refusal_of
from marketplace.web.rendering import show
from tenants.kernel.errors import Problem
from tenants.kernel.paging import Page

pages = page_group("events")
MOST_TYPE = 100
SHOWN = 50


@pages.get("/usage/events")
def events() -> Response:
    """Show events, last received first: ``?type=`` of one type, ``?day=2026-03-02`` received on one day."""
    asked = {name: request.args.get(name, "").strip()[:MOST_TYPE] for name in ("type", "day")}
    cursor = request.args.get("cursor")
    refusal = None
    page: Page[event_lists.ListedEvent] = Page(())
    with page_work() as work:
        work.actor.require_tenant()
        types = sorted({each.event_type for each in list_meters(work)})
        try:
            page = event_lists.list_events(
                work,
                event_type=asked["type"] or None,
                day=parse_day("day", asked) if asked["day"] else None,
                limit=SHOWN,
                cursor=cursor,
            )
        except Problem as problem:
            refusal = refusal_of(problem)
        rejected = () if cursor else event_views.list_rejected(work, limit=20)
    return show(
        "events.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        asked=asked,
        types=types,
        events=page.items,
        cursor=page.next_cursor,
        rejected=rejected,
    )
