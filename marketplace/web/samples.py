"""Submitted samples: what a park has sent, what a provider has to test; labels, chain of custody and the report."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from uuid import UUID

from flask import Response, make_response, request, url_for

from marketplace.doors.current import current_market
from marketplace.doors.requests import MIB, takes_files
from marketplace.web.pages import field, given, go, id_of, page_group, page_work
from marketplace.web.refusals import Refusal, refusal_of
from marketplace.web.rendering import show
from services.rules.samples import CustodyStep
from services.usecases import artefacts, sample_custody, sample_labels, sample_tests, sample_views
from services.usecases.sample_custody import Handover
from tenants.kernel.errors import FieldError, Invalid, Problem
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work

pages = page_group("samples")
_PASSED = {"passed": True, "failed": False}


@pages.get("/samples")
def samples() -> Response:
    """Show test requests, newest first; ``?late=1`` only the overdue ones."""
    late = request.args.get("late") == "1"
    with page_work() as work:
        listed = sample_views.list_provided_batches if _provides(work) else sample_views.list_batches
        found = listed(work, late=late, cursor=request.args.get("cursor"))
        overdue = len(listed(work, late=True, limit=200).items)
        provides = _provides(work)
    return show("samples/list.html", batches=found, late=late, overdue=overdue, provides=provides)


@pages.get("/samples/<batch_id>")
def batch(batch_id: str) -> Response:
    """Show a test request."""
    return _page(batch_id, None)


@pages.get("/samples/<batch_id>/labels")
def labels(batch_id: str) -> Response:
    """Send the labels for printing."""
    with page_work() as work:
        found = _read(work, id_of(batch_id))
    response = make_response(sample_labels.labels_pdf(found))
    response.headers["Content-Type"] = "application/pdf"
    response.headers.set("Content-Disposition", "attachment", filename=f"{found.number}.pdf")
    return response


@pages.post("/samples/<batch_id>/custody")
def custody(batch_id: str) -> Response:
    """Add an entry to the chain of custody."""

    def note(work: Work, found: UUID) -> object:
        say = sample_custody.note_handled if _provides(work) else sample_custody.note_sent
        steps = {each.value: each for each in CustodyStep}
        step = steps.get(field("step"), CustodyStep.SENT)
        return say(work, batch_id=found, step=step, handover=_handover())

    return _done(batch_id, note)


@pages.post("/samples/<batch_id>/reception")
def receive(batch_id: str) -> Response:
    """Take samples in."""
    return _done(
        batch_id,
        lambda work, found: sample_tests.receive_samples(work, batch_id=found, handover=_handover(), due_on=_due_on()),
    )


@pages.post("/samples/<batch_id>/testing")
def begin(batch_id: str) -> Response:
    """Begin the tests."""
    return _done(
        batch_id, lambda work, found: sample_tests.begin_test(work, batch_id=found, handover=_handover())
    )  # fmt: skip


@pages.post("/samples/<batch_id>/report")
@takes_files
def report(batch_id: str) -> Response:
    """Deliver the report."""
    sent = request.files.get("result")
    limit = current_market().settings.max_upload_mib * MIB

    def deliver(work: Work, found: UUID) -> object:
        if sent is None or not sent.filename:
            needed = msg("请选择检测结果文件。")
            raise Invalid("form.file", needed, errors=[FieldError("content", "form.file", needed)])
        return sample_tests.report_samples(
            work,
            batch_id=found,
            file_name=sent.filename,
            content=sent.stream.read(limit + 1),
            passed=_PASSED.get(field("passed")),
            most_bytes=limit,
        )

    return _done(batch_id, deliver)


@pages.post("/samples/<batch_id>/failure")
def fail(batch_id: str) -> Response:
    """Say that samples cannot be tested."""
    return _done(
        batch_id, lambda work, found: sample_tests.fail_samples(work, batch_id=found, reason=field("reason"))
    )  # fmt: skip


@pages.post("/samples/<batch_id>/retest")
def retest(batch_id: str) -> Response:
    """Begin a free retest and go to it."""
    try:
        with page_work() as work:
            made = sample_tests.retest_samples(work, batch_id=id_of(batch_id), reason=field("reason"))
    except Problem as problem:
        return _page(batch_id, refusal_of(problem))
    return go(url_for("samples.batch", batch_id=made.id))


def _done(batch_id: str, step: Callable[[Work, UUID], object]) -> Response:
    try:
        with page_work() as work:
            step(work, id_of(batch_id))
    except Problem as problem:
        return _page(batch_id, refusal_of(problem))
    return go(url_for("samples.batch", batch_id=batch_id))


def _page(batch_id: str, refusal: Refusal | None) -> Response:
    with page_work() as work:
        found = _read(work, id_of(batch_id))
        provides = _provides(work)
        files = () if provides else artefacts.list_artefacts(work, source_id=found.id)
    return show(
        "samples/batch.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        typed=given() if refusal else {},
        batch=found,
        provides=provides,
        files=files,
    )


def _handover() -> Handover:
    return Handover(person=field("person"), place=field("place"), condition=field("condition"))


def _due_on() -> date | None:
    text = field("due_on")
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        wrong = msg("请按 2026-03-02 的格式填写日期。")
        raise Invalid("form.date", wrong, errors=[FieldError("due_on", "form.date", wrong)]) from error


def _provides(work: Work) -> bool:
    return work.actor.may(Permission.REPORT_INSPECTION)


def _read(work: Work, batch_id: UUID) -> sample_views.SampleBatchView:
    found = sample_views.read_provided_batch if _provides(work) else sample_views.read_batch
    return found(work, batch_id=batch_id)
