"""Reads and writes of issuers and virtual accounts."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from billing.store.issuers import InvoiceIssuer, VirtualAccount
from tenants.kernel.writing import rows_written

_FIRST = InvoiceIssuer.confirmed_at.asc()
_LAST = InvoiceIssuer.confirmed_at.desc()


def issuer_at(session: Session, legal_entity: str, moment: datetime) -> InvoiceIssuer | None:
    """Return the particulars that counted at a moment, or else the first that counted after it."""
    confirmed = select(InvoiceIssuer).where(
        InvoiceIssuer.legal_entity == legal_entity, InvoiceIssuer.confirmed_at.is_not(None)
    )
    then = confirmed.where(InvoiceIssuer.confirmed_at <= moment).order_by(_LAST, InvoiceIssuer.id.desc()).limit(1)
    found = session.execute(then).scalar_one_or_none()
    if found is None:
        found = session.execute(confirmed.order_by(_FIRST, InvoiceIssuer.id).limit(1)).scalar_one_or_none()
    return found


def issuers(session: Session, legal_entity: str) -> Sequence[InvoiceIssuer]:
    """Return all particulars of a legal entity, newest first."""
    query = select(InvoiceIssuer).where(InvoiceIssuer.legal_entity == legal_entity)
    newest = query.order_by(InvoiceIssuer.proposed_at.desc(), InvoiceIssuer.id.desc())
    return session.execute(newest.execution_options(populate_existing=True)).scalars().all()


def issuer_of(session: Session, issuer_id: UUID) -> InvoiceIssuer | None:
    """Return one row of particulars."""
    query = select(InvoiceIssuer).where(InvoiceIssuer.id == issuer_id).execution_options(populate_existing=True)
    return session.execute(query).scalar_one_or_none()


def insert_issuer(session: Session, values: Mapping[str, Any]) -> None:
    """Write particulars."""
    session.execute(insert(InvoiceIssuer).values(values))


def confirm(session: Session, issuer_id: UUID, *, by: UUID, at: datetime) -> bool:
    """Let particulars count from a moment on; tell whether nobody had done so before."""
    still = update(InvoiceIssuer).where(InvoiceIssuer.id == issuer_id, InvoiceIssuer.confirmed_at.is_(None))
    return bool(rows_written(session, still.values(confirmed_by=by, confirmed_at=at)))


def running_accounts(session: Session, park_ids: Sequence[UUID] | None = None) -> dict[UUID, str]:
    """Return the virtual account of each park that has one."""
    query = select(VirtualAccount.tenant_id, VirtualAccount.account).where(VirtualAccount.ended_at.is_(None))
    if park_ids is not None:
        query = query.where(VirtualAccount.tenant_id.in_(park_ids))
    return {row.tenant_id: row.account for row in session.execute(query)}


def end_account(session: Session, park_id: UUID, *, by: UUID, at: datetime) -> bool:
    """End a park's virtual account; tell whether it had one."""
    running = update(VirtualAccount).where(VirtualAccount.tenant_id == park_id, VirtualAccount.ended_at.is_(None))
    return bool(rows_written(session, running.values(ended_by=by, ended_at=at)))


def insert_account(session: Session, values: Mapping[str, Any]) -> bool:
    """Write a virtual account; tell whether neither its number nor the park's place was taken."""
    return bool(rows_written(session, insert(VirtualAccount).values(values).on_conflict_do_nothing()))


def parks_of_accounts(session: Session, accounts: Collection[str]) -> dict[str, UUID]:
    """Return whose some virtual accounts are or were: one that is ended still is its park's for money that comes late."""
    query = select(VirtualAccount.account, VirtualAccount.tenant_id).where(VirtualAccount.account.in_(accounts))
    return {row.account: row.tenant_id for row in session.execute(query)}
