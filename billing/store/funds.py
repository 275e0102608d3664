"""Earmarked funds: balances that the database keeps from going below zero, and the register of every movement."""

from __future__ import annotations

from datetime import datetime
from typing import Any
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

from tenants.kernel.database import Base, Code, Fen, Name, TenantOwned, one_of

FUND = {"info": {"shared": "public money of the province, which all parks draw on"}}

PLACES = ("appropriated", "available", "held", "captured", "disbursed", "returned")
"""Where a fen of a fund can be; ``appropriated`` is the treasury it came from."""


class Fund(Base):
    """An earmarked fund of one scheme and year."""

    __tablename__ = "funds"
    __table_args__ = (one_of("status", ("open", "frozen", "closed")), FUND)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[Name]
    name_en: Mapped[Name]
    year: Mapped[int] = mapped_column(Integer)
    status: Mapped[Code]
    created_by: Mapped[UUID | None]
    created_at: Mapped[datetime]


class Envelope(Base):
    """A part of a fund with balances of its own: the whole ('') or a region's allotment (its code).

    Every fen appropriated is in exactly one place, and no place goes below zero, however many check out at once.
    """

    __tablename__ = "fund_envelopes"
    __table_args__ = (
        CheckConstraint("available_fen >= 0", name="never_overspent"),
        CheckConstraint(
            "held_fen >= 0 AND captured_fen >= 0 AND disbursed_fen >= 0 AND returned_fen >= 0", name="not_negative"
        ),
        CheckConstraint(
            "appropriated_fen = available_fen + held_fen + captured_fen + disbursed_fen + returned_fen", name="whole"
        ),
        FUND,
    )

    fund_id: Mapped[UUID] = mapped_column(ForeignKey("funds.id"), primary_key=True)
    envelope: Mapped[str] = mapped_column(String(16), primary_key=True)
    appropriated_fen: Mapped[Fen]
    available_fen: Mapped[Fen]
    held_fen: Mapped[Fen]
    captured_fen: Mapped[Fen]
    disbursed_fen: Mapped[Fen]
    returned_fen: Mapped[Fen]


