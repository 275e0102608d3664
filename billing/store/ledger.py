"""The books: accounts, balanced journals and their postings. Rows are added and never changed.

A deferred constraint trigger refuses, at commit, any journal whose debits and credits differ, so these tables stay
local (or reference) tables when the rest is distributed by tenant.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, SmallInteger, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from tenants.kernel.database import Base, Code, Fen, Name, one_of

BOOKS = {"info": {"shared": "one set of books for all; a row policy shows a park the journals that concern it"}}


class Account(Base):
    """An account of the books. ``code`` names it for good, such as ``receivable:park:<id>``."""

    __tablename__ = "accounts"
    __table_args__ = (one_of("kind", ("asset", "liability", "equity", "revenue", "expense")), BOOKS)

    code: Mapped[str] = mapped_column(String(80), primary_key=True)
    kind: Mapped[Code]
    tenant_id: Mapped[UUID | None]
    fund_id: Mapped[UUID | None]


class Journal(Base):
    """One business event in the books, posted once: its source is unique."""

    __tablename__ = "journals"
    __table_args__ = (
        UniqueConstraint("source_kind", "source_id"),
        Index(None, "tenant_id", "period"),
        Index(None, "period"),
        BOOKS,
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID | None]
    source_kind: Mapped[Code]
    source_id: Mapped[str] = mapped_column(String(200))
    period: Mapped[str] = mapped_column(String(7))
    description: Mapped[Name]
    reverses_id: Mapped[UUID | None] = mapped_column(ForeignKey("journals.id"))
    user_id: Mapped[UUID | None]
    occurred_at: Mapped[datetime]


class Posting(Base):
    """One side of a journal on one account."""

    __tablename__ = "postings"
    __table_args__ = (
        one_of("side", ("debit", "credit")),
        CheckConstraint("amount_fen > 0", name="positive"),
        Index(None, "account"),
        BOOKS,
    )

    journal_id: Mapped[UUID] = mapped_column(ForeignKey("journals.id"), primary_key=True)
    line: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    tenant_id: Mapped[UUID | None]
    account: Mapped[str] = mapped_column(ForeignKey("accounts.code"))
    side: Mapped[Code]
    amount_fen: Mapped[Fen]


class ClosedPeriod(Base):
    """A month of the books that is closed for good: what is late is written into the first open month after it.

    ``journals_sha256`` is the hash over its journals, so that a change behind the program's back is found.
    """

    __tablename__ = "closed_periods"
    __table_args__ = (
        CheckConstraint("journals >= 0 AND debit_fen >= 0", name="not_negative"),
        CheckConstraint("period ~ '^20[0-9]{2}-(0[1-9]|1[0-2])$'", name="month"),
        BOOKS,
    )

    period: Mapped[str] = mapped_column(String(7), primary_key=True)
    journals: Mapped[int] = mapped_column(Integer)
    debit_fen: Mapped[Fen]
    journals_sha256: Mapped[str] = mapped_column(String(64))
    closed_by: Mapped[UUID]
    closed_at: Mapped[datetime]
