"""Wallets: prepaid credit of a park, set aside at checkout and spent at delivery."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from functools import partial
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from billing.rules.credits import DEFAULT_PRIORITY, CreditKind, Lot, burn_order
from billing.rules.money import MAX_FEN, format_yuan
from billing.store import wallet_movements
from billing.store.wallet_movements import Credit, Mover, Outcome
from billing.store.wallets import Wallet, WalletCredit, WalletEntry
from tenants.kernel.errors import Conflict, FieldError, Invalid, NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.rules.faults import Faults
from tenants.rules.people import check_name
from tenants.usecases import audit, onboarding

SHOWN_ENTRIES = 50


@dataclass(frozen=True)
class WalletEntryView:
    """One movement of a wallet; ``source_id`` is what it was for: a credit, an order line, an invoice's payment."""

    id: UUID
    kind: str
    source_id: UUID
    amount_fen: int
    at: datetime


@dataclass(frozen=True)
class CreditView:
    """A lot of credit and what of it is where; ``priority`` 0 is used first, then what expires soonest."""

    id: UUID
    kind: str
    priority: int
    amount_fen: int
    available_fen: int
    held_fen: int
    spent_fen: int
    expired_fen: int
    expires_at: datetime | None
    reason: str
    granted_at: datetime


@dataclass(frozen=True)
class WalletView:
    """A park's prepaid credit, the lots that have something left in the order of their use, and its latest movements.

    The park is warned when what is available goes below ``alert_below_fen``; 0 for never.
    """

    park_id: UUID
    available_fen: int
    held_fen: int
    alert_below_fen: int
    credits: tuple[CreditView, ...]
    entries: tuple[WalletEntryView, ...]


@dataclass(frozen=True)
class ExpiringWallet:
    """A wallet with credit that has expired and is still in it."""

    tenant_id: UUID


def read_wallet(work: Work, *, park_id: UUID) -> WalletView:
    """Return a park's wallet; one that was never topped up is empty. NotFound for another park's."""
    work.actor.require(Permission.READ_WALLET)
    if work.actor.tenant_id not in {None, park_id}:
        raise NotFound("wallet.not_found", msg("没有找到该钱包。请核对园区编号。"))
    return _wallet_view(work, park_id)


def grant_credit(
    work: Work,
    *,
    park_id: UUID,
    amount_fen: int,
    reason: str,
    expires_at: datetime | None = None,
    priority: int = DEFAULT_PRIORITY[CreditKind.GRANTED],
) -> WalletView:
    """Give a park credit that it did not pay for, until ``expires_at``; lower ``priority`` is used first (0 to 100).

    Raises Invalid with every wrong field, and NotFound for an unknown park.
    """
    work.actor.require(Permission.TOP_UP_WALLET)
    work.actor.require_person()
    onboarding.read_park(work, park_id=park_id)
    with Faults() as faults:
        faults.take("amount_fen", _amount, amount_fen)
        faults.take("reason", check_name, reason)
        faults.take("expires_at", partial(_expiry, now=work.now), expires_at)
        faults.take("priority", _priority, priority)
    credit = Credit(new_id(), CreditKind.GRANTED, amount_fen, reason, priority, expires_at)
    wallet_movements.grant(work.session, mover_of(work, park_id), credit)
    audit.record(
        work, "wallet.grant", "credit", credit.id, tenant_id=park_id, amount_fen=amount_fen, reason=reason,
        expires_at=expires_at,
    )  # fmt: skip
    return _wallet_view(work, park_id)


def set_alert(work: Work, *, below_fen: int) -> WalletView:
    """Let the acting park be warned when its wallet goes below an amount; 0 for never."""
    work.actor.require(Permission.PLACE_ORDER)
    tenant_id = work.actor.require_tenant()
    if not 0 <= below_fen <= MAX_FEN:
        raise Invalid(
            "wallet.bad_alert",
            msg("提醒金额不能为负，且不能过大。请改正。"),
            errors=[FieldError("below_fen", "field.range", msg("须为零或正数"))],
        )
    row = insert(Wallet).values(tenant_id=tenant_id, available_fen=0, held_fen=0, alert_below_fen=below_fen)
    work.session.execute(
        row.on_conflict_do_update(index_elements=["tenant_id"], set_={"alert_below_fen": row.excluded.alert_below_fen})
    )
    audit.record(work, "wallet.set_alert", "wallet", tenant_id, below_fen=below_fen)
    return _wallet_view(work, tenant_id)


def expired_wallets(work: Work, *, limit: int = 500) -> tuple[ExpiringWallet, ...]:
    """Return wallets that still hold credit which has expired."""
    work.actor.require(Permission.RUN_PLATFORM)
    query = (
        select(WalletCredit.tenant_id)
        .where(WalletCredit.available_fen > 0, WalletCredit.expires_at <= work.now)
        .distinct()
        .limit(limit)
    )
    return tuple(ExpiringWallet(tenant_id) for tenant_id in work.session.execute(query).scalars())


def expire_credits(work: Work) -> int:
    """Take what has expired out of the acting park's wallet; return how much, in fen. A repeat finds nothing."""
    work.actor.require(Permission.RUN_PLATFORM)
    tenant_id = work.actor.require_tenant()
    gone_fen = wallet_movements.expire(work.session, mover_of(work, tenant_id))
    if gone_fen:
        audit.record(work, "wallet.expire", "wallet", tenant_id, amount_fen=gone_fen)
    return gone_fen


def _wallet_view(work: Work, park_id: UUID) -> WalletView:
    wallet = work.session.execute(
        select(Wallet.available_fen, Wallet.held_fen, Wallet.alert_below_fen).where(Wallet.tenant_id == park_id)
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
    return WalletView(park_id, *(wallet or (0, 0, 0)), _credits(work, park_id), entries)


def _credits(work: Work, park_id: UUID) -> tuple[CreditView, ...]:
    """Return the lots with something left, in the order of their use."""
    query = (
        select(WalletCredit)
        .where(WalletCredit.tenant_id == park_id, WalletCredit.available_fen + WalletCredit.held_fen > 0)
        .execution_options(populate_existing=True)
    )
    rows = {row.id: row for row in work.session.execute(query).scalars()}
    lots = [
        Lot(row.id, CreditKind(row.kind), row.priority, row.expires_at, row.granted_at, row.available_fen)
        for row in rows.values()
    ]
    names = [each.name for each in fields(CreditView)]
    return tuple(CreditView(**{name: getattr(rows[lot.id], name) for name in names}) for lot in burn_order(lots))


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


def _amount(amount_fen: int) -> int:
    if not 0 < amount_fen <= MAX_FEN:
        raise Invalid("wallet.bad_amount", msg("金额须大于零。请改正金额。"))
    return amount_fen


def _expiry(expires_at: datetime | None, *, now: datetime) -> datetime | None:
    if expires_at is not None and expires_at <= now:
        raise Invalid("wallet.bad_expiry", msg("到期时间须晚于现在。请改正，或留空表示长期有效。"))
    return expires_at


def _priority(priority: int) -> int:
    if not 0 <= priority <= 100:
        raise Invalid("wallet.bad_priority", msg("使用次序须在 0 至 100 之间，数字小的先用。请改正。"))
    return priority
