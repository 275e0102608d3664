"""Claims: a fund's month submitted, reviewed twice, shown in public and paid, with the evidence of every line."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal
from uuid import UUID

from flask import Response
from pydantic import Field

from billing.usecases import (
    acceptances,
    claim_corrections,
    claim_notice,
    claim_pack,
    claim_payouts,
    claim_review,
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
    Name,
    Paged,
    Parameters,
    PathParameters,
    Period,
)
from marketplace.doors.files import packed, spreadsheet
from marketplace.doors.identity import bearer_actor, platform_working, working
from marketplace.doors.requests import takes_files
from marketplace.formats.claims_table import claims_table
from marketplace.formats.tables import CSV, XLSX
from marketplace.usecases import claim_packs

claims = noun("claims", "What funds owe, on its way to being paid.")

Reason = Annotated[str, Field(min_length=1, max_length=500)]
BatchState = Literal["open", "first_review", "second_review", "notice", "disbursed", "done"]
LineState = Literal["claimed", "returned", "given_up", "paid"]


class Batch(Answer):
    """A fund's month; ``notice_until`` is the first moment after its public notice."""

    id: UUID
    fund_id: UUID
    fund: str
    fund_name: str
    fund_name_en: str
    period: str
    status: str
    lines: int
    amount_fen: Amount
    returned_lines: int
    returned_fen: Amount
    paid_fen: Amount
    unpaid_fen: Amount
    open_objections: int
    created_at: Moment
    submitted_by: UUID | None
    submitted_at: Moment | None
    first_reviewed_by: UUID | None
    first_reviewed_at: Moment | None
    second_reviewed_by: UUID | None
    second_reviewed_at: Moment | None
    notice_from: Moment | None
    notice_until: Moment | None
    done_at: Moment | None


class Batches(Answer):
    """Batches, newest first."""

    items: list[Batch]
    next_cursor: str | None


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


class SetOff(Answer):
    """What of a payout pays a clawback of its payee instead of going to it."""

    clawback_id: UUID
    number: str
    amount_fen: Amount


class Payout(Answer):
    """What one payee gets of a batch: ``set_off_fen`` pays its clawbacks, ``transfer_fen`` is transferred."""

    id: UUID
    batch_id: UUID
    payee_kind: str
    payee_id: UUID
    payee_name: str
    amount_fen: Amount
    set_off_fen: Amount
    transfer_fen: Amount
    set_offs: list[SetOff]
    lines: int
    status: str
    prepared_by: UUID
    created_at: Moment
    payment_reference: str | None
    paid_on: date | None
    paid_by: UUID | None
    paid_at: Moment | None


class Payouts(Answer):
    """A batch's payouts."""

    items: list[Payout]
    next_cursor: str | None = None


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


class BatchQuestion(Paged):
    """Which batches."""

    fund_id: UUID | None = None
    status: BatchState | None = None


class LineQuestion(Paged):
    """Which lines."""

    status: LineState | None = None


class NoticeQuestion(Parameters):
    """Of which fund; of all without."""

    fund_id: UUID | None = None


class TableQuestion(Parameters):
    """The kind of file."""

    format: Literal["csv", "xlsx"] = "csv"


class ClaimExportQuestion(TableQuestion):
    """Which month, and the kind of file."""

    period: Period


class EvidenceQuestion(Parameters):
    """What the file proves, and its name when the body is the file itself."""

    kind: Annotated[str, Field(max_length=32, description="What it proves, such as contract")] = ""
    name: Annotated[str | None, Field(max_length=200)] = None


class Submission(Body):
    """Whether lines that lack proofs go to the next month, instead of stopping the submission."""

    defer_incomplete: bool = False


class ReturnedLine(Body):
    """A line that goes back, and why."""

    line_id: UUID
    reason: Reason

    def rule(self) -> claim_review.Return:
        """Return it as the use case takes it."""
        return claim_review.Return(self.line_id, self.reason)


class Review(Body):
    """A review passed: the lines in ``returns`` go back, all others are approved."""

    stage: Literal["first", "second"]
    returns: Annotated[list[ReturnedLine], Field(max_length=1000, default_factory=list)]
    notice_days: Annotated[int, Field(strict=True, ge=5, le=60, description="Of the second review")] = 7


class Returns(Body):
    """Lines that go back before the review is passed."""

    stage: Literal["first", "second"]
    returns: Annotated[list[ReturnedLine], Field(min_length=1, max_length=1000)]


class NewObjection(Body):
    """Who objects, and why."""

    objector: Name
    reason: Reason


class Decision(Body):
    """Whether an objection is upheld, and why."""

    uphold: bool
    decision: Reason


