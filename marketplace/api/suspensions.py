"""Suspensions of parks that did not come to their bookings, for both sides, and their early end."""

from __future__ import annotations

from uuid import UUID

from flask import Response
from pydantic import Field

from marketplace.api.calls import call, command, noun, read
from marketplace.api.fields import Answer, Body, ById, Idempotent, Moment, Paged
from services.usecases import suspensions as use_cases
from services.usecases.suspensions import LONGEST_REASON, SuspensionView
from tenants.kernel.paging import Page
from tenants.kernel.work import Work

suspensions = noun("suspensions", "Parks that a provider takes no new bookings of for a time.")


class Suspension(Answer):
    """A suspension: nothing new is booked from ``began_at`` until before ``until``; what is booked stays."""

    id: UUID
    park_id: UUID
    provider_id: UUID
    provider_name: str
    no_shows: int
    window_days: int
    booking_ids: list[UUID] = Field(description="The missed bookings that it stands on")
    began_at: Moment
    ends_at: Moment = Field(description="As it was to end")
    until: Moment = Field(description="Its end, early or not")
    lifted_at: Moment | None
    lifted_by: UUID | None
    lifted_side: str | None = Field(description="provider or operator")
    lift_reason: str | None


class Suspensions(Answer):
    """Suspensions, the latest first."""

    items: list[Suspension]
    next_cursor: str | None


class Lift(Body):
    """Why a suspension is lifted; the park reads it."""

    reason: str = Field(min_length=1, max_length=LONGEST_REASON)


@suspensions.get("/suspensions", **call(Suspensions))
def list_suspensions(query: Paged) -> Response:
    """List the own park's suspensions, those at the own provider, or for the operator all."""

    def found(work: Work) -> Page[SuspensionView]:
        if work.actor.tenant_id is not None:
            return use_cases.list_own_suspensions(work, limit=query.limit, cursor=query.cursor)
        return use_cases.list_suspensions(work, limit=query.limit, cursor=query.cursor)

    return read(Suspensions, found)


@suspensions.post("/suspensions/<id>/lift", **call(Suspension))
def lift_suspension(path: ById, body: Lift, header: Idempotent) -> Response:
    """End a suspension at once, with the reason (its provider or the operator)."""
    return command(
        "suspension.lift",
        header,
        body,
        lambda work: Suspension.of(use_cases.lift_suspension(work, suspension_id=path.id, reason=body.reason)),
        about={"id": str(path.id)},
    )
