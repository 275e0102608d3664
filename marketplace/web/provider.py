"""Providers: their own instruments' bookings, and reporting what an inspection found."""

from __future__ import annotations

from datetime import timedelta

from flask import Response, request, url_for

from marketplace.doors.current import current_market
from marketplace.doors.requests import MIB, takes_files
from marketplace.web.pages import field, given, go, id_of, page_group, page_work
from marketplace.web.refusals import Refusal, refusal_of
from marketplace.web.rendering import show
from services.usecases import attendance, qualification_decisions
from services.usecases import bookings as use_cases
from tenants.kernel.errors import FieldError, Invalid, Problem
from tenants.kernel.messages import msg

pages = page_group("provider")

RECENT = timedelta(days=90)
"""How long a closed booking stays on the page."""
_PASSED = {"passed": True, "failed": False}


@pages.get("/bookings")
def bookings() -> Response:
    """Show the own instruments' bookings."""
    return _page(None, None)


@pages.post("/bookings/<booking_id>/result")
@takes_files
def report(booking_id: str) -> Response:
    """Deliver an inspection's result."""
    sent = request.files.get("result")
    limit = current_market().settings.max_upload_mib * MIB
    try:
        if sent is None or not sent.filename:
            needed = msg("请选择检测结果文件。")
            raise Invalid("form.file", needed, errors=[FieldError("result", "form.file", needed)])
        with page_work() as work:
            use_cases.report_inspection(
                work,
                booking_id=id_of(booking_id),
                file_name=sent.filename,
                media_type=sent.mimetype,
                content=sent.stream.read(limit + 1),
                passed=_PASSED.get(field("passed")),
            )
    except Problem as problem:
        place = {"content": "result"}
        return _page(refusal_of(problem, lambda path: place.get(path, path)), booking_id)
    return go(url_for("provider.bookings"))


@pages.post("/bookings/<booking_id>/attendance")
def attend(booking_id: str) -> Response:
    """Note that the park's people came, or left."""
    note = attendance.check_out if field("step") == "out" else attendance.check_in
    try:
        with page_work() as work:
            note(work, booking_id=id_of(booking_id))
    except Problem as problem:
        return _page(refusal_of(problem), booking_id)
    return go(url_for("provider.bookings"))


@pages.post("/bookings/<booking_id>/failure")
def fail(booking_id: str) -> Response:
    """Say that an inspection cannot be done."""
    try:
        with page_work() as work:
            use_cases.fail_inspection(work, booking_id=id_of(booking_id), reason=field("reason"))
    except Problem as problem:
        return _page(refusal_of(problem), booking_id)
    return go(url_for("provider.bookings"))


def _page(refusal: Refusal | None, about: str | None) -> Response:
    with page_work() as work:
        waiting = use_cases.list_provider_bookings(work, status=use_cases.BookingStatus.BOOKED, limit=200).items
        lacking = {each.id for each in qualification_decisions.list_lacking(work)}
        recent = use_cases.list_provider_bookings(work, from_=work.now - RECENT, limit=200).items
    return show(
        "provider/bookings.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        about=about,
        typed=given() if refusal else {},
        open=waiting,
        lacking=lacking,
        closed=tuple(each for each in reversed(recent) if each.status is not use_cases.BookingStatus.BOOKED),
    )
