"""In whose name invoices are issued: the legal entity as it prints itself, and the accounts that parks pay into."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from tenants.kernel.database import Base, Code, Name


class InvoiceIssuer(Base):
    """The particulars of a legal entity. They count once another person has confirmed them, and are never changed."""

    __tablename__ = "invoice_issuers"
    __table_args__ = (
        CheckConstraint("(confirmed_by IS NULL) = (confirmed_at IS NULL)", name="confirmed"),
        CheckConstraint("confirmed_by <> proposed_by", name="two_people"),
        Index(None, "legal_entity", "confirmed_at"),
        {"info": {"shared": "one legal entity bills all parks"}},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    legal_entity: Mapped[Code]
    name: Mapped[Name]
    uscc: Mapped[str] = mapped_column(String(18))
    address: Mapped[Name]
    phone: Mapped[Code]
    bank: Mapped[Name]
    account: Mapped[Code]
    proposed_by: Mapped[UUID]
    proposed_at: Mapped[datetime]
    confirmed_by: Mapped[UUID | None]
    confirmed_at: Mapped[datetime | None]


class VirtualAccount(Base):
    """An account number that the bank keeps for one park's payments, until it is ended."""

    __tablename__ = "virtual_accounts"
    __table_args__ = (
        CheckConstraint("account ~ '^[0-9]{8,40}$'", name="digits"),
        CheckConstraint("(ended_by IS NULL) = (ended_at IS NULL)", name="ended"),
        Index("uq_virtual_accounts_of_park", "tenant_id", unique=True, postgresql_where="ended_at IS NULL"),
        {"info": {"shared": "an account is one park's in the whole province; a row policy shows a park its own"}},
    )

    account: Mapped[str] = mapped_column(String(40), primary_key=True)
    tenant_id: Mapped[UUID]
    assigned_by: Mapped[UUID]
    assigned_at: Mapped[datetime]
    ended_by: Mapped[UUID | None]
    ended_at: Mapped[datetime | None]
