"""How a park keeps its bookings, for both sides: who is suspended until when and why, and the way out."""

from __future__ import annotations

from flask import Response, request, url_for

from marketplace.web.pages import field, given, go, id_of, page_group, page_work
from marketplace.web.refusals import Refusal, refusal_of
from marketplace.web.rendering import show
from services.usecases import suspensions
from tenants.kernel.errors import Problem
from tenants.usecases import onboarding

pages = page_group("conduct")


@pages.get("/conduct")
def conduct() -> Response:
    """Show the own park's suspensions, those at the own provider, or all."""
    return _page(None, None)


@pages.post("/conduct/suspensions/<suspension_id>/lift")
def lift(suspension_id: str) -> Response:
    """End a suspension early."""
    try:
        with page_work() as work:
            suspensions.lift_suspension(work, suspension_id=id_of(suspension_id), reason=field("reason"))
    except Problem as problem:
        return _page(refusal_of(problem), suspension_id)
    return go(url_for("conduct.conduct"))


def _page(refusal: Refusal | None, about: str | None) -> Response:
    with page_work() as work:
        own = work.actor.tenant_id is not None
        listed = suspensions.list_own_suspensions if own else suspensions.list_suspensions
        found = listed(work, limit=50, cursor=request.args.get("cursor"))
        names = onboarding.park_names(work, park_ids={each.park_id for each in found.items})
        now = work.now
    return show(
        "conduct/conduct.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        about=about,
        typed=given() if refusal else {},
        suspensions=found,
        names=names,
        own=own,
        now=now,
    )
