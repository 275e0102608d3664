"""Moving a wallet: each business event once, and never below zero however many do it at once.

A movement first writes its entry, which is unique per kind and source, and then locks the wallet's row, whoever moves it:
lots and balances change under that lock only, and a hold and its end meet there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from uuid import UUID

from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from billing.rules import ledger
from billing.rules.credits import DEFAULT_PRIORITY, Burn, CreditKind, Lot, burn, spend
from billing.store.alerts import Told, raise_once
from billing.store.books import post_journal
from billing.store.wallets import Wallet, WalletBurn, WalletCredit, WalletEntry
from tenants.kernel.identifiers import new_id
from tenants.kernel.writing import rows_written

LOW_BALANCE = "wallet.low"


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


@dataclass(frozen=True)
class Credit:
    """A lot to be added: its id names the event it came from, so that it is added once."""

    id: UUID
    kind: CreditKind
    amount_fen: int
    reason: str
    priority: int | None = None
    expires_at: datetime | None = None


def top_up(session: Session, mover: Mover, payment_id: UUID, amount_fen: int) -> Outcome:
    """Add a payment, or the rest of one, to the wallet."""
    return _add(session, mover, Credit(payment_id, CreditKind.PURCHASED, amount_fen, "payment"), "top_up")


def credit_joint(session: Session, mover: Mover, share_id: UUID, amount_fen: int) -> Outcome:
    """Add what a park gets for a year of a joint facility; its journal is written by whoever closes the year."""
    return _add(session, mover, Credit(share_id, CreditKind.PURCHASED, amount_fen, "joint"), "top_up")


def grant(session: Session, mover: Mover, credit: Credit) -> Outcome:
    """Add credit that nobody paid for; its journal is written with it."""
    outcome = _add(session, mover, credit, "grant")
    if outcome is Outcome.MOVED:
        journal = ledger.credit_granted(
            park_id=mover.tenant_id, source_id=str(credit.id), occurred_at=mover.at, amount_fen=credit.amount_fen
        )
        post_journal(session, journal, user_id=mover.user_id)
    return outcome


def hold(session: Session, mover: Mover, source_id: UUID, amount_fen: int) -> Outcome:
    """Set an amount aside, from the lots in their order; what has expired meanwhile is taken out first."""
    if not _enter(session, mover, "hold", source_id, amount_fen):
        return Outcome.BEFORE
    wallet = _lock(session, mover)
    if wallet is None:
        return Outcome.SHORT
    before_fen = wallet.available_fen - _expire(session, mover)
    parts = burn(_lots(session, mover.tenant_id), amount_fen, mover.at)
    if parts is None:
        return Outcome.SHORT
    _shift(session, mover, parts, "available_fen", "held_fen")
    written = [
        {"tenant_id": mover.tenant_id, "source_id": source_id, "credit_id": each.lot_id, "amount_fen": each.amount_fen}
        for each in parts
    ]
    session.execute(insert(WalletBurn), written)
    _balance(session, mover, available_fen=-amount_fen, held_fen=amount_fen)
    if before_fen >= wallet.alert_below_fen > before_fen - amount_fen:
        detail = {"available_fen": before_fen - amount_fen, "below_fen": wallet.alert_below_fen}
        raise_once(session, mover.tenant_id, Told(LOW_BALANCE, str(source_id), detail), mover.at)
    return Outcome.MOVED


def capture(session: Session, mover: Mover, source_id: UUID, amount_fen: int | None = None) -> Outcome:
    """Spend what was set aside, or an amount of it from the lots in their order, and give the rest back.

    With nothing to spend it is a release. SHORT where less was set aside.
    """
    return _settle(session, mover, source_id, "capture", amount_fen)


def release(session: Session, mover: Mover, source_id: UUID) -> Outcome:
    """Give back what was set aside, each part to the lot it came from; one that has expired meanwhile expires again."""
    return _settle(session, mover, source_id, "release", 0)


def expire(session: Session, mover: Mover) -> int:
    """Take what has expired out of a wallet; return how much, in fen."""
    return 0 if _lock(session, mover) is None else _expire(session, mover)


def held_for(session: Session, tenant_id: UUID, source_id: UUID) -> int:
    """Return what was ever set aside for a source, captured and released or not."""
    return _entries(session, tenant_id, source_id).get("hold", 0)


def _add(session: Session, mover: Mover, credit: Credit, kind: str) -> Outcome:
    if not _enter(session, mover, kind, credit.id, credit.amount_fen, credit.id):
        return Outcome.BEFORE
    empty = insert(Wallet).values(tenant_id=mover.tenant_id, available_fen=0, held_fen=0, alert_below_fen=0)
    session.execute(empty.on_conflict_do_nothing())
    _lock(session, mover)
    session.execute(
        insert(WalletCredit).values(
            tenant_id=mover.tenant_id,
            id=credit.id,
            kind=credit.kind,
            priority=DEFAULT_PRIORITY[credit.kind] if credit.priority is None else credit.priority,
            amount_fen=credit.amount_fen,
            available_fen=credit.amount_fen,
            held_fen=0,
            spent_fen=0,
            expired_fen=0,
            expires_at=credit.expires_at,
            reason=credit.reason,
            granted_by=mover.user_id,
            granted_at=mover.at,
        )
    )
    _balance(session, mover, available_fen=credit.amount_fen, held_fen=0)
    return Outcome.MOVED


def _settle(session: Session, mover: Mover, source_id: UUID, kind: str, amount_fen: int | None) -> Outcome:
    """End a hold: an amount of it (None: all) is spent and the rest is given back, in one step and once."""
    _lock(session, mover)
    entries = _entries(session, mover.tenant_id, source_id)
    held_fen = entries.get("hold")
    if held_fen is None:
        return Outcome.ABSENT
    if len(entries) > 1:  # one that was spent in part has both entries, and counts as captured
        return Outcome.BEFORE if kind == ("capture" if "capture" in entries else "release") else Outcome.SETTLED
    spent_fen = held_fen if amount_fen is None else amount_fen
    lots = _held_lots(session, mover.tenant_id, source_id)
    spent = spend(lots, spent_fen)
    if spent is None:
        return Outcome.SHORT
    rest_fen = held_fen - spent_fen
    for step, part_fen in (("capture", spent_fen), ("release", rest_fen)):
        if part_fen:
            _enter(session, mover, step, source_id, part_fen)
    _shift(session, mover, spent, "held_fen", "spent_fen")
    _shift(session, mover, _left_of(lots, spent), "held_fen", "available_fen")
    _balance(session, mover, available_fen=rest_fen, held_fen=-held_fen)
    if rest_fen:
        _expire(session, mover)
    return Outcome.MOVED


def _left_of(lots: Sequence[Lot], spent: Sequence[Burn]) -> list[Burn]:
    """Return what is left of lots after some of them were spent."""
    used = {each.lot_id: each.amount_fen for each in spent}
    left = [Burn(lot.id, lot.available_fen - used.get(lot.id, 0)) for lot in lots]
    return [each for each in left if each.amount_fen]


def _held_lots(session: Session, tenant_id: UUID, source_id: UUID) -> list[Lot]:
    """Return the lots that a hold was taken from, each with what of it is held for that."""
    query = (
        select(WalletCredit, WalletBurn.amount_fen)
        .join(
            WalletBurn,
            (WalletBurn.tenant_id == WalletCredit.tenant_id) & (WalletBurn.credit_id == WalletCredit.id),
        )
        .where(WalletBurn.tenant_id == tenant_id, WalletBurn.source_id == source_id)
        .execution_options(populate_existing=True)
    )
    return [
        Lot(row.id, CreditKind(row.kind), row.priority, row.expires_at, row.granted_at, held_fen)
        for row, held_fen in session.execute(query)
    ]


def _lock(session: Session, mover: Mover) -> Wallet | None:
    query = select(Wallet).where(Wallet.tenant_id == mover.tenant_id).with_for_update()
    return session.execute(query.execution_options(populate_existing=True)).scalar_one_or_none()


def _lots(session: Session, tenant_id: UUID) -> list[Lot]:
    rows = session.execute(
        select(WalletCredit)
        .where(WalletCredit.tenant_id == tenant_id, WalletCredit.available_fen > 0)
        .execution_options(populate_existing=True)
    ).scalars()
    return [
        Lot(row.id, CreditKind(row.kind), row.priority, row.expires_at, row.granted_at, row.available_fen)
        for row in rows
    ]


def _expire(session: Session, mover: Mover) -> int:
    """Take what has expired out, under the wallet's lock."""
    gone = [Burn(lot.id, lot.available_fen) for lot in _lots(session, mover.tenant_id) if lot.expired(mover.at)]
    if not gone:
        return 0
    _shift(session, mover, gone, "available_fen", "expired_fen")
    for each in gone:
        source_id = new_id()  # a lot expires again when a hold on it is given back later
        _enter(session, mover, "expire", source_id, each.amount_fen, each.lot_id)
        journal = ledger.credit_expired(
            park_id=mover.tenant_id, source_id=str(source_id), occurred_at=mover.at, amount_fen=each.amount_fen
        )
        post_journal(session, journal, user_id=mover.user_id)
    total_fen = sum(each.amount_fen for each in gone)
    _balance(session, mover, available_fen=-total_fen, held_fen=0)
    return total_fen


