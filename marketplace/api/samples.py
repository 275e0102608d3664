"""Submitted samples: test requests, chains of custody, and the provider's steps up to the report."""

from __future__ import annotations

from datetime import date
from typing import Annotated
from uuid import UUID

from flask import Response
from pydantic import Field

from marketplace.api.artefacts import RAW_UPLOAD, download, sent_file
from marketplace.api.bookings import ReportParameters
from marketplace.api.calls import call, command, noun, read
from marketplace.api.fields import Answer, Body, ById, Idempotent, Instant, Moment, Paged
from marketplace.doors.current import current_market
from marketplace.doors.identity import bearer_actor, working
from marketplace.doors.requests import MIB, takes_files
from services.rules.samples import BatchStatus, CustodyStep, RetestCause
from services.usecases import sample_custody, sample_labels, sample_tests, sample_views
from services.usecases.sample_custody import Handover
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work

samples = noun("samples", "Samples that a park sends to a provider: labels, chain of custody, report.")


class HandoverBody(Body):
    """Who had the samples, where, in which condition and when."""

    person: Annotated[str, Field(max_length=100, description="Left out: who calls")] = ""
    place: Annotated[str, Field(max_length=200)] = ""
    condition: Annotated[str, Field(max_length=200)] = ""
    at: Instant | None = Field(None, description="Left out: now")

    def handover(self) -> Handover:
        """Return it as the use cases take it."""
        return Handover(self.person, self.place, self.condition, self.at)


class CustodyBody(HandoverBody):
    """One entry of the chain: a park notes ``sent``, the provider ``moved``, ``stored``, ``returned``, ``disposed``."""

    step: CustodyStep


class ReceptionBody(HandoverBody):
    """How the samples came, and by when the report is due."""

    due_on: date | None = Field(None, description="Left out: the seventh working day after today")


class ReasonBody(Body):
    """Why."""

    reason: Annotated[str, Field(min_length=1, max_length=500)]


class CustodyEntry(Answer):
    """One entry of a chain of custody."""

    step: CustodyStep
    at: Moment
    place: str
    condition: str
    person: str
    noted_at: Moment


class Sample(Answer):
    """A sample with its chain of custody, earliest first."""

    id: UUID
    number: str = Field(description="What its label says, as text and as Code 128")
    name: str
    material: str
    custody: list[CustodyEntry]


class SampleBatch(Answer):
    """A test request."""

    id: UUID
    offering: str
    number: str
    tests: list[str]
    status: BatchStatus
    round: int
    retest_of: UUID | None
    retest_cause: RetestCause | None
    retest_reason: str | None
    arrive_by: Moment
    due_at: Moment | None = Field(description="The report is late from this moment on")
    due_on: date | None
    late: bool
    created_at: Moment
    received_at: Moment | None
    begun_at: Moment | None
    closed_at: Moment | None
    passed: bool | None
    report_sha256: str | None
    custody_sha256: str
    failure_reason: str | None
    samples: list[Sample]


class SampleBatches(Answer):
    """Test requests, newest first, a part of the list."""

    items: list[SampleBatch]
    next_cursor: str | None


class SampleQuery(Paged):
    """Which test requests."""

    status: BatchStatus | None = None
    late: bool = Field(False, description="Only open ones whose report is overdue")


@samples.get("/sample-batches", **call(SampleBatches))
def list_sample_batches(query: SampleQuery) -> Response:
    """List a park's own test requests, or those to a provider."""

    def found(work: Work) -> object:
        listed = sample_views.list_provided_batches if _provides(work) else sample_views.list_batches
        return listed(work, status=query.status, late=query.late, limit=query.limit, cursor=query.cursor)

    return read(SampleBatches, found)


@samples.get("/sample-batches/<id>", **call(SampleBatch))
def read_sample_batch(path: ById) -> Response:
    """Read a test request."""
    return read(SampleBatch, lambda work: _read(work, path.id))


