"""Closing a year of a joint facility: seen from its end, its true-up proposed, approved, refused, reversed."""

from __future__ import annotations

from datetime import date
from typing import Annotated
from uuid import UUID

from flask import Response
from pydantic import Field

from billing.usecases import joint_true_up_views as views
from billing.usecases import joint_true_ups as use_cases
from marketplace.api.calls import call, command, noun, read
from marketplace.api.fields import Amount, Answer, Body, ById, Idempotent, Moment, Paged
from marketplace.api.joint_hours import JointHours, JointYearQuery, Year

joint_true_ups = noun(
    "joint-true-ups", "What a year of a joint facility comes to: closed by two, charged and credited once."
)


class YearToClose(Body):
    """Which calendar year of the version."""

    year: Year


class TrueUpReversal(Body):
    """Why a closed year is opened again."""

    reason: Annotated[str, Field(min_length=1, max_length=200)]


class TrueUpsQuery(Paged):
    """Which true-ups of a version."""

    year: int | None = Field(None, ge=1900, le=2200)


class TrueUpPart(Answer):
    """A party's share. ``net_fen`` has its part of the capital, which was paid before; ``amount_fen`` is charged on the
    next invoice, below zero credited to the wallet.
    """

    id: UUID
    park_id: UUID
    name: str
    share_bp: int
    entitled_minutes: int
    carried_minutes: int
    used_minutes: int
    lent_minutes: int
    borrowed_minutes: int
    carried_over_minutes: int = Field(description="What the next year takes over")
    capital_fen: Amount
    due_fen: Amount
    received_fen: Amount
    net_fen: Amount
    amount_fen: Amount
    invoice_id: UUID | None
    invoice_number: str
    invoice_line: int | None


class JointTrueUp(Answer):
    """A year's true-up on ``[start, end)``; the shares' nets and ``outsiders_fen`` sum to ``cost_fen``."""

    id: UUID
    agreement_id: UUID
    year: int
    start: date
    end: date
    status: str = Field(description="proposed, approved, refused, or reversed: approved and undone")
    reverses_id: UUID | None
    reason: str
    cost_fen: Amount
    outsiders_fen: Amount
    outsider_minutes: int
    proposed_at: Moment
    decided_at: Moment | None
    shares: list[TrueUpPart]


class JointTrueUps(Answer):
    """True-ups, last proposed first, a part of the list."""

    items: list[JointTrueUp]
    next_cursor: str | None = None


class ParkYearEnd(Answer):
    """A party's year: what it costs, what a centre of its own would have, and what other ways of sharing would."""

    park_id: UUID
    name: str
    used_minutes: int
    carried_over_minutes: int
    net_fen: Amount
    amount_fen: Amount
    alone_fen: Amount
    saved_fen: Amount
    alternatives_fen: dict[str, Amount]


class JointYearEnd(Answer):
    """A year seen from its end. ``saved_bp``: the cost reduction against centres of their own."""

    hours: JointHours
    is_over: bool
    is_closed: bool
    projects: int = Field(description="Joint facilities in force in the year, of those that the caller sees")
    net_fen: Amount
    alone_fen: Amount
    saved_fen: Amount
    saved_bp: int
    methods: list[str]
    parks: list[ParkYearEnd]


@joint_true_ups.get("/joint-agreements/<id>/year-end", **call(JointYearEnd))
def read_year_end(path: ById, query: JointYearQuery) -> Response:
    """Read what a year would be trued up to now, what it would cost otherwise, and what was saved."""
    return read(JointYearEnd, lambda work: views.read_year_end(work, agreement_id=path.id, year=query.year))


@joint_true_ups.get("/joint-agreements/<id>/true-ups", **call(JointTrueUps))
def list_true_ups(path: ById, query: TrueUpsQuery) -> Response:
    """List a version's true-ups."""
    return read(JointTrueUps, lambda work: views.list_true_ups(work, agreement_id=path.id, **query.model_dump()))


@joint_true_ups.post("/joint-agreements/<id>/true-ups", **call(JointTrueUp, status=201))
def propose_true_up(path: ById, body: YearToClose, header: Idempotent) -> Response:
    """Propose the true-up of a year that is over."""
    return command(
        "joint.propose_true_up",
        header,
        body,
        lambda work: JointTrueUp.of(use_cases.propose_true_up(work, agreement_id=path.id, year=body.year)),
        about={"id": str(path.id)},
        status=201,
    )


@joint_true_ups.get("/joint-true-ups/<id>", **call(JointTrueUp))
def read_true_up(path: ById) -> Response:
    """Read a true-up."""
    return read(JointTrueUp, lambda work: views.read_true_up(work, true_up_id=path.id))


@joint_true_ups.post("/joint-true-ups/<id>/approval", **call(JointTrueUp))
def approve_true_up(path: ById, header: Idempotent) -> Response:
    """Close the year, or open it again for a reversal; another person than who proposed it."""
    return command(
        "joint.approve_true_up",
        header,
        None,
        lambda work: JointTrueUp.of(use_cases.approve_true_up(work, true_up_id=path.id)),
        about={"id": str(path.id)},
    )


@joint_true_ups.post("/joint-true-ups/<id>/refusal", **call(JointTrueUp))
def refuse_true_up(path: ById, header: Idempotent) -> Response:
    """Refuse a proposal, or take it back."""
    return command(
        "joint.refuse_true_up",
        header,
        None,
        lambda work: JointTrueUp.of(use_cases.refuse_true_up(work, true_up_id=path.id)),
        about={"id": str(path.id)},
    )


@joint_true_ups.post("/joint-true-ups/<id>/reversal", **call(JointTrueUp, status=201))
def propose_reversal(path: ById, body: TrueUpReversal, header: Idempotent) -> Response:
    """Propose to undo an approved true-up: the opposite is charged and credited once another approves."""
    return command(
        "joint.propose_reversal",
        header,
        body,
        lambda work: JointTrueUp.of(use_cases.propose_reversal(work, true_up_id=path.id, reason=body.reason)),
        about={"id": str(path.id)},
        status=201,
    )
