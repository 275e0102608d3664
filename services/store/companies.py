"""The operator's company registry, from which leads are ranked."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Date, ForeignKey, Index, Integer, SmallInteger, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from tenants.kernel.database import Base, Code, Fen, Name, one_of

REGISTRY = {"info": {"shared": "the registry is the operator's, the same for every park"}}


class CompanySource(Base):
    """One import of a registry: where it came from, under which licence, as of when."""

    __tablename__ = "company_sources"
    __table_args__ = (REGISTRY,)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[Name]
    licence: Mapped[Name]
    as_of: Mapped[date] = mapped_column(Date)
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    rows_accepted: Mapped[int] = mapped_column(Integer)
    rows_refused: Mapped[int] = mapped_column(Integer)
    imported_by: Mapped[UUID | None]
    imported_at: Mapped[datetime]


class Company(Base):
    """A company of the registry."""

    __tablename__ = "companies"
    __table_args__ = (
        one_of("status", ("active", "inactive")),
        Index(None, "industry_code", "region_code"),
        REGISTRY,
    )

    uscc: Mapped[str] = mapped_column(String(18), primary_key=True)
    source_id: Mapped[UUID] = mapped_column(ForeignKey("company_sources.id"))
    name: Mapped[Name]
    region_code: Mapped[str] = mapped_column(String(6))
    industry_code: Mapped[str] = mapped_column(String(4))
    """Division of GB/T 4754, two digits or more."""
    founded_on: Mapped[date | None] = mapped_column(Date)
    capital_fen: Mapped[Fen | None]
    expansions: Mapped[int] = mapped_column(Integer)
    """Sites opened in other cities so far."""
    scope: Mapped[str] = mapped_column(Text)
    status: Mapped[Code]
    as_of: Mapped[date] = mapped_column(Date)


class RegistryVersion(Base):
    """The name of the registry as it is: one row, renamed by a trigger with every change of ``companies``."""

    __tablename__ = "registry_versions"
    __table_args__ = (CheckConstraint("id = 1", name="one"), REGISTRY)

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    version: Mapped[UUID]
