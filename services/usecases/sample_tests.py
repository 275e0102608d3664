"""The provider's side of submitted samples: received, in test, reported or given up, tested again at its own cost."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import update

from services.formats.result_files import check_result
from services.formats.samples import SampleDocument
from services.rules.samples import OPEN, BatchStatus, CustodyStep, RetestCause, due_at, end_of
from services.store.entering import enter_file
from services.store.samples import SampleBatch
from services.usecases.artefacts import MOST_BYTES, check_size
from services.usecases.sample_custody import Handover, add_entries
from services.usecases.sample_requests import enter_batch
from services.usecases.sample_views import SampleBatchView, read_provided_batch
from services.usecases.workdays import working_days
from tenants.kernel.errors import Conflict, FieldError, Invalid
from tenants.kernel.messages import Message, msg
from tenants.kernel.outbox import Event
from tenants.kernel.vocabulary import Permission, Priority
from tenants.kernel.work import Work
from tenants.kernel.writing import rows_written
from tenants.rules.days import local_day
from tenants.usecases import audit

LONGEST_REASON = 500


def receive_samples(
    work: Work, *, batch_id: UUID, handover: Handover, due_on: date | None = None
) -> SampleBatchView:  # fmt: skip
    """Take samples in; the report is due ``due_on``, else by the working days that the rule gives.

    Raises Conflict ``samples.step`` when they were received before, Invalid for a day before today, or for none where the
    calendar does not know the working days.
    """
    work.actor.require(Permission.REPORT_INSPECTION)
    if due_on is not None and not local_day(work.now) <= due_on <= date(local_day(work.now).year + 1, 12, 31):
        raise _wrong("due_on", "samples.due", msg("报告期限须为今天至明年年底之间的日期。请修改。"))
    try:
        due = due_at(work.now, working_days(work)) if due_on is None else end_of(due_on)
    except Invalid as problem:
        raise _wrong("due_on", problem.code, msg("该年的节假日安排尚未载入，请填写报告期限。")) from problem
    batch = _move(
        work, batch_id, (BatchStatus.REGISTERED,), status=BatchStatus.RECEIVED, received_at=work.now, due_at=due
    )
    add_entries(work, batch.park_id, batch_id, CustodyStep.RECEIVED, handover)
    audit.record(work, "samples.receive", "sample_batch", batch_id, tenant_id=batch.park_id)
    return read_provided_batch(work, batch_id=batch_id)


def begin_test(work: Work, *, batch_id: UUID, handover: Handover) -> SampleBatchView:
    """Begin the tests of received samples: from now on the park cannot cancel."""
    work.actor.require(Permission.REPORT_INSPECTION)
    batch = _move(work, batch_id, (BatchStatus.RECEIVED,), status=BatchStatus.TESTING, begun_at=work.now)
    add_entries(work, batch.park_id, batch_id, CustodyStep.TESTING, handover)
    audit.record(work, "samples.test", "sample_batch", batch_id, tenant_id=batch.park_id)
    return read_provided_batch(work, batch_id=batch_id)


def report_samples(
    work: Work,
    *,
    batch_id: UUID,
    file_name: str,
    content: bytes,
    passed: bool | None,
    most_bytes: int = MOST_BYTES,
) -> SampleBatchView:
    """Deliver the report: its file becomes the park's, with its hash, and the request is closed.

    Raises NotFound for anyone else's, Conflict ``samples.step`` unless it is in test, Invalid for a file that is empty or
    no PDF, XLSX or CSV, TooLarge above ``most_bytes``.
    """
    work.actor.require(Permission.REPORT_INSPECTION)
    read_provided_batch(work, batch_id=batch_id)
    check_size(content, most_bytes)
    media_type = check_result(file_name, content)
    batch = read_provided_batch(work, batch_id=batch_id)
    file = enter_file(
        work.session,
        batch.park_id,
        kind="output",
        source_id=batch_id,
        name=file_name,
        media_type=media_type,
        content=content,
        created_by=work.actor.user_id,
        created_at=work.now,
    )
    _move(
        work,
        batch_id,
        (BatchStatus.TESTING,),
        status=BatchStatus.REPORTED,
        passed=passed,
        report_sha256=file["sha256"],
        closed_by=work.actor.user_id,
        closed_at=work.now,
    )
    add_entries(work, batch.park_id, batch_id, CustodyStep.REPORTED, Handover())
    audit.record(work, "samples.report", "sample_batch", batch_id, tenant_id=batch.park_id, sha256=file["sha256"])
    work.emit(Event("samples.reported", batch.park_id, {"batch_id": str(batch_id)}, Priority.MONEY))
    return read_provided_batch(work, batch_id=batch_id)


def fail_samples(work: Work, *, batch_id: UUID, reason: str) -> SampleBatchView:
    """Say that samples cannot be tested: nothing is charged, whatever was held is given back."""
    work.actor.require(Permission.REPORT_INSPECTION)
    batch = _move(
        work,
        batch_id,
        OPEN,
        status=BatchStatus.FAILED,
        failure_reason=_reason(reason),
        closed_by=work.actor.user_id,
        closed_at=work.now,
    )
    audit.record(work, "samples.fail", "sample_batch", batch_id, tenant_id=batch.park_id, reason=reason.strip())
    work.emit(Event("samples.failed", batch.park_id, {"batch_id": str(batch_id)}, Priority.MONEY))
    return read_provided_batch(work, batch_id=batch_id)


def retest_samples(work: Work, *, batch_id: UUID, reason: str) -> SampleBatchView:
    """Test reported samples again because of the laboratory's own fault: a new round that names this one, and is free.

    Raises Conflict ``samples.step`` when there is no report yet, ``samples.retest_open`` when it is repeated already.
    """
    work.actor.require(Permission.REPORT_INSPECTION)
    earlier = read_provided_batch(work, batch_id=batch_id)
    words = _reason(reason)
    if earlier.status is not BatchStatus.REPORTED:
        raise _out_of_step(earlier)
    made = enter_batch(
        work,
        tenant_id=earlier.park_id,
        provider_id=earlier.provider_id,
        offering=earlier.offering,
        samples=[SampleDocument(name=each.name, material=each.material) for each in earlier.samples],
        tests=earlier.tests,
        order_line_id=None,
        earlier=earlier,
        cause=RetestCause.LAB_ERROR,
        reason=words,
    )
    audit.record(work, "samples.retest", "sample_batch", made, tenant_id=earlier.park_id, retest_of=str(batch_id))
    return read_provided_batch(work, batch_id=made)


def _move(work: Work, batch_id: UUID, before: tuple[BatchStatus, ...], **changes: Any) -> SampleBatchView:
    """Move a request of the acting provider on, by its row's status: of two at once, one finds nothing to move."""
    moved = (
        update(SampleBatch)
        .where(
            SampleBatch.provider_id == work.actor.organisation_id,
            SampleBatch.id == batch_id,
            SampleBatch.status.in_(before),
        )
        .values(**changes)
    )
    done = rows_written(work.session, moved)
    batch = read_provided_batch(work, batch_id=batch_id)
    if not done:
        raise _out_of_step(batch)
    return batch


def _out_of_step(batch: SampleBatchView) -> Conflict:
    return Conflict(
        "samples.step",
        msg("委托 {number} 现为“{status}”，不能进行此操作。", number=batch.number, status=batch.status.value),
    )


def _reason(reason: str) -> str:
    words = reason.strip()
    if not words or len(words) > LONGEST_REASON:
        raise _wrong(
            "reason", "samples.reason", msg("请用 1 至 {limit} 个字说明原因，园区会看到它。", limit=LONGEST_REASON)
        )
    return words


def _wrong(field: str, code: str, message: Message) -> Invalid:
    return Invalid(code, message, errors=[FieldError(field, code, message)])
