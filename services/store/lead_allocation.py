"""Places of companies on parks' lists, claims, and companies that asked not to be contacted."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Date,
    ForeignKeyConstraint,
    Index,
    Numeric,
    SmallInteger,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.orm import Mapped, mapped_column

from services.rules.lead_allocation import ClaimStage
from tenants.kernel.database import Base, Code, TenantOwned, one_of, owned_reference


class LeadPlace(Base):
    """One of the five places of a company, taken by a park for good: the key lets no sixth park in."""

    __tablename__ = "lead_places"
    __table_args__ = (
        CheckConstraint("place BETWEEN 1 AND 5", name="place"),
        UniqueConstraint("uscc", "park_id"),
        Index(None, "park_id", "listed_at"),
        {"info": {"shared": "what counts is over all parks; a row policy shows each its own places"}},
    )

    uscc: Mapped[str] = mapped_column(String(18), primary_key=True)
    place: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    park_id: Mapped[UUID]
    listed_at: Mapped[datetime]


class ListedLead(TenantOwned, Base):
    """A company on the list that a run delivered; it has a place for the park."""

    __tablename__ = "listed_leads"
    __table_args__ = (
        owned_reference("run_id", "runs"),
        ForeignKeyConstraint(["uscc", "tenant_id"], ["lead_places.uscc", "lead_places.park_id"]),
        UniqueConstraint("tenant_id", "run_id", "position"),
        CheckConstraint("position >= 1", name="position"),
    )

    run_id: Mapped[UUID] = mapped_column(primary_key=True)
    uscc: Mapped[str] = mapped_column(String(18), primary_key=True)
    position: Mapped[int] = mapped_column(SmallInteger)
    explored: Mapped[bool] = mapped_column(Boolean)
    """From beyond the top ranks."""
    score: Mapped[Decimal | None] = mapped_column(Numeric(14, 6))
    """None on lists from before it was kept."""


class LeadClaim(Base):
    """A park's exclusive claim of a company that is listed to it: of one company, no two leases overlap."""

    __tablename__ = "lead_claims"
    __table_args__ = (
        one_of("stage", ClaimStage),
        CheckConstraint("claimed_at <= ends_at AND ends_at <= claimed_at + interval '720 hours'", name="lease"),
        ForeignKeyConstraint(["uscc", "park_id"], ["lead_places.uscc", "lead_places.park_id"]),
        UniqueConstraint("id", "park_id"),
        ExcludeConstraint(
            ("uscc", "="),
            (text("tstzrange(claimed_at, ends_at)"), "&&"),
            using="gist",
            name="ex_lead_claims_one",
        ),
        Index(None, "park_id", "uscc"),
        {"info": {"shared": "one claim over all parks; a row policy shows each its own"}},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    uscc: Mapped[str] = mapped_column(String(18))
    park_id: Mapped[UUID]
    claimed_by: Mapped[UUID | None]
    claimed_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    """The lease's end, brought forward when the claim is given up."""
    stage: Mapped[Code]
    changed_by: Mapped[UUID | None]
    changed_at: Mapped[datetime]


class LeadSuppression(Base):
    """A company that asked not to be contacted: no list names it while this is not lifted."""

    __tablename__ = "lead_suppressions"
    __table_args__ = (
        CheckConstraint("(lifted_at IS NULL) = (lifted_by IS NULL)", name="lifted"),
        CheckConstraint("reason <> ''", name="reason"),
        Index("uq_lead_suppressions_uscc", "uscc", unique=True, postgresql_where=text("lifted_at IS NULL")),
        {"info": {"shared": "wishes of companies, the same for every park"}},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    uscc: Mapped[str] = mapped_column(String(18))
    asked_on: Mapped[date] = mapped_column(Date)
    reason: Mapped[str] = mapped_column(String(500))
    """What the company said, and how."""
    recorded_by: Mapped[UUID]
    recorded_at: Mapped[datetime]
    lifted_by: Mapped[UUID | None]
    lifted_at: Mapped[datetime | None]
