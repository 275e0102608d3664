"""Editions of the ranking model, and what happened to each."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.rules.lead_editions import EditionStatus, EditionStep, Refusal
from tenants.kernel.database import Base, Code, one_of

SHARED = {"info": {"shared": "the ranking model is the operator's, the same for every park"}}


class LeadEdition(Base):
    """A fit of the ranking model, and the job that makes it."""

    __tablename__ = "lead_editions"
    __table_args__ = (
        UniqueConstraint("number"),
        one_of("status", EditionStatus),
        one_of("refusal", Refusal),
        CheckConstraint("progress BETWEEN 0 AND 100", name="progress"),
        CheckConstraint("(finished_at IS NULL) = (status = 'fitting')", name="finished"),
        CheckConstraint("(refusal IS NOT NULL) = (status = 'refused')", name="refused"),
        CheckConstraint("(model IS NULL) = (sha256 IS NULL) AND (model IS NULL OR card IS NOT NULL)", name="model"),
        CheckConstraint("model IS NOT NULL OR status IN ('fitting', 'refused', 'failed')", name="ranks"),
        Index("uq_lead_editions_fitting", "status", unique=True, postgresql_where=text("status = 'fitting'")),
        Index("uq_lead_editions_in_force", "status", unique=True, postgresql_where=text("status = 'in_force'")),
        SHARED,
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(Integer)
    status: Mapped[Code]
    attempts: Mapped[int] = mapped_column(SmallInteger)
    stage: Mapped[Code]
    progress: Mapped[int] = mapped_column(SmallInteger)
    asked_by: Mapped[UUID | None]
    """None where the clock asked."""
    asked_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    card: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    model: Mapped[bytes | None] = mapped_column(LargeBinary)
    sha256: Mapped[str | None] = mapped_column(String(64))
    refusal: Mapped[Code | None]
    follows_id: Mapped[UUID | None] = mapped_column(ForeignKey("lead_editions.id"))
    """What was in force before it; None where nothing was."""


class LeadEditionStep(Base):
    """Something that happened to an edition: never changed."""

    __tablename__ = "lead_edition_steps"
    __table_args__ = (
        one_of("step", EditionStep),
        CheckConstraint("step <> 'put_back' OR (by IS NOT NULL AND reason <> '')", name="by_hand"),
        SHARED,
    )

    edition_id: Mapped[UUID] = mapped_column(ForeignKey("lead_editions.id"), primary_key=True)
    number: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    step: Mapped[Code]
    at: Mapped[datetime]
    by: Mapped[UUID | None]
    reason: Mapped[str] = mapped_column(String(500))
    scores: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    """With the period that they are of."""
