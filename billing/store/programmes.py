"""Prices, and subsidy programmes with their versions: rules as data, superseded and never edited."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Integer, String, func, text
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.orm import Mapped, mapped_column

from tenants.kernel.database import Base, Code, Name, one_of
from tenants.kernel.vocabulary import Tier

RULES = {"info": {"shared": "prices and policies are public and the same for every park"}}


class Price(Base):
    """What an offering costs the parks of a scope from ``valid_from`` until ``valid_to``; two of one scope never overlap.

    An empty ``tier``, ``region_class`` or ``region`` means any. One that ends where it begins was withdrawn before its
    time came: it holds at no moment.
    """

    __tablename__ = "prices"
    __table_args__ = (
        CheckConstraint("valid_to IS NULL OR valid_to >= valid_from", name="order"),
        CheckConstraint("vat_bp BETWEEN 0 AND 10000", name="vat"),
        one_of("tier", ("", *Tier)),
        one_of("region_class", ("", "eastern", "central", "western")),
        CheckConstraint("region ~ '^([0-9]{6})?$'", name="region"),
        ExcludeConstraint(
            ("offering", "="),
            ("tier", "="),
            ("region_class", "="),
            ("region", "="),
            (func.tstzrange(text("valid_from"), text("valid_to")), "&&"),
            using="gist",
            name="ex_prices_one_at_a_time",
        ),
        RULES,
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    offering: Mapped[Code]
    tier: Mapped[Code] = mapped_column(server_default="")
    region_class: Mapped[Code] = mapped_column(server_default="")
    region: Mapped[str] = mapped_column(String(6), server_default="")
    charge: Mapped[dict[str, Any]]
    """The charge model of the contract; unit prices are decimal strings in yuan, VAT included."""
    vat_bp: Mapped[int] = mapped_column(Integer)
    valid_from: Mapped[datetime]
    valid_to: Mapped[datetime | None]
    created_by: Mapped[UUID | None]


class Programme(Base):
    """A subsidy programme. Its bounds are its own data: a version outside them is refused."""

    __tablename__ = "programmes"
    __table_args__ = (RULES,)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[Name]
    name_en: Mapped[Name]
    bounds: Mapped[dict[str, Any]]
    created_by: Mapped[UUID | None]
    created_at: Mapped[datetime]


class PolicyVersion(Base):
    """One version of a programme's rules. Who wrote it does not approve it: the database holds that too."""

    __tablename__ = "policy_versions"
    __table_args__ = (
        one_of("status", ("draft", "submitted", "approved", "withdrawn", "rejected")),
        CheckConstraint("approved_by IS NULL OR approved_by <> written_by", name="four_eyes"),
        CheckConstraint("(status = 'approved') = (approved_by IS NOT NULL)", name="approval"),
        CheckConstraint("rejected_by IS NULL OR rejected_by <> written_by", name="rejected_by_another"),
        CheckConstraint(
            "num_nonnulls(rejected_by, rejected_at, rejection) = CASE status WHEN 'rejected' THEN 3 ELSE 0 END",
            name="rejection",
        ),
        RULES,
    )

    programme_id: Mapped[UUID] = mapped_column(ForeignKey("programmes.id"), primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True)
    status: Mapped[Code]
    policy: Mapped[dict[str, Any]]
    written_by: Mapped[UUID]
    written_at: Mapped[datetime]
    submitted_at: Mapped[datetime | None]
    approved_by: Mapped[UUID | None]
    approved_at: Mapped[datetime | None]
    effective_from: Mapped[datetime | None]
    """From when it supersedes the version before it; set by the approval."""
    rejected_by: Mapped[UUID | None]
    rejected_at: Mapped[datetime | None]
    rejection: Mapped[str | None] = mapped_column(String(500))
    """Why it was rejected."""
