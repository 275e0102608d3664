"""Clawbacks: what public money is asked back from whom, why, who decided it, and what of it came."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Date, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from billing.rules.clawbacks import Bearer, ClawbackCause, ClawbackStatus, RepaymentMethod
from tenants.kernel.database import Base, Code, Fen, Name, TenantOwned, one_of, owned_reference


class Clawback(TenantOwned, Base):
    """A case: opened by one person, decided by another, written off by two.

    ``to_fund_fen`` was paid out and goes back to the fund; ``to_seller_fen`` was not, so the park owes that part of the
    price itself; ``withdrawn_fen`` is all that was kept back from being paid out.
    """

    __tablename__ = "clawbacks"
    __table_args__ = (
        UniqueConstraint("tenant_id", "number"),
        UniqueConstraint("tenant_id", "return_id"),
        owned_reference("return_id", "line_returns"),
        owned_reference("evidence_id", "evidence_files"),
        one_of("cause", ClawbackCause),
        one_of("bearer", Bearer),
        one_of("status", ClawbackStatus),
        CheckConstraint("amount_fen > 0", name="positive"),
        CheckConstraint(
            "cause = 'fraud' OR bearer = CASE cause WHEN 'ineligible' THEN 'park' ELSE 'provider' END",
            name="bearer_follows_cause",
        ),
        CheckConstraint("bearer = 'provider' OR bearer_id = tenant_id", name="bearer_is_the_park"),
        CheckConstraint("num_nonnulls(return_id, evidence_id) > 0", name="proved"),
        CheckConstraint("decided_by IS NULL OR decided_by <> opened_by", name="four_eyes"),
        CheckConstraint("(status = 'opened') = (decided_by IS NULL)", name="decision"),
        CheckConstraint("status <> 'dismissed' OR return_id IS NULL", name="a_return_stands"),
        CheckConstraint(
            "least(withdrawn_fen, to_fund_fen, to_seller_fen, sale_back_fen, vat_fen, repaid_fund_fen, "
            "repaid_seller_fen, written_off_fen) >= 0",
            name="not_negative",
        ),
        CheckConstraint("withdrawn_fen + to_fund_fen <= amount_fen", name="at_most_the_case"),
        CheckConstraint("to_seller_fen <= withdrawn_fen", name="seller"),
        CheckConstraint("repaid_fund_fen <= to_fund_fen AND repaid_seller_fen <= to_seller_fen", name="repaid"),
        CheckConstraint(
            "status <> 'closed' OR (repaid_fund_fen = to_fund_fen AND repaid_seller_fen = to_seller_fen)", name="closed"
        ),
        CheckConstraint(
            "written_off_fen = CASE status WHEN 'written_off' "
            "THEN to_fund_fen + to_seller_fen - repaid_fund_fen - repaid_seller_fen ELSE 0 END",
            name="written_off",
        ),
        CheckConstraint("(status = 'written_off') = (write_off_approved_by IS NOT NULL)", name="write_off"),
        CheckConstraint(
            "write_off_approved_by IS NULL OR (write_off_by IS NOT NULL AND write_off_approved_by <> write_off_by)",
            name="write_off_by_two",
        ),
        Index(None, "tenant_id", "order_line_id"),
        Index(None, "opened_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[Code]
    order_line_id: Mapped[UUID]
    subject: Mapped[Name]
    """What people call the order line."""
    return_id: Mapped[UUID | None]
    cause: Mapped[Code]
    bearer: Mapped[Code]
    bearer_id: Mapped[UUID]
    amount_fen: Mapped[Fen]
    reason: Mapped[str] = mapped_column(String(500))
    evidence_id: Mapped[UUID | None]
    due_on: Mapped[date] = mapped_column(Date)
    status: Mapped[Code]
    opened_by: Mapped[UUID]
    opened_at: Mapped[datetime]
    decided_by: Mapped[UUID | None]
    decided_at: Mapped[datetime | None]
    decision_note: Mapped[str] = mapped_column(String(500))
    withdrawn_fen: Mapped[Fen]
    to_fund_fen: Mapped[Fen]
    to_seller_fen: Mapped[Fen]
    sale_back_fen: Mapped[Fen]
    """The part of the sale that the decision took back, a provider bearing it."""
    vat_fen: Mapped[Fen]
    """VAT contained in ``sale_back_fen``."""
    repaid_fund_fen: Mapped[Fen]
    repaid_seller_fen: Mapped[Fen]
    written_off_fen: Mapped[Fen]
    write_off_reason: Mapped[str | None] = mapped_column(String(500))
    write_off_by: Mapped[UUID | None]
    write_off_approved_by: Mapped[UUID | None]
    closed_at: Mapped[datetime | None]


class ClawbackPart(TenantOwned, Base):
    """What a case asks of one hold."""

    __tablename__ = "clawback_parts"
    __table_args__ = (
        owned_reference("clawback_id", "clawbacks"),
        owned_reference("hold_id", "holds"),
        CheckConstraint("amount_fen > 0", name="positive"),
        CheckConstraint("least(withdrawn_fen, recalled_fen, repaid_fen) >= 0", name="not_negative"),
        CheckConstraint("withdrawn_fen + recalled_fen <= amount_fen AND repaid_fen <= recalled_fen", name="parts"),
    )

    clawback_id: Mapped[UUID] = mapped_column(primary_key=True)
    hold_id: Mapped[UUID] = mapped_column(primary_key=True)
    amount_fen: Mapped[Fen]
    withdrawn_fen: Mapped[Fen]
    recalled_fen: Mapped[Fen]
    repaid_fen: Mapped[Fen]


class ClawbackRepayment(TenantOwned, Base):
    """Money that came for a case. A reference counts once. Rows are added and never changed."""

    __tablename__ = "clawback_repayments"
    __table_args__ = (
        UniqueConstraint("tenant_id", "method", "reference"),
        owned_reference("clawback_id", "clawbacks"),
        one_of("method", RepaymentMethod),
        CheckConstraint("amount_fen > 0", name="positive"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    clawback_id: Mapped[UUID]
    method: Mapped[Code]
    reference: Mapped[Name]
    amount_fen: Mapped[Fen]
    received_on: Mapped[date] = mapped_column(Date)
    recorded_by: Mapped[UUID]
    recorded_at: Mapped[datetime]
