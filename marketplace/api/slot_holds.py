"""Slots that are held while a price is confirmed, and the operator's rule for it."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from flask import Response
from pydantic import Field

from marketplace.api.calls import call, command, noun, read, show
from marketplace.api.fields import Answer, Body, ById, Idempotent, Instant, Moment
from marketplace.doors.identity import working
from services.rules.slot_holds import MOST_MINUTES, MOST_OFFER_HOURS, MOST_PER_PARK
from services.rules.slots import MOST_SLOTS
from services.usecases import slot_holds as use_cases

slot_holds = noun("slot-holds", "Slots that are kept from others while a price is confirmed.")


class SlotHoldWish(Body):
    """Which time of which instrument."""

    instrument_id: UUID
    starts_at: Instant
    slots: Annotated[int, Field(ge=1, le=MOST_SLOTS, strict=True)] = 1
    responsible_id: UUID | None = Field(None, description="Who will use it; the caller where nobody is named")


class SlotHold(Answer):
    """A held slot. ``outcome`` is null until it was booked, released, replaced or noted as expired."""

    id: UUID
    instrument_id: UUID
    instrument_name: str
    offering: str
    starts_at: Moment
    ends_at: Moment
    quote_id: UUID | None
    held_by: UUID | None
    held_at: Moment
    expires_at: Moment = Field(description="From then on others can book it")
    outcome: str | None


class SlotHolds(Answer):
    """What the park holds now, the first to expire first."""

    items: list[SlotHold]
    next_cursor: str | None = None


class SlotHoldTerms(Answer):
    """How long slots are held and how many at once; ``set_by`` is null where nobody has set it."""

    minutes: int
    per_park: int
    offer_hours: int = Field(description="How long a freed slot is offered to who has waited for it")
    set_by: UUID | None
    set_at: Moment | None


class SlotHoldTermsWish(Body):
    """How long slots are held, and how many a park holds at once."""

    minutes: Annotated[int, Field(ge=1, le=MOST_MINUTES, strict=True)]
    per_park: Annotated[int, Field(ge=1, le=MOST_PER_PARK, strict=True)]
    offer_hours: Annotated[int | None, Field(ge=1, le=MOST_OFFER_HOURS, strict=True, description="Null keeps it")] = (
        None
    )


@slot_holds.post("/slot-holds", **call(SlotHold, status=201))
def hold_slot(body: SlotHoldWish, header: Idempotent) -> Response:
    """Hold a slot for some minutes; the order of the same time turns it into the booking."""
    return command(
        "slot.hold",
        header,
        body,
        lambda work: SlotHold.of(
            use_cases.hold_slot(
                work,
                instrument_id=body.instrument_id,
                starts_at=body.starts_at,
                slots=body.slots,
                responsible_id=body.responsible_id,
            )
        ),
        status=201,
    )


@slot_holds.get("/slot-holds", **call(SlotHolds))
def list_slot_holds() -> Response:
    """List the slots that the park holds now."""
    with working() as work:
        found = use_cases.list_holds(work)
    return show(SlotHolds(items=[SlotHold.of(each) for each in found]))


@slot_holds.get("/slot-holds/<id>", **call(SlotHold))
def read_slot_hold(path: ById) -> Response:
    """Read a hold, ended or not."""
    return read(SlotHold, lambda work: use_cases.read_hold(work, hold_id=path.id))


@slot_holds.post("/slot-holds/<id>/release", **call(SlotHold))
def release_slot_hold(path: ById, header: Idempotent) -> Response:
    """Give a held slot back."""
    return command(
        "slot.release",
        header,
        None,
        lambda work: SlotHold.of(use_cases.release_hold(work, hold_id=path.id)),
        about={"hold": str(path.id)},
    )


@slot_holds.get("/slot-hold-terms", **call(SlotHoldTerms))
def read_slot_hold_terms() -> Response:
    """Read how long slots are held and how many at once."""
    return read(SlotHoldTerms, use_cases.read_hold_terms)


@slot_holds.post("/slot-hold-terms", **call(SlotHoldTerms))
def set_slot_hold_terms(body: SlotHoldTermsWish, header: Idempotent) -> Response:
    """Set how long slots are held and how many a park holds at once (operators)."""
    return command(
        "slot.set_hold_terms",
        header,
        body,
        lambda work: SlotHoldTerms.of(
            use_cases.set_hold_terms(work, minutes=body.minutes, per_park=body.per_park, offer_hours=body.offer_hours)
        ),
    )