def _shift(session: Session, mover: Mover, parts: Sequence[Burn], source: str, destination: str) -> None:
    """Move parts of lots; the table's checks refuse what a lot does not have."""
    statement = text(
        f"UPDATE wallet_credits SET {source} = {source} - :fen, {destination} = {destination} + :fen"  # noqa: S608 - names of columns from this module
        " WHERE tenant_id = :tenant_id AND id = :lot_id"
    )
    rows = [{"fen": each.amount_fen, "tenant_id": mover.tenant_id, "lot_id": each.lot_id} for each in parts]
    if rows:
        session.execute(statement, rows)


def _balance(session: Session, mover: Mover, *, available_fen: int, held_fen: int) -> None:
    session.execute(
        update(Wallet)
        .where(Wallet.tenant_id == mover.tenant_id)
        .values(available_fen=Wallet.available_fen + available_fen, held_fen=Wallet.held_fen + held_fen)
        .execution_options(synchronize_session=False)
    )


def _entries(session: Session, tenant_id: UUID, source_id: UUID) -> dict[str, int]:
    query = select(WalletEntry.kind, WalletEntry.amount_fen).where(
        WalletEntry.tenant_id == tenant_id,
        WalletEntry.source_id == source_id,
        WalletEntry.kind.in_(("hold", "capture", "release")),
    )
    return {row.kind: row.amount_fen for row in session.execute(query)}


def _enter(
    session: Session, mover: Mover, kind: str, source_id: UUID, amount_fen: int, credit_id: UUID | None = None
) -> bool:
    """Write the entry; False when it is there already."""
    entry = insert(WalletEntry).values(
        tenant_id=mover.tenant_id,
        id=new_id(),
        kind=kind,
        source_id=source_id,
        credit_id=credit_id,
        amount_fen=amount_fen,
        user_id=mover.user_id,
        at=mover.at,
    )
    return rows_written(session, entry.on_conflict_do_nothing(index_elements=["tenant_id", "kind", "source_id"])) == 1
