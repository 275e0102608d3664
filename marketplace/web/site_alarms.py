"""Alarms of a park's sites: the list, and acknowledging one."""

from __future__ import annotations

from flask import Response, request, url_for

from marketplace.web.pages import field, go, id_of, page_group, page_work
from marketplace.web.rendering import show
from services.usecases import site_alarms
from tenants.kernel.vocabulary import Permission
from tenants.usecases import people

pages = page_group("site_alarms")


@pages.get("/alarms")
def alarms() -> Response:
    """Show alarms, the newest first."""
    return _alarms()


@pages.post("/alarms/<alarm_id>/acknowledgement")
def acknowledge(alarm_id: str) -> Response:
    """Look after an alarm."""
    with page_work() as work:
        site_alarms.acknowledge(work, alarm_id=id_of(alarm_id), note=field("note"))
    return go(url_for("site_alarms.alarms"))


def _alarms() -> Response:
    open_only = request.args.get("open") == "1"
    with page_work() as work:
        page = site_alarms.list_alarms(work, open_only=open_only, limit=30, cursor=request.args.get("cursor"))
        ids = {each.acknowledged_by for each in page.items if each.acknowledged_by}
        names = people.colleague_names(work, user_ids=ids)
        may_handle = work.actor.may(Permission.HANDLE_ALERT) and work.actor.tenant_id is not None
    return show(
        "monitoring/alarms.html",
        page=page,
        names=names,
        may_handle=may_handle,
        open_only=open_only,
    )
