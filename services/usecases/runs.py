"""The life of a run: begun, reporting, and ended exactly once, whoever asks and however often."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update

from services.rules.catalogue import Delivery
from services.rules.runs import MOST_ATTEMPTS, OPEN, RunStatus, media_type_of
from services.store.entering import enter_file
from services.store.runs import Run
from tenants.kernel.errors import NotFound
from tenants.kernel.messages import msg
from tenants.kernel.outbox import Event
from tenants.kernel.vocabulary import Permission, Priority
from tenants.kernel.work import Work

LONGEST_DETAIL = 2000


@dataclass(frozen=True)
class RunView:
    """A run as the park sees it: where it stands, and in the end its figures or why it failed."""

    id: UUID
    offering: str
    delivery: str
    status: RunStatus
    stage: str
    progress: int
    attempts: int
    failure_code: str | None
    failure_detail: str | None
    kpis: dict[str, Any] | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    manifest_sha256: str | None


@dataclass(frozen=True)
class RunJob:
    """What a worker needs to carry a run out. ``asked_at`` is when it was ordered."""

    id: UUID
    tenant_id: UUID
    delivery: Delivery
    request: dict[str, Any]
    attempt: int
    asked_at: datetime
    repeats: UUID | None = None
    """The run that was delivered before and is delivered again."""


def begin_run(work: Work, *, run_id: UUID) -> RunJob | None:
    """Begin a queued run, or begin again one whose worker died; None when there is nothing left to do.

    A run found running after the last allowed attempt is failed here: it must not take worker after worker with it.
    """
    work.actor.require(Permission.EXECUTE_RUN)
    begun = (
        update(Run)
        .where(Run.id == run_id, *_own(work), Run.status.in_(OPEN), Run.attempts < MOST_ATTEMPTS)
        .values(
            status=RunStatus.RUNNING,
            attempts=Run.attempts + 1,
            stage="prepare",
            progress=0,
            started_at=func.coalesce(Run.started_at, work.now),
        )
        .returning(Run.id, Run.tenant_id, Run.delivery, Run.request, Run.attempts, Run.created_at, Run.repeats)
    )
    row = work.session.execute(begun).one_or_none()
    if row is None:
        fail_run(
            work,
            run_id=run_id,
            code="run.gave_up",
            detail=str(
                msg(
                    "计算连续 {times} 次中断，已停止且不计费。请缩小计算规模后重新下单，或联系平台。",
                    times=MOST_ATTEMPTS,
                )
            ),
        )
        return None
    return RunJob(row.id, row.tenant_id, Delivery(row.delivery), row.request, row.attempts, row.created_at, row.repeats)


def report_progress(work: Work, *, run_id: UUID, stage: str, percent: int) -> bool:
    """Write how far a run is; False when it is no longer wanted (cancelled, or ended by another worker)."""
    work.actor.require(Permission.EXECUTE_RUN)
    written = (
        update(Run)
        .where(Run.id == run_id, *_own(work), Run.status == RunStatus.RUNNING)
        .values(stage=stage[:64], progress=max(0, min(100, percent)))
        .returning(Run.id)
    )
    return work.session.execute(written).scalar_one_or_none() is not None


def hand_back(work: Work, *, run_id: UUID, attempt: int) -> None:
    """Put a run back whose worker was told to go, as if this attempt had not been: the run is not at fault.

    Nothing happens when the run has ended, or another worker has begun it again since.
    """
    work.actor.require(Permission.EXECUTE_RUN)
    mine = (Run.id == run_id, *_own(work), Run.status == RunStatus.RUNNING, Run.attempts == attempt)
    back = {"status": RunStatus.QUEUED, "stage": "queued", "progress": 0, "attempts": attempt - 1}
    work.session.execute(update(Run).where(*mine).values(back))


def finish_run(
    work: Work,
    *,
    run_id: UUID,
    files: Mapping[str, bytes],
    kpis: Mapping[str, Any],
    manifest_sha256: str,
    fingerprint: str | None = None,
) -> bool:
    """Store a run's files, figures and hash, and tell it, all at once; False when it had ended before.

    ``fingerprint`` is of what the answer depended on, where that was known no sooner.
    The row's status decides: of two workers that come with a result, one finds it no longer running.
    """
    work.actor.require(Permission.EXECUTE_RUN)
    ended = (
        update(Run)
        .where(Run.id == run_id, *_own(work), Run.status == RunStatus.RUNNING)
        .values(
            status=RunStatus.SUCCEEDED,
            stage="done",
            progress=100,
            kpis=dict(kpis),
            manifest_sha256=manifest_sha256,
            fingerprint=func.coalesce(fingerprint, Run.fingerprint),
            finished_at=work.now,
        )
        .returning(Run.tenant_id)
    )
    tenant_id = work.session.execute(ended).scalar_one_or_none()
    if tenant_id is None:
        return False
    for name, content in files.items():
        enter_file(
            work.session,
            tenant_id,
            kind="output",
            source_id=run_id,
            name=name,
            media_type=media_type_of(name),
            content=content,
            created_by=work.actor.user_id,
            created_at=work.now,
        )
    work.emit(Event("run.succeeded", tenant_id, {"run_id": str(run_id)}, Priority.MONEY))
    return True


def fail_run(work: Work, *, run_id: UUID, code: str, detail: str) -> bool:
    """End an open run as failed, with a code and words that lead to a remedy; False when it had ended before."""
    work.actor.require(Permission.EXECUTE_RUN)
    ended = (
        update(Run)
        .where(Run.id == run_id, *_own(work), Run.status.in_(OPEN))
        .values(
            status=RunStatus.FAILED,
            failure_code=code[:64],
            failure_detail=detail[:LONGEST_DETAIL],
            finished_at=work.now,
        )
        .returning(Run.tenant_id)
    )
    tenant_id = work.session.execute(ended).scalar_one_or_none()
    if tenant_id is None:
        return False
    work.emit(Event("run.failed", tenant_id, {"run_id": str(run_id), "code": code}, Priority.MONEY))
    return True


def read_run(work: Work, *, run_id: UUID) -> RunView:
    """Return a run; NotFound for another park's."""
    work.actor.require(Permission.READ_ORDER)
    columns = [getattr(Run, name) for name in RunView.__dataclass_fields__]
    row = work.session.execute(select(*columns).where(Run.id == run_id, *_own(work))).mappings().one_or_none()
    if row is None:
        raise NotFound("run.not_found", msg("没有找到该次计算。请从订单中打开。"))
    return RunView(**{**row, "status": RunStatus(row["status"])})


def identical_run(work: Work, *, fingerprint: str) -> UUID | None:
    """Return the acting park's newest finished run that depended on the same: what it delivered is the same answer."""
    work.actor.require(Permission.ASK_QUOTE)
    query = (
        select(Run.id)
        .where(
            Run.tenant_id == work.actor.require_tenant(),
            Run.fingerprint == fingerprint,
            Run.status == RunStatus.SUCCEEDED,
        )
        .order_by(Run.finished_at.desc())
        .limit(1)
    )
    return work.session.execute(query).scalar_one_or_none()


def _own(work: Work) -> tuple[Any, ...]:
    """Return the condition that leads the key to the acting park's runs; row security demands it anyway."""
    return () if work.actor.tenant_id is None else (Run.tenant_id == work.actor.tenant_id,)