class PaymentRecord(Body):
    """The treasury's payment."""

    payment_reference: Annotated[str, Field(min_length=1, max_length=100)]
    paid_on: date


class Explained(Body):
    """Why, or what was completed."""

    reason: Reason


class Word(Body):
    """The park's word on a delivery."""

    kind: Literal["accepted", "disputed"]
    note: Annotated[str, Field(max_length=500)] = ""


class ObjectionPath(PathParameters):
    """An objection."""

    id: UUID
    objection_id: UUID


@claims.get("/claim-batches", **call(Batches))
def list_batches(query: BatchQuestion) -> Response:
    """List batches with their sums."""
    return read(
        Batches,
        lambda work: use_cases.list_batches(
            work, fund_id=query.fund_id, status=query.status, limit=query.limit, cursor=query.cursor
        ),
    )


@claims.get("/claim-batches/<id>", **call(Batch))
def read_batch(path: ById) -> Response:
    """Read a batch with its sums, its reviewers and its notice."""
    return read(Batch, lambda work: use_cases.read_batch(work, batch_id=path.id))


@claims.get("/claim-batches/<id>/lines", **call(Lines))
def list_batch_lines(path: ById, query: Paged) -> Response:
    """List a batch's lines with their proofs."""
    return read(
        Lines,
        lambda work: use_cases.list_batch_lines(work, batch_id=path.id, limit=query.limit, cursor=query.cursor),
    )


@claims.get("/claim-batches/<id>/incomplete", **call(LineList))
def check_batch(path: ById) -> Response:
    """List the lines that lack proofs, before the batch is submitted."""
    with working() as work:
        found = use_cases.check_batch(work, batch_id=path.id)
    return show(LineList(items=[Line.of(each.line) for each in found]))


@claims.get("/claim-batches/<id>/list", **call(files=[CSV, XLSX]))
def batch_table(path: ById, query: TableQuestion) -> Response:
    """Download a batch's lines as CSV or workbook."""
    with working() as work:
        found = claim_pack.batch_lines(work, batch_id=path.id)
        return spreadsheet(claims_table(str(path.id), found), f"claims-{path.id}", query.format, work.now)


@claims.get("/exports/claims", **call(files=[CSV, XLSX]))
def export_claims(query: ClaimExportQuestion) -> Response:
    """Download all lines of a month's batches."""
    with working() as work:
        found = claim_pack.month_lines(work, period=query.period)
        return spreadsheet(claims_table(query.period, found), f"claims-{query.period}", query.format, work.now)


@claims.get("/claim-batches/<id>/pack", **call(files=["application/zip"]))
def evidence_pack(path: ById) -> Response:
    """Download a batch's evidence pack: a zip with a manifest of hashes."""
    return packed(
        bearer_actor(),
        f"claims-{path.id}.zip",
        lambda work, target: claim_packs.write_pack(work, batch_id=path.id, target=target),
    )


@claims.post("/claim-batches/<id>/submission", **call(Batch))
def submit_batch(path: ById, body: Submission, header: Idempotent) -> Response:
    """Submit a month's batch for review."""
    return command(
        "claim.submit",
        header,
        body,
        lambda work: Batch.of(
            claim_review.submit_batch(work, batch_id=path.id, defer_incomplete=body.defer_incomplete)
        ),
        about={"batch": str(path.id)},
    )


@claims.post("/claim-batches/<id>/reviews", **call(Batch))
def review_batch(path: ById, body: Review, header: Idempotent) -> Response:
    """Pass a review: all lines but the returned ones are approved."""
    returns = [each.rule() for each in body.returns]
    return command(
        "claim.review",
        header,
        body,
        lambda work: Batch.of(
            claim_review.review_batch(
                work, batch_id=path.id, stage=body.stage, returns=returns, notice_days=body.notice_days
            )
        ),
        about={"batch": str(path.id)},
    )


@claims.post("/claim-batches/<id>/returns", **call(Batch))
def return_lines(path: ById, body: Returns, header: Idempotent) -> Response:
    """Send lines back before the review is passed."""
    returns = [each.rule() for each in body.returns]
    return command(
        "claim.return",
        header,
        body,
        lambda work: Batch.of(claim_review.return_lines(work, batch_id=path.id, stage=body.stage, returns=returns)),
        about={"batch": str(path.id)},
    )


@claims.get("/claim-batches/<id>/objections", **call(Objections))
def list_objections(path: ById) -> Response:
    """List a batch's objections."""
    with working() as work:
        found = use_cases.list_objections(work, batch_id=path.id)
    return show(Objections(items=[Objection.of(each) for each in found]))


@claims.post("/claim-lines/<id>/objections", **call(Objection, status=201))
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


