"""The same brief on the same data within 30 days: the list that was delivered is delivered again and costs nothing.

What counts is the acting park's own runs that were not repeats themselves, so that the 30 days end, and that are still paid
for: whoever got the money back asks anew.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, insert, literal, select, text, update
from sqlalchemy.orm import aliased

from services.rules.catalogue import Delivery
from services.rules.leads import Brief, fingerprint
from services.rules.runs import FREE_AGAIN, RunStatus
from services.store.lead_allocation import LeadSuppression, ListedLead
from services.store.runs import Artefact, Run
from services.usecases import runs
from services.usecases.companies import registry_version
from services.usecases.lead_places import lock_companies
from services.usecases.reference_tables import hashes_in_use
from services.usecases.runs import RunJob
from tenants.kernel.clock import CHINA
from tenants.kernel.errors import Conflict
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work

_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended('leads.answer:' || :tenant || :fingerprint, 0))")


def answered_before(work: Work, *, brief: Brief) -> UUID | None:
    """Return the acting park's newest run that answered ``brief`` on today's data and may be repeated for nothing."""
    work.actor.require(Permission.ASK_QUOTE)
    asked = fingerprint(brief, registry_version(work), hashes_in_use(work))
    found = _answered(work, work.actor.require_tenant(), asked)
    return None if found is None else found.id


def refuse_second_answer(work: Work, *, job: RunJob, asked: str) -> None:
    """Raise Conflict ``leads.delivered_already`` for a run that is to be charged although its answer was delivered meanwhile.

    Two orders of one question may be under way at once, as neither has been answered yet. They end one after the other:
    who comes second waits here for the first one's transaction, is not delivered, and so costs nothing.
    """
    work.actor.require(Permission.EXECUTE_RUN)
    if job.repeats is not None:
        return
    work.session.execute(_LOCK, {"tenant": str(job.tenant_id), "fingerprint": asked})
    first = _answered(work, job.tenant_id, asked, Run.id != job.id)
    if first is not None:
        raise Conflict(
            "leads.delivered_already",
            msg(
                "同样需求、同样数据的名单已于 {at} 交付，本次不再出具，也不收费。请在此前的订单或“招商线索”中查看。",
                at=f"{first.finished_at.astimezone(CHINA):%Y-%m-%d %H:%M}",
            ),
        )


def end_free_repeats(work: Work, *, order_line_ids: Collection[UUID]) -> None:
    """Let no further order repeat the runs of these lines, whose whole price was given back. Repeats under way go on."""
    work.actor.require(Permission.RETURN_DELIVERY)
    returned = Run.order_line_id.in_(order_line_ids), Run.returned_at.is_(None)
    work.session.execute(update(Run).where(*returned).values(returned_at=work.now))


def deliver_again(work: Work, *, job: RunJob) -> bool:
    """End a run with the files and the list of the one that it repeats. Needs a reach over all parks.

    False when a company of that list has asked not to be contacted since: then the list must be made anew.
    """
    work.actor.require(Permission.EXECUTE_RUN)
    listed = select(ListedLead.uscc).where(ListedLead.tenant_id == job.tenant_id, ListedLead.run_id == job.repeats)
    codes = work.session.scalars(listed).all()
    lock_companies(work, codes)
    silent = select(LeadSuppression.id).where(LeadSuppression.uscc.in_(codes), LeadSuppression.lifted_at.is_(None))
    if work.session.execute(silent.limit(1)).scalar() is not None:
        return False
    first = work.session.execute(
        select(Run.kpis, Run.manifest_sha256, Run.fingerprint).where(
            Run.tenant_id == job.tenant_id, Run.id == job.repeats
        )
    ).one()
    if runs.finish_run(
        work,
        run_id=job.id,
        files=_files(work, job),
        kpis=first.kpis,
        manifest_sha256=first.manifest_sha256,
        fingerprint=first.fingerprint,
    ):
        _list_again(work, job)
    return True


@dataclass(frozen=True)
class _Answer:
    id: UUID
    finished_at: Any


def _answered(work: Work, tenant_id: UUID, asked: str, *more: ColumnElement[bool]) -> _Answer | None:
    query = (
        select(Run.id, Run.finished_at)
        .where(
            Run.tenant_id == tenant_id,
            Run.fingerprint == asked,
            Run.delivery == Delivery.LEADS,
            Run.status == RunStatus.SUCCEEDED,
            Run.repeats.is_(None),
            Run.returned_at.is_(None),
            Run.finished_at > work.now - FREE_AGAIN,
            *more,
        )
        .order_by(Run.finished_at.desc(), Run.id.desc())
        .limit(1)
    )
    row = work.session.execute(query).one_or_none()
    return None if row is None else _Answer(row.id, row.finished_at)


def _files(work: Work, job: RunJob) -> dict[str, bytes]:
    query = select(Artefact.name, Artefact.content).where(
        Artefact.tenant_id == job.tenant_id, Artefact.source_id == job.repeats
    )
    return {row.name: row.content for row in work.session.execute(query.order_by(Artefact.id))}


def _list_again(work: Work, job: RunJob) -> None:
    """List the same companies: their places are the park's for good, so none is taken."""
    first = aliased(ListedLead)
    again = select(first.tenant_id, literal(job.id), first.uscc, first.position, first.explored, first.score).where(
        first.tenant_id == job.tenant_id, first.run_id == job.repeats
    )
    columns = ["tenant_id", "run_id", "uscc", "position", "explored", "score"]
    work.session.execute(insert(ListedLead).from_select(columns, again))
