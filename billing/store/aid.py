"""The rolling aid register: what each controller was granted, and what of it was given back. Entries are never changed."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    String,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from tenants.kernel.database import Base, Code, Fen, Name

_SHARED = {
    "info": {"shared": "a controller's aid is counted over its parks; a row policy shows a park its own entries"}
}


class AidAccount(Base):
    """One controller in one register: the row at which its grants wait for one another, and their number so far."""

    __tablename__ = "aid_accounts"
    __table_args__ = (UniqueConstraint("id"), CheckConstraint("entries >= 0", name="not_negative"), _SHARED)

    register: Mapped[str] = mapped_column(String(100), primary_key=True)
    controller_id: Mapped[UUID] = mapped_column(primary_key=True)
    """A control group, or a park that belongs to none."""
    id: Mapped[UUID]
    entries: Mapped[int] = mapped_column(BigInteger)
    opened_at: Mapped[datetime]


class AidGrant(Base):
    """Aid granted to a controller, in the order of ``seq``, with the ceiling it was granted under.

    ``since`` is the last instant that did not count at the grant. A grant that came with a park into another control
    group (``moved_from``) keeps its moment and was under no ceiling there.
    """

    __tablename__ = "aid_grants"
    __table_args__ = (
        ForeignKeyConstraint(["register", "controller_id"], ["aid_accounts.register", "aid_accounts.controller_id"]),
        UniqueConstraint("register", "controller_id", "seq"),
        CheckConstraint("amount_fen > 0", name="positive"),
        CheckConstraint("limit_fen >= amount_fen AND since < granted_at", name="within_its_ceiling"),
        CheckConstraint(
            "num_nonnulls(limit_fen, since) = CASE WHEN moved_from IS NULL THEN 2 ELSE 0 END", name="origin"
        ),
        Index(
            "uq_aid_grants_granted_once", "source_id", "programme", unique=True, postgresql_where="moved_from IS NULL"
        ),
        Index(None, "register", "controller_id", "granted_at"),
        Index(None, "tenant_id"),
        _SHARED,
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    register: Mapped[str] = mapped_column(String(100))
    controller_id: Mapped[UUID]
    seq: Mapped[int] = mapped_column(BigInteger)
    tenant_id: Mapped[UUID]
    source_id: Mapped[UUID]
    """The order line whose holds it is."""
    programme: Mapped[Code]
    version: Mapped[int] = mapped_column(Integer)
    amount_fen: Mapped[Fen]
    granted_at: Mapped[datetime]
    since: Mapped[datetime | None]
    limit_fen: Mapped[int | None] = mapped_column(BigInteger)
    moved_from: Mapped[UUID | None]
    user_id: Mapped[UUID | None]


class AidRelease(Base):
    """A part of a grant that was given back: its hold was released or expired, or its money came back."""

    __tablename__ = "aid_releases"
    __table_args__ = (CheckConstraint("amount_fen > 0", name="positive"), Index(None, "grant_id"), _SHARED)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    grant_id: Mapped[UUID] = mapped_column(ForeignKey("aid_grants.id"))
    tenant_id: Mapped[UUID]
    amount_fen: Mapped[Fen]
    reason: Mapped[Name]
    user_id: Mapped[UUID | None]
    released_at: Mapped[datetime]
