"""What came of listed companies: records of parks, which are only added to."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, CheckConstraint, ForeignKeyConstraint, Index, Numeric, SmallInteger, String
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.rules.lead_outcomes import LostReason, Outcome
from tenants.kernel.database import Base, Code, TenantOwned, one_of, owned_reference


class LeadOutcome(TenantOwned, Base):
    """A park's record of a company that is listed to it; the one with the highest number counts.

    It keeps what the park had been shown: the newest list with the company, its place and score there, and what ranked.
    """

    __tablename__ = "lead_outcomes"
    __table_args__ = (
        ForeignKeyConstraint(["uscc", "tenant_id"], ["lead_places.uscc", "lead_places.park_id"]),
        owned_reference("run_id", "runs"),
        one_of("outcome", Outcome),
        one_of("reason", LostReason),
        CheckConstraint("number >= 1", name="number"),
        CheckConstraint("reason IS NULL OR outcome = 'lost'", name="lost"),
        CheckConstraint(
            "(run_id IS NULL) = (position IS NULL) AND (run_id IS NULL) = (explored IS NULL)"
            " AND (run_id IS NOT NULL OR (score IS NULL AND model IS NULL))",
            name="evidence",
        ),
        Index(None, "recorded_at"),
    )

    uscc: Mapped[str] = mapped_column(String(18), primary_key=True)
    number: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    outcome: Mapped[Code]
    reason: Mapped[Code | None]
    """Why it was lost; a claim given up as lost names none."""
    recorded_by: Mapped[UUID]
    recorded_at: Mapped[datetime]
    run_id: Mapped[UUID | None]
    position: Mapped[int | None] = mapped_column(SmallInteger)
    explored: Mapped[bool | None] = mapped_column(Boolean)
    score: Mapped[Decimal | None] = mapped_column(Numeric(14, 6))
    model: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    """The card of the model that made the list; None where expansions and distance alone did."""
