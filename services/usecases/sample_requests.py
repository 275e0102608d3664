"""From a rented line to registered samples: checked before it is sold, numbered with the order, given back if cancelled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as insert_once

from services.formats.samples import SampleDocument, SamplesDocument, read_samples, samples_document
from services.rules.samples import (
    ARRIVES_WITHIN,
    CANCELLABLE,
    OPEN,
    BatchStatus,
    CustodyStep,
    RetestCause,
    batch_number,
    sample_number,
)
from services.store.samples import Sample, SampleBatch
from services.usecases.catalogue import OfferingView
from services.usecases.sample_custody import Handover, add_entries
from services.usecases.sample_views import SampleBatchView, read_batch
from tenants.kernel.errors import Conflict, FieldError, Invalid, NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import Message, msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.kernel.writing import rows_written


def plan_samples(work: Work, *, offering: OfferingView, request: Mapping[str, Any]) -> tuple[dict[str, Any], int, str]:
    """Return the full request, how many tests it takes (each test on each sample), and what people call it.

    Raises Invalid with the fields below ``request``.
    """
    work.actor.require(Permission.ASK_QUOTE)
    asked = read_samples(request)
    if asked.retest_of is not None:
        asked = _repeated(work, offering, asked, asked.retest_of)
    if not asked.samples:
        raise _wrong("samples", "samples.none", msg("请至少登记一件样品。"))
    if not asked.tests:
        raise _wrong("tests", "samples.no_test", msg("请至少填写一个检测项目。"))
    if len(set(asked.tests)) < len(asked.tests):
        raise _wrong("tests", "samples.test_twice", msg("检测项目有重复。请删除重复的项目。"))
    what = msg("{samples} 件样品 × {tests} 项", samples=len(asked.samples), tests=len(asked.tests))
    return samples_document(asked), len(asked.samples) * len(asked.tests), str(what)


def register_samples(work: Work, *, offering: OfferingView, request: Mapping[str, Any], order_line_id: UUID) -> UUID:
    """Enter a test request with its samples, numbered; of two retests of one at once the second is refused."""
    work.actor.require(Permission.PLACE_ORDER)
    asked = read_samples(request)
    earlier = None if asked.retest_of is None else read_batch(work, batch_id=asked.retest_of)
    return enter_batch(
        work,
        tenant_id=work.actor.require_tenant(),
        provider_id=offering.provider_id,
        offering=offering.slug,
        samples=asked.samples,
        tests=asked.tests,
        order_line_id=order_line_id,
        earlier=earlier,
        cause=None if earlier is None else RetestCause.PARK_WISH,
        reason=asked.reason or None,
    )


def enter_batch(
    work: Work,
    *,
    tenant_id: UUID,
    provider_id: UUID,
    offering: str,
    samples: Iterable[SampleDocument],
    tests: Iterable[str],
    order_line_id: UUID | None,
    earlier: SampleBatchView | None,
    cause: RetestCause | None,
    reason: str | None,
) -> UUID:
    """Write a test request with its samples; the caller has asked who acts.

    Raises Conflict ``samples.retest_open`` when the earlier one is being repeated already.
    """
    batch_id = new_id()
    number = batch_number(work.now, batch_id)
    row = {
        "tenant_id": tenant_id,
        "id": batch_id,
        "provider_id": provider_id,
        "offering": offering,
        "number": number,
        "tests": list(tests),
        "status": BatchStatus.REGISTERED,
        "round": 1 if earlier is None else earlier.round + 1,
        "retest_of": None if earlier is None else earlier.id,
        "retest_cause": cause,
        "retest_reason": reason,
        "order_line_id": order_line_id,
        "arrive_by": work.now + ARRIVES_WITHIN,
        "ordered_by": work.actor.user_id,
        "created_at": work.now,
    }
    if not rows_written(work.session, insert_once(SampleBatch).values(row).on_conflict_do_nothing()):
        raise _repeated_already()
    rows = [
        {
            "tenant_id": tenant_id,
            "id": new_id(),
            "batch_id": batch_id,
            "position": position,
            "number": sample_number(number, position),
            "name": each.name,
            "material": each.material,
        }
        for position, each in enumerate(samples, start=1)
    ]
    work.session.execute(insert(Sample), rows)
    add_entries(work, tenant_id, batch_id, CustodyStep.REGISTERED, Handover())
    return batch_id


def cancel_samples(work: Work, *, batch_id: UUID, overdue: bool = False) -> None:
    """Give up a test request whose test has not begun; what is ``overdue``, always. Cancelled twice is cancelled.

    Raises Conflict ``samples.begun`` once the test has begun, ``samples.closed`` when it has ended.
    """
    work.actor.require(Permission.CANCEL_ORDER)
    own = () if work.actor.tenant_id is None else (SampleBatch.tenant_id == work.actor.tenant_id,)
    allowed = (*(OPEN if overdue else CANCELLABLE), BatchStatus.CANCELLED)
    cancelled = (
        update(SampleBatch)
        .where(SampleBatch.id == batch_id, *own, SampleBatch.status.in_(allowed))
        .values(
            status=BatchStatus.CANCELLED,
            closed_by=func.coalesce(SampleBatch.closed_by, work.actor.user_id),
            closed_at=func.coalesce(SampleBatch.closed_at, work.now),
        )
    )
    if rows_written(work.session, cancelled):
        return
    status = work.session.execute(select(SampleBatch.status).where(SampleBatch.id == batch_id, *own)).scalar()
    if status == BatchStatus.TESTING:
        raise Conflict("samples.begun", msg("样品已开始检测，不能取消。请联系服务机构处理。"))
    raise Conflict("samples.closed", msg("该送样委托已经结束，不能取消。"))


def _repeated(work: Work, offering: OfferingView, asked: SamplesDocument, earlier_id: UUID) -> SamplesDocument:
    try:
        earlier = read_batch(work, batch_id=earlier_id)
    except NotFound as problem:
        raise _wrong("retest_of", problem.code, problem.message) from problem
    if earlier.status is not BatchStatus.REPORTED or earlier.offering != offering.slug:
        raise _wrong("retest_of", "samples.not_reported", msg("只能复检同一服务中已出报告的委托。请从送样列表中选择。"))
    taken = select(SampleBatch.id).where(
        SampleBatch.tenant_id == earlier.park_id,
        SampleBatch.retest_of == earlier_id,
        SampleBatch.status.not_in((BatchStatus.CANCELLED, BatchStatus.FAILED)),
    )
    if work.session.execute(taken).first() is not None:
        raise _repeated_already()
    samples = asked.samples or tuple(SampleDocument(name=each.name, material=each.material) for each in earlier.samples)
    return asked.model_copy(update={"samples": samples, "tests": asked.tests or earlier.tests})


def _repeated_already() -> Conflict:
    return Conflict("samples.retest_open", msg("该委托已有复检。如需再次复检，请在最近一轮出报告后提出。"))


def _wrong(field: str, code: str, message: Message) -> Invalid:
    return Invalid(code, message, errors=[FieldError(f"request.{field}", code, message)])
