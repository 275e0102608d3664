"""The operator's company registry, from which leads are ranked."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Date,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    String,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.rules.company_imports import ImportKind, ImportStatus
from tenants.kernel.database import Base, Code, Fen, Name, one_of

REGISTRY = {"info": {"shared": "the registry is the operator's, the same for every park"}}


class CompanySource(Base):
    """A file of the operator's: a registry or dated expansions, where it came from, under which licence, as of when.

    It is also the import of that file: how far it is, and in the end its report.
    """

    __tablename__ = "company_sources"
    __table_args__ = (
        one_of("kind", ImportKind),
        one_of("status", ImportStatus),
        CheckConstraint("rows_done BETWEEN 0 AND rows_total AND rows_accepted + rows_refused = rows_done", name="rows"),
        CheckConstraint("(finished_at IS NULL) = (status IN ('queued', 'running', 'merging'))", name="finished"),
        Index(
            "uq_company_sources_kind_sha256",
            "kind",
            "sha256",
            unique=True,
            postgresql_where=text("status NOT IN ('failed', 'cancelled', 'withdrawn')"),
        ),
        Index(None, "imported_at", "id"),
        REGISTRY,
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[Code]
    name: Mapped[Name]
    licence: Mapped[Name]
    as_of: Mapped[date] = mapped_column(Date)
    file_name: Mapped[Name]
    sha256: Mapped[str] = mapped_column(String(64))
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    status: Mapped[Code]
    attempts: Mapped[int] = mapped_column(SmallInteger)
    """Times that a worker began since the last part was done."""
    rows_total: Mapped[int] = mapped_column(Integer)
    rows_done: Mapped[int] = mapped_column(Integer)
    rows_accepted: Mapped[int] = mapped_column(Integer)
    rows_refused: Mapped[int] = mapped_column(Integer)
    report: Mapped[dict[str, Any]] = mapped_column(JSONB)
    failure_code: Mapped[Code | None]
    imported_by: Mapped[UUID | None]
    imported_at: Mapped[datetime]
    """When it was asked for."""
    finished_at: Mapped[datetime | None]


class Company(Base):
    """A company of the registry."""

    __tablename__ = "companies"
    __table_args__ = (
        one_of("status", ("active", "inactive")),
        Index(None, "industry_code", "region_code"),
        Index(None, "source_id"),
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


class CompanyExpansion(Base):
    """A company opened a site in a region on a day; it is named by its code, or by its name where that is empty."""

    __tablename__ = "company_expansions"
    __table_args__ = (CheckConstraint("(uscc = '') <> (name = '')", name="named"), Index(None, "source_id"), REGISTRY)

    uscc: Mapped[str] = mapped_column(String(18), primary_key=True)
    name: Mapped[Name] = mapped_column(primary_key=True)
    region_code: Mapped[str] = mapped_column(String(6), primary_key=True)
    expanded_on: Mapped[date] = mapped_column(Date, primary_key=True)
    source_id: Mapped[UUID] = mapped_column(ForeignKey("company_sources.id"))


class RegistryVersion(Base):
    """The name of the registry as it is: one row, renamed by a trigger with every change of companies or expansions."""

    __tablename__ = "registry_versions"
    __table_args__ = (CheckConstraint("id = 1", name="one"), REGISTRY)

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    version: Mapped[UUID]
