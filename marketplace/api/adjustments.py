"""Adjustments: what an issued invoice billed too little for a line, charged on the next one."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from flask import Response
from pydantic import Field

from billing.usecases import adjustments as use_cases
from billing.usecases.adjustments import AdjustmentWish
from marketplace.api.calls import call, command, noun, read
from marketplace.api.fields import Amount, Answer, Body, ById, Fen, Idempotent, Moment, Name, Paged

adjustments = noun("adjustments", "What an issued invoice billed too little, charged on the next one.")


class NewAdjustment(Body):
    """The line of an issued invoice, what is still to be charged for it (VAT included), and why."""

    invoice_id: UUID
    line: Annotated[int, Field(strict=True, ge=1, le=10**6)]
    amount_fen: Fen
    reason: Name


class Adjustment(Answer):
    """An adjustment. ``period`` is the month that the line was used in; once charged it is traced as the event
    ``event_source``, ``event_id``, and once invoiced it stands on ``on_invoice_line`` of ``on_invoice_id``.
    """

    id: UUID
    park_id: UUID
    park_name: str
    invoice_id: UUID
    invoice_number: str
    invoice_line: int
    title: str
    period: str
    amount_fen: Amount
    vat_bp: int
    reason: str
    status: str
    by_two: bool
    asked_at: Moment
    decided_at: Moment | None
    on_invoice_id: UUID | None
    on_invoice_number: str
    on_invoice_line: int | None
    event_source: str
    event_id: str


class Adjustments(Answer):
    """Adjustments, newest first, a part of the list."""

    items: list[Adjustment]
    next_cursor: str | None = None


class AdjustmentQuery(Paged):
    """Which adjustments."""

    invoice_id: UUID | None = None
    status: Literal["asked", "charged", "refused"] | None = None
    park_id: UUID | None = Field(None, description="For staff: one park's adjustments")


@adjustments.post("/adjustments", **call(Adjustment, status=201))
def ask_adjustment(body: NewAdjustment, header: Idempotent) -> Response:
    """Charge the rest of a line; above what one person may decide it waits, as ``asked``, for another one."""
    wish = AdjustmentWish(body.invoice_id, body.line, body.amount_fen, body.reason)
    return command(
        "adjustment.ask",
        header,
        body,
        lambda work: Adjustment.of(use_cases.ask_adjustment(work, wish=wish)),
        status=201,
    )


@adjustments.get("/adjustments", **call(Adjustments))
def list_adjustments(query: AdjustmentQuery) -> Response:
    """List adjustments; a park sees those that were charged."""
    return read(Adjustments, lambda work: use_cases.list_adjustments(work, **query.model_dump()))


@adjustments.get("/adjustments/<id>", **call(Adjustment))
def read_adjustment(path: ById) -> Response:
    """Read an adjustment."""
    return read(Adjustment, lambda work: use_cases.read_adjustment(work, adjustment_id=path.id))


@adjustments.post("/adjustments/<id>/approval", **call(Adjustment))
def approve_adjustment(path: ById, header: Idempotent) -> Response:
    """Charge an adjustment that another person asked for."""
    return command(
        "adjustment.approve",
        header,
        None,
        lambda work: Adjustment.of(use_cases.approve_adjustment(work, adjustment_id=path.id)),
        about={"id": str(path.id)},
    )


@adjustments.post("/adjustments/<id>/refusal", **call(Adjustment))
def refuse_adjustment(path: ById, header: Idempotent) -> Response:
    """Refuse an adjustment that was asked for."""
    return command(
        "adjustment.refuse",
        header,
        None,
        lambda work: Adjustment.of(use_cases.refuse_adjustment(work, adjustment_id=path.id)),
        about={"id": str(path.id)},
    )
