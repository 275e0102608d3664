"""Lines of claims: what a fund owes for one delivery, its evidence, and what its payee does about it."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from flask import Response
from pydantic import Field

from billing.usecases import (
    acceptances,
    claim_corrections,
)
from billing.usecases import (
    claims as use_cases,
)
from billing.usecases.evidence import Upload
from marketplace.api.artefacts import sent_file
from marketplace.api.calls import call, command, file_body, noun, read, show
from marketplace.api.fields import (
    Amount,
    Answer,
    Body,
    ById,
    Idempotent,
    Moment,
    Paged,
    Parameters,
)
from marketplace.doors.identity import bearer_actor, working
from marketplace.doors.requests import takes_files

claim_lines = noun("claim-lines", "What a fund owes for one delivery, with its evidence.")

Reason = Annotated[str, Field(min_length=1, max_length=500)]
LineState = Literal["claimed", "returned", "given_up", "paid"]


class UseProof(Answer):
    """What proves the use of an instrument or the test of samples, as it was at the delivery; null for what was not noted."""

    booked_from: Moment | None
    booked_to: Moment | None
    booked_minutes: int | None
    checked_in_at: Moment | None
    checked_out_at: Moment | None
    used_minutes: int | None = Field(description="From check-in to check-out; started minutes count whole")
    received_at: Moment | None
    test_begun_at: Moment | None
    custody_sha256: str | None


class CorrectedUse(Answer):
    """When people really came and left, as an accepted dispute of the noted times says."""

    came_at: Moment
    left_at: Moment


class Line(Answer):
    """A claim line: what is claimed for whom, and what proves it. ``missing`` names the proofs that it lacks."""

    id: UUID
    park_id: Annotated[UUID, Field(validation_alias="tenant_id")]
    park_name: str
    batch_id: UUID
    period: str
    batch_status: str
    fund: str
    programme: str
    version: int
    mode: str
    order: str | None
    order_line_id: UUID
    offering: str | None
    title: str | None
    amount_fen: Amount
    due_fen: Annotated[Amount, Field(description="The amount less what went back to the fund")]
    status: str
    payee_kind: str
    payee_id: UUID | None
    payee_name: str
    payout_id: UUID | None
    delivered_at: Moment | None
    event_source: str | None
    event_id: str | None
    event_hash: str | None
    acceptance: str | None
    accepted_at: Moment | None
    report_sha256: str | None
    use: UseProof | None
    corrected_use: CorrectedUse | None
    invoice_number: str | None
    invoice_paid: bool
    payment_references: list[str]
    exemption: str | None
    objected: bool
    reason: str
    missing: list[str]
    created_at: Moment


class Lines(Answer):
    """Claim lines, oldest first."""

    items: list[Line]
    next_cursor: str | None


class LineList(Answer):
    """Claim lines, all of them."""

    items: list[Line]
    next_cursor: str | None = None


class Step(Answer):
    """One step in a line's life."""

    id: UUID
    batch_id: UUID
    kind: str
    reason: str
    details: dict[str, Any]
    evidence_id: UUID | None
    user_id: UUID | None
    at: Moment


class Steps(Answer):
    """A line's history, oldest first."""

    items: list[Step]
    next_cursor: str | None = None


class Acceptance(Answer):
    """The word on a delivery that counts."""

    order_line_id: UUID
    kind: str
    note: str
    user_id: UUID | None
    at: Moment


class KeptEvidence(Answer):
    """A file that was attached."""

    id: UUID
    name: str
    media_type: str
    size_bytes: int
    sha256: str


class LineQuestion(Paged):
    """Which lines."""

    status: LineState | None = None


class EvidenceQuestion(Parameters):
    """What the file proves, and its name when the body is the file itself."""

    kind: Annotated[str, Field(max_length=32, description="What it proves, such as contract")] = ""
    name: Annotated[str | None, Field(max_length=200)] = None


class Explained(Body):
    """Why, or what was completed."""

    reason: Reason


class Word(Body):
    """The park's word on a delivery."""

    kind: Literal["accepted", "disputed"]
    note: Annotated[str, Field(max_length=500)] = ""


@claim_lines.get("/claim-lines", **call(Lines))
def list_own_lines(query: LineQuestion) -> Response:
    """List one's own claim lines: a park's for its orders, a provider's that pay it, staff's all."""
    return read(
        Lines,
        lambda work: use_cases.list_own_lines(work, status=query.status, limit=query.limit, cursor=query.cursor),
    )


@claim_lines.get("/claim-lines/<id>", **call(Line))
def read_line(path: ById) -> Response:
    """Read a claim line with its proofs."""
    return read(Line, lambda work: use_cases.read_line(work, line_id=path.id))


@claim_lines.get("/claim-lines/<id>/steps", **call(Steps))
def read_steps(path: ById) -> Response:
    """Read a claim line's history."""
    with working() as work:
        found = use_cases.read_steps(work, line_id=path.id)
    return show(Steps(items=[Step.of(each) for each in found]))


@claim_lines.post(
    "/claim-lines/<id>/evidence", **call(KeptEvidence, status=201), **file_body("application/octet-stream")
)
@takes_files
def attach_evidence(path: ById, query: EvidenceQuestion, header: Idempotent) -> Response:
    """Attach a file to a line that is not under review: in a form, or as the body with its name in ?name=."""
    bearer_actor()
    sent = sent_file()
    file = Upload(query.name or sent.name, sent.media_type, sent.content)
    return command(
        "claim.attach",
        header,
        None,
        lambda work: KeptEvidence.of(
            claim_corrections.attach_evidence(work, line_id=path.id, kind=query.kind, file=file)
        ),
        status=201,
        about={"line": str(path.id), "kind": query.kind, "sha256": sent.sha256},
    )


@claim_lines.post("/claim-lines/<id>/completion", **call(Line))
def complete_line(path: ById, body: Explained, header: Idempotent) -> Response:
    """Put a line that was sent back into the next open batch."""
    return command(
        "claim.complete",
        header,
        body,
        lambda work: Line.of(claim_corrections.complete_line(work, line_id=path.id, note=body.reason)),
        about={"line": str(path.id)},
    )


@claim_lines.post("/claim-lines/<id>/withdrawal", **call(Line))
def give_up_line(path: ById, body: Explained, header: Idempotent) -> Response:
    """Give up a line that was sent back; its money goes back to the fund."""
    return command(
        "claim.give_up",
        header,
        body,
        lambda work: Line.of(claim_corrections.give_up_line(work, line_id=path.id, reason=body.reason)),
        about={"line": str(path.id)},
    )


@claim_lines.post("/order-lines/<id>/acceptance", **call(Acceptance))
def accept_delivery(path: ById, body: Word, header: Idempotent) -> Response:
    """Accept or dispute a delivery in the park's name."""
    say = acceptances.accept_delivery if body.kind == "accepted" else acceptances.dispute_delivery
    return command(
        "delivery.word",
        header,
        body,
        lambda work: Acceptance.of(say(work, order_line_id=path.id, note=body.note)),
        about={"line": str(path.id)},
    )
