"""Parks, for staff: the list, one park, and the decision on its verification."""

from __future__ import annotations

from flask import Response, request, url_for

from marketplace.usecases import orders
from marketplace.web.pages import field, given, go, id_of, page_group, page_work
from marketplace.web.refusals import Refusal, refusal_of
from marketplace.web.rendering import show
from tenants.kernel.errors import Problem
from tenants.kernel.vocabulary import Permission
from tenants.usecases import onboarding

pages = page_group("parks")

STATES = ("pending", "verified", "rejected")


@pages.get("/parks")
def parks() -> Response:
    """Show parks, newest first, of one state of verification or all."""
    wanted = request.args.get("verification")
    state = wanted if wanted in STATES else None
    with page_work() as work:
        page = onboarding.list_parks(work, verification=state, limit=30, cursor=request.args.get("cursor"))
    return show("parks/list.html", page=page, state=state, states=STATES)


@pages.get("/parks/<park_id>")
def park(park_id: str) -> Response:
    """Show one park."""
    return _page(park_id, None)


@pages.post("/parks/<park_id>/verification")
def decide(park_id: str) -> Response:
    """Accept or reject a park."""
    try:
        with page_work() as work:
            onboarding.decide_verification(
                work, park_id=id_of(park_id), approve=field("decision") == "approve", note=field("note")
            )
    except Problem as problem:
        return _page(park_id, refusal_of(problem))
    return go(url_for("parks.park", park_id=park_id))


def _page(park_id: str, refusal: Refusal | None) -> Response:
    with page_work() as work:
        found = onboarding.read_park(work, park_id=id_of(park_id))
        may_see = work.actor.may(Permission.READ_ORDER)
        recent = orders.list_orders(work, park_id=found.id, limit=10).items if may_see else ()
    if refusal is not None and "note" not in refusal.fields and refusal.code.startswith("park.note"):
        refusal.fields["note"] = refusal.detail
    status = 200 if refusal is None else refusal.status
    return show(
        "parks/park.html", status=status, refusal=refusal, park=found, orders=recent, typed=given() if refusal else {}
    )
