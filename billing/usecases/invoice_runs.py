"""Issuing a month's invoices to all parks as a job: it waits for late use, shows how far it is, and goes on after a kill.

What was used by meter and is not charged yet is charged first; it stands on the invoice whenever that is issued. Each step
is a transaction of its own that issues to some parks and counts them. What was issued stays; a park that has its invoice is
not issued another, so a job that begins again does only what is left, and no number is lost or given twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from billing.rules.invoices import LEGAL_ENTITY
from billing.rules.periods import DEFAULT_ZONE, local_day
from billing.store import invoice_run_queries
from billing.store.invoice_queries import pending_parks
from billing.store.invoices import InvoiceRun
from billing.usecases.arrears_charging import METERED_AT_ONCE, charge_metered_use, end_charging
from billing.usecases.invoice_drafts import check_period_begun, grace_end
from billing.usecases.invoice_issue import PARKS_AT_ONCE, chunks, issue_to, parks_to_invoice
from billing.usecases.minimums import settle_minimums
from tenants.kernel.context import Actor
from tenants.kernel.errors import Conflict, NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import msg
from tenants.kernel.outbox import Event
from tenants.kernel.vocabulary import Permission, Priority
from tenants.kernel.work import Work, WorkShop
from tenants.usecases import audit


@dataclass(frozen=True)
class InvoiceRunView:
    """A run: for which month, and how many parks have their invoice from it so far."""

    id: UUID
    period: str
    status: str
    parks_total: int
    parks_done: int
    asked_by: UUID | None
    asked_at: datetime
    finished_at: datetime | None


def start_run(work: Work, *, period: str, before_grace_ends: bool = False) -> InvoiceRunView:
    """Let a month's invoices be issued to all parks; one that is running already is returned.

    Raises Conflict ``invoice.grace`` while late use of the month is waited for, unless ``before_grace_ends`` says not
    to wait: what comes later then stands on the next invoice. Invalid for a text that is no month.
    """
    work.actor.require(Permission.ISSUE_INVOICE)
    check_period_begun(work, period)
    ends_at = grace_end(work, period)
    if work.now < ends_at and not before_grace_ends:
        raise Conflict(
            "invoice.grace",
            msg(
                "{period} 的迟到用量等候至 {day}。请届时再开具，或确认不再等候：此后的用量列入下一张账单。",
                period=period,
                day=local_day(ends_at, DEFAULT_ZONE).isoformat(),
            ),
        )
    run = InvoiceRun(
        id=new_id(),
        legal_entity=LEGAL_ENTITY,
        period=period,
        status="queued",
        parks_total=len(parks_to_invoice(work, period)),
        parks_done=0,
        asked_by=work.actor.user_id,
        asked_at=work.now,
        finished_at=None,
    )
    found = invoice_run_queries.insert_run(work.session, run)
    if found.id == run.id:
        work.emit(Event("invoices.run", None, {"run_id": str(run.id)}, Priority.MONEY))
        audit.record(work, "invoice.run", "period", period, parks=run.parks_total)
    return _view(found)


def carry_out_run(workshop: WorkShop, actor: Actor, *, run_id: UUID) -> None:
    """Issue what a run has not issued yet, some parks at a time. Done once: a repeat finds it done."""
    with workshop.work(actor) as work:
        work.actor.require(Permission.ISSUE_INVOICE)
        run = _run(work, run_id)
        if run.status != "queued":
            return
        period = run.period
        parks = parks_to_invoice(work, period)
    for some in chunks(parks, METERED_AT_ONCE):
        with workshop.work(actor) as work:
            charge_metered_use(work, period, some)
    with workshop.work(actor) as work:
        end_charging(work, period)
        settle_minimums(work, period)
        pending = pending_parks(work.session, period)
        invoice_run_queries.expect(work.session, run_id, len(pending))
    for some in chunks(pending, PARKS_AT_ONCE):
        with workshop.work(actor) as work:
            issued = issue_to(work, period, some)
            invoice_run_queries.advance(work.session, run_id, issued)
    with workshop.work(actor) as work:
        invoice_run_queries.finish(work.session, run_id, work.now)


def read_run(work: Work, *, run_id: UUID) -> InvoiceRunView:
    """Return a run as far as it is. Raises NotFound."""
    work.actor.require(Permission.ISSUE_INVOICE)
    return _view(_run(work, run_id))


def list_runs(work: Work, *, period: str | None = None, limit: int = 20) -> tuple[InvoiceRunView, ...]:
    """Return runs, newest first."""
    work.actor.require(Permission.ISSUE_INVOICE)
    return tuple(_view(run) for run in invoice_run_queries.runs(work.session, period, limit))


def _run(work: Work, run_id: UUID) -> InvoiceRun:
    run = invoice_run_queries.run_of(work.session, run_id)
    if run is None:
        raise NotFound("invoice.run_not_found", msg("没有找到该开票任务。请从列表中重新打开。"))
    return run


def _view(run: InvoiceRun) -> InvoiceRunView:
    return InvoiceRunView(
        id=run.id,
        period=run.period,
        status=run.status,
        parks_total=run.parks_total,
        parks_done=run.parks_done,
        asked_by=run.asked_by,
        asked_at=run.asked_at,
        finished_at=run.finished_at,
    )
