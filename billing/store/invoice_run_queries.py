"""Reads and writes of invoice runs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from billing.store.invoices import InvoiceRun

OPEN = InvoiceRun.status == "queued"


def insert_run(session: Session, run: InvoiceRun) -> InvoiceRun:
    """Write a run unless its month has an open one; return the one that stands."""
    values = {column.name: getattr(run, column.name) for column in InvoiceRun.__table__.columns}
    session.execute(
        insert(InvoiceRun)
        .values(values)
        .on_conflict_do_nothing(index_elements=["legal_entity", "period"], index_where=OPEN)
    )
    query = select(InvoiceRun).where(InvoiceRun.legal_entity == run.legal_entity, InvoiceRun.period == run.period, OPEN)
    return session.execute(query).scalar_one()


def run_of(session: Session, run_id: UUID) -> InvoiceRun | None:
    """Return a run as it is now."""
    query = select(InvoiceRun).where(InvoiceRun.id == run_id).execution_options(populate_existing=True)
    return session.execute(query).scalar_one_or_none()


def runs(session: Session, period: str | None, limit: int) -> Sequence[InvoiceRun]:
    """Return runs, newest first."""
    query = select(InvoiceRun).order_by(InvoiceRun.asked_at.desc(), InvoiceRun.id.desc()).limit(limit)
    if period is not None:
        query = query.where(InvoiceRun.period == period)
    return session.execute(query).scalars().all()


def expect(session: Session, run_id: UUID, parks: int) -> None:
    """Note how many parks are left; never fewer than before, for another worker may still be at it."""
    total = func.greatest(InvoiceRun.parks_total, InvoiceRun.parks_done + parks)
    session.execute(update(InvoiceRun).where(InvoiceRun.id == run_id, OPEN).values(parks_total=total))


def advance(session: Session, run_id: UUID, parks: int) -> None:
    """Note that so many parks have their invoice, in the transaction that issues them."""
    done = InvoiceRun.parks_done + parks
    total = func.greatest(InvoiceRun.parks_total, done)
    session.execute(update(InvoiceRun).where(InvoiceRun.id == run_id).values(parks_done=done, parks_total=total))


def finish(session: Session, run_id: UUID, at: datetime) -> None:
    """Note that a run is done: what others issued meanwhile is no more to do."""
    session.execute(
        update(InvoiceRun)
        .where(InvoiceRun.id == run_id, OPEN)
        .values(status="done", parks_total=InvoiceRun.parks_done, finished_at=at)
    )
