"""Policies, funds and laboratories that enterprises are matched with: the operator's, in versions."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Date, ForeignKey, Integer, String, func, text
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.orm import Mapped, mapped_column

from services.rules.matching import Kind, Stacking
from tenants.kernel.database import Base, Code, Fen, Name, one_of

SHARED = {"info": {"shared": "measures are public and the same for every park"}}


class MeasureGroup(Base):
    """Measures that limit each other; never changed, since results stand on it."""

    __tablename__ = "measure_groups"
    __table_args__ = (one_of("mode", Stacking), CheckConstraint("cap_fen > 0", name="cap"), SHARED)

    slug: Mapped[str] = mapped_column(String(64), primary_key=True)
    mode: Mapped[Code]
    cap_fen: Mapped[Fen | None]
    created_at: Mapped[datetime]


class Measure(Base):
    """A measure in one version. Only its end may be set: on any day at most one version of it counts."""

    __tablename__ = "measures"
    __table_args__ = (
        one_of("kind", Kind),
        CheckConstraint("version >= 1", name="version"),
        CheckConstraint("valid_to IS NULL OR valid_to >= valid_from", name="order"),
        ExcludeConstraint(
            ("slug", "="),
            (func.daterange(text("valid_from"), text("valid_to")), "&&"),
            using="gist",
            name="ex_measures_one_at_a_time",
        ),
        SHARED,
    )

    slug: Mapped[str] = mapped_column(String(64), primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True)
    kind: Mapped[Code]
    title: Mapped[Name]
    region_code: Mapped[str] = mapped_column(String(6))
    """Six digits of the division it is for; empty for the whole country."""
    valid_from: Mapped[date] = mapped_column(Date)
    valid_to: Mapped[date | None] = mapped_column(Date)
    """The first day on which it no longer counts."""
    group_slug: Mapped[str | None] = mapped_column(ForeignKey("measure_groups.slug"), index=True)
    document: Mapped[dict[str, Any]]
    """The whole MeasureDocument as it was given."""
    created_by: Mapped[UUID | None]
    created_at: Mapped[datetime]
    ended_by: Mapped[UUID | None]
