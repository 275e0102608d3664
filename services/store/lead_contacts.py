"""Companies' switchboards, which parks were shown which, and how many a day they may be."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Date,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    SmallInteger,
    String,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from services.rules.switchboards import LONGEST
from services.store.companies import REGISTRY
from tenants.kernel.database import Base, TenantOwned


class CompanyContact(Base):
    """That a company has a switchboard, and how it looks masked: what every park may know."""

    __tablename__ = "company_contacts"
    __table_args__ = (Index(None, "source_id"), REGISTRY)

    uscc: Mapped[str] = mapped_column(String(18), primary_key=True)
    masked: Mapped[str] = mapped_column(String(LONGEST))
    as_of: Mapped[date] = mapped_column(Date)
    source_id: Mapped[UUID] = mapped_column(ForeignKey("company_sources.id"))


class CompanySwitchboard(Base):
    """The number itself. A row policy shows it to the parks that have a showing of it and whose claim was not given up."""

    __tablename__ = "company_switchboards"
    __table_args__ = (
        CheckConstraint("number <> ''", name="number"),
        {"info": {"shared": "the registry's; a row policy shows a park those that it was shown"}},
    )

    uscc: Mapped[str] = mapped_column(ForeignKey("company_contacts.uscc", ondelete="CASCADE"), primary_key=True)
    number: Mapped[str] = mapped_column(String(LONGEST))


class ContactShowing(TenantOwned, Base):
    """A park was shown a company's number: who, when, on which claim. Never changed; the key lets none beyond the day's."""

    __tablename__ = "lead_contact_showings"
    __table_args__ = (
        CheckConstraint("place BETWEEN 1 AND per_day", name="place"),
        ForeignKeyConstraint(["claim_id", "tenant_id"], ["lead_claims.id", "lead_claims.park_id"]),
        UniqueConstraint("tenant_id", "id"),
        UniqueConstraint("tenant_id", "claim_id", "day"),
        Index(None, "tenant_id", "uscc"),
        Index(None, "shown_at", "id"),
    )

    day: Mapped[date] = mapped_column(Date, primary_key=True)
    """In the park's zone."""
    place: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    """Which of the day's it was, from 1."""
    per_day: Mapped[int] = mapped_column(SmallInteger)
    """How many there might be when it was shown."""
    id: Mapped[UUID]
    claim_id: Mapped[UUID]
    uscc: Mapped[str] = mapped_column(String(18))
    shown_by: Mapped[UUID]
    shown_at: Mapped[datetime]
    as_of: Mapped[date] = mapped_column(Date)
    """Of the number."""
    source_id: Mapped[UUID] = mapped_column(ForeignKey("company_sources.id"))


class ContactLimit(Base):
    """How many numbers a park may be shown a day; the one with the highest number counts."""

    __tablename__ = "lead_contact_limits"
    __table_args__ = (
        CheckConstraint("per_day BETWEEN 0 AND 1000", name="per_day"),
        {"info": {"shared": "the operator's rule, the same for every park"}},
    )

    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    per_day: Mapped[int] = mapped_column(SmallInteger)
    set_by: Mapped[UUID]
    set_at: Mapped[datetime]