@samples.get("/sample-batches/<id>/labels", **call(files=["application/pdf"]))
def sample_labels_pdf(path: ById) -> Response:
    """Download the labels of a request's samples for printing."""
    with working() as work:
        batch = _read(work, path.id)
    return download(f"{batch.number}.pdf", "application/pdf", sample_labels.labels_pdf(batch))


@samples.post("/sample-batches/<id>/custody", **call(SampleBatch))
def note_custody(path: ById, body: CustodyBody, header: Idempotent) -> Response:
    """Add an entry to the chain of custody of a request's samples."""

    def noted(work: Work) -> SampleBatch:
        note = sample_custody.note_handled if _provides(work) else sample_custody.note_sent
        return SampleBatch.of(note(work, batch_id=path.id, step=body.step, handover=body.handover()))

    return command("samples.custody", header, body, noted, about={"batch": str(path.id)})


@samples.post("/sample-batches/<id>/reception", **call(SampleBatch))
def receive_samples(path: ById, body: ReceptionBody, header: Idempotent) -> Response:
    """Take samples in (the provider): from now the report has a due date."""
    return command(
        "samples.receive",
        header,
        body,
        lambda work: SampleBatch.of(
            sample_tests.receive_samples(work, batch_id=path.id, handover=body.handover(), due_on=body.due_on)
        ),
        about={"batch": str(path.id)},
    )


@samples.post("/sample-batches/<id>/testing", **call(SampleBatch))
def begin_sample_test(path: ById, body: HandoverBody, header: Idempotent) -> Response:
    """Begin the tests (the provider): the park cannot cancel any more."""
    return command(
        "samples.test",
        header,
        body,
        lambda work: SampleBatch.of(sample_tests.begin_test(work, batch_id=path.id, handover=body.handover())),
        about={"batch": str(path.id)},
    )


@samples.post("/sample-batches/<id>/report", **call(SampleBatch), **RAW_UPLOAD)
@takes_files
def report_samples(path: ById, query: ReportParameters, header: Idempotent) -> Response:
    """Deliver the report (the provider): PDF, XLSX or CSV, as in POST /artefacts. It goes to the park only."""
    bearer_actor()
    sent = sent_file()
    about = {"batch": str(path.id), "passed": query.passed, "name": sent.name, "sha256": sent.sha256}
    return command(
        "samples.report",
        header,
        None,
        lambda work: SampleBatch.of(
            sample_tests.report_samples(
                work,
                batch_id=path.id,
                file_name=sent.name,
                content=sent.content,
                passed=query.passed,
                most_bytes=current_market().settings.max_upload_mib * MIB,
            )
        ),
        about=about,
    )


@samples.post("/sample-batches/<id>/failure", **call(SampleBatch))
def fail_samples(path: ById, body: ReasonBody, header: Idempotent) -> Response:
    """Say that samples cannot be tested (the provider): nothing is charged."""
    return command(
        "samples.fail",
        header,
        body,
        lambda work: SampleBatch.of(sample_tests.fail_samples(work, batch_id=path.id, reason=body.reason)),
        about={"batch": str(path.id)},
    )


@samples.post("/sample-batches/<id>/retest", **call(SampleBatch, status=201))
def retest_samples(path: ById, body: ReasonBody, header: Idempotent) -> Response:
    """Test again because of the laboratory's own fault (the provider): a new round, free.

    A park that wants a retest of its own asks a quote whose request names this one in ``retest_of``.
    """
    return command(
        "samples.retest",
        header,
        body,
        lambda work: SampleBatch.of(sample_tests.retest_samples(work, batch_id=path.id, reason=body.reason)),
        status=201,
        about={"batch": str(path.id)},
    )


def _provides(work: Work) -> bool:
    return work.actor.may(Permission.REPORT_INSPECTION)


def _read(work: Work, batch_id: UUID) -> sample_views.SampleBatchView:
    found = sample_views.read_provided_batch if _provides(work) else sample_views.read_batch
    return found(work, batch_id=batch_id)
