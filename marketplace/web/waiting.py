"""Waiting for a slot: join from a taken slot or for some days, see one's places, accept or decline what is offered."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Response, request, url_for

from marketplace.doors.current import current_market
from marketplace.usecases import waiting as shop
from marketplace.web.pages import day_field, field, given, go, id_of, page_group, page_work
from marketplace.web.refusals import Refusal, refusal_of
from marketplace.web.rendering import show
from services.usecases import instruments, waiting
from tenants.kernel.clock import CHINA
from tenants.kernel.errors import Conflict, FieldError, Invalid, Problem
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.usecases import people

pages = page_group("waiting")


@pages.get("/waiting")
def places() -> Response:
    """Show the park's places, what is offered first."""
    return _places(None, {})


@pages.get("/waiting/join/<instrument_id>")
def form(instrument_id: str) -> Response:
    """Ask for which time, or which days, the park waits; a taken slot comes with its time."""
    names = ("starts_at", "first_day", "last_day", "slots")
    typed = {name: request.args.get(name, "").strip() for name in names}
    return _form(instrument_id, None, typed)


@pages.post("/waiting/join/<instrument_id>")
def join(instrument_id: str) -> Response:
    """Take a place."""
    try:
        with page_work() as work:
            wanted = id_of(instrument_id)
            if field("starts_at"):
                waiting.join_for_time(work, instrument_id=wanted, starts_at=_moment(), slots=_slots())
            else:
                first, last = day_field("first_day"), day_field("last_day")
                waiting.join_for_days(work, instrument_id=wanted, first=first, last=last, slots=_slots())
    except (Conflict, Invalid) as problem:
        return _form(instrument_id, refusal_of(problem), given())
    return go(url_for("waiting.places"))


@pages.post("/waiting/<place_id>/accept")
def accept(place_id: str) -> Response:
    """Ask the price of what is offered, and go to it: the slot stays held."""
    try:
        with page_work() as work:
            quote = shop.accept_offer(work, place_id=id_of(place_id), purpose=field("purpose"))
    except Problem as problem:
        return _places(refusal_of(problem, lambda path: path.rpartition(".")[2]), given() | {"place": place_id})
    return go(url_for("ordering.price", quote_id=quote.id))


@pages.post("/waiting/<place_id>/leave")
def leave(place_id: str) -> Response:
    """Leave the list, or decline what is offered."""
    with page_work() as work:
        waiting.leave(work, place_id=id_of(place_id))
    return go(url_for("waiting.places"))


def _places(refusal: Refusal | None, typed: dict[str, Any]) -> Response:
    with page_work() as work:
        found = waiting.list_places(work, cursor=request.args.get("cursor"))
        names = people.colleague_names(work, user_ids={each.joined_by for each in found.items if each.joined_by})
        person, may_order = work.actor.user_id, work.actor.may(Permission.PLACE_ORDER)
    return show(
        "ordering/waiting.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        typed=typed,
        offered=[each for each in found.items if each.state == "offered"],
        others=[each for each in found.items if each.state != "offered"],
        cursor=found.next_cursor,
        names=names,
        may_change={each.id for each in found.items if may_order or each.joined_by == person},
        now=current_market().clock.now(),
    )


def _form(instrument_id: str, refusal: Refusal | None, typed: dict[str, Any]) -> Response:
    with page_work() as work:
        work.actor.require(Permission.ASK_QUOTE)
        work.actor.require_tenant()
        instrument = instruments.read_instrument(work, instrument_id=id_of(instrument_id))
        count = waiting.count_waiting(work, instrument_ids=[instrument.id]).get(instrument.id, 0)
    starts_at = _read(str(typed.get("starts_at", "")))
    typed["slots"] = typed.get("slots") or str(instrument.hours.min_slots)
    return show(
        "ordering/waiting_join.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        typed=typed,
        instrument=instrument,
        count=count,
        starts_at=starts_at,
    )


def _read(text: str) -> datetime | None:
    """Return the moment in an address or a field, in China's time; None where there is none, or one out of reach."""
    try:
        found = datetime.fromisoformat(text.replace(" ", "+"))
        return found.replace(tzinfo=CHINA) if found.tzinfo is None else found.astimezone(CHINA)
    except (ValueError, OverflowError):
        return None


def _moment() -> datetime:
    found = _read(field("starts_at"))
    if found is None:
        wrong = msg("请从空档表中选择一个已被预约的时段。")
        raise Invalid("form.moment", wrong, errors=[FieldError("starts_at", "form.moment", wrong)])
    return found


def _slots() -> int:
    text = field("slots") or "1"
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 3 else 0
