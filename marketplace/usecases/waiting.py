"""Where waiting for a slot meets the order: the park is told of an offer, and accepting asks the price of the held slot."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from billing.usecases import alerts
from billing.usecases.quotes import QuoteView
from marketplace.usecases import checkout
from services.rules.waiting import WaitingState
from services.usecases import instruments, rebooking, waiting, waiting_offers
from tenants.kernel.clock import CHINA
from tenants.kernel.errors import Conflict
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.usecases import people

OFFERED = "waiting.offered"
"""What a park is told."""


def offer_place(work: Work, *, place_id: UUID) -> bool:
    """Offer the acting park what has become free for a place, and tell the person who waits; False where nothing has.

    Raises as ``waiting_offers.offer`` does.
    """
    work.actor.require(Permission.RUN_PLATFORM)
    made = waiting_offers.offer(work, place_id=place_id)
    if made is None:
        return False
    person = made.joined_by
    names = {} if person is None else people.colleague_names(work, user_ids=[person])
    detail = {
        "person": names.get(person, "—") if person else "—",
        "instrument": made.instrument_name,
        "when": f"{made.starts_at.astimezone(CHINA):%Y-%m-%d %H:%M}",
        "until": f"{made.expires_at.astimezone(CHINA):%Y-%m-%d %H:%M}",
    }
    alerts.tell_park(work, kind=OFFERED, key=str(place_id), detail=detail)
    return True


def accept_offer(work: Work, *, place_id: UUID, purpose: str) -> QuoteView:
    """Ask the price of the slot that is offered to a place, which stays held until the order or the offer's end.

    Who has waited will use it, whoever accepts, unless that person has left the park since: then who accepts.
    Raises NotFound for another park's place, Conflict ``waiting.not_offered``, and as ``checkout.ask_quote`` does.
    """
    work.actor.require(Permission.ASK_QUOTE)
    place = waiting.read_place(work, place_id=place_id)
    begins, finishes = place.offer_starts_at, place.offer_ends_at
    if place.state is not WaitingState.OFFERED or begins is None or finishes is None:
        raise Conflict("waiting.not_offered", msg("目前没有提供给该排队的时段，或已到期。请刷新“我的排队”。"))
    instrument = instruments.read_instrument(work, instrument_id=place.instrument_id)
    request = {
        "instrument_id": str(place.instrument_id),
        "starts_at": begins.astimezone(CHINA).isoformat(),
        "slots": (finishes - begins) // timedelta(minutes=instrument.slot_minutes),
        "purpose": purpose,
    }
    if place.joined_by in people.active_colleagues(work, roles=rebooking.TAKING_CARE):
        request["responsible_id"] = str(place.joined_by)
    may_order = work.actor.may(Permission.PLACE_ORDER)
    return checkout.ask_quote(work, lines=[checkout.LineWish(place.offering, request)], hold_slots=may_order)
