"""Carrying a run out: begin, the engine in a child process with limits, then finish or fail.

Not one transaction but several small ones: a run takes minutes, and its progress must be seen meanwhile. Each step may
be repeated: a worker killed between any two of them leaves a run that the next worker begins again.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

from services.formats.brief import read_brief
from services.gateways.leads import LeadsResult, run_leads
from services.gateways.sandbox import Limits as RunLimits
from services.gateways.sandbox import run_limited
from services.gateways.schedule import run_schedule
from services.gateways.twin import run_twin
from services.rules.catalogue import Delivery
from services.rules.lead_allocation import Openings
from services.rules.leads import fingerprint
from services.rules.runs import MANIFEST
from services.usecases import lead_editions, lead_places, lead_repeats, runs
from services.usecases.companies import EVENTS, index_registry, registered_names, version_of
from services.usecases.lead_wording import PitchWriter, PitchWriting
from services.usecases.reference_tables import tables_in_use
from services.usecases.runs import RunJob
from services.usecases.schedule_requests import read_schedule_request
from services.usecases.twin_requests import read_twin_request
from tenants.kernel.clock import CHINA
from tenants.kernel.context import Actor, Reach
from tenants.kernel.errors import Conflict, Problem, Unavailable
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work, WorkShop

__all__ = ["RunLimits", "execute_run"]

INDEX_CACHE = Path(tempfile.gettempdir()) / f"marketplace-leads-{os.getuid()}"
"""Where this machine's workers keep the index of the registry; it may be removed at any time."""
HEARTBEAT_SECONDS = 1.0
"""How often, at most, progress is written and the wish to cancel is looked for."""
MOST_RANKINGS = 5
"""How often a list is made again at once because other parks took a company of it meanwhile."""


class EngineResult(Protocol):
    """What every engine returns: key figures, and files by name, ``manifest.json`` among them."""

    @property
    def kpis(self) -> Mapping[str, object]:
        """Key figures as JSON values."""
        ...

    @property
    def files(self) -> Mapping[str, bytes]:
        """The files by name."""
        ...


@dataclass(frozen=True)
class _Task:
    engine: Callable[..., EngineResult]
    arguments: tuple[object, ...]
    ending: Actor
    """Who ends the run: with a reach over all parks where the result depends on theirs."""
    fingerprint: str | None = None
    """Of the data that the engine is given, where it was not known when the run was ordered."""
    keep: Callable[[Work, Any], None] = lambda _work, _result: None
    """Notes what of the result is more than files, in the transaction that ends the run."""


def execute_run(
    workshop: WorkShop,
    actor: Actor,
    *,
    run_id: UUID,
    limits: RunLimits,
    stopping: Callable[[], bool] = lambda: False,
    writing: PitchWriting | None = None,
) -> None:
    """Carry out a queued run to its end, or one whose worker died; an ended one is left alone.

    What the engine refuses, and what exceeds the limits, fails the run with a code and words; nothing is charged then.
    Anything else (the database is away, the disk is full) is raised: the job is retried and the run begun again. So is
    Unavailable ``worker.stopping`` when ``stopping`` says that this worker is told to go: the next one takes the run,
    and the attempt does not count. ``writing`` lets a language model word the pitches of lead lists.
    """
    actor.require(Permission.EXECUTE_RUN)
    host = _Host(limits, stopping, None if writing is None else PitchWriter(writing))
    if not any(_carry_out(workshop, actor, run_id, host) for _ in range(MOST_RANKINGS)):
        raise Unavailable("leads.contended", msg("名单中的企业正被其他园区占用，稍后自动重新计算。"))


@dataclass(frozen=True)
class _Host:
    """What the worker gives a run: limits, the wish to stop, and who words pitches."""

    limits: RunLimits
    stopping: Callable[[], bool]
    writer: PitchWriter | None


def _registered(workshop: WorkShop, actor: Actor, said: frozenset[str]) -> frozenset[str]:
    with workshop.work(actor) as work:
        return registered_names(work, said=said)


