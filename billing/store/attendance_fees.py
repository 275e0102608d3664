"""Fees of bookings, beside their price: paid by the park alone, each kind once for a booking. Rows are only added."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Integer, UniqueConstraint, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from billing.store.usage import RatedUsage
from tenants.kernel.database import Base, Code, Fen, TenantOwned, one_of
from tenants.kernel.writing import rows_written

ATTENDANCE = "attendance"
"""What stands for an offering on the usage of such a fee."""


class AttendanceFee(TenantOwned, Base):
    """A fee and what it was worked out from; ``amount_fen`` contains VAT. The database works it out again."""

    __tablename__ = "attendance_fees"
    __table_args__ = (
        UniqueConstraint("tenant_id", "booking_id", "kind"),
        one_of("kind", ("late_cancel", "no_show", "overrun")),
        CheckConstraint("amount_fen > 0", name="positive"),
        CheckConstraint("dispute_days >= 1", name="dispute"),
        CheckConstraint(
            "amount_fen = CASE kind WHEN 'overrun' THEN units * unit_fen ELSE base_fen * rate_bp / 10000 END",
            name="by_rule",
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    booking_id: Mapped[UUID]
    """The booking and the order line belong to packages above and beside: no foreign keys, the invariants check them."""
    order_line_id: Mapped[UUID]
    kind: Mapped[Code]
    rule_version: Mapped[int] = mapped_column(Integer)
    base_fen: Mapped[Fen]
    rate_bp: Mapped[int] = mapped_column(Integer)
    units: Mapped[int] = mapped_column(Integer)
    unit_fen: Mapped[Fen]
    amount_fen: Mapped[Fen]
    vat_bp: Mapped[int] = mapped_column(Integer)
    dispute_days: Mapped[int] = mapped_column(Integer)
    """How long after it was charged it may be disputed."""
    charged_at: Mapped[datetime]


def insert_fee(session: Session, values: Mapping[str, Any]) -> bool:
    """Write a fee; False where the booking has one of its kind. A second caller waits here for the first."""
    once = insert(AttendanceFee).values(values)
    once = once.on_conflict_do_nothing(index_elements=["tenant_id", "booking_id", "kind"])
    return bool(rows_written(session, once))


def fees_of_bookings(session: Session, booking_ids: Collection[UUID]) -> Sequence[AttendanceFee]:
    """Return the fees of bookings that the transaction may see."""
    query = select(AttendanceFee).where(AttendanceFee.booking_id.in_(booking_ids))
    return session.execute(query.order_by(AttendanceFee.charged_at, AttendanceFee.id)).scalars().all()


def overrun_of_booking(session: Session, tenant_id: UUID, booking_id: UUID) -> AttendanceFee | None:
    """Return what a booking was charged for time over its end."""
    query = select(AttendanceFee).where(
        AttendanceFee.tenant_id == tenant_id, AttendanceFee.booking_id == booking_id, AttendanceFee.kind == "overrun"
    )
    return session.execute(query).scalar_one_or_none()


def fee_of_usage(session: Session, usage: RatedUsage) -> AttendanceFee:
    """Return the fee that usage charges."""
    query = select(AttendanceFee).where(
        AttendanceFee.tenant_id == usage.tenant_id, AttendanceFee.id == usage.order_line_id
    )
    return session.execute(query).scalar_one()


def amounts_of_month(session: Session, period: str) -> dict[UUID, int]:
    """Return, by rated usage, what the month's fees are."""
    query = (
        select(RatedUsage.id, AttendanceFee.amount_fen)
        .join(
            AttendanceFee,
            (AttendanceFee.tenant_id == RatedUsage.tenant_id) & (AttendanceFee.id == RatedUsage.order_line_id),
        )
        .where(RatedUsage.period == period, RatedUsage.offering == ATTENDANCE)
    )
    return {row[0]: row[1] for row in session.execute(query)}
