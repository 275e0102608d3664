"""Moving a wallet: each business event once, and never below zero however many do it at once.

A movement first writes its entry, which is unique per kind and source, and then the balance by a conditional UPDATE.
Capture and release of one hold first lock the wallet, so that only one of them happens.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from uuid import UUID

from sqlalchemy import CursorResult, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from billing.store.payments import Wallet, WalletEntry
from tenants.kernel.identifiers import new_id


class Outcome(Enum):
    """What became of a movement."""

    MOVED = auto()
    BEFORE = auto()
    """It had been done before; nothing was changed."""
    SHORT = auto()
    """The wallet has too little; the transaction must be undone."""
    ABSENT = auto()
    """There is no hold that it could be about."""
    SETTLED = auto()
    """The hold was captured or released before, the other way."""


@dataclass(frozen=True)
class Mover:
    """Who moves whose wallet, and when."""

    tenant_id: UUID
    user_id: UUID | None
    at: datetime


def top_up(session: Session, mover: Mover, payment_id: UUID, amount_fen: int) -> Outcome:
    """Add a payment, or the rest of one, to the wallet."""
    if not _enter(session, mover, "top_up", payment_id, amount_fen):
        return Outcome.BEFORE
    added = insert(Wallet).values(tenant_id=mover.tenant_id, available_fen=amount_fen, held_fen=0)
    session.execute(
        added.on_conflict_do_update(
            index_elements=["tenant_id"], set_={"available_fen": Wallet.available_fen + added.excluded.available_fen}
        )
    )
    return Outcome.MOVED


def hold(session: Session, mover: Mover, source_id: UUID, amount_fen: int) -> Outcome:
    """Set an amount aside."""
    if not _enter(session, mover, "hold", source_id, amount_fen):
        return Outcome.BEFORE
    moved = session.execute(
        update(Wallet)
        .where(Wallet.tenant_id == mover.tenant_id, Wallet.available_fen >= amount_fen)
        .values(available_fen=Wallet.available_fen - amount_fen, held_fen=Wallet.held_fen + amount_fen)
    )
    return Outcome.MOVED if _rows(moved) else Outcome.SHORT


def capture(session: Session, mover: Mover, source_id: UUID) -> Outcome:
    """Spend what was set aside."""
    return _settle(session, mover, source_id, "capture")


def release(session: Session, mover: Mover, source_id: UUID) -> Outcome:
    """Give back what was set aside."""
    return _settle(session, mover, source_id, "release")


def held_for(session: Session, tenant_id: UUID, source_id: UUID) -> int:
    """Return what was ever set aside for a source, captured and released or not."""
    return _entries(session, tenant_id, source_id).get("hold", 0)


def _settle(session: Session, mover: Mover, source_id: UUID, kind: str) -> Outcome:
    session.execute(select(Wallet.tenant_id).where(Wallet.tenant_id == mover.tenant_id).with_for_update())
    entries = _entries(session, mover.tenant_id, source_id)
    if kind in entries:
        return Outcome.BEFORE
    amount_fen = entries.get("hold")
    if amount_fen is None:
        return Outcome.ABSENT
    if len(entries) > 1:
        return Outcome.SETTLED
    _enter(session, mover, kind, source_id, amount_fen)
    back_fen = amount_fen if kind == "release" else 0
    moved = session.execute(
        update(Wallet)
        .where(Wallet.tenant_id == mover.tenant_id, Wallet.held_fen >= amount_fen)
        .values(available_fen=Wallet.available_fen + back_fen, held_fen=Wallet.held_fen - amount_fen)
    )
    return Outcome.MOVED if _rows(moved) else Outcome.SHORT


def _entries(session: Session, tenant_id: UUID, source_id: UUID) -> dict[str, int]:
    query = select(WalletEntry.kind, WalletEntry.amount_fen).where(
        WalletEntry.tenant_id == tenant_id, WalletEntry.source_id == source_id, WalletEntry.kind != "top_up"
    )
    return {row.kind: row.amount_fen for row in session.execute(query)}


def _enter(session: Session, mover: Mover, kind: str, source_id: UUID, amount_fen: int) -> bool:
    """Write the entry; False when it is there already."""
    entry = insert(WalletEntry).values(
        tenant_id=mover.tenant_id,
        id=new_id(),
        kind=kind,
        source_id=source_id,
        amount_fen=amount_fen,
        user_id=mover.user_id,
        at=mover.at,
    )
    written = entry.on_conflict_do_nothing(index_elements=["tenant_id", "kind", "source_id"]).returning(WalletEntry.id)
    return session.execute(written).scalar_one_or_none() is not None


def _rows(result: object) -> int:
    assert isinstance(result, CursorResult)  # noqa: S101 - what an INSERT or UPDATE answers
    return int(result.rowcount)
