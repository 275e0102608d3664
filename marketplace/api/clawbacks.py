"""Clawbacks: public money that is asked back, from whom, why, and what of it came; and returns that lead to some."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from flask import Response
from pydantic import Field

from billing.rules.clawbacks import Bearer, ClawbackCause, ClawbackStatus, RepaymentMethod
from billing.rules.returns import ReturnCause
from billing.usecases import clawback_repayments
from billing.usecases import clawbacks as use_cases
from billing.usecases.evidence import Upload
from marketplace.api.calls import call, command, noun, read
from marketplace.api.fields import Amount, Answer, Body, ById, Fen, Idempotent, Moment, Name, Note, Paged, SentFile
from marketplace.doors.requests import takes_files
from marketplace.usecases import returns

clawbacks = noun("clawbacks", "Public money that is asked back: from whom, why, and what of it came.")

Day = Annotated[date, Field(description="A day, such as 2026-03-31")]


class Return(Answer):
    """A delivered line that was taken back, wholly or in part, and where its money went."""

    id: UUID
    order_line_id: UUID
    number: int
    amount_fen: Amount
    park_fen: Amount
    public_fen: Amount
    vat_fen: Amount
    to_invoice_fen: Amount
    to_wallet_fen: Amount
    waiting_fen: Annotated[Amount, Field(description="Credited to the line's invoice when that is issued")]
    withdrawn_fen: Annotated[Amount, Field(description="Public money that had not been paid out: back in its funds")]
    recalled_fen: Annotated[Amount, Field(description="Public money that had been paid out: asked of the provider")]
    invoice_id: UUID | None
    cause: ReturnCause
    reason: str
    agreement: str
    evidence_id: UUID | None
    returned_at: Moment


class ClawbackRow(Answer):
    """A case in a list. ``outstanding_fen`` is asked back and has not come."""

    id: UUID
    number: str
    park_id: UUID
    park_name: str
    order_line_id: UUID
    subject: str
    return_id: UUID | None
    cause: ClawbackCause
    bearer: Bearer
    bearer_id: UUID
    bearer_name: str
    amount_fen: Amount
    due_on: date
    status: ClawbackStatus
    is_overdue: bool
    opened_at: Moment
    withdrawn_fen: Amount
    to_fund_fen: Amount
    to_seller_fen: Amount
    repaid_fen: Amount
    written_off_fen: Amount
    outstanding_fen: Amount


class Part(Answer):
    """What a case asks of one fund for one programme."""

    hold_id: UUID
    fund_id: UUID
    fund: str
    fund_name: str
    programme: str
    amount_fen: Amount
    withdrawn_fen: Amount
    recalled_fen: Amount
    repaid_fen: Amount


class Repaid(Answer):
    """Money that came."""

    id: UUID
    method: RepaymentMethod
    reference: str
    amount_fen: Amount
    received_on: date
    recorded_at: Moment


class KeptBack(Answer):
    """What a payout keeps back for a case: repaid once ``payout_status`` is ``paid``."""

    payout_id: UUID
    batch_id: UUID
    period: str
    payout_status: str
    amount_fen: Amount


class Clawback(ClawbackRow):
    """A case with its reason, people, parts and repayments."""

    reason: str
    evidence_id: UUID | None
    opened_by: UUID
    decided_by: UUID | None
    decided_at: Moment | None
    decision_note: str
    outstanding_fund_fen: Amount
    outstanding_seller_fen: Amount
    write_off_reason: str | None
    write_off_by: UUID | None
    write_off_approved_by: UUID | None
    closed_at: Moment | None
    parts: list[Part]
    repayments: list[Repaid]
    set_offs: list[KeptBack]


class Clawbacks(Answer):
    """Cases, newest first, a part of the list."""

    items: list[ClawbackRow]
    next_cursor: str | None


class ClawbackQuery(Paged):
    """Which cases."""

    status: ClawbackStatus | None = None
    park_id: UUID | None = Field(None, description="For staff: one park's cases")


class ClawbackWish(Body):
    """What is asked back, why, until when, and what proves it."""

    order_line_id: UUID
    cause: ClawbackCause
    bearer: Annotated[Bearer | None, Field(description="Named for fraud; else it follows from the cause")] = None
    amount_fen: Annotated[Fen | None, Field(description="Of the line's subsidy; null for all that is left")] = None
    programme: Annotated[Name | None, Field(description="Only what this programme gave; null for all")] = None
    reason: Name
    due_on: Day
    evidence: SentFile


class ClawbackDecision(Body):
    """Whether a case is upheld."""

    decision: Literal["uphold", "dismiss"]
    note: Note = ""


class RepaymentWish(Body):
    """Money that came: to the treasury with the bank's reference, or out of the park's wallet."""

    amount_fen: Fen
    method: RepaymentMethod = RepaymentMethod.TREASURY
    reference: Annotated[str, Field(max_length=200)] = ""
    received_on: Day | None = None


class WriteOff(Body):
    """Why what is outstanding should be given up."""

    reason: Name


def upload(file: SentFile | None) -> Upload | None:
    """Return a sent file as use cases take it."""
    return None if file is None else Upload(file.name, file.media_type, file.content)


@clawbacks.post("/clawbacks", **call(Clawback, status=201))
@takes_files
def open_clawback(body: ClawbackWish, header: Idempotent) -> Response:
    """Open a case; nothing moves until somebody else decides it."""
    wish = returns.CaseWish(
        body.cause, body.reason, body.due_on, body.amount_fen, body.bearer, upload(body.evidence), body.programme
    )
    return command(
        "clawback.open",
        header,
        body,
        lambda work: Clawback.of(returns.open_case(work, order_line_id=body.order_line_id, wish=wish)),
        status=201,
    )


@clawbacks.get("/clawbacks", **call(Clawbacks))
def list_clawbacks(query: ClawbackQuery) -> Response:
    """List cases: a park's own, for staff all."""
    return read(
        Clawbacks,
        lambda work: use_cases.list_clawbacks(
            work, status=query.status, park_id=query.park_id, limit=query.limit, cursor=query.cursor
        ),
    )