def _carry_out(workshop: WorkShop, actor: Actor, run_id: UUID, host: _Host) -> bool:
    """Carry a run out once; False when it is queued again because its list is no longer open to the park."""
    with workshop.work(actor) as work:
        job = runs.begin_run(work, run_id=run_id)
    if job is None or _deliver_again(workshop, actor, job):
        return True
    watch = _Watch(workshop, actor, run_id, host.stopping)
    try:
        task = _prepare(workshop, actor, job)
        outcome = run_limited(
            task.engine, *task.arguments, limits=host.limits, progress=watch.progress, cancelled=watch.cancelled
        )
    except Problem as problem:
        if watch.left:
            with workshop.work(actor) as work:
                runs.hand_back(work, run_id=run_id, attempt=job.attempt)
            raise Unavailable("worker.stopping", msg("工作进程正在停止，运行将由下一个工作进程重新开始。")) from problem
        if not watch.unwanted:
            with workshop.work(actor) as work:
                runs.fail_run(work, run_id=run_id, code=problem.code, detail=words_of(problem))
        return True
    result = outcome.value
    if host.writer is not None and isinstance(result, LeadsResult):
        watch.progress("pitches", 0.95)
        registered = partial(_registered, workshop, actor)
        result = host.writer.reword(result, limits=host.limits, cancelled=watch.cancelled, registered=registered)
    try:
        _finish(workshop, task, job, result)
    except lead_places.PlacesTakenError:
        with workshop.work(actor) as work:
            runs.hand_back(work, run_id=run_id, attempt=job.attempt)
        return False
    except Conflict as problem:
        with workshop.work(actor) as work:
            runs.fail_run(work, run_id=run_id, code=problem.code, detail=words_of(problem))
    return True


def _deliver_again(workshop: WorkShop, actor: Actor, job: RunJob) -> bool:
    """End a run that repeats an earlier one with its files; False when an engine must work."""
    if job.repeats is None:
        return False
    with workshop.work(replace(actor, reach=Reach.STAFF)) as work:
        return lead_repeats.deliver_again(work, job=job)


def _finish(workshop: WorkShop, task: _Task, job: RunJob, result: EngineResult) -> None:
    with workshop.work(task.ending) as work:
        if task.fingerprint is not None:
            lead_repeats.refuse_second_answer(work, job=job, asked=task.fingerprint)
        if runs.finish_run(
            work,
            run_id=job.id,
            fingerprint=task.fingerprint,
            files=result.files,
            kpis=result.kpis,
            manifest_sha256=hashlib.sha256(result.files[MANIFEST]).hexdigest(),
        ):
            task.keep(work, result)


def _take_places(job: RunJob, given: Openings, work: Work, result: LeadsResult) -> None:
    lead_places.take_places(work, run_id=job.id, park_id=job.tenant_id, leads=result.leads, given=given)


def words_of(problem: Problem) -> str:
    """Return a refusal as text: its sentence, then the first fields it is about."""
    return "\n".join([str(problem.message), *(f"{error.field}: {error.message}" for error in problem.errors[:5])])


@dataclass
class _Watch:
    """Writes progress and looks whether the run is still wanted, each at most once a second."""

    workshop: WorkShop
    actor: Actor
    run_id: UUID
    stopping: Callable[[], bool]
    stage: str = "prepare"
    percent: int = 0
    unwanted: bool = False
    left: bool = False
    """The run is still wanted, but this worker is told to go."""
    _next: float = field(default=0.0, init=False)

    def progress(self, stage: str, done: float) -> None:
        """Take what the engine says; a new stage is written at once."""
        changed = stage != self.stage
        self.stage, self.percent = stage, int(done * 100)
        self._beat(now=changed)

    def cancelled(self) -> bool:
        """Tell whether the run is no longer wanted."""
        self._beat(now=False)
        self.left = not self.unwanted and self.stopping()
        return self.unwanted or self.left

    def _beat(self, *, now: bool) -> None:
        if self.unwanted or (not now and time.monotonic() < self._next):
            return
        with self.workshop.work(self.actor) as work:
            self.unwanted = not runs.report_progress(work, run_id=self.run_id, stage=self.stage, percent=self.percent)
        self._next = time.monotonic() + HEARTBEAT_SECONDS


def _prepare(workshop: WorkShop, actor: Actor, job: RunJob) -> _Task:
    """Read what the engine needs out of the database: it has no access of its own."""
    with workshop.work(actor) as work:
        if job.delivery is Delivery.TWIN:
            return _Task(run_twin, (read_twin_request(work, job.request, tenant_id=job.tenant_id)[1],), actor)
        if job.delivery is Delivery.SCHEDULE:
            return _Task(run_schedule, (read_schedule_request(work, job.request, tenant_id=job.tenant_id)[1],), actor)
        folder = index_registry(work, INDEX_CACHE)
        brief, today = read_brief(job.request)[1], job.asked_at.astimezone(CHINA).date()
        tables, edition = tables_in_use(work), lead_editions.edition_in_force(work)
        origins = [each.origin.sha256 for each in (tables.input_output, tables.demands) if each is not None]
        asked = fingerprint(brief, version_of(folder), origins)
        lead_repeats.refuse_second_answer(work, job=job, asked=asked)
    everyone = replace(actor, reach=Reach.STAFF)
    with workshop.work(everyone) as work:
        given = lead_places.read_openings(work, park_id=job.tenant_id, request=job.request)
    events = folder / EVENTS
    told = (brief, folder, today, events if events.exists() else None, tables, given, edition)
    return _Task(run_leads, told, everyone, asked, partial(_take_places, job, given))
