"""What came of listed companies: a park's records, each with what the park had been shown."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select

from services.rules.lead_outcomes import LostReason, Outcome, is_known
from services.store.lead_allocation import ListedLead
from services.store.lead_outcomes import LeadOutcome
from services.store.runs import Run
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.usecases import audit


@dataclass(frozen=True)
class OutcomeView:
    """A record. ``position`` and ``score`` are the company's in the list ``run_id``, the newest that named it; ``model`` is
    the card of what ranked it, None for expansions and distance alone.
    """

    number: int
    outcome: Outcome
    reason: LostReason | None
    recorded_by: UUID
    recorded_at: datetime
    run_id: UUID | None
    position: int | None
    explored: bool | None
    score: Decimal | None
    model: dict[str, Any] | None


def list_outcomes(work: Work, *, uscc: str) -> tuple[OutcomeView, ...]:
    """Return all that the acting park has recorded of a company, the newest first; corrected records too."""
    work.actor.require(Permission.READ_ORDER)
    return _records(work, uscc)


def note_outcome(work: Work, *, uscc: str, outcome: Outcome, reason: LostReason | None = None) -> bool:
    """Add a record of the acting park, unless the newest one says the same; tell whether one was added.

    Whoever calls has locked the company, and has seen that it is listed to the park.
    """
    work.actor.require(Permission.CLAIM_LEAD)
    person, park_id = work.actor.require_person(), work.actor.require_tenant()
    latest = next(iter(_records(work, uscc)), None)
    known = None if latest is None else (latest.outcome, latest.reason)
    if is_known(known, (outcome, reason)):
        return False
    row = {
        "tenant_id": park_id, "uscc": uscc, "number": 1 if latest is None else latest.number + 1, "outcome": outcome,
        "reason": reason, "recorded_by": person, "recorded_at": work.now, **_shown(work, uscc),
    }  # fmt: skip
    work.session.execute(insert(LeadOutcome).values(row))
    audit.record(work, "leads.outcome", "lead", uscc, outcome=outcome, reason=reason, number=row["number"])
    return True


def _records(work: Work, uscc: str) -> tuple[OutcomeView, ...]:
    columns = [getattr(LeadOutcome, name) for name in OutcomeView.__dataclass_fields__]
    query = (
        select(*columns)
        .where(LeadOutcome.tenant_id == work.actor.require_tenant(), LeadOutcome.uscc == uscc)
        .order_by(LeadOutcome.number.desc())
    )
    return tuple(
        OutcomeView(
            **{
                **row,
                "outcome": Outcome(row["outcome"]),
                "reason": None if row["reason"] is None else LostReason(row["reason"]),
            }
        )
        for row in work.session.execute(query).mappings()
    )


def _shown(work: Work, uscc: str) -> dict[str, Any]:
    """Return where the newest list had the company; nothing where no list is known."""
    park_id = work.actor.require_tenant()
    query = (
        select(
            ListedLead.run_id, ListedLead.position, ListedLead.explored, ListedLead.score, Run.kpis["model"].label("model")
        )
        .join(Run, (Run.tenant_id == ListedLead.tenant_id) & (Run.id == ListedLead.run_id))
        .where(ListedLead.tenant_id == park_id, ListedLead.uscc == uscc)
        .order_by(Run.finished_at.desc(), Run.id.desc())
        .limit(1)
    )  # fmt: skip
    row = work.session.execute(query).mappings().one_or_none()
    return {} if row is None else dict(row)
