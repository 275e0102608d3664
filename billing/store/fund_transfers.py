"""Money of a fund that moves without being spent, and alerts that it runs low."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from billing.store.funds import FUND, Decision, decision_checks
from tenants.kernel.database import Base, Code, Fen, Name, one_of

KINDS = ("transfer", "return", "carry_over")


class FundTransfer(Decision, Base):
    """Available money to another envelope of the fund, back to the treasury, or into another year's fund.

    A carry-over takes what every envelope has at the moment of its approval, so its amount is known only then.
    """

    __tablename__ = "fund_transfers"
    __table_args__ = (
        one_of("kind", KINDS),
        CheckConstraint("amount_fen > 0", name="positive"),
        CheckConstraint(
            "CASE kind WHEN 'transfer' THEN envelope IS NOT NULL AND to_envelope IS NOT NULL"
            " AND to_envelope <> envelope AND to_fund_id = fund_id AND to_fund_id IS NOT NULL AND amount_fen IS NOT NULL"
            " WHEN 'return' THEN envelope IS NOT NULL AND to_envelope IS NULL AND to_fund_id IS NULL"
            " AND amount_fen IS NOT NULL"
            " ELSE envelope IS NULL AND to_envelope IS NULL AND to_fund_id IS NOT NULL AND to_fund_id <> fund_id"
            " AND (amount_fen IS NOT NULL) = (status = 'approved') END",
            name="shape",
        ),
        *decision_checks(),
        FUND,
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[Code]
    fund_id: Mapped[UUID] = mapped_column(ForeignKey("funds.id"), index=True)
    envelope: Mapped[str | None] = mapped_column(String(16))
    to_fund_id: Mapped[UUID | None] = mapped_column(ForeignKey("funds.id"), index=True)
    to_envelope: Mapped[str | None] = mapped_column(String(16))
    amount_fen: Mapped[int | None] = mapped_column(BigInteger)
    reason: Mapped[str] = mapped_column(String(200))
    document_no: Mapped[Name]


class FundAlert(Base):
    """A fund that crossed one of its thresholds. One stands at a time of each kind, until it is cleared."""

    __tablename__ = "fund_alerts"
    __table_args__ = (
        one_of("kind", ("low_balance", "burn_rate")),
        CheckConstraint("(acknowledged_by IS NULL) = (acknowledged_at IS NULL)", name="acknowledged"),
        Index("uq_fund_alerts_standing", "fund_id", "kind", unique=True, postgresql_where="cleared_at IS NULL"),
        FUND,
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    fund_id: Mapped[UUID] = mapped_column(ForeignKey("funds.id"))
    kind: Mapped[Code]
    threshold: Mapped[int] = mapped_column(Integer)
    available_fen: Mapped[Fen]
    budget_fen: Mapped[Fen]
    runs_out_on: Mapped[date | None]
    raised_at: Mapped[datetime]
    cleared_at: Mapped[datetime | None]
    acknowledged_by: Mapped[UUID | None]
    acknowledged_at: Mapped[datetime | None]
    note: Mapped[str | None] = mapped_column(String(200))
