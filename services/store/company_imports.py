"""What imports work on until they are done: parts of files, rows that wait to be merged; and the rows set aside."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from sqlalchemy import Date, ForeignKey, Integer, LargeBinary, String, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.rules.switchboards import LONGEST
from services.store.companies import REGISTRY
from tenants.kernel.database import Base, Code, Fen, Name

SOURCE = "company_sources.id"


class ImportPart(Base):
    """Some rows of a file, packed. Its content goes when it is done."""

    __tablename__ = "company_import_parts"
    __table_args__ = (REGISTRY,)

    source_id: Mapped[UUID] = mapped_column(ForeignKey(SOURCE), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    content: Mapped[bytes | None] = mapped_column(LargeBinary)


class QuarantinedRow(Base):
    """A row set aside: its number in the file, why, and its cells without what may be a natural person's."""

    __tablename__ = "company_quarantine"
    __table_args__ = (REGISTRY,)

    source_id: Mapped[UUID] = mapped_column(ForeignKey(SOURCE), primary_key=True)
    row: Mapped[int] = mapped_column(Integer, primary_key=True)
    reason: Mapped[Code]
    cells: Mapped[dict[str, str]] = mapped_column(JSONB)


class IncomingCompany(Base):
    """A good row of a registry that is being imported."""

    __tablename__ = "incoming_companies"
    __table_args__ = (REGISTRY,)

    source_id: Mapped[UUID] = mapped_column(ForeignKey(SOURCE), primary_key=True)
    row: Mapped[int] = mapped_column(Integer, primary_key=True)
    uscc: Mapped[str] = mapped_column(String(18))
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


class IncomingExpansion(Base):
    """A good row of a file of expansions that is being imported."""

    __tablename__ = "incoming_expansions"
    __table_args__ = (REGISTRY,)

    source_id: Mapped[UUID] = mapped_column(ForeignKey(SOURCE), primary_key=True)
    row: Mapped[int] = mapped_column(Integer, primary_key=True)
    uscc: Mapped[str] = mapped_column(String(18))
    name: Mapped[Name]
    region_code: Mapped[str] = mapped_column(String(6))
    expanded_on: Mapped[date] = mapped_column(Date)
