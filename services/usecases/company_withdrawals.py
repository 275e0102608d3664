"""Withdrawing a source of the registry: its licence has ended, or it was the wrong file.

From the moment of the withdrawal no new list uses its rows. A job then takes them out batch by batch, each in a
transaction of its own, so the next worker goes on where one was killed; where another source tells of the same company,
number or expansion, that counts again. Lists that were delivered stay as they are and say so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import and_, exists, func, insert, or_, select, update

from services.rules.company_imports import ImportKind, ImportStatus
from services.store import company_withdrawal_queries as store
from services.store.companies import CompanySource
from services.store.company_import_queries import locked_source
from services.store.company_withdrawals import CompanyWithdrawal, WithdrawnCompany
from services.store.lead_allocation import ListedLead
from services.store.runs import Run
from tenants.kernel.context import Actor
from tenants.kernel.errors import Conflict, FieldError, Invalid, NotFound, Unavailable
from tenants.kernel.messages import msg
from tenants.kernel.outbox import Event
from tenants.kernel.vocabulary import Permission, Priority
from tenants.kernel.work import Work, WorkShop
from tenants.usecases import audit

ROWS_AT_ONCE = 10_000
"""Rows of a batch: about half a second of a worker's time."""
LONGEST_REASON = 500


@dataclass(frozen=True)
class WithdrawalView:
    """A withdrawal. ``rows_kept`` counts companies and expansions that another source tells of, too: they stay, as told there."""

    reason: str
    withdrawn_by: UUID
    withdrawn_at: datetime
    rows_total: int
    rows_done: int
    rows_kept: int
    finished_at: datetime | None


@dataclass(frozen=True)
class WithdrawnSource:
    """A source that something delivered stands on, and that was withdrawn since: its name, why, and when."""

    name: str
    reason: str
    withdrawn_at: datetime


def withdraw_source(work: Work, *, source_id: UUID, reason: str) -> WithdrawalView:
    """Withdraw an imported source, and let a worker take its rows out of the registry.

    The reason is shown to parks whose lists stand on it. Raises Invalid without one, NotFound, Conflict
    ``companies.not_done`` for an import that is under way, has failed, or is withdrawn.
    """
    work.actor.require(Permission.IMPORT_COMPANIES)
    person = work.actor.require_person()
    if not reason.strip() or len(reason) > LONGEST_REASON:
        wrong = msg("须为 1 至 {limit} 个字符。", limit=LONGEST_REASON)
        raise Invalid("companies.reason", wrong, errors=[FieldError("reason", "companies.reason", wrong)])
    source = locked_source(work.session, source_id)
    if source is None:
        raise NotFound("companies.import_not_found", msg("没有找到该次导入。请从列表中重新打开。"))
    if source.status != ImportStatus.DONE:
        raise Conflict("companies.not_done", msg("只有已完成且未撤回的来源可以撤回。正在导入的请取消。"))
    total = store.count_rows(work.session, source_id)
    values = {
        "source_id": source_id, "reason": reason.strip(), "withdrawn_by": person, "withdrawn_at": work.now,
        "rows_total": total, "rows_done": 0, "rows_kept": 0,
    }  # fmt: skip
    report = {name: value for name, value in source.report.items() if not name.startswith("namesakes")}
    changed = update(CompanySource).where(CompanySource.id == source_id)
    work.session.execute(changed.values(status=ImportStatus.WITHDRAWN, report=report))
    work.session.execute(insert(CompanyWithdrawal).values(values))
    work.emit(Event("company_withdrawal.queued", None, {"source_id": str(source_id)}, Priority.BACKGROUND))
    audit.record(work, "companies.withdraw", "company_source", source_id, sha256=source.sha256, reason=reason.strip())
    return WithdrawalView(reason.strip(), person, work.now, total, 0, 0, None)


def carry_out_withdrawal(
    workshop: WorkShop, actor: Actor, *, source_id: UUID, stopping: Callable[[], bool] = lambda: False
) -> None:
    """Take what is left of a withdrawn source out of the registry; told twice, it is done once.

    Raises Unavailable ``worker.stopping`` between two batches when this worker is told to go.
    """
    actor.require(Permission.IMPORT_COMPANIES)
    ended = False
    while not ended:
        if stopping():
            raise Unavailable("worker.stopping", msg("工作进程正在停止，撤回将由下一个工作进程继续。"))
        with workshop.work(actor) as work:
            ended = _take_batch(work, source_id)


