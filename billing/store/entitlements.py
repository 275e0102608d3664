"""Entitlements: awards that are paid after the delivery, one per order line and programme, and what became of each."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, Integer, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from tenants.kernel.database import Base, Code, Fen, Name, TenantOwned, one_of, owned_reference


class Entitlement(TenantOwned, Base):
    """An award of a delivered order line that the park claims (``reimburse``) or confirms (``auto``) afterwards.

    ``award`` and ``facts`` are what was kept with the order; ``proof`` is what the platform itself knows of the
    delivery and its payment. ``weighed`` is what ceilings and funds had left when it was granted, so that the granted
    amount can be worked out again to the same fen.
    """

    __tablename__ = "entitlements"
    __table_args__ = (
        UniqueConstraint("tenant_id", "order_line_id", "programme"),
        owned_reference("quote_id", "quotes"),
        ForeignKeyConstraint(["tenant_id", "order_line_id"], ["rated_usage.tenant_id", "rated_usage.order_line_id"]),
        one_of("mode", ("reimburse", "auto")),
        one_of("payee", ("provider", "tenant")),
        one_of("status", ("offered", "claimed", "withdrawn")),
        CheckConstraint("amount_fen > 0", name="positive"),
        CheckConstraint("granted_fen BETWEEN 1 AND amount_fen", name="at_most_awarded"),
        CheckConstraint("status <> 'claimed' OR granted_fen IS NOT NULL", name="granted"),
        CheckConstraint(
            "(granted_fen IS NULL) = (granted_at IS NULL) AND (granted_fen IS NULL) = (weighed IS NULL)", name="weighed"
        ),
        CheckConstraint("(status = 'withdrawn') = (withdrawn_at IS NOT NULL)", name="withdrawn"),
        CheckConstraint("granted_at IS NULL OR granted_at < claim_until", name="in_time"),
        Index(None, "tenant_id", "status", "claim_until"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    order_line_id: Mapped[UUID]
    quote_id: Mapped[UUID]
    """The kept quote that its order was placed by."""
    programme: Mapped[Code]
    version: Mapped[int] = mapped_column(Integer)
    mode: Mapped[Code]
    payee: Mapped[Code]
    offering: Mapped[Code]
    title: Mapped[Name]
    reference: Mapped[Code]
    """The number of its order, as people quote it."""
    amount_fen: Mapped[Fen]
    award: Mapped[dict[str, Any]]
    facts: Mapped[dict[str, Any]]
    proof: Mapped[dict[str, Any]]
    status: Mapped[Code]
    delivered_at: Mapped[datetime]
    claim_until: Mapped[datetime]
    granted_fen: Mapped[Fen | None]
    granted_at: Mapped[datetime | None]
    weighed: Mapped[dict[str, Any] | None]
    evidence: Mapped[dict[str, Any]]
    """What the park brought: per kind of document its file and hash; the last ones, after a return."""
    claimed_by: Mapped[UUID | None]
    withdrawn_at: Mapped[datetime | None]
