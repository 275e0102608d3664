"""Disputes of fees of bookings: asked, answered, insisted on and decided."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from flask import Response
from pydantic import Field

from billing.usecases import attendance_disputes as fees
from billing.usecases.attendance_disputes import DisputeView
from marketplace.api.calls import call, command, noun, read
from marketplace.api.fields import Amount, Answer, Body, ById, Idempotent, Moment, Paged
from marketplace.usecases import attendance_disputes as use_cases
from tenants.kernel.paging import Page
from tenants.kernel.work import Work

attendance_disputes = noun("attendance-disputes", "Disputes of fees for no-shows, late cancellations and overruns.")

Why = Annotated[str, Field(min_length=1, max_length=200)]


class DisputeStep(Answer):
    """What was done: 1 is the provider's place, 2 the park's, 3 the operator's."""

    number: int
    step: str
    reason: str
    taken_by: UUID
    taken_at: Moment


class Dispute(Answer):
    """A dispute and where it stands: open, refused, insisted, accepted or rejected."""

    id: UUID
    park_id: UUID
    provider_id: UUID
    booking_id: UUID
    fee_id: UUID
    kind: str
    title: str
    amount_fen: Amount
    reason: str
    asked_by: UUID
    asked_at: Moment
    status: str
    steps: list[DisputeStep]


class Disputes(Answer):
    """Disputes, the latest first."""

    items: list[Dispute]
    next_cursor: str | None


class NewDispute(Body):
    """Which fee is disputed, and why."""

    fee_id: UUID
    reason: Why


class Insistence(Body):
    """Why the operator is to decide."""

    reason: Why


class DisputeDecision(Body):
    """Whether the fee is given back, and why."""

    accept: bool
    reason: Why


@attendance_disputes.get("/attendance-disputes", **call(Disputes))
def list_disputes(query: Paged) -> Response:
    """List the own park's disputes, those at the own provider, or for the operator all."""

    def found(work: Work) -> Page[DisputeView]:
        listed = fees.list_disputes if work.actor.tenant_id is None else fees.list_own_disputes
        return listed(work, limit=query.limit, cursor=query.cursor)

    return read(Disputes, found)


@attendance_disputes.post("/attendance-disputes", **call(Dispute, status=201))
def ask_dispute(body: NewDispute, header: Idempotent) -> Response:
    """Dispute an own fee within 15 days."""
    return command(
        "dispute.ask",
        header,
        body,
        lambda work: Dispute.of(use_cases.ask_dispute(work, fee_id=body.fee_id, reason=body.reason)),
        status=201,
    )


@attendance_disputes.post("/attendance-disputes/<id>/insistence", **call(Dispute))
def insist(path: ById, body: Insistence, header: Idempotent) -> Response:
    """Take a dispute that was refused, or not answered within 15 days, to the operator."""
    return command(
        "dispute.insist",
        header,
        body,
        lambda work: Dispute.of(fees.insist(work, dispute_id=path.id, reason=body.reason)),
        about={"id": str(path.id)},
    )


@attendance_disputes.post("/attendance-disputes/<id>/decision", **call(Dispute))
def decide(path: ById, body: DisputeDecision, header: Idempotent) -> Response:
    """Answer a dispute for its provider, or decide on one that is insisted on for the operator."""
    return command(
        "dispute.decide",
        header,
        body,
        lambda work: Dispute.of(
            use_cases.decide_dispute(work, dispute_id=path.id, accept=body.accept, reason=body.reason)
        ),
        about={"id": str(path.id)},
    )
