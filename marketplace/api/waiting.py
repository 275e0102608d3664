"""Waiting for a slot through the API: a park's places on the lists, and how many wait for a provider's instruments."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Self
from uuid import UUID

from flask import Response
from pydantic import Field, model_validator

from marketplace.api.calls import call, command, noun, read
from marketplace.api.fields import Answer, Body, ById, Idempotent, Instant, Moment, Paged
from services.rules.slots import MOST_SLOTS
from services.rules.waiting import WaitingState
from services.usecases import instruments as provider_instruments
from services.usecases import waiting as use_cases
from services.usecases.waiting import PlaceView
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work

waiting = noun("waiting", "Places on the waiting lists of instruments: a freed slot is offered in their order.")

Day = Annotated[date, Field(ge=date(2000, 1, 1), le=date(2200, 12, 31))]


class WaitingWish(Body):
    """A taken time (``starts_at``), or any of some days (``first_day`` to ``last_day``, both included)."""

    instrument_id: UUID
    slots: Annotated[int, Field(ge=1, le=MOST_SLOTS, strict=True, description="In a row")] = 1
    starts_at: Instant | None = None
    first_day: Day | None = Field(None, description="In the instrument's zone")
    last_day: Day | None = None

    def wanted(self) -> datetime | tuple[date, date]:
        """Return the time, or the first and the last day; ValueError for both and for neither."""
        if self.starts_at is not None and self.first_day is None and self.last_day is None:
            return self.starts_at
        if self.starts_at is None and self.first_day is not None and self.last_day is not None:
            return self.first_day, self.last_day
        raise ValueError("either starts_at, or first_day and last_day")

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        self.wanted()
        return self


class PassedOver(Answer):
    """A time that the place was passed over for, and why: the code that booking it would have been refused with."""

    reason: str
    starts_at: Moment
    ends_at: Moment
    noted_at: Moment


class WaitingPlace(Answer):
    """A place. What is offered is held for the park until ``offer_expires_at``: quote and order the same time."""

    id: UUID
    instrument_id: UUID
    instrument_name: str
    offering: str
    number: int = Field(description="Strictly in the order of joining, for each instrument")
    from_at: Moment
    to_at: Moment
    slots: int
    joined_by: UUID | None
    joined_at: Moment
    state: WaitingState
    position: int | None = Field(description="Among those who wait for an overlapping time; null when it waits no more")
    hold_id: UUID | None = Field(description="The slot hold that it was offered")
    offer_starts_at: Moment | None
    offer_ends_at: Moment | None
    offer_expires_at: Moment | None
    passed: list[PassedOver]


class WaitingPlaces(Answer):
    """Places, the latest first."""

    items: list[WaitingPlace]
    next_cursor: str | None


class WaitingList(Answer):
    """How many wait for an instrument."""

    instrument_id: UUID
    instrument_name: str
    waiting: int


class WaitingLists(Answer):
    """The own instruments' lists, by name."""

    items: list[WaitingList]
    next_cursor: str | None = None


@waiting.post("/waiting-places", **call(WaitingPlace, status=201))
def join_waiting_list(body: WaitingWish, header: Idempotent) -> Response:
    """Wait for a taken time, or for slots on some days; the same wish again is the same place."""

    def carry_out(work: Work) -> WaitingPlace:
        return WaitingPlace.of(_join(work, body))

    return command("waiting.join", header, body, carry_out, status=201)


@waiting.get("/waiting-places", **call(WaitingPlaces))
def list_waiting_places(query: Paged) -> Response:
    """List the park's places, ended ones as well."""
    return read(WaitingPlaces, lambda work: use_cases.list_places(work, limit=query.limit, cursor=query.cursor))


@waiting.get("/waiting-places/<id>", **call(WaitingPlace))
def read_waiting_place(path: ById) -> Response:
    """Read a place with its position, what it is offered, and what it was passed over for."""
    return read(WaitingPlace, lambda work: use_cases.read_place(work, place_id=path.id))


@waiting.post("/waiting-places/<id>/leave", **call(WaitingPlace))
def leave_waiting_list(path: ById, header: Idempotent) -> Response:
    """Leave the list, or decline what is offered, which goes to the next one."""
    return command(
        "waiting.leave",
        header,
        None,
        lambda work: WaitingPlace.of(use_cases.leave(work, place_id=path.id)),
        about={"id": str(path.id)},
    )


@waiting.get("/waiting-lists", **call(WaitingLists))
def list_waiting_lists() -> Response:
    """Say how many wait for each of the own instruments (providers)."""

    def found(work: Work) -> WaitingLists:
        work.actor.require(Permission.MANAGE_INSTRUMENT)
        own = provider_instruments.list_instruments(work, own=True)
        counts = use_cases.count_waiting(work, instrument_ids=[each.id for each in own])
        return WaitingLists(
            items=[
                WaitingList(instrument_id=each.id, instrument_name=each.name, waiting=counts.get(each.id, 0))
                for each in own
            ]
        )

    return read(WaitingLists, found)


def _join(work: Work, body: WaitingWish) -> PlaceView:
    wanted = body.wanted()
    about, slots = body.instrument_id, body.slots
    if isinstance(wanted, datetime):
        return use_cases.join_for_time(work, instrument_id=about, starts_at=wanted, slots=slots)
    first, last = wanted
    return use_cases.join_for_days(work, instrument_id=about, first=first, last=last, slots=slots)
