"""Wallets: prepaid credit of a park, set aside at checkout and spent at delivery."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from billing.rules.money import format_yuan
from billing.store import wallet_movements
from billing.store.payments import Wallet, WalletEntry
from billing.store.wallet_movements import Mover, Outcome
from tenants.kernel.errors import Conflict, FieldError, Invalid, NotFound
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work

SHOWN_ENTRIES = 50


@dataclass(frozen=True)
class WalletEntryView:
    """One movement of a wallet; ``source_id`` is the payment of a top-up, else the order line."""

    id: UUID
    kind: str
    source_id: UUID
    amount_fen: int
    at: datetime


@dataclass(frozen=True)
class WalletView:
    """A park's prepaid credit and its latest movements, newest first."""

    park_id: UUID
    available_fen: int
    held_fen: int
    entries: tuple[WalletEntryView, ...]


def read_wallet(work: Work, *, park_id: UUID) -> WalletView:
    """Return a park's wallet; one that was never topped up is empty. NotFound for another park's."""
    work.actor.require(Permission.READ_WALLET)
    if work.actor.tenant_id not in {None, park_id}:
        raise NotFound("wallet.not_found", msg("没有找到该钱包。请核对园区编号。"))
    wallet = work.session.execute(
        select(Wallet.available_fen, Wallet.held_fen).where(Wallet.tenant_id == park_id)
    ).one_or_none()
    latest = (
        select(WalletEntry)
        .where(WalletEntry.tenant_id == park_id)
        .order_by(WalletEntry.at.desc(), WalletEntry.id.desc())
        .limit(SHOWN_ENTRIES)
    )
    entries = tuple(
        WalletEntryView(row.id, row.kind, row.source_id, row.amount_fen, row.at)
        for row in work.session.execute(latest).scalars()
    )
    available_fen, held_fen = (0, 0) if wallet is None else wallet
    return WalletView(park_id, available_fen, held_fen, entries)


def hold_wallet(work: Work, *, order_line_id: UUID, amount_fen: int) -> None:
    """Set the park's part of an order line aside; a repeat with the same amount changes nothing.

    Raises Invalid for nothing or less, Conflict ("wallet.insufficient") when the wallet has too little.
    """
    work.actor.require(Permission.PLACE_ORDER)
    check_amount(amount_fen)
    mover = mover_of(work, work.actor.require_tenant())
    outcome = wallet_movements.hold(work.session, mover, order_line_id, amount_fen)
    if outcome is Outcome.SHORT:
        available = work.session.execute(
            select(Wallet.available_fen).where(Wallet.tenant_id == mover.tenant_id)
        ).scalar_one_or_none()
        raise Conflict(
            "wallet.insufficient",
            msg(
                "钱包余额 {available} 元，不足以支付 {needed} 元。请先充值，或改选月结转账。",
                available=format_yuan(available or 0),
                needed=format_yuan(amount_fen),
            ),
        )
    if outcome is Outcome.BEFORE:
        held_fen = wallet_movements.held_for(work.session, mover.tenant_id, order_line_id)
        if held_fen != amount_fen:
            raise Conflict(
                "wallet.held_otherwise",
                msg("该订单项已冻结 {held} 元，金额不同。请刷新订单后重试。", held=format_yuan(held_fen)),
            )


def check_amount(amount_fen: int) -> None:
    """Raise Invalid unless an amount can be moved."""
    if amount_fen <= 0:
        raise Invalid(
            "wallet.bad_amount",
            msg("金额须大于零。请改正金额。"),
            errors=[FieldError("amount_fen", "wallet.bad_amount", msg("须大于零"))],
        )


def mover_of(work: Work, park_id: UUID) -> Mover:
    """Return who moves a park's wallet now."""
    return Mover(park_id, work.actor.user_id, work.now)