@clawbacks.get("/clawbacks/<id>", **call(Clawback))
def read_clawback(path: ById) -> Response:
    """Read a case."""
    return read(Clawback, lambda work: use_cases.read_clawback(work, clawback_id=path.id))


@clawbacks.post("/clawbacks/<id>/decision", **call(Clawback))
def decide_clawback(path: ById, body: ClawbackDecision, header: Idempotent) -> Response:
    """Uphold or dismiss a case that somebody else opened; what is not paid out yet goes back to its fund at once."""
    return command(
        "clawback.decide",
        header,
        body,
        lambda work: Clawback.of(
            use_cases.decide_clawback(
                work, clawback_id=path.id, uphold=body.decision == "uphold", note=body.note
            )
        ),
        about={"clawback": str(path.id)},
    )  # fmt: skip


@clawbacks.post("/clawbacks/<id>/repayments", **call(Clawback, status=201))
def record_repayment(path: ById, body: RepaymentWish, header: Idempotent) -> Response:
    """Record money that came, wholly or in part; a bank's reference counts once."""
    repayment = clawback_repayments.Repayment(**body.model_dump())
    return command(
        "clawback.repay",
        header,
        body,
        lambda work: Clawback.of(
            clawback_repayments.record_repayment(work, clawback_id=path.id, repayment=repayment)
        ),
        status=201,
        about={"clawback": str(path.id)},
    )  # fmt: skip


@clawbacks.post("/clawbacks/<id>/write-off", **call(Clawback))
def propose_write_off(path: ById, body: WriteOff, header: Idempotent) -> Response:
    """Ask that what is outstanding be given up; somebody else has to approve it."""
    return command(
        "clawback.propose_write_off",
        header,
        body,
        lambda work: Clawback.of(
            clawback_repayments.propose_write_off(work, clawback_id=path.id, reason=body.reason)
        ),
        about={"clawback": str(path.id)},
    )  # fmt: skip


@clawbacks.post("/clawbacks/<id>/write-off/approval", **call(Clawback))
def approve_write_off(path: ById, header: Idempotent) -> Response:
    """Give up what is outstanding, as somebody else proposed."""
    return command(
        "clawback.write_off",
        header,
        None,
        lambda work: Clawback.of(clawback_repayments.approve_write_off(work, clawback_id=path.id)),
        about={"clawback": str(path.id)},
    )
