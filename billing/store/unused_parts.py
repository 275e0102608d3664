"""What of a delivered order line was booked, not used, and so given back to both payers. Rows are only added."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Integer, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from billing.store.usage import RatedUsage
from tenants.kernel.database import Base, Fen, TenantOwned


class UnusedPart(TenantOwned, Base):
    """The difference between a line's order and its rated usage, amount by amount: together they are the order's."""

    __tablename__ = "unused_parts"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "order_line_id"], ["rated_usage.tenant_id", "rated_usage.order_line_id"]),
        CheckConstraint("used_units >= 1 AND used_units < booked_units", name="units"),
        CheckConstraint("gross_fen = subsidy_fen + payable_fen", name="two_payers"),
        CheckConstraint(
            "least(gross_fen, subsidy_fen, payable_fen, included, discount_fen, agreed_discount_fen) >= 0",
            name="not_negative",
        ),
    )

    order_line_id: Mapped[UUID] = mapped_column(primary_key=True)
    booked_units: Mapped[int] = mapped_column(Integer)
    used_units: Mapped[int] = mapped_column(Integer)
    gross_fen: Mapped[Fen]
    subsidy_fen: Mapped[Fen]
    payable_fen: Mapped[Fen]
    included: Mapped[int] = mapped_column(Integer)
    """Units that cost nothing and were not used."""
    discount_fen: Mapped[Fen]
    agreed_discount_fen: Mapped[Fen]
    given_back_at: Mapped[datetime]


def insert_part(session: Session, values: Mapping[str, Any]) -> None:
    """Write what was given back of a line."""
    session.execute(insert(UnusedPart).values(values))


def parts_of_lines(session: Session, order_line_ids: Collection[UUID]) -> Sequence[UnusedPart]:
    """Return what was given back of those lines that the transaction may see."""
    query = select(UnusedPart).where(UnusedPart.order_line_id.in_(order_line_ids))
    return session.execute(query).scalars().all()


def parts_of_month(session: Session, period: str) -> dict[UUID, UnusedPart]:
    """Return, by rated usage, what was given back of a month's lines."""
    query = (
        select(RatedUsage.id, UnusedPart)
        .join(
            UnusedPart,
            (UnusedPart.tenant_id == RatedUsage.tenant_id) & (UnusedPart.order_line_id == RatedUsage.order_line_id),
        )
        .where(RatedUsage.period == period)
    )
    return {row[0]: row[1] for row in session.execute(query)}
