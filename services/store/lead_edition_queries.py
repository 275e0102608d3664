"""What the editions of the ranking model stand on: the one in force, and what parks recorded."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session, aliased

from services.rules.expansions import Expansion
from services.rules.lead_editions import EditionStep, Told
from services.rules.lead_outcomes import Outcome
from services.store.companies import CompanySource
from services.store.company_withdrawals import CompanyWithdrawal
from services.store.lead_editions import LeadEdition, LeadEditionStep
from services.store.lead_outcomes import LeadOutcome
from services.store.runs import Run
from tenants.kernel.clock import CHINA

_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended('lead_editions', 0))")


def lock(session: Session) -> None:
    """Let nobody else change which edition is in force until the transaction ends."""
    session.execute(_LOCK)


def in_force(session: Session) -> LeadEdition | None:
    """Return the edition in force."""
    query = select(LeadEdition).where(LeadEdition.status == "in_force").execution_options(populate_existing=True)
    return session.scalars(query).one_or_none()


def is_measured(session: Session, edition_id: UUID, until: date) -> bool:
    """Tell whether an edition was measured on a period up to a day, or a later one."""
    query = select(LeadEditionStep.edition_id).where(
        LeadEditionStep.edition_id == edition_id,
        LeadEditionStep.step == EditionStep.MEASURED,
        LeadEditionStep.scores["period"][1].astext >= until.isoformat(),
    )
    return session.execute(query.limit(1)).first() is not None


def is_news(session: Session) -> bool:
    """Tell whether outcomes or imports came since the last fit was asked for, and none is under way."""
    last = session.scalars(select(LeadEdition).order_by(LeadEdition.number.desc()).limit(1)).one_or_none()
    if last is None:
        return session.execute(select(CompanySource.id).limit(1)).first() is not None
    if last.finished_at is None:
        return False
    news = (
        select(CompanySource.id).where(CompanySource.finished_at > last.asked_at, CompanySource.status == "done"),
        select(CompanyWithdrawal.source_id).where(CompanyWithdrawal.finished_at > last.asked_at),
        select(LeadOutcome.number).where(LeadOutcome.recorded_at > last.asked_at),
    )
    return any(session.execute(query.limit(1)).first() is not None for query in news)


def told(session: Session) -> Told:
    """Return what all parks recorded last of companies on their lists, with the region that the list was asked for."""
    newest = aliased(
        LeadOutcome,
        select(LeadOutcome)
        .ext(distinct_on(LeadOutcome.tenant_id, LeadOutcome.uscc))
        .order_by(LeadOutcome.tenant_id, LeadOutcome.uscc, LeadOutcome.number.desc())
        .subquery(),
    )
    query = (
        select(newest.outcome, newest.uscc, Run.request["region_code"].astext, newest.recorded_at)
        .join(Run, (Run.tenant_id == newest.tenant_id) & (Run.id == newest.run_id))
        .where(newest.outcome.in_((Outcome.SIGNED, Outcome.LOST)))
    )
    found: dict[str, list[Expansion]] = {Outcome.SIGNED: [], Outcome.LOST: []}
    for outcome, uscc, region, at in session.execute(query):
        found[outcome].append(Expansion(uscc, "", region, at.astimezone(CHINA).date()))
    return Told(*(tuple(sorted(found[each])) for each in (Outcome.SIGNED, Outcome.LOST)))
