"""The public notice of claims, and what is objected to it."""

from __future__ import annotations

from uuid import UUID

from flask import Response

from billing.usecases import (
    claim_notice,
)
from billing.usecases import (
    claims as use_cases,
)
from marketplace.api.calls import call, command, noun, show
from marketplace.api.claim_lines import Reason
from marketplace.api.fields import (
    Amount,
    Answer,
    Body,
    ById,
    Idempotent,
    Moment,
    Name,
    Parameters,
    PathParameters,
)
from marketplace.doors.identity import platform_working, working

claim_notices = noun("claim-notices", "What is shown in public before it is paid, and objections to it.")


class Objection(Answer):
    """An objection to a line during its public notice."""

    id: UUID
    line_id: UUID
    batch_id: UUID
    objector: str
    reason: str
    status: str
    recorded_by: UUID
    recorded_at: Moment
    decided_by: UUID | None
    decided_at: Moment | None
    decision: str


class Objections(Answer):
    """A batch's objections, oldest first."""

    items: list[Objection]
    next_cursor: str | None = None


class NoticeLine(Answer):
    """A line as the public sees it."""

    park_name: str
    programme_name: str
    programme_name_en: str
    title: str
    amount_fen: Amount
    exemption: str | None


class Notice(Answer):
    """A batch under public notice; ``until`` is the first moment after it."""

    batch_id: UUID
    fund_name: str
    fund_name_en: str
    period: str
    begins: Moment
    until: Moment
    amount_fen: Amount
    lines: list[NoticeLine]


class Notices(Answer):
    """Batches under public notice, without their lines."""

    items: list[Notice]
    next_cursor: str | None = None


class NoticeQuestion(Parameters):
    """Of which fund; of all without."""

    fund_id: UUID | None = None


class NewObjection(Body):
    """Who objects, and why."""

    objector: Name
    reason: Reason


class Decision(Body):
    """Whether an objection is upheld, and why."""

    uphold: bool
    decision: Reason


class ObjectionPath(PathParameters):
    """An objection."""

    id: UUID
    objection_id: UUID


@claim_notices.get("/claim-batches/<id>/objections", **call(Objections))
def list_objections(path: ById) -> Response:
    """List a batch's objections."""
    with working() as work:
        found = use_cases.list_objections(work, batch_id=path.id)
    return show(Objections(items=[Objection.of(each) for each in found]))


@claim_notices.post("/claim-lines/<id>/objections", **call(Objection, status=201))
def record_objection(path: ById, body: NewObjection, header: Idempotent) -> Response:
    """Record an objection to a line during its public notice."""
    return command(
        "claim.object",
        header,
        body,
        lambda work: Objection.of(
            claim_notice.record_objection(work, line_id=path.id, objector=body.objector, reason=body.reason)
        ),
        status=201,
        about={"line": str(path.id)},
    )


@claim_notices.post("/claim-lines/<id>/objections/<objection_id>/decision", **call(Objection))
def decide_objection(path: ObjectionPath, body: Decision, header: Idempotent) -> Response:
    """Decide on an objection: upheld, the line goes back; dismissed, it can be paid."""
    return command(
        "claim.objection.decide",
        header,
        body,
        lambda work: Objection.of(
            claim_notice.decide_objection(
                work, objection_id=path.objection_id, uphold=body.uphold, decision=body.decision
            )
        ),
        about={"objection": str(path.objection_id)},
    )


@claim_notices.get("/claim-notices", **call(Notices, open_to_all=True))
def list_notices(query: NoticeQuestion) -> Response:
    """List the batches under public notice; open to everybody."""
    with platform_working("public-notice") as work:
        return show(Notices(items=[Notice.of(each) for each in claim_notice.list_notices(work, fund_id=query.fund_id)]))


@claim_notices.get("/claim-notices/<id>", **call(Notice, open_to_all=True, missing=True))
def read_notice(path: ById) -> Response:
    """Read a public notice with its lines; open to everybody."""
    with platform_working("public-notice") as work:
        return show(Notice.of(claim_notice.read_notice(work, batch_id=path.id)))
