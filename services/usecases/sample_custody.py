"""The chain of custody of samples: entries are added for every sample of a request, by a named person, never changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, insert, select

from services.rules.samples import PARK_NOTES, PROVIDER_NOTES, BatchStatus, CustodyStep
from services.store.samples import Sample, SampleBatch, SampleCustody
from services.usecases.sample_views import SampleBatchView, batch_not_found, read_batch, read_provided_batch
from tenants.kernel.errors import Conflict, FieldError, Invalid
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.usecases import audit

LONGEST = {"place": 200, "condition": 200, "person": 100}


@dataclass(frozen=True)
class Handover:
    """Who had the samples, when (None: now), where and in which condition; an unnamed person is the acting one."""

    person: str = ""
    place: str = ""
    condition: str = ""
    at: datetime | None = None


def note_sent(work: Work, *, batch_id: UUID, step: CustodyStep, handover: Handover) -> SampleBatchView:
    """Note for a park that its samples are on the way; only until the provider has received them."""
    work.actor.require(Permission.ASK_QUOTE)
    batch = read_batch(work, batch_id=batch_id)
    lock_batch(work, batch)
    if step not in PARK_NOTES or read_batch(work, batch_id=batch_id).status is not BatchStatus.REGISTERED:
        raise Conflict("samples.step", msg("园区只能在服务机构收样前登记寄送。"))
    add_entries(work, batch.park_id, batch_id, step, handover)
    audit.record(work, f"samples.{step.value}", "sample_batch", batch_id)
    return read_batch(work, batch_id=batch_id)


def note_handled(work: Work, *, batch_id: UUID, step: CustodyStep, handover: Handover) -> SampleBatchView:
    """Note for the provider what it did with samples that it has: moved, stored, returned, disposed of."""
    work.actor.require(Permission.REPORT_INSPECTION)
    batch = read_provided_batch(work, batch_id=batch_id)
    lock_batch(work, batch)
    if step not in PROVIDER_NOTES or read_provided_batch(work, batch_id=batch_id).received_at is None:
        raise Conflict("samples.step", msg("收样之后才能登记样品的移交、留存、退还或处置。"))
    add_entries(work, batch.park_id, batch_id, step, handover)
    audit.record(work, f"samples.{step.value}", "sample_batch", batch_id, tenant_id=batch.park_id)
    return read_provided_batch(work, batch_id=batch_id)


def lock_batch(work: Work, batch: SampleBatchView) -> None:
    """Hold a test request's row until the transaction ends: entries of one request are written in turn."""
    query = select(SampleBatch.id).where(SampleBatch.tenant_id == batch.park_id, SampleBatch.id == batch.id)
    if work.session.execute(query.with_for_update()).first() is None:
        raise batch_not_found()


def add_entries(work: Work, tenant_id: UUID, batch_id: UUID, step: CustodyStep, handover: Handover) -> datetime:
    """Add an entry to each sample's chain and return its moment; the caller has asked who acts and holds the request.

    Raises Invalid for texts that are too long, or a moment in the future or before the entry that came last.
    """
    texts = {
        "person": handover.person.strip() or work.actor.name,
        "place": handover.place.strip(),
        "condition": handover.condition.strip(),
    }
    for field, limit in LONGEST.items():
        if len(texts[field]) > limit:
            wrong = msg("最多 {limit} 个字符。", limit=limit)
            raise Invalid("samples.handover", wrong, errors=[FieldError(field, "samples.handover", wrong)])
    at = handover.at or work.now
    own = (Sample.tenant_id == tenant_id, Sample.batch_id == batch_id)
    last = work.session.execute(
        select(func.max(SampleCustody.at))
        .join(Sample, (Sample.tenant_id == SampleCustody.tenant_id) & (Sample.id == SampleCustody.sample_id))
        .where(*own)
    ).scalar()
    if at > work.now or (last is not None and at < last):
        wrong = msg("时间须不晚于现在，且不早于该样品的上一条记录。请修改时间。")
        raise Invalid("samples.moment", wrong, errors=[FieldError("at", "samples.moment", wrong)])
    ids = work.session.execute(select(Sample.id).where(*own)).scalars().all()
    work.session.execute(
        insert(SampleCustody),
        [
            {
                "tenant_id": tenant_id,
                "id": new_id(),
                "sample_id": sample_id,
                "step": step,
                "at": at,
                "noted_by": work.actor.user_id,
                "noted_at": work.now,
                **texts,
            }
            for sample_id in ids
        ],
    )
    return at
