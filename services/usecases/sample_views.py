"""Test requests as the park, or their own provider, reads them: samples, chain of custody, due and late."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, select, tuple_

from services.rules.samples import OPEN, BatchStatus, CustodyStep, RetestCause, is_late
from services.store.samples import Sample, SampleBatch, SampleCustody
from tenants.kernel.errors import NotFound
from tenants.kernel.messages import msg
from tenants.kernel.paging import Page, check_limit, decode_cursor, page_of
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.rules.days import local_day


@dataclass(frozen=True)
class CustodyView:
    """One entry of a chain of custody."""

    step: CustodyStep
    at: datetime
    place: str
    condition: str
    person: str
    noted_at: datetime


@dataclass(frozen=True)
class SampleView:
    """A sample with its chain of custody, earliest first."""

    id: UUID
    number: str
    name: str
    material: str
    custody: tuple[CustodyView, ...]


@dataclass(frozen=True)
class SampleBatchView:
    """A test request. Its report is late from ``due_at`` on; ``due_on`` is the last day that is not."""

    id: UUID
    park_id: UUID
    provider_id: UUID
    offering: str
    number: str
    tests: tuple[str, ...]
    status: BatchStatus
    round: int
    retest_of: UUID | None
    retest_cause: RetestCause | None
    retest_reason: str | None
    order_line_id: UUID | None
    arrive_by: datetime
    due_at: datetime | None
    late: bool
    created_at: datetime
    received_at: datetime | None
    begun_at: datetime | None
    closed_at: datetime | None
    passed: bool | None
    report_sha256: str | None
    failure_reason: str | None
    samples: tuple[SampleView, ...]

    @property
    def due_on(self) -> date | None:
        """The day, in China, on which the report is due."""
        return None if self.due_at is None else local_day(self.due_at - timedelta(seconds=1))

    @property
    def is_open(self) -> bool:
        """Tell whether it has not ended."""
        return self.status in OPEN

    @property
    def custody_sha256(self) -> str:
        """The hash of the chain of custody up to the report, for a claim's proof: what came later does not change it."""
        chain = []
        for each in self.samples:
            for entry in each.custody:
                row = [each.number, entry.step, entry.at.isoformat(), entry.place, entry.condition, entry.person]
                chain.append(row)
                if entry.step is CustodyStep.REPORTED:
                    break
        return hashlib.sha256(json.dumps(chain, ensure_ascii=False).encode()).hexdigest()


def read_batch(work: Work, *, batch_id: UUID) -> SampleBatchView:
    """Return a test request of the acting park (for staff, of any); NotFound for another park's."""
    work.actor.require(Permission.READ_ORDER)
    own = () if work.actor.tenant_id is None else (SampleBatch.tenant_id == work.actor.tenant_id,)
    return _one(work, SampleBatch.id == batch_id, *own)


def read_provided_batch(work: Work, *, batch_id: UUID) -> SampleBatchView:
    """Return a test request to the acting provider; NotFound for any other."""
    work.actor.require(Permission.REPORT_INSPECTION)
    return _one(work, SampleBatch.id == batch_id, SampleBatch.provider_id == work.actor.organisation_id)


def list_batches(
    work: Work,
    *,
    status: BatchStatus | None = None,
    late: bool = False,
    limit: int = 50,
    cursor: str | None = None,
) -> Page[SampleBatchView]:
    """Return the acting park's test requests (for staff, all parks'), newest first; ``late``: open and overdue ones."""
    work.actor.require(Permission.READ_ORDER)
    own = () if work.actor.tenant_id is None else (SampleBatch.tenant_id == work.actor.tenant_id,)
    return _page(work, own, status, late, limit, cursor)


def list_provided_batches(
    work: Work,
    *,
    status: BatchStatus | None = None,
    late: bool = False,
    limit: int = 50,
    cursor: str | None = None,
) -> Page[SampleBatchView]:
    """Return the test requests to the acting provider, newest first; ``late``: open and overdue ones."""
    work.actor.require(Permission.REPORT_INSPECTION)
    return _page(work, (SampleBatch.provider_id == work.actor.organisation_id,), status, late, limit, cursor)


