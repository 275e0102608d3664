"""Orders: the list, one order with its live progress and results, and the files that were delivered."""

from __future__ import annotations

from typing import Any

from flask import Response, make_response, request, url_for

from billing.rules.claims import ACCEPTANCE_DAYS
from billing.usecases import acceptances
from marketplace.rules.orders import LineStatus, OrderStatus
from marketplace.usecases import attendance, attendance_disputes, fulfilment
from marketplace.usecases import orders as use_cases
from marketplace.usecases.views import OrderView
from marketplace.web.charts import schedule_chart, twin_chart
from marketplace.web.pages import field, go, id_of, page_group, page_work
from marketplace.web.refusals import Refusal, refusal_of
from marketplace.web.rendering import show
from services.usecases import artefacts, bookings, twin_models
from services.usecases import attendance as presence
from tenants.kernel.errors import Conflict, Invalid
from tenants.kernel.vocabulary import Permission

pages = page_group("orders")

SANDBOX = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""Reports are made by engines from what parks sent: their page may draw, and nothing else."""


@pages.get("/orders")
def orders() -> Response:
    """Show orders, newest first."""
    with page_work() as work:
        page = use_cases.list_orders(work, limit=30, cursor=request.args.get("cursor"))
    return show("orders/list.html", page=page)


@pages.get("/orders/<order_id>")
def order(order_id: str) -> Response:
    """Show one order."""
    return _page(order_id, None)


@pages.get("/orders/<order_id>/live")
def live(order_id: str) -> Response:
    """Show the part of an order that moves; it asks for itself again until nothing moves any more."""
    return show("orders/live.html", **_context(order_id))


@pages.post("/orders/<order_id>/cancel")
def cancel(order_id: str) -> Response:
    """Cancel what is not delivered yet."""
    try:
        with page_work() as work:
            fulfilment.cancel_order(work, order_id=id_of(order_id))
    except Conflict as problem:
        return _page(order_id, refusal_of(problem))
    return go(url_for("orders.order", order_id=order_id))


@pages.post("/orders/<order_id>/bookings/<booking_id>/attendance")
def attend(order_id: str, booking_id: str) -> Response:
    """Check in to a booking, or out of it."""
    note = presence.check_out if field("step") == "out" else presence.check_in
    try:
        with page_work() as work:
            note(work, booking_id=id_of(booking_id))
    except Conflict as problem:
        return _page(order_id, refusal_of(problem))
    return go(url_for("orders.order", order_id=order_id))


@pages.post("/orders/<order_id>/lines/<line_id>/acceptance")
def accept(order_id: str, line_id: str) -> Response:
    """Accept or dispute a delivery."""
    say = acceptances.dispute_delivery if field("action") == "dispute" else acceptances.accept_delivery
    try:
        with page_work() as work:
            say(work, order_line_id=id_of(line_id), note=field("note"))
    except (Conflict, Invalid) as problem:
        return _page(order_id, refusal_of(problem))
    return go(url_for("orders.order", order_id=order_id))


@pages.get("/files/<artefact_id>")
def file(artefact_id: str) -> Response:
    """Send a file to be kept."""
    return _file(artefact_id, as_page=False)


@pages.get("/reports/<artefact_id>")
def report(artefact_id: str) -> Response:
    """Open a report in a page that may do nothing but be read; any other file is sent to be kept."""
    return _file(artefact_id, as_page=True)


@pages.get("/bookings/<booking_id>.ics")
def calendar(booking_id: str) -> Response:
    """Send a booking for a calendar."""
    with page_work() as work:
        content = bookings.booking_calendar(work, booking_id=id_of(booking_id))
    response = make_response(content)
    response.headers["Content-Type"] = "text/calendar; charset=utf-8"
    response.headers.set("Content-Disposition", "attachment", filename="booking.ics")
    return response


@pages.get("/runs/<run_id>.aasx")
def shell(run_id: str) -> Response:
    """Send a twin run as an Asset Administration Shell."""
    with page_work() as work:
        content = twin_models.export_run(work, run_id=id_of(run_id))
    response = make_response(content)
    response.headers["Content-Type"] = "application/asset-administration-shell-package"
    response.headers.set("Content-Disposition", "attachment", filename=f"twin-{run_id}.aasx")
    return response


def _page(order_id: str, refusal: Refusal | None) -> Response:
    status = 200 if refusal is None else refusal.status
    return show("orders/order.html", status=status, refusal=refusal, **_context(order_id))


def _context(order_id: str) -> dict[str, Any]:
    with page_work() as work:
        order = use_cases.read_order(work, order_id=id_of(order_id))
        delivered = [line.id for line in order.lines if line.status == LineStatus.DELIVERED and line.subsidy_fen]
        own = work.actor.tenant_id == order.park_id
        originals = use_cases.orders_of_runs(work, run_ids={line.repeats for line in order.lines if line.repeats})
        words = acceptances.read_acceptances(work, order_line_ids=delivered) if delivered else {}
        fee = attendance.cancel_fee(work, order=order)
        may_dispute = own and work.actor.may(Permission.ACCEPT_DELIVERY)
        booked = [line.booking for line in order.lines if may_dispute and line.booking is not None]
        disputable = {each.id: attendance_disputes.times_disputable_until(work, booking=each) for each in booked}
    return {
        "cancel_fee": fee,
        "disputable": disputable,
        "delivered": delivered,
        "acceptances": words,
        "acceptance_days": ACCEPTANCE_DAYS,
        "order": order,
        "own": own,
        "originals": originals,
        "moving": _is_moving(order),
        "twin_chart": twin_chart,
        "schedule_chart": schedule_chart,
    }


def _is_moving(order: OrderView) -> bool:
    """Tell whether the page should keep looking: a run is under way, or its settlement is about to follow."""
    return order.status is OrderStatus.PLACED and any(line.run is not None for line in order.lines)


def _file(artefact_id: str, *, as_page: bool) -> Response:
    with page_work() as work:
        found = artefacts.open_artefact(work, artefact_id=id_of(artefact_id))
    response = make_response(found.content)
    shown = as_page and found.view.media_type == "text/html"
    response.headers["Content-Type"] = "text/html; charset=utf-8" if shown else found.view.media_type
    response.headers["Content-Security-Policy"] = SANDBOX
    response.headers.set("Content-Disposition", "inline" if shown else "attachment", filename=found.view.name)
    response.headers["ETag"] = f'"{found.view.sha256}"'
    return response