@claims.post("/claim-lines/<id>/objections/<objection_id>/decision", **call(Objection))
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


@claims.get("/claim-batches/<id>/payouts", **call(Payouts))
def list_payouts(path: ById) -> Response:
    """List a batch's payouts."""
    with working() as work:
        found = use_cases.list_payouts(work, batch_id=path.id)
    return show(Payouts(items=[Payout.of(each) for each in found]))


@claims.post("/claim-batches/<id>/payouts", **call(Payouts, status=201))
def prepare_payouts(path: ById, header: Idempotent) -> Response:
    """Draw up one payout per payee, after the public notice."""
    return command(
        "claim.payouts",
        header,
        None,
        lambda work: Payouts(items=[Payout.of(each) for each in claim_payouts.prepare_payouts(work, batch_id=path.id)]),
        status=201,
        about={"batch": str(path.id)},
    )


@claims.post("/payouts/<id>/payment", **call(Payout))
def record_payment(path: ById, body: PaymentRecord, header: Idempotent) -> Response:
    """Record the treasury's payment of a payout."""
    return command(
        "claim.pay",
        header,
        body,
        lambda work: Payout.of(
            claim_payouts.record_payment(
                work, payout_id=path.id, payment_reference=body.payment_reference, paid_on=body.paid_on
            )
        ),
        about={"payout": str(path.id)},
    )


@claims.post("/payouts/<id>/cancellation", **call(Payout))
def cancel_payout(path: ById, body: Explained, header: Idempotent) -> Response:
    """Take back a payout that was not paid."""
    return command(
        "claim.payout_cancel",
        header,
        body,
        lambda work: Payout.of(claim_payouts.cancel_payout(work, payout_id=path.id, reason=body.reason)),
        about={"payout": str(path.id)},
    )


@claims.get("/claim-lines", **call(Lines))
def list_own_lines(query: LineQuestion) -> Response:
    """List one's own claim lines: a park's for its orders, a provider's that pay it, staff's all."""
    return read(
        Lines,
        lambda work: use_cases.list_own_lines(work, status=query.status, limit=query.limit, cursor=query.cursor),
    )


@claims.get("/payouts", **call(Payouts))
def list_own_payouts(query: Paged) -> Response:
    """List one's own payouts, newest first, with what of each was set off; staff's all."""
    return read(Payouts, lambda work: use_cases.list_own_payouts(work, limit=query.limit, cursor=query.cursor))


@claims.get("/claim-lines/<id>", **call(Line))
def read_line(path: ById) -> Response:
    """Read a claim line with its proofs."""
    return read(Line, lambda work: use_cases.read_line(work, line_id=path.id))


@claims.get("/claim-lines/<id>/steps", **call(Steps))
def read_steps(path: ById) -> Response:
    """Read a claim line's history."""
    with working() as work:
        found = use_cases.read_steps(work, line_id=path.id)
    return show(Steps(items=[Step.of(each) for each in found]))


@claims.post("/claim-lines/<id>/evidence", **call(KeptEvidence, status=201), **file_body("application/octet-stream"))
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


@claims.post("/claim-lines/<id>/completion", **call(Line))
def complete_line(path: ById, body: Explained, header: Idempotent) -> Response:
    """Put a line that was sent back into the next open batch."""
    return command(
        "claim.complete",
        header,
        body,
        lambda work: Line.of(claim_corrections.complete_line(work, line_id=path.id, note=body.reason)),
        about={"line": str(path.id)},
    )


@claims.post("/claim-lines/<id>/withdrawal", **call(Line))
def give_up_line(path: ById, body: Explained, header: Idempotent) -> Response:
    """Give up a line that was sent back; its money goes back to the fund."""
    return command(
        "claim.give_up",
        header,
        body,
        lambda work: Line.of(claim_corrections.give_up_line(work, line_id=path.id, reason=body.reason)),
        about={"line": str(path.id)},
    )


@claims.post("/order-lines/<id>/acceptance", **call(Acceptance))
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


@claims.get("/claim-notices", **call(Notices, open_to_all=True))
def list_notices(query: NoticeQuestion) -> Response:
    """List the batches under public notice; open to everybody."""
    with platform_working("public-notice") as work:
        return show(Notices(items=[Notice.of(each) for each in claim_notice.list_notices(work, fund_id=query.fund_id)]))


@claims.get("/claim-notices/<id>", **call(Notice, open_to_all=True, missing=True))
def read_notice(path: ById) -> Response:
    """Read a public notice with its lines; open to everybody."""
    with platform_working("public-notice") as work:
        return show(Notice.of(claim_notice.read_notice(work, batch_id=path.id)))