class FundEntry(Base):
    """One movement of public money from place to place. Rows are added and never changed."""

    __tablename__ = "fund_entries"
    __table_args__ = (
        ForeignKeyConstraint(["fund_id", "envelope"], ["fund_envelopes.fund_id", "fund_envelopes.envelope"]),
        CheckConstraint("amount_fen > 0", name="positive"),
        one_of("source", PLACES),
        one_of("destination", PLACES),
        Index(None, "fund_id", "at"),
        Index(None, "hold_id"),
        {"info": {"shared": "the register of public money; a row policy shows a park the entries of its own holds"}},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    fund_id: Mapped[UUID]
    envelope: Mapped[str] = mapped_column(String(16))
    source: Mapped[Code]
    destination: Mapped[Code]
    amount_fen: Mapped[Fen]
    hold_id: Mapped[UUID | None]
    tenant_id: Mapped[UUID | None]
    reason: Mapped[str] = mapped_column(String(200))
    user_id: Mapped[UUID | None]
    at: Mapped[datetime]


class Appropriation(Base):
    """Money the treasury puts into a fund: one person asks, another approves."""

    __tablename__ = "appropriations"
    __table_args__ = (
        one_of("status", ("requested", "approved", "withdrawn")),
        CheckConstraint("amount_fen > 0", name="positive"),
        CheckConstraint("approved_by IS NULL OR approved_by <> requested_by", name="four_eyes"),
        CheckConstraint("(status = 'approved') = (approved_by IS NOT NULL)", name="approval"),
        FUND,
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    fund_id: Mapped[UUID] = mapped_column(ForeignKey("funds.id"), index=True)
    envelope: Mapped[str] = mapped_column(String(16))
    amount_fen: Mapped[Fen]
    document_no: Mapped[Name]
    status: Mapped[Code]
    requested_by: Mapped[UUID]
    requested_at: Mapped[datetime]
    approved_by: Mapped[UUID | None]
    approved_at: Mapped[datetime | None]


class CapCounter(Base):
    """How much of one ceiling is used. ``owner_id`` is the park of an ``entity_year`` ceiling, else the nil UUID."""

    __tablename__ = "cap_counters"
    __table_args__ = (
        CheckConstraint("used_fen >= 0", name="not_negative"),
        {"info": {"shared": "ceilings span parks; a row policy shows a park its own and the common ones"}},
    )

    owner_id: Mapped[UUID] = mapped_column(primary_key=True)
    programme: Mapped[str] = mapped_column(String(64), primary_key=True)
    scope: Mapped[str] = mapped_column(String(32), primary_key=True)
    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    period: Mapped[str] = mapped_column(String(24), primary_key=True)
    used_fen: Mapped[int] = mapped_column(BigInteger)


class Hold(TenantOwned, Base):
    """Public money reserved for one order line from one fund: captured at most once and at most in full, or released.

    ``envelope`` names the part of the fund it came from; ``ceilings`` what it took from which cap counters. What was
    captured is followed on: ``recalled_fen`` of it is not to stay spent, whether it came back yet or not. A part that
    was not paid out is ``withdrawn_fen`` and available again; of ``disbursed_fen``, what was paid back is
    ``returned_fen``.
    """

    __tablename__ = "holds"
    __table_args__ = (
        UniqueConstraint("tenant_id", "order_line_id", "programme", "fund_id", "envelope"),
        one_of("status", ("held", "captured", "released", "expired")),
        CheckConstraint("amount_fen > 0", name="positive"),
        CheckConstraint("captured_fen BETWEEN 0 AND amount_fen", name="at_most_held"),
        CheckConstraint("(status = 'captured') = (captured_fen > 0)", name="captured"),
        CheckConstraint("(status = 'held') = (settled_at IS NULL)", name="settled"),
        CheckConstraint("least(withdrawn_fen, disbursed_fen, returned_fen) >= 0", name="not_negative"),
        CheckConstraint(
            "recalled_fen BETWEEN withdrawn_fen + returned_fen AND withdrawn_fen + disbursed_fen", name="recalled"
        ),
        CheckConstraint("withdrawn_fen + disbursed_fen <= captured_fen", name="at_most_captured"),
        Index(None, "tenant_id", "order_line_id"),
        Index("ix_holds_open", "expires_at", postgresql_where="status = 'held'"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    order_line_id: Mapped[UUID]
    fund_id: Mapped[UUID] = mapped_column(ForeignKey("funds.id"))
    envelope: Mapped[str] = mapped_column(String(16))
    programme: Mapped[Code]
    version: Mapped[int] = mapped_column(Integer)
    amount_fen: Mapped[Fen]
    captured_fen: Mapped[Fen]
    recalled_fen: Mapped[Fen]
    withdrawn_fen: Mapped[Fen]
    disbursed_fen: Mapped[Fen]
    returned_fen: Mapped[Fen]
    ceilings: Mapped[list[Any]]
    status: Mapped[Code]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]


class HoldReturn(TenantOwned, Base):
    """Captured money that came back to its fund: once per hold, cause and source. Rows are added and never changed.

    ``source`` is where it was until then; ``cause`` and ``cause_id`` name what it came back for.
    """

    __tablename__ = "hold_returns"
    __table_args__ = (
        UniqueConstraint("tenant_id", "hold_id", "cause", "cause_id", "source"),
        ForeignKeyConstraint(["tenant_id", "hold_id"], ["holds.tenant_id", "holds.id"]),
        CheckConstraint("amount_fen > 0", name="positive"),
        one_of("source", ("captured", "disbursed")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    hold_id: Mapped[UUID]
    cause: Mapped[Code]
    cause_id: Mapped[UUID]
    source: Mapped[Code]
    amount_fen: Mapped[Fen]
    user_id: Mapped[UUID | None]
    at: Mapped[datetime]
