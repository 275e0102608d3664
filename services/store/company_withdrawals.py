"""Withdrawn sources of the registry, and what each source has told beside the rows that count."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Date,
    ForeignKey,
    Index,
    Integer,
    Label,
    String,
    Text,
    func,
    select,
)
from sqlalchemy.orm import InstrumentedAttribute, Mapped, mapped_column

from services.rules.switchboards import LONGEST
from services.store.companies import REGISTRY, Company
from services.store.company_imports import SOURCE
from tenants.kernel.database import Base, Code, Fen, Name


class CompanyWithdrawal(Base):
    """A source that counts no more: why, by whom, and how far its rows have left the registry."""

    __tablename__ = "company_withdrawals"
    __table_args__ = (
        CheckConstraint("reason <> ''", name="reason"),
        CheckConstraint("rows_done BETWEEN 0 AND rows_total AND rows_kept >= 0", name="rows"),
        REGISTRY,
    )

    source_id: Mapped[UUID] = mapped_column(ForeignKey(SOURCE), primary_key=True)
    reason: Mapped[str] = mapped_column(String(500))
    withdrawn_by: Mapped[UUID]
    withdrawn_at: Mapped[datetime]
    rows_total: Mapped[int] = mapped_column(Integer)
    rows_done: Mapped[int] = mapped_column(Integer)
    rows_kept: Mapped[int] = mapped_column(Integer)
    """Companies and expansions that another source tells of, too."""
    finished_at: Mapped[datetime | None]


class WithdrawnCompany(Base):
    """A company on parks' lists whose row was a withdrawn source's, and until when that row counted."""

    __tablename__ = "withdrawn_companies"
    __table_args__ = (
        Index(None, "uscc"),
        {"info": {"shared": "the registry's; a row policy shows a park those on its own lists"}},
    )

    source_id: Mapped[UUID] = mapped_column(ForeignKey(SOURCE), primary_key=True)
    uscc: Mapped[str] = mapped_column(String(18), primary_key=True)
    name: Mapped[Name]
    counted_until: Mapped[datetime]


class SupersededCompany(Base):
    """What a source told of a company for which another source's row counts.

    ``superseded_at`` is when it ceased to count, None where it never did. Numbers are kept here out of parks' sight.
    """

    __tablename__ = "superseded_companies"
    __table_args__ = (Index(None, "uscc"), REGISTRY)

    source_id: Mapped[UUID] = mapped_column(ForeignKey(SOURCE), primary_key=True)
    uscc: Mapped[str] = mapped_column(String(18), primary_key=True)
    name: Mapped[Name]
    region_code: Mapped[str] = mapped_column(String(6))
    industry_code: Mapped[str] = mapped_column(String(4))
    founded_on: Mapped[date | None] = mapped_column(Date)
    capital_fen: Mapped[Fen | None]
    expansions: Mapped[int] = mapped_column(Integer)
    scope: Mapped[str] = mapped_column(Text)
    status: Mapped[Code]
    as_of: Mapped[date] = mapped_column(Date)
    switchboard: Mapped[str] = mapped_column(String(LONGEST))
    masked: Mapped[str] = mapped_column(String(LONGEST))
    superseded_at: Mapped[datetime | None]


class RepeatedExpansion(Base):
    """That a further source tells of an expansion, too."""

    __tablename__ = "repeated_expansions"
    __table_args__ = (Index(None, "uscc", "name", "region_code", "expanded_on"), REGISTRY)

    source_id: Mapped[UUID] = mapped_column(ForeignKey(SOURCE), primary_key=True)
    uscc: Mapped[str] = mapped_column(String(18), primary_key=True)
    name: Mapped[Name] = mapped_column(primary_key=True)
    region_code: Mapped[str] = mapped_column(String(6), primary_key=True)
    expanded_on: Mapped[date] = mapped_column(Date, primary_key=True)


def known_name(uscc: InstrumentedAttribute[str]) -> Label[str | None]:
    """Return, as the column ``name``, what a company is called in the registry, or was in a source that was withdrawn."""
    now = select(Company.name).where(Company.uscc == uscc).scalar_subquery()
    before = select(func.max(WithdrawnCompany.name)).where(WithdrawnCompany.uscc == uscc).scalar_subquery()
    return func.coalesce(now, before).label("name")
