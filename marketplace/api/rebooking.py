"""Changes of a booking: another slot of its instrument, another responsible person, and what became of it."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from flask import Response
from pydantic import Field

from marketplace.api.bookings import Booking
from marketplace.api.calls import call, command, noun, show
from marketplace.api.fields import Answer, Body, ById, Idempotent, Instant, Moment
from marketplace.doors.identity import working
from marketplace.usecases.rebooking import reschedule_booking
from services.rules.slots import MOST_SLOTS
from services.usecases import rebooking as use_cases

rebooking = noun("rebooking", "Bookings that move to another slot or are handed over.")


class BookingMove(Body):
    """The new time, on the same instrument."""

    starts_at: Instant
    slots: Annotated[
        int | None,
        Field(ge=1, le=MOST_SLOTS, strict=True, description="Null keeps the length; fewer keep the price, more are refused"),
    ] = None  # fmt: skip


class BookingHandOver(Body):
    """Who is responsible from now on."""

    to: UUID


class BookingChange(Answer):
    """One change: ``moved`` from the old time to the new, or ``handed_over`` from one person to another."""

    revision: int
    kind: str
    old_starts_at: Moment | None
    old_ends_at: Moment | None
    new_starts_at: Moment | None
    new_ends_at: Moment | None
    old_person: UUID | None
    new_person: UUID | None
    changed_by: UUID
    changed_at: Moment


class BookingChanges(Answer):
    """What became of a booking, in order."""

    items: list[BookingChange]
    next_cursor: str | None = None


class Taker(Answer):
    """Somebody to whom a booking may be handed over."""

    id: UUID
    name: str


class Takers(Answer):
    """Active colleagues by name."""

    items: list[Taker]
    next_cursor: str | None = None


@rebooking.post("/bookings/<id>/reschedule", **call(Booking))
def reschedule_booking_call(path: ById, body: BookingMove, header: Idempotent) -> Response:
    """Move a booking to another slot of its instrument; the order and its price stay."""
    return command(
        "booking.reschedule",
        header,
        body,
        lambda work: Booking.of(
            reschedule_booking(work, booking_id=path.id, starts_at=body.starts_at, slots=body.slots)
        ),
        about={"booking": str(path.id)},
    )


@rebooking.post("/bookings/<id>/hand-over", **call(Booking))
def hand_over_booking(path: ById, body: BookingHandOver, header: Idempotent) -> Response:
    """Make a colleague responsible for a booking."""
    return command(
        "booking.hand_over",
        header,
        body,
        lambda work: Booking.of(use_cases.hand_over(work, booking_id=path.id, to=body.to)),
        about={"booking": str(path.id)},
    )


@rebooking.get("/bookings/<id>/colleagues", **call(Takers))
def list_booking_colleagues(path: ById) -> Response:
    """List to whom a booking may be handed over."""
    with working() as work:
        found = use_cases.list_takers(work, booking_id=path.id)
    return show(Takers(items=[Taker(id=each, name=name) for each, name in found.items()]))


@rebooking.get("/bookings/<id>/changes", **call(BookingChanges))
def list_booking_changes(path: ById) -> Response:
    """List what became of a booking."""
    with working() as work:
        found = use_cases.list_changes(work, booking_id=path.id)
    return show(BookingChanges(items=[BookingChange.of(each) for each in found]))
