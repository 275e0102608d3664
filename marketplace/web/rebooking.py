"""Changing a booking: another slot of its instrument, or a colleague who takes care of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from flask import Response, request, url_for

from marketplace.usecases import rebooking as use_cases
from marketplace.web.pages import field, given, go, id_of, page_group, page_work
from marketplace.web.refusals import Refusal, refusal_of
from marketplace.web.rendering import show
from marketplace.web.week import make_week, monday_of
from services.usecases import bookings, instruments, qualifications, quotas, rebooking
from tenants.kernel.errors import Conflict, FieldError, Invalid
from tenants.kernel.identifiers import parse_id
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.usecases import people

pages = page_group("rebooking")


@pages.get("/bookings/<booking_id>/change")
def change(booking_id: str) -> Response:
    """Show the week's free slots of the instrument, the colleagues, and what became of the booking."""
    return _page(booking_id, None, {})


@pages.post("/bookings/<booking_id>/move")
def move(booking_id: str) -> Response:
    """Move the booking to the chosen slot."""
    try:
        with page_work() as work:
            use_cases.reschedule_booking(work, booking_id=id_of(booking_id), starts_at=_start(), slots=_slots())
            order_id = use_cases.booking_order(work, booking_id=id_of(booking_id))
    except (Conflict, Invalid) as problem:
        return _page(booking_id, refusal_of(problem, _place), given())
    return go(url_for("orders.order", order_id=order_id))


@pages.post("/bookings/<booking_id>/hand-over")
def hand_over(booking_id: str) -> Response:
    """Make the chosen colleague responsible."""
    try:
        with page_work() as work:
            rebooking.hand_over(work, booking_id=id_of(booking_id), to=_colleague())
    except (Conflict, Invalid) as problem:
        return _page(booking_id, refusal_of(problem), given())
    return go(url_for("rebooking.change", booking_id=booking_id))


def _page(booking_id: str, refusal: Refusal | None, typed: Mapping[str, Any]) -> Response:
    return show(
        "orders/change.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        typed=typed,
        **_context(booking_id),
    )


def _context(booking_id: str) -> dict[str, Any]:
    with page_work() as work:
        booking = bookings.read_booking(work, booking_id=id_of(booking_id))
        instrument, is_open = instruments.read_booked(work, instrument_id=booking.instrument_id)
        monday = monday_of(request.values.get("week"), work.now)
        free = bookings.search_slots(
            work,
            offering=booking.offering,
            from_=monday,
            to=monday + timedelta(days=7),
            instrument_id=instrument.id,
            limit=1000,
        )
        changes = rebooking.list_changes(work, booking_id=booking.id)
        persons = [each for row in changes for each in (row.changed_by, row.old_person, row.new_person)]
        named = {each for each in (booking.responsible_id, *persons) if each is not None}
        may_order = work.actor.may(Permission.PLACE_ORDER)
        week = make_week(free, [instrument], monday, work.now)
        return {
            "booking": booking,
            "order_id": use_cases.booking_order(work, booking_id=booking.id),
            "slots": (booking.ends_at - booking.starts_at) // timedelta(minutes=instrument.slot_minutes),
            "week": week,
            "quotas": quotas.quotas_left(work, instrument_ids=[instrument.id], first=week.days[0], last=week.days[-1]),
            "standings": qualifications.standings(work, instruments=[instrument]),
            "changes": changes,
            "names": people.colleague_names(work, user_ids=named),
            "takers": rebooking.list_takers(work, booking_id=booking.id),
            "is_open": is_open,
            "may_move": may_order and is_open,
            "may_hand_over": may_order or booking.responsible_id == work.actor.user_id,
        }


def _start() -> datetime:
    try:
        return datetime.fromisoformat(field("slot").rpartition("@")[2])
    except ValueError:
        wrong = msg("请选择一个空闲时段。")
        raise Invalid("slot.none_chosen", wrong, errors=[FieldError("starts_at", "slot.none_chosen", wrong)]) from None


def _slots() -> int:
    typed = field("slots")
    if typed.isascii() and typed.isdigit() and 1 <= len(typed) <= 3 and int(typed):
        return int(typed)
    wrong = msg("请填写整数。")
    raise Invalid("slot.bad_count", wrong, errors=[FieldError("slots", "slot.bad_count", wrong)])


def _colleague() -> UUID:
    found = parse_id(field("to"))
    if found is None:
        wrong = msg("请选择本园区在职的管理员或成员。")
        raise Invalid("booking.bad_colleague", wrong, errors=[FieldError("to", "booking.bad_colleague", wrong)])
    return found


def _place(path: str) -> str:
    return "slot" if path == "starts_at" else path
