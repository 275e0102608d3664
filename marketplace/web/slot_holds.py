"""The slots that a park holds while it confirms a price, and the operator's rule for it."""

from __future__ import annotations

from flask import Response, url_for

from marketplace.doors.current import current_market
from marketplace.web.pages import field, given, go, id_of, page_group, page_work
from marketplace.web.refusals import Refusal, refusal_of
from marketplace.web.rendering import show
from services.usecases import slot_holds
from tenants.kernel.errors import Conflict, Invalid
from tenants.kernel.vocabulary import Permission
from tenants.usecases import people

pages = page_group("slot_holds")


@pages.get("/slots/holds")
def holds() -> Response:
    """Show what the park holds, and how long still."""
    with page_work() as work:
        found = slot_holds.list_holds(work)
        return show(
            "ordering/holds.html",
            holds=found,
            names=people.colleague_names(work, user_ids={each.held_by for each in found if each.held_by}),
            terms=slot_holds.read_hold_terms(work),
            may_order=work.actor.may(Permission.PLACE_ORDER),
            now=current_market().clock.now(),
        )


@pages.post("/slots/holds/<hold_id>/release")
def release(hold_id: str) -> Response:
    """Give a slot back."""
    with page_work() as work:
        slot_holds.release_hold(work, hold_id=id_of(hold_id))
    return go(url_for("slot_holds.holds"))


@pages.get("/slots/hold-terms")
def terms() -> Response:
    """Show how long slots are held, and how many at once."""
    return _terms(None)


@pages.post("/slots/hold-terms")
def set_terms() -> Response:
    """Set how long slots are held, and how many at once."""
    try:
        with page_work() as work:
            slot_holds.set_hold_terms(
                work, minutes=_whole("minutes"), per_park=_whole("per_park"), offer_hours=_hours()
            )
    except (Conflict, Invalid) as problem:
        return _terms(refusal_of(problem))
    return go(url_for("slot_holds.terms"))


def _terms(refusal: Refusal | None) -> Response:
    with page_work() as work:
        work.actor.require(Permission.MANAGE_CATALOGUE)
        found = slot_holds.read_hold_terms(work)
    status = 200 if refusal is None else refusal.status
    typed = {name: str(getattr(found, name)) for name in ("minutes", "per_park", "offer_hours")}
    if refusal is not None:
        typed |= given()
    return show("ordering/hold_terms.html", status=status, refusal=refusal, typed=typed, terms=found)


def _hours() -> int | None:
    """Return for how many hours a freed slot is offered, None where the form does not say."""
    return _whole("offer_hours") if field("offer_hours") else None


def _whole(name: str) -> int:
    text = field(name)
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 6 else -1