def batch_not_found() -> NotFound:
    """Return the refusal for a test request that is not there, or not the caller's."""
    return NotFound("samples.not_found", msg("没有找到该送样委托。请从订单或送样列表中打开。"))


def _one(work: Work, *where: ColumnElement[bool]) -> SampleBatchView:
    row = work.session.execute(
        select(SampleBatch).where(*where).execution_options(populate_existing=True)
    ).scalar_one_or_none()
    if row is None:
        raise batch_not_found()
    return _views(work, [row])[0]


def _page(
    work: Work,
    where: Sequence[ColumnElement[bool]],
    status: BatchStatus | None,
    late: bool,
    limit: int,
    cursor: str | None,
) -> Page[SampleBatchView]:
    query = select(SampleBatch).where(*where)
    if status is not None:
        query = query.where(SampleBatch.status == status)
    if late:
        query = query.where(SampleBatch.status.in_(OPEN), SampleBatch.due_at <= work.now)
    if (before := decode_cursor(cursor)) is not None:
        query = query.where(tuple_(SampleBatch.created_at, SampleBatch.id) < before)
    query = query.order_by(SampleBatch.created_at.desc(), SampleBatch.id.desc()).limit(check_limit(limit) + 1)
    rows = work.session.execute(query).scalars().all()
    views = {view.id: view for view in _views(work, rows)}
    return page_of(rows, limit, lambda row: views[row.id], lambda row: (row.created_at, row.id))


def _views(work: Work, rows: Sequence[SampleBatch]) -> list[SampleBatchView]:
    keys = [(row.tenant_id, row.id) for row in rows]
    if not keys:
        return []
    of_batches = tuple_(Sample.tenant_id, Sample.batch_id).in_(keys)
    samples = work.session.execute(select(Sample).where(of_batches).order_by(Sample.position)).scalars().all()
    entries = (
        select(SampleCustody)
        .join(Sample, (Sample.tenant_id == SampleCustody.tenant_id) & (Sample.id == SampleCustody.sample_id))
        .where(of_batches)
        .order_by(SampleCustody.at, SampleCustody.noted_at, SampleCustody.id)
    )
    chains: dict[UUID, list[CustodyView]] = {}
    for entry in work.session.execute(entries).scalars():
        chains.setdefault(entry.sample_id, []).append(
            CustodyView(
                CustodyStep(entry.step), entry.at, entry.place, entry.condition, entry.person, entry.noted_at
            )
        )  # fmt: skip
    by_batch: dict[UUID, list[SampleView]] = {}
    for each in samples:
        by_batch.setdefault(each.batch_id, []).append(
            SampleView(each.id, each.number, each.name, each.material, tuple(chains.get(each.id, ())))
        )
    return [_view(work, row, tuple(by_batch.get(row.id, ()))) for row in rows]


def _view(work: Work, row: SampleBatch, samples: tuple[SampleView, ...]) -> SampleBatchView:
    status = BatchStatus(row.status)
    return SampleBatchView(
        id=row.id,
        park_id=row.tenant_id,
        provider_id=row.provider_id,
        offering=row.offering,
        number=row.number,
        tests=tuple(row.tests),
        status=status,
        round=row.round,
        retest_of=row.retest_of,
        retest_cause=None if row.retest_cause is None else RetestCause(row.retest_cause),
        retest_reason=row.retest_reason,
        order_line_id=row.order_line_id,
        arrive_by=row.arrive_by,
        due_at=row.due_at,
        late=is_late(status, row.due_at, row.closed_at, work.now),
        created_at=row.created_at,
        received_at=row.received_at,
        begun_at=row.begun_at,
        closed_at=row.closed_at,
        passed=row.passed,
        report_sha256=row.report_sha256,
        failure_reason=row.failure_reason,
        samples=samples,
    )
