"""Reads and writes of bank statements and their lines."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from billing.rules.receipts import Receipt
from billing.store.payments import BankLine, BankStatement, Payment
from tenants.kernel.identifiers import new_id

MATCHED = "matched"
UNMATCHED = "unmatched"


def insert_statement(session: Session, name: str, sha256: str, user_id: UUID | None, at: datetime) -> tuple[UUID, bool]:
    """Write a statement unless its content came before; return the id that stands, and whether it is new."""
    row = insert(BankStatement).values(id=new_id(), name=name, sha256=sha256, imported_by=user_id, imported_at=at)
    written = session.execute(row.on_conflict_do_nothing(index_elements=["sha256"]).returning(BankStatement.id))
    new = written.scalar_one_or_none()
    if new is not None:
        return new, True
    return session.execute(select(BankStatement.id).where(BankStatement.sha256 == sha256)).scalar_one(), False


def insert_line(session: Session, statement_id: UUID, receipt: Receipt) -> UUID | None:
    """Write a receipt as unmatched; None when the bank's reference is known already."""
    row = insert(BankLine).values(
        id=new_id(),
        statement_id=statement_id,
        row=receipt.row,
        account=receipt.account,
        bank_reference=receipt.bank_reference,
        booked_on=receipt.booked_on,
        amount_fen=receipt.amount_fen,
        payer=receipt.payer,
        remittance=receipt.remittance,
        arrived_on=receipt.arrived_on,
        status=UNMATCHED,
    )
    written = row.on_conflict_do_nothing(index_elements=["account", "bank_reference"]).returning(BankLine.id)
    return session.execute(written).scalar_one_or_none()


def set_matched(session: Session, line_id: UUID) -> None:
    """Note that a receipt has found its payer."""
    session.execute(update(BankLine).where(BankLine.id == line_id).values(status=MATCHED))


def lock_line(session: Session, line_id: UUID) -> BankLine | None:
    """Return a receipt under lock."""
    query = select(BankLine).where(BankLine.id == line_id).with_for_update()
    return session.execute(query.execution_options(populate_existing=True)).scalar_one_or_none()


def known_lines(session: Session, keys: Collection[tuple[str, str]]) -> Sequence[BankLine]:
    """Return the receipts of some (account, bank reference) pairs, in the order of their rows."""
    if not keys:
        return ()
    query = select(BankLine).where(tuple_(BankLine.account, BankLine.bank_reference).in_(list(keys)))
    found = session.execute(query.order_by(BankLine.row).execution_options(populate_existing=True))
    return found.scalars().all()


def unmatched_lines(session: Session, since: date | None, until: date | None) -> Sequence[BankLine]:
    """Return the receipts without a payer, booked on or after ``since`` and before ``until``."""
    query = select(BankLine).where(BankLine.status == UNMATCHED).order_by(BankLine.booked_on, BankLine.row)
    if since is not None:
        query = query.where(BankLine.booked_on >= since)
    if until is not None:
        query = query.where(BankLine.booked_on < until)
    return session.execute(query).scalars().all()


def payers_of(session: Session, references: Collection[str]) -> dict[str, UUID]:
    """Return which park each payment reference was received from."""
    query = select(Payment.reference, Payment.tenant_id).where(Payment.reference.in_(references))
    return {row.reference: row.tenant_id for row in session.execute(query)}


def statement_of(session: Session, statement_id: UUID) -> BankStatement | None:
    """Return a statement."""
    return session.execute(select(BankStatement).where(BankStatement.id == statement_id)).scalar_one_or_none()


def statement_lines(session: Session, statement_id: UUID) -> Sequence[BankLine]:
    """Return the receipts that a statement brought."""
    query = select(BankLine).where(BankLine.statement_id == statement_id).order_by(BankLine.row)
    return session.execute(query.execution_options(populate_existing=True)).scalars().all()


def payment_values(
    park_id: UUID, payment_id: UUID, reference: str, amount_fen: int, at: datetime, user_id: UUID | None
) -> dict[str, Any]:
    """Return the row of a bank transfer received from a park."""
    return {
        "tenant_id": park_id,
        "id": payment_id,
        "method": "bank_transfer",
        "reference": reference,
        "amount_fen": amount_fen,
        "received_at": at,
        "recorded_by": user_id,
    }