def withdrawal_of(work: Work, *, source_id: UUID) -> WithdrawalView | None:
    """Return a source's withdrawal as far as it is, None where it counts."""
    work.actor.require(Permission.IMPORT_COMPANIES)
    columns = [getattr(CompanyWithdrawal, name) for name in WithdrawalView.__dataclass_fields__]
    row = work.session.execute(select(*columns).where(CompanyWithdrawal.source_id == source_id)).one_or_none()
    return None if row is None else WithdrawalView(*row)


def withdrawn_since(work: Work, *, run_id: UUID) -> tuple[WithdrawnSource, ...]:
    """Return the sources that the acting park's list of a run stands on and that were withdrawn since, the newest first.

    Of companies those that a row of the list came from; of expansions those that counted when it was made.
    """
    work.actor.require(Permission.READ_ORDER)
    park_id = work.actor.require_tenant()
    of_companies = exists().where(
        ListedLead.tenant_id == park_id,
        ListedLead.run_id == Run.id,
        ListedLead.uscc == WithdrawnCompany.uscc,
        WithdrawnCompany.source_id == CompanySource.id,
        WithdrawnCompany.counted_until > Run.created_at,
    )
    query = (
        select(CompanySource.name, CompanyWithdrawal.reason, CompanyWithdrawal.withdrawn_at)
        .join(CompanyWithdrawal, CompanyWithdrawal.source_id == CompanySource.id)
        .join(Run, and_(CompanySource.finished_at <= Run.finished_at, CompanyWithdrawal.withdrawn_at > Run.created_at))
        .where(
            Run.tenant_id == park_id,
            Run.id == run_id,
            exists().where(ListedLead.tenant_id == park_id, ListedLead.run_id == Run.id),
            or_(CompanySource.kind == ImportKind.EXPANSIONS, of_companies),
        )
        .order_by(CompanyWithdrawal.withdrawn_at.desc(), CompanySource.id)
    )
    return tuple(WithdrawnSource(*row) for row in work.session.execute(query))


def withdrawn_companies(work: Work) -> Mapping[str, WithdrawnSource]:
    """Return, for companies on the acting park's lists whose row there has been withdrawn since, the newest such source."""
    work.actor.require(Permission.READ_ORDER)
    park_id = work.actor.require_tenant()
    query = (
        select(WithdrawnCompany.uscc, CompanySource.name, CompanyWithdrawal.reason, CompanyWithdrawal.withdrawn_at)
        .join(CompanyWithdrawal, CompanyWithdrawal.source_id == WithdrawnCompany.source_id)
        .join(CompanySource, CompanySource.id == WithdrawnCompany.source_id)
        .where(
            exists().where(
                ListedLead.tenant_id == park_id,
                ListedLead.uscc == WithdrawnCompany.uscc,
                Run.tenant_id == park_id,
                Run.id == ListedLead.run_id,
                Run.finished_at >= CompanySource.finished_at,
                Run.created_at < WithdrawnCompany.counted_until,
            )
        )
        .order_by(CompanyWithdrawal.withdrawn_at)
    )
    return {row.uscc: WithdrawnSource(row.name, row.reason, row.withdrawn_at) for row in work.session.execute(query)}


def _take_batch(work: Work, source_id: UUID) -> bool:
    """Take the next rows out; tell whether the withdrawal has ended."""
    store.lock_registry(work.session)
    view = withdrawal_of(work, source_id=source_id)
    if view is None or view.finished_at is not None:
        return True
    done, kept = store.take_back(work.session, source_id, ROWS_AT_ONCE, view.withdrawn_at)
    row: dict[str, Any] = {
        "rows_done": func.least(CompanyWithdrawal.rows_total, CompanyWithdrawal.rows_done + done),
        "rows_kept": CompanyWithdrawal.rows_kept + kept,
    }
    if not done:
        row = {"rows_done": CompanyWithdrawal.rows_total, "finished_at": work.now}
        audit.record(work, "companies.withdrawn", "company_source", source_id, rows=view.rows_done, kept=view.rows_kept)
    work.session.execute(update(CompanyWithdrawal).where(CompanyWithdrawal.source_id == source_id).values(row))
    return not done
