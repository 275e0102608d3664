"""Public notice (公示): what is about to be paid, shown to everybody without signing in."""

from __future__ import annotations

from flask import Response

from billing.usecases import claim_notice
from marketplace.doors.identity import platform_working
from marketplace.web.pages import id_of, page_group
from marketplace.web.rendering import show

pages = page_group("notices")


@pages.get("/notices")
def notices() -> Response:
    """Show the batches under public notice."""
    with platform_working("public-notice") as work:
        found = claim_notice.list_notices(work)
    return show("claims/notices.html", notices=found)


@pages.get("/notices/<batch_id>")
def notice(batch_id: str) -> Response:
    """Show one batch under public notice."""
    with platform_working("public-notice") as work:
        found = claim_notice.read_notice(work, batch_id=id_of(batch_id))
    return show("claims/notice.html", notice=found)
