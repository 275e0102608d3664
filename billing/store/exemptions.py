"""Case-by-case decisions (一事一议), written once and decided by three people, and the register of what they gave."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from tenants.kernel.database import Base, Code, Fen, Name, TenantOwned, one_of, owned_reference

SUBMITTED, FIRST_APPROVED, IN_FORCE, REVOKED = STATUSES = ("submitted", "first_approved", "in_force", "revoked")


class Exemption(TenantOwned, Base):
    """An approved exception from a programme's terms for one park. What was written is never edited: no role may.

    ``offering`` '' means every offering. Expired and used up are what the clock and its counter say, and no status.
    """

    __tablename__ = "exemptions"
    __table_args__ = (
        owned_reference("evidence_id", "evidence_files"),
        one_of("status", STATUSES),
        CheckConstraint(
            "written_by <> first_approved_by AND written_by <> second_approved_by"
            " AND first_approved_by <> second_approved_by",
            name="six_eyes",
        ),
        CheckConstraint(
            "status = 'revoked' OR (first_approved_by IS NOT NULL) = (status IN ('first_approved', 'in_force'))"
            " AND (second_approved_by IS NOT NULL) = (status = 'in_force')",
            name="approvals",
        ),
        CheckConstraint(
            "(first_approved_by IS NULL) = (first_approved_at IS NULL)"
            " AND (second_approved_by IS NULL) = (second_approved_at IS NULL)"
            " AND (second_approved_by IS NULL OR first_approved_by IS NOT NULL)",
            name="approved_in_order",
        ),
        CheckConstraint("(status = 'revoked') = (revoked_by IS NOT NULL)", name="revocation"),
        CheckConstraint("limit_fen > 0 AND order_limit > 0", name="limits"),
        CheckConstraint("expires_at > written_at", name="expiry"),
        Index(
            "ix_exemptions_one_a_document",
            "tenant_id", "programme_id", "offering", "document_no",
            unique=True,
            postgresql_where="status <> 'revoked'",
        ),
    )  # fmt: skip

    id: Mapped[UUID] = mapped_column(primary_key=True)
    programme_id: Mapped[UUID] = mapped_column(ForeignKey("programmes.id"))
    offering: Mapped[Code]
    order_limit: Mapped[int | None] = mapped_column(Integer)
    terms: Mapped[dict[str, Any]]
    limit_fen: Mapped[Fen]
    document_no: Mapped[Name]
    evidence_id: Mapped[UUID]
    reason: Mapped[str] = mapped_column(String(500))
    expires_at: Mapped[datetime]
    status: Mapped[Code]
    written_by: Mapped[UUID]
    written_at: Mapped[datetime]
    first_approved_by: Mapped[UUID | None]
    first_approved_at: Mapped[datetime | None]
    second_approved_by: Mapped[UUID | None]
    second_approved_at: Mapped[datetime | None]
    revoked_by: Mapped[UUID | None]
    revoked_at: Mapped[datetime | None]
    revoked_reason: Mapped[str] = mapped_column(String(500))


class ExemptionUse(TenantOwned, Base):
    """What one order line was promised under a decision. Rows are added and never changed.

    Whether it still counts is said by the line's holds. A quote becomes at most one order, so it names the order.
    """

    __tablename__ = "exemption_uses"
    __table_args__ = (
        owned_reference("exemption_id", "exemptions"),
        CheckConstraint("amount_fen > 0", name="positive"),
    )

    exemption_id: Mapped[UUID] = mapped_column(primary_key=True)
    order_line_id: Mapped[UUID] = mapped_column(primary_key=True)
    quote_id: Mapped[UUID]
    programme: Mapped[Code]
    version: Mapped[int] = mapped_column(Integer)
    offering: Mapped[Code]
    amount_fen: Mapped[Fen]
    created_at: Mapped[datetime]
