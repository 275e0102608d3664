"""Work orders: the list, and one with what was done about it."""

from __future__ import annotations

from flask import Response, request, url_for

from marketplace.usecases import monitoring as use_cases
from marketplace.web import monitoring_charts as charts
from marketplace.web.pages import field, given, go, id_of, page_group, page_work
from marketplace.web.refusals import Refusal, refusal_of
from marketplace.web.rendering import show
from services.usecases import watching, work_orders
from tenants.kernel.errors import Problem
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.usecases import people

pages = page_group("work_orders")


@pages.get("/work-orders")
def orders() -> Response:
    """Show work orders, the newest first."""
    with page_work() as work:
        page = work_orders.list_orders(
            work, open_only=request.args.get("open") == "1", limit=30, cursor=request.args.get("cursor")
        )
    return show("monitoring/orders.html", page=page, open_only=request.args.get("open") == "1")


@pages.get("/work-orders/<order_id>")
def order(order_id: str) -> Response:
    """Show a work order with its steps."""
    return _order(order_id, None)


@pages.post("/work-orders/<order_id>")
def change_order(order_id: str) -> Response:
    """Accept, hand over, note or close a work order."""
    try:
        with page_work() as work:
            _carry_out(work, order_id)
    except Problem as problem:
        return _order(order_id, refusal_of(problem))
    return go(url_for("work_orders.order", order_id=order_id))


def _carry_out(work: Work, order_id: str) -> None:
    found, note = id_of(order_id), field("note")
    match field("action"):
        case "accept":
            work_orders.accept(work, work_order_id=found, note=note)
        case "hand_over":
            use_cases.hand_over(work, work_order_id=found, person=id_of(field("person")), note=note)
        case "close":
            work_orders.close(work, work_order_id=found, outcome=field("outcome"), note=note)
        case _:
            work_orders.add_note(work, work_order_id=found, note=note)


def _order(order_id: str, refusal: Refusal | None) -> Response:
    with page_work() as work:
        found = work_orders.read(work, work_order_id=id_of(order_id))
        steps = work_orders.read_steps(work, work_order_id=found.id)
        ids = {each.person for each in steps if each.person} | ({found.holder} if found.holder else set())
        names = people.colleague_names(work, user_ids=ids)
        may_handle = work.actor.may(Permission.HANDLE_ALERT) and work.actor.tenant_id is not None
        colleagues = people.list_colleagues(work) if may_handle else {}
        watched = watching.read_watch(work, meter_id=found.meter_id)
    chart = None
    if found.surge_from is not None:
        chart = charts.surge_chart(found.detail["surge"]["quarters"], found.unit)
    elif watched is not None and watched.found.get("days"):
        chart = charts.watch_chart(watched.found, found.unit)
    return show(
        "monitoring/order.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        order=found,
        steps=steps,
        names=names,
        may_handle=may_handle,
        colleagues=colleagues,
        chart=chart,
        typed=given() if refusal else {},
    )
