"""Claims: a fund's month submitted, reviewed twice and returned, with the evidence of every line."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from flask import Response
from pydantic import Field

from billing.usecases import (
    claim_pack,
    claim_review,
)
from billing.usecases import (
    claims as use_cases,
)
from marketplace.api.calls import call, command, noun, read, show
from marketplace.api.claim_lines import Line, LineList, Lines, Reason
from marketplace.api.fields import (
    Amount,
    Answer,
    Body,
    ById,
    Idempotent,
    Moment,
    Paged,
    Parameters,
    Period,
)
from marketplace.doors.files import packed, spreadsheet
from marketplace.doors.identity import bearer_actor, working
from marketplace.formats.claims_table import claims_table
from marketplace.formats.tables import CSV, XLSX
from marketplace.usecases import claim_packs

claims = noun("claims", "What funds owe, on its way to being paid.")

BatchState = Literal["open", "first_review", "second_review", "notice", "disbursed", "done"]


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


class BatchQuestion(Paged):
    """Which batches."""

    fund_id: UUID | None = None
    status: BatchState | None = None


class TableQuestion(Parameters):
    """The kind of file."""

    format: Literal["csv", "xlsx"] = "csv"


class ClaimExportQuestion(TableQuestion):
    """Which month, and the kind of file."""

    period: Period


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
