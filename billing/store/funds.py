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

OUTSIDE = ("appropriated", "transferred", "carried")
"""Where money of an envelope comes from and goes to outside of it: the treasury, the fund's other envelopes, the fund of
another year. An envelope's balance of such a place is what came from there, less what went back."""
PLACES = (*OUTSIDE, "available", "held", "captured", "disbursed", "returned")
"""Where a fen of a fund can be."""
DECIDED = ("requested", "approved", "rejected", "withdrawn")
"""What becomes of a request that two people decide on."""


def decision_checks() -> tuple[CheckConstraint, ...]:
    """Return the checks of a table whose rows one person asks for and another decides."""
    return (
        one_of("status", DECIDED),
        CheckConstraint("approved_by IS NULL OR approved_by <> requested_by", name="four_eyes"),
        CheckConstraint("(status = 'approved') = (approved_by IS NOT NULL)", name="approval"),
        CheckConstraint(
            "(status IN ('rejected', 'withdrawn'))"
            " = (ended_by IS NOT NULL AND ended_at IS NOT NULL AND ended_reason IS NOT NULL)",
            name="ended",
        ),
        CheckConstraint("status <> 'rejected' OR ended_by <> requested_by", name="rejected"),
    )


class Decision:
    """Mixin of what one person asks for and another approves or rejects; its asker's side may withdraw it before."""

    status: Mapped[Code]
    requested_by: Mapped[UUID]
    requested_at: Mapped[datetime]
    approved_by: Mapped[UUID | None]
    approved_at: Mapped[datetime | None]
    ended_by: Mapped[UUID | None]
    ended_at: Mapped[datetime | None]
    ended_reason: Mapped[str | None] = mapped_column(String(200))


class Fund(Base):
    """An earmarked fund of one scheme and year.

    A trigger keeps its life: open and frozen in turn, closed once it is empty, never deleted. ``status_*`` say who set
    its status last, when and why. An alert is raised at ``low_share_bp`` of its budget, and ``low_days`` before the day
    it is forecast to run out; null for no alert.
    """

    __tablename__ = "funds"
    __table_args__ = (
        one_of("status", ("open", "frozen", "closed")),
        CheckConstraint("low_share_bp BETWEEN 1 AND 9999", name="low_share"),
        CheckConstraint("low_days BETWEEN 1 AND 366", name="low_days"),
        CheckConstraint("status = 'open' OR (status_reason IS NOT NULL AND status_at IS NOT NULL)", name="stopped"),
        FUND,
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[Name]
    name_en: Mapped[Name]
    year: Mapped[int] = mapped_column(Integer)
    status: Mapped[Code]
    status_reason: Mapped[str | None] = mapped_column(String(200))
    status_by: Mapped[UUID | None]
    status_at: Mapped[datetime | None]
    low_share_bp: Mapped[int | None] = mapped_column(Integer)
    low_days: Mapped[int | None] = mapped_column(Integer)
    created_by: Mapped[UUID | None]
    created_at: Mapped[datetime]


class Envelope(Base):
    """A part of a fund with balances of its own: the whole ('') or a region's allotment (its code).

    Every fen that came in is in exactly one place, and no place goes below zero, however many check out at once.
    ``transferred_fen`` and ``carried_fen`` are what came from other envelopes and other years, less what went there.
    """

    __tablename__ = "fund_envelopes"
    __table_args__ = (
        CheckConstraint("available_fen >= 0", name="never_overspent"),
        CheckConstraint(
            "held_fen >= 0 AND captured_fen >= 0 AND disbursed_fen >= 0 AND returned_fen >= 0", name="not_negative"
        ),
        CheckConstraint(
            "appropriated_fen + transferred_fen + carried_fen"
            " = available_fen + held_fen + captured_fen + disbursed_fen + returned_fen",
            name="whole",
        ),
        FUND,
    )

    fund_id: Mapped[UUID] = mapped_column(ForeignKey("funds.id"), primary_key=True)
    envelope: Mapped[str] = mapped_column(String(16), primary_key=True)
    appropriated_fen: Mapped[Fen]
    transferred_fen: Mapped[Fen]
    carried_fen: Mapped[Fen]
    available_fen: Mapped[Fen]
    held_fen: Mapped[Fen]
    captured_fen: Mapped[Fen]
    disbursed_fen: Mapped[Fen]
    returned_fen: Mapped[Fen]


class FundEntry(Base):
    """One movement of public money from place to place. Rows are added and never changed.

    Money that leaves an envelope for another, or a year for the next, is two entries that name each other.
    """

    __tablename__ = "fund_entries"
    __table_args__ = (
        ForeignKeyConstraint(["fund_id", "envelope"], ["fund_envelopes.fund_id", "fund_envelopes.envelope"]),
        CheckConstraint("amount_fen > 0", name="positive"),
        CheckConstraint(
            "(source IN ('transferred', 'carried') OR destination IN ('transferred', 'carried'))"
            " = (counterpart_id IS NOT NULL)",
            name="paired",
        ),
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
    counterpart_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("fund_entries.id", deferrable=True, initially="DEFERRED")
    )


class Appropriation(Decision, Base):
    """Money the treasury puts into a fund: one person asks, another approves.

    ``envelope`` gets what the parts leave.
    """

    __tablename__ = "appropriations"
    __table_args__ = (CheckConstraint("amount_fen > 0", name="positive"), *decision_checks(), FUND)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    fund_id: Mapped[UUID] = mapped_column(ForeignKey("funds.id"), index=True)
    envelope: Mapped[str] = mapped_column(String(16))
    amount_fen: Mapped[Fen]
    document_no: Mapped[Name]


class AppropriationPart(Base):
    """A share of an appropriation that is reserved for a region. Rows are added with it and never changed."""

    __tablename__ = "appropriation_parts"
    __table_args__ = (
        CheckConstraint("amount_fen > 0", name="positive"),
        CheckConstraint("share_bp BETWEEN 1 AND 10000", name="share"),
        FUND,
    )

    appropriation_id: Mapped[UUID] = mapped_column(ForeignKey("appropriations.id"), primary_key=True)
    envelope: Mapped[str] = mapped_column(String(16), primary_key=True)
    share_bp: Mapped[int] = mapped_column(Integer)
    amount_fen: Mapped[Fen]


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
        Index(None, "created_at"),
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
