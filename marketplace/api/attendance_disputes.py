"""Disputes of fees of bookings and of their times: asked, answered, insisted on and decided."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from flask import Response
from pydantic import Field

from billing.usecases import attendance_disputes as fees
from billing.usecases.attendance_disputes import DisputeView
from marketplace.api.calls import call, command, noun, read
from marketplace.api.fields import Amount, Answer, Body, ById, Idempotent, Instant, Moment, Paged
from marketplace.usecases import attendance_disputes as use_cases
from tenants.kernel.errors import FieldError, Invalid
from tenants.kernel.messages import Message, msg
from tenants.kernel.paging import Page
from tenants.kernel.work import Work

attendance_disputes = noun(
    "attendance-disputes", "Disputes of fees for no-shows, late cancellations and overruns, and of noted times."
)

Why = Annotated[str, Field(min_length=1, max_length=200)]


def _refused(fields: Sequence[str], wrong: Message) -> Invalid:
    return Invalid(
        "dispute.about_what", wrong, errors=[FieldError(each, "dispute.about_what", wrong) for each in fields]
    )


class DisputeStep(Answer):
    """What was done: 1 is the provider's place, 2 the park's, 3 the operator's."""

    number: int
    step: str
    reason: str
    taken_by: UUID
    taken_at: Moment


class ClaimedTimes(Answer):
    """What was noted of a booking and what the park says is right; hours that would be charged by it, null for none."""

    noted_came_at: Moment | None
    noted_left_at: Moment | None
    came_at: Moment
    left_at: Moment
    used_units: int | None
    overrun_units: int


class Dispute(Answer):
    """A dispute and where it stands: open, refused, insisted, accepted or rejected."""

    id: UUID
    park_id: UUID
    provider_id: UUID
    booking_id: UUID
    fee_id: UUID | None
    kind: str = Field(description="The fee's kind, or times")
    title: str
    amount_fen: Amount = Field(description="The fee, or what the claimed times would give back")
    given_back_fen: Amount
    times: ClaimedTimes | None = Field(description="Null for a fee")
    within_days: int
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
    """What is disputed, and why: a fee, or a booking with the times that are right."""

    fee_id: UUID | None = None
    booking_id: UUID | None = None
    came_at: Instant | None = None
    left_at: Instant | None = None
    reason: Why

    def ask(self, work: Work) -> DisputeView:
        """Ask it. Raises Invalid where neither a fee is named, nor a booking with both times, or something of both."""
        times = {"booking_id": self.booking_id, "came_at": self.came_at, "left_at": self.left_at}
        given = [name for name, value in times.items() if value is not None]
        if self.fee_id is not None:
            if given:
                raise _refused(given, msg("对费用的异议只填 fee_id。请删去其他字段，或另行对使用时间提出异议。"))
            return use_cases.ask_dispute(work, fee_id=self.fee_id, reason=self.reason)
        if self.booking_id is None or self.came_at is None or self.left_at is None:
            missing = [name for name in times if name not in given] if given else ["fee_id"]
            raise _refused(missing, msg("请填写 fee_id，或同时填写 booking_id、came_at 与 left_at。"))
        return use_cases.ask_times_dispute(
            work, booking_id=self.booking_id, came_at=self.came_at, left_at=self.left_at, reason=self.reason
        )


class Insistence(Body):
    """Why the operator is to decide."""

    reason: Why


class DisputeDecision(Body):
    """Whether what was charged wrongly is given back, and why."""

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
    """Dispute an own fee, or the times of an own booking, within the days of its rule."""
    return command(
        "dispute.ask",
        header,
        body,
        lambda work: Dispute.of(body.ask(work)),
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
