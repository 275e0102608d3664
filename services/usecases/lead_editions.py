"""Editions of the ranking model: refitted as a job, put in force where they rank no worse, rolled back where they do later.

A refit is several small transactions around an engine in a child process; what it found counts in the last one alone, so
a killed worker leaves nothing but a count of its attempt.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as insert_once

from services.gateways.lead_editions import Fitted, fit_edition, measure_editions
from services.gateways.sandbox import Limits, run_limited
from services.rules.lead_editions import (
    IN_FORCE,
    MOST_ATTEMPTS,
    RESTORABLE,
    EditionStatus,
    EditionStep,
    GivenEdition,
    Period,
    Refusal,
    is_worse,
)
from services.rules.ranking.measures import ListScores
from services.store import lead_edition_queries as store
from services.store.lead_editions import LeadEdition, LeadEditionStep
from services.usecases.companies import EVENTS, index_registry
from tenants.kernel.clock import CHINA
from tenants.kernel.context import Actor
from tenants.kernel.errors import Conflict, FieldError, Invalid, NotFound, Problem, Unavailable
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import msg
from tenants.kernel.outbox import Event
from tenants.kernel.vocabulary import Permission, Priority
from tenants.kernel.work import Work, WorkShop
from tenants.kernel.writing import rows_written
from tenants.usecases import audit


@dataclass(frozen=True)
class StepView:
    """Something that happened to an edition. ``by`` is None where the platform did it by its rules."""

    number: int
    step: EditionStep
    at: datetime
    by: UUID | None
    reason: str
    scores: dict[str, Any] | None


@dataclass(frozen=True)
class EditionView:
    """An edition without its bytes; ``card`` says what it was fitted on and how it ranked, None before that is known."""

    id: UUID
    number: int
    status: EditionStatus
    stage: str
    progress: int
    asked_by: UUID | None
    asked_at: datetime
    finished_at: datetime | None
    card: dict[str, Any] | None
    sha256: str | None
    refusal: Refusal | None
    follows_id: UUID | None


@dataclass(frozen=True)
class EditionReport:
    """An edition and what happened to it, the newest first."""

    edition: EditionView
    steps: tuple[StepView, ...]


def start_refit(work: Work) -> EditionView:
    """Let a worker fit the model anew. Raises Conflict ``lead_editions.fitting`` while one is being fitted."""
    work.actor.require(Permission.IMPORT_COMPANIES)
    store.lock(work.session)
    edition_id = new_id()
    number = (work.session.scalar(select(func.max(LeadEdition.number))) or 0) + 1
    made = (
        insert_once(LeadEdition)
        .values(
            id=edition_id, number=number, status=EditionStatus.FITTING, attempts=0, stage="queued", progress=0,
            asked_by=work.actor.user_id, asked_at=work.now,
        )
        .on_conflict_do_nothing()
    )  # fmt: skip
    if not rows_written(work.session, made):
        raise Conflict("lead_editions.fitting", msg("模型正在拟合。请等它结束后再试。"))
    work.emit(Event("lead_edition.queued", None, {"edition_id": str(edition_id)}, Priority.BACKGROUND))
    audit.record(work, "lead_editions.refit", "lead_edition", edition_id, number=number)
    return _read(work, edition_id)


def refit_when_due(work: Work) -> bool:
    """Start a refit unless one is running or no outcome and no new registry has come since the last one was asked for."""
    work.actor.require(Permission.IMPORT_COMPANIES)
    store.lock(work.session)
    if not store.is_news(work.session):
        return False
    start_refit(work)
    return True


def ask_measurement(work: Work) -> None:
    """Let a worker measure the edition in force."""
    work.actor.require(Permission.IMPORT_COMPANIES)
    work.emit(Event("lead_edition.due", None, {}, Priority.BACKGROUND))
    audit.record(work, "lead_editions.measure", "lead_edition", "in_force")


def carry_out_refit(
    workshop: WorkShop,
    actor: Actor,
    *,
    edition_id: UUID,
    cache: Path,
    limits: Limits,
    stopping: Callable[[], bool] = lambda: False,
) -> None:
    """Fit an edition and put it in force where it ranks no worse. Done once; what a killed worker began is begun again.

    Raises Unavailable ``worker.stopping`` when this worker is told to go: the next one begins again.
    """
    with workshop.work(actor) as work:
        begun = _begin(work, edition_id)
        if not begun:
            return
        folder, told = index_registry(work, cache), store.told(work.session)
        current = store.in_force(work.session)
        day = work.now.astimezone(CHINA).date()
    events = folder / EVENTS
    content = None if current is None else current.model
    arguments = (folder, events if events.exists() else None, told, day, content)
    try:
        found = run_limited(
            fit_edition, *arguments, limits=limits, cancelled=stopping,
            progress=lambda stage, done: _advance(workshop, actor, edition_id, stage, done),
        ).value  # fmt: skip
    except Problem as problem:
        if stopping():
            raise Unavailable("worker.stopping", msg("工作进程正在停止，拟合将由下一个工作进程重新开始。")) from problem
        with workshop.work(actor) as work:
            _fail(work, edition_id, problem.code)
        return
    with workshop.work(actor) as work:
        _settle(work, edition_id, found, None if current is None else current.id)


def measure(workshop: WorkShop, actor: Actor, *, cache: Path, limits: Limits) -> bool:
    """Score the edition in force and its predecessor on what came after both; roll it back where it ranks worse.

    Returns whether it was rolled back. Nothing happens without an edition in force, or on days that were measured before.
    """
    actor.require(Permission.IMPORT_COMPANIES)
    with workshop.work(actor) as work:
        current = store.in_force(work.session)
        if current is None:
            return False
        before = None if current.follows_id is None else work.session.get(LeadEdition, current.follows_id)
        today = work.now.astimezone(CHINA).date()
        period = Period(max(_day(each) for each in (current, before) if each is not None), today)
        if period.begin >= today or store.is_measured(work.session, current.id, today):
            return False
        folder, told = index_registry(work, cache), store.told(work.session)
        current_id, contents = current.id, (current.model, None if before is None else before.model)
    events = folder / EVENTS
    arguments = (folder, events if events.exists() else None, told, period, *contents)
    scores = run_limited(measure_editions, *arguments, limits=limits).value
    with workshop.work(actor) as work:
        return _judge(work, current_id, period, scores)


def put_back(work: Work, *, edition_id: UUID, reason: str) -> EditionView:
    """Put an edition in force again that was so before, by hand.

    Raises NotFound, Invalid without a reason, and Conflict for one that never was in force or is.
    """
    work.actor.require(Permission.IMPORT_COMPANIES)
    work.actor.require_person()
    if not reason.strip() or len(reason) > 500:
        wrong = msg("须为 1 至 {limit} 个字符。", limit=500)
        raise Invalid("lead_editions.reason", wrong, errors=[FieldError("reason", "lead_editions.reason", wrong)])
    store.lock(work.session)
    if _read(work, edition_id).status not in RESTORABLE:
        raise Conflict("lead_editions.not_earlier", msg("只有曾经采用、现已停用的版本可以恢复。请从列表中选择。"))
    _replace(work, edition_id, EditionStatus.SUPERSEDED, EditionStep.PUT_BACK, reason.strip())
    return _read(work, edition_id)


def read_edition(work: Work, *, edition_id: UUID) -> EditionReport:
    """Return an edition with its steps. Raises NotFound."""
    work.actor.require(Permission.IMPORT_COMPANIES)
    columns = [getattr(LeadEditionStep, name) for name in StepView.__dataclass_fields__]
    query = select(*columns).where(LeadEditionStep.edition_id == edition_id).order_by(LeadEditionStep.number.desc())
    steps = (StepView(**{**row, "step": EditionStep(row["step"])}) for row in work.session.execute(query).mappings())
    return EditionReport(_read(work, edition_id), tuple(steps))


def list_editions(work: Work) -> tuple[EditionView, ...]:
    """Return the editions, the newest first; a hundred at most."""
    work.actor.require(Permission.IMPORT_COMPANIES)
    return _views(work)


def edition_in_force(work: Work) -> GivenEdition | None:
    """Return what ordered lists are ranked by; None where each fits its own."""
    work.actor.require(Permission.EXECUTE_RUN)
    row = store.in_force(work.session)
    return None if row is None or row.model is None else GivenEdition(row.number, row.sha256 or "", row.model)


def _begin(work: Work, edition_id: UUID) -> bool:
    work.actor.require(Permission.IMPORT_COMPANIES)
    fitting = (LeadEdition.id == edition_id, LeadEdition.status == EditionStatus.FITTING)
    begun = (
        update(LeadEdition)
        .where(*fitting, LeadEdition.attempts < MOST_ATTEMPTS)
        .values(attempts=LeadEdition.attempts + 1, stage="prepare", progress=0)
    )
    if rows_written(work.session, begun):
        return True
    _fail(work, edition_id, "lead_editions.gave_up")
    return False


def _advance(workshop: WorkShop, actor: Actor, edition_id: UUID, stage: str, done: float) -> None:
    with workshop.work(actor) as work:
        fitting = (LeadEdition.id == edition_id, LeadEdition.status == EditionStatus.FITTING)
        work.session.execute(update(LeadEdition).where(*fitting).values(stage=stage, progress=int(100 * done)))


def _settle(work: Work, edition_id: UUID, found: Fitted, judged_against: UUID | None) -> None:
    """Keep a fit, and put it in force unless it is refused; of two workers with one, the second finds it settled."""
    store.lock(work.session)
    current = store.in_force(work.session)
    refusal = found.refusal
    if refusal is None and (None if current is None else current.id) != judged_against:
        refusal = Refusal.OVERTAKEN
    values = {
        "status": EditionStatus.SUPERSEDED if refusal is None else EditionStatus.REFUSED, "refusal": refusal,
        "card": found.card, "model": found.model, "finished_at": work.now, "stage": "done", "progress": 100,
        "sha256": None if found.model is None else hashlib.sha256(found.model).hexdigest(),
    }  # fmt: skip
    fitting = (LeadEdition.id == edition_id, LeadEdition.status == EditionStatus.FITTING)
    if not rows_written(work.session, update(LeadEdition).where(*fitting).values(values)):
        return
    if refusal is not None:
        _step(work, edition_id, EditionStep.REFUSED, refusal, found.card.get("scores"))
        return
    _replace(work, edition_id, EditionStatus.SUPERSEDED, EditionStep.PUT_IN_FORCE, "", found.card.get("scores"))


def _judge(work: Work, edition_id: UUID, period: Period, scores: Mapping[str, ListScores]) -> bool:
    store.lock(work.session)
    current = store.in_force(work.session)
    if current is None or current.id != edition_id or store.is_measured(work.session, edition_id, period.end):
        return False
    told: dict[str, Any] = {name: vars(each) for name, each in scores.items()}
    told |= {"period": [period.begin.isoformat(), period.end.isoformat()]}
    _step(work, edition_id, EditionStep.MEASURED, "", told)
    if IN_FORCE not in scores or not is_worse(scores):
        return False
    _replace(work, current.follows_id, EditionStatus.ROLLED_BACK, EditionStep.PUT_IN_FORCE, "rolled_back", told)
    return True


def _replace(
    work: Work,
    edition_id: UUID | None,
    leaves_as: EditionStatus,
    step: EditionStep,
    reason: str,
    scores: dict[str, Any] | None = None,
) -> None:
    """Put an edition in force (none for None) in place of the one that is; the caller holds the lock."""
    old = store.in_force(work.session)
    if old is not None:
        _set(work, old.id, status=leaves_as)
        _step(work, old.id, EditionStep(leaves_as.value), reason, scores)
    if edition_id is not None:
        # Who comes back after a roll-back keeps what it followed itself.
        follows = {} if leaves_as is EditionStatus.ROLLED_BACK else {"follows_id": None if old is None else old.id}
        _set(work, edition_id, status=EditionStatus.IN_FORCE, **follows)
        _step(work, edition_id, step, reason, scores)
    audit.record(work, f"lead_editions.{step}", "lead_edition", edition_id, replaces=None if old is None else old.id)


def _fail(work: Work, edition_id: UUID, code: str) -> None:
    fitting = (LeadEdition.id == edition_id, LeadEdition.status == EditionStatus.FITTING)
    ended = update(LeadEdition).where(*fitting).values(status=EditionStatus.FAILED, finished_at=work.now)
    if rows_written(work.session, ended):
        _step(work, edition_id, EditionStep.FAILED, code)


def _set(work: Work, edition_id: UUID, **values: object) -> None:
    work.session.execute(update(LeadEdition).where(LeadEdition.id == edition_id).values(**values))


def _step(work: Work, edition_id: UUID, step: EditionStep, reason: str, scores: dict[str, Any] | None = None) -> None:
    last = work.session.scalar(select(func.max(LeadEditionStep.number)).where(LeadEditionStep.edition_id == edition_id))
    row = {
        "edition_id": edition_id, "number": (last or 0) + 1, "step": step,
        "at": work.now, "by": work.actor.user_id, "reason": reason, "scores": scores,
    }  # fmt: skip
    work.session.execute(insert(LeadEditionStep).values(row))


def _day(edition: LeadEdition) -> date:
    """Return the day up to which an edition was fitted or scored."""
    return date.fromisoformat((edition.card or {})["day"])


def _read(work: Work, edition_id: UUID) -> EditionView:
    found = _views(work, edition_id)
    if not found:
        raise NotFound("lead_editions.not_found", msg("没有找到该版本。请从列表中选择。"))
    return found[0]


def _views(work: Work, edition_id: UUID | None = None) -> tuple[EditionView, ...]:
    query = select(*(getattr(LeadEdition, name) for name in EditionView.__dataclass_fields__))
    if edition_id is not None:
        query = query.where(LeadEdition.id == edition_id)
    rows = work.session.execute(query.order_by(LeadEdition.number.desc()).limit(100)).mappings()
    return tuple(
        EditionView(
            **{
                **row,
                "status": EditionStatus(row["status"]),
                "refusal": None if row["refusal"] is None else Refusal(row["refusal"]),
            }
        )
        for row in rows
    )
