"""Wallets of prepaid credit: lots that were bought or granted, what of them is set aside, and every movement."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, SmallInteger, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from tenants.kernel.database import Base, Code, Fen, TenantOwned, one_of, owned_reference


class Wallet(TenantOwned, Base):
    """A park's prepaid credit; neither part goes below zero. Its row is the lock under which its lots change."""

    __tablename__ = "wallets"
    __table_args__ = (
        CheckConstraint("available_fen >= 0 AND held_fen >= 0", name="never_negative"),
        CheckConstraint("alert_below_fen >= 0", name="alert"),
    )

    available_fen: Mapped[Fen]
    held_fen: Mapped[Fen]
    alert_below_fen: Mapped[Fen]
    """The park is warned when what is available goes below this; 0 for no warning."""


class WalletCredit(TenantOwned, Base):
    """A lot of credit: every fen of it is in exactly one place. What was paid for does not expire."""

    __tablename__ = "wallet_credits"
    __table_args__ = (
        one_of("kind", ("purchased", "granted")),
        CheckConstraint("least(available_fen, held_fen, spent_fen, expired_fen) >= 0", name="never_negative"),
        CheckConstraint(
            "amount_fen > 0 AND amount_fen = available_fen + held_fen + spent_fen + expired_fen", name="whole"
        ),
        CheckConstraint("kind = 'granted' OR (expires_at IS NULL AND expired_fen = 0)", name="paid_for_keeps"),
        CheckConstraint("priority BETWEEN 0 AND 100", name="priority"),
        Index(
            "ix_wallet_credits_expiring", "expires_at", postgresql_where="available_fen > 0 AND expires_at IS NOT NULL"
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    """That of the payment it was bought with, or of the command that granted it."""
    kind: Mapped[Code]
    priority: Mapped[int] = mapped_column(SmallInteger)
    amount_fen: Mapped[Fen]
    available_fen: Mapped[Fen]
    held_fen: Mapped[Fen]
    spent_fen: Mapped[Fen]
    expired_fen: Mapped[Fen]
    expires_at: Mapped[datetime | None]
    reason: Mapped[str] = mapped_column(String(200))
    granted_by: Mapped[UUID | None]
    granted_at: Mapped[datetime]


class WalletBurn(TenantOwned, Base):
    """The part of a lot that was set aside for an order line or an invoice. Rows are added and never changed."""

    __tablename__ = "wallet_burns"
    __table_args__ = (
        owned_reference("credit_id", "wallet_credits"),
        CheckConstraint("amount_fen > 0", name="positive"),
    )

    source_id: Mapped[UUID] = mapped_column(primary_key=True)
    credit_id: Mapped[UUID] = mapped_column(primary_key=True)
    amount_fen: Mapped[Fen]


class WalletEntry(TenantOwned, Base):
    """One movement of a wallet. Rows are added and never changed; each business event moves a wallet once."""

    __tablename__ = "wallet_entries"
    __table_args__ = (
        one_of("kind", ("top_up", "grant", "hold", "capture", "release", "expire")),
        UniqueConstraint("tenant_id", "kind", "source_id"),
        CheckConstraint("amount_fen > 0", name="positive"),
        Index(None, "tenant_id", "at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[Code]
    source_id: Mapped[UUID]
    """The credit that was added, the order line or payment that money is set aside for, or the expiry itself."""
    credit_id: Mapped[UUID | None]
    """The lot that was added or has expired."""
    amount_fen: Mapped[Fen]
    user_id: Mapped[UUID | None]
    at: Mapped[datetime]
