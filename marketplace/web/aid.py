"""Rolling aid registers: a park's own, and for staff those of all controllers with their grants."""

from __future__ import annotations

from flask import Response, request

from billing.usecases import aid_views
from marketplace.web.pages import id_of, page_group, page_work
from marketplace.web.rendering import show

pages = page_group("aid")


@pages.get("/aid")
def aid() -> Response:
    """Show what is used of each register, and when the oldest grant falls out."""
    with page_work() as work:
        if work.actor.tenant_id is not None:
            return show("aid/list.html", views=aid_views.read_own_aid(work), cursor=None)
        page = aid_views.list_aid(work, limit=30, cursor=request.args.get("cursor"))
    return show("aid/list.html", views=page.items, cursor=page.next_cursor)


@pages.get("/aid/grants")
def grants() -> Response:
    """Show a controller's grants in one register; to a park its own."""
    register, controller = request.args.get("register", ""), id_of(request.args.get("controller"))
    with page_work() as work:
        page = aid_views.list_grants(
            work, register=register, controller_id=controller, limit=30, cursor=request.args.get("cursor")
        )
    return show("aid/grants.html", page=page, register=register, controller=controller)
