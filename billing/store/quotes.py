"""Quotes: a price with both payers' parts and every reason, kept as it was shown until it expires."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index
from sqlalchemy.orm import Mapped, mapped_column

from tenants.kernel.database import Base, Fen, TenantOwned


class Quote(TenantOwned, Base):
    """A price asked and shown. ``lines`` and ``facts`` are all that was known, so each award can be replayed."""

    __tablename__ = "quotes"
    __table_args__ = (
        CheckConstraint("gross_fen = subsidy_fen + payable_fen", name="two_payers"),
        Index(None, "tenant_id", "created_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    lines: Mapped[list[Any]]
    facts: Mapped[dict[str, Any]]
    gross_fen: Mapped[Fen]
    subsidy_fen: Mapped[Fen]
    payable_fen: Mapped[Fen]
    created_by: Mapped[UUID | None]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
