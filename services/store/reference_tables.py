"""Tables that the operator brings in for positionings."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, Integer, LargeBinary, SmallInteger, String, text
from sqlalchemy.orm import Mapped, mapped_column

from tenants.kernel.database import Base, Code, Name, one_of

KINDS = ("input_output", "industry_demands")


class ReferenceTable(Base):
    """A file as it came. It is never changed; withdrawing it is the only thing that happens to it."""

    __tablename__ = "reference_tables"
    __table_args__ = (
        one_of("kind", KINDS),
        CheckConstraint("year BETWEEN 1980 AND 2100", name="year"),
        CheckConstraint("(withdrawn_at IS NULL) = (withdrawn_by IS NULL)", name="withdrawn"),
        Index(
            "uq_reference_tables_kind_sha256",
            "kind",
            "sha256",
            unique=True,
            postgresql_where=text("withdrawn_at IS NULL"),
        ),
        {"info": {"shared": "reference tables are the operator's, the same for every park"}},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[Code]
    name: Mapped[Name]
    year: Mapped[int] = mapped_column(SmallInteger)
    """The year that its figures are of."""
    licence: Mapped[Name]
    sha256: Mapped[str] = mapped_column(String(64))
    content: Mapped[bytes] = mapped_column(LargeBinary)
    rows: Mapped[int] = mapped_column(Integer)
    imported_by: Mapped[UUID]
    imported_at: Mapped[datetime]
    withdrawn_by: Mapped[UUID | None]
    withdrawn_at: Mapped[datetime | None]
