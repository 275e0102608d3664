"""Disputes of fees of bookings and of their times, and what was decided on them. Both are only added to."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    ColumnElement,
    Index,
    Integer,
    SmallInteger,
    String,
    UniqueConstraint,
    Uuid,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from billing.store.attendance_fees import AttendanceFee
from billing.store.usage import RatedUsage
from tenants.kernel.database import Base, Code, Fen, TenantOwned, one_of, owned_reference
from tenants.kernel.writing import rows_written


class AttendanceDispute(TenantOwned, Base):
    """A park's dispute of one fee, or of the times of one booking whose line was charged: one for each of them."""

    __tablename__ = "attendance_disputes"
    __table_args__ = (
        owned_reference("fee_id", "attendance_fees"),
        UniqueConstraint("tenant_id", "fee_id"),
        UniqueConstraint("tenant_id", "booking_id"),
        CheckConstraint(
            "(fee_id IS NULL) = (booking_id IS NOT NULL)"
            " AND num_nulls(booking_id, order_line_id, came_at, left_at, overrun_units, claimed_fen) IN (0, 6)"
            " AND (booking_id IS NOT NULL OR num_nonnulls(used_units, noted_came_at, noted_left_at) = 0)",
            name="about",
        ),
        CheckConstraint(
            "left_at > came_at AND claimed_fen >= 0 AND overrun_units >= 0 AND used_units >= 1", name="claim"
        ),
        CheckConstraint("within_days >= 1", name="within"),
        CheckConstraint("length(reason) >= 1", name="reason"),
        Index(None, "provider_id", "asked_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    fee_id: Mapped[UUID | None]
    booking_id: Mapped[UUID | None]
    """Whose times are disputed. Booking and line belong to other packages, so the invariants check them."""
    order_line_id: Mapped[UUID | None]
    came_at: Mapped[datetime | None]
    """What the park says is right; ``noted_…`` is what was noted."""
    left_at: Mapped[datetime | None]
    noted_came_at: Mapped[datetime | None]
    noted_left_at: Mapped[datetime | None]
    used_units: Mapped[int | None] = mapped_column(Integer)
    """What of the line would be charged by these times; None where its rule does not charge by actual use."""
    overrun_units: Mapped[int | None] = mapped_column(Integer)
    claimed_fen: Mapped[Fen | None]
    """What it would have given back when it was asked."""
    within_days: Mapped[int] = mapped_column(Integer)
    provider_id: Mapped[UUID]
    """Whose instrument it was: an organisation of another package's booking, so the invariants check it."""
    reason: Mapped[str] = mapped_column(String(200))
    asked_by: Mapped[UUID]
    asked_at: Mapped[datetime]


class AttendanceDisputeStep(TenantOwned, Base):
    """The provider's answer (1), the park's insisting (2) or the operator's decision (3), each once."""

    __tablename__ = "attendance_dispute_steps"
    __table_args__ = (
        owned_reference("dispute_id", "attendance_disputes"),
        owned_reference("return_id", "line_returns"),
        owned_reference("use_return_id", "line_returns"),
        CheckConstraint(
            "number BETWEEN 1 AND 3 AND CASE number WHEN 2 THEN step = 'insisted' ELSE step IN ('accepted', 'refused') END",
            name="places",
        ),
        one_of("step", ("accepted", "refused", "insisted")),
        # Whoever noted that people came, left or did not, decides on no dispute about it.
        CheckConstraint("taken_by <> ALL (noted_by)", name="four_eyes"),
        CheckConstraint(
            "(step = 'accepted') = (return_id IS NOT NULL OR corrected) AND (use_return_id IS NULL OR corrected)",
            name="given_back",
        ),
        CheckConstraint("length(reason) >= 1", name="reason"),
    )

    dispute_id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    step: Mapped[Code]
    reason: Mapped[str] = mapped_column(String(200))
    taken_by: Mapped[UUID]
    noted_by: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    taken_at: Mapped[datetime]
    return_id: Mapped[UUID | None]
    """The return that gave the fee back; of times, the part of the overrun's fee that they do not justify."""
    corrected: Mapped[bool] = mapped_column(Boolean)
    """With it, times were put right; that may give nothing back."""
    use_return_id: Mapped[UUID | None]
    """The return of what the line was charged too much by the wrong times."""


DisputeRow = tuple[AttendanceDispute, AttendanceFee | None, str, UUID, UUID]
"""A dispute, its fee, what the fee, or the line, is called on the invoice, its booking, and what was charged: fee or line."""


def insert_dispute(session: Session, values: Mapping[str, Any]) -> bool:
    """Write a dispute; False where its fee, or its booking, has one."""
    return bool(rows_written(session, insert(AttendanceDispute).values(values).on_conflict_do_nothing()))


def insert_step(session: Session, values: Mapping[str, Any]) -> bool:
    """Write a step; False where somebody else took its place. A second caller waits here for the first."""
    return bool(rows_written(session, insert(AttendanceDisputeStep).values(values).on_conflict_do_nothing()))


def disputes_where(
    session: Session,
    *where: ColumnElement[bool],
    before: tuple[datetime, UUID] | None = None,
    limit: int | None = None,
) -> Sequence[DisputeRow]:
    """Return disputes that the transaction may see, the latest first."""
    charged = func.coalesce(AttendanceDispute.fee_id, AttendanceDispute.order_line_id)
    booked = func.coalesce(AttendanceDispute.booking_id, AttendanceFee.booking_id)
    query = (
        select(AttendanceDispute, AttendanceFee, RatedUsage.title, booked, charged)
        .outerjoin(
            AttendanceFee,
            (AttendanceFee.tenant_id == AttendanceDispute.tenant_id) & (AttendanceFee.id == AttendanceDispute.fee_id),
        )
        .join(
            RatedUsage,
            (RatedUsage.tenant_id == AttendanceDispute.tenant_id) & (RatedUsage.order_line_id == charged),
        )
        .where(*where)
        .order_by(AttendanceDispute.asked_at.desc(), AttendanceDispute.id.desc())
        .limit(limit)
    )
    if before is not None:
        at, last = before
        asked = AttendanceDispute.asked_at
        query = query.where((asked < at) | ((asked == at) & (AttendanceDispute.id < last)))
    return [(row[0], row[1], row[2], row[3], row[4]) for row in session.execute(query)]


def steps_of(session: Session, dispute_ids: Collection[UUID]) -> Sequence[AttendanceDisputeStep]:
    """Return what was done about disputes, in order."""
    query = select(AttendanceDisputeStep).where(AttendanceDisputeStep.dispute_id.in_(dispute_ids))
    return session.execute(query.order_by(AttendanceDisputeStep.number)).scalars().all()


def undisputed_fees(session: Session, tenant_id: UUID, at: datetime) -> Sequence[tuple[AttendanceFee, str]]:
    """Return a park's fees that may still be disputed and were not, the latest first, with their titles."""
    disputed = select(AttendanceDispute.id).where(
        AttendanceDispute.tenant_id == AttendanceFee.tenant_id, AttendanceDispute.fee_id == AttendanceFee.id
    )
    query = (
        select(AttendanceFee, RatedUsage.title)
        .join(
            RatedUsage,
            (RatedUsage.tenant_id == AttendanceFee.tenant_id) & (RatedUsage.order_line_id == AttendanceFee.id),
        )
        .where(
            AttendanceFee.tenant_id == tenant_id,
            AttendanceFee.charged_at + func.make_interval(0, 0, 0, AttendanceFee.dispute_days) > at,
            ~disputed.exists(),
        )
        .order_by(AttendanceFee.charged_at.desc(), AttendanceFee.id.desc())
        .limit(200)
    )
    return [(row[0], row[1]) for row in session.execute(query)]


def fee_by_id(session: Session, tenant_id: UUID, fee_id: UUID) -> AttendanceFee | None:
    """Return a park's fee."""
    query = select(AttendanceFee).where(AttendanceFee.tenant_id == tenant_id, AttendanceFee.id == fee_id)
    return session.execute(query).scalar_one_or_none()


def is_disputed(session: Session, tenant_id: UUID, booking_id: UUID) -> bool:
    """Tell whether a booking's times were disputed."""
    query = select(AttendanceDispute.id).where(
        AttendanceDispute.tenant_id == tenant_id, AttendanceDispute.booking_id == booking_id
    )
    return session.execute(query).first() is not None


def corrected_times(session: Session, order_line_ids: Collection[UUID]) -> dict[UUID, tuple[datetime, datetime]]:
    """Return when people came and left, of those lines whose noted times an accepted dispute put right."""
    if not order_line_ids:
        return {}
    accepted = select(AttendanceDisputeStep.dispute_id).where(
        AttendanceDisputeStep.tenant_id == AttendanceDispute.tenant_id,
        AttendanceDisputeStep.dispute_id == AttendanceDispute.id,
        AttendanceDisputeStep.corrected,
    )
    query = select(AttendanceDispute.order_line_id, AttendanceDispute.came_at, AttendanceDispute.left_at).where(
        AttendanceDispute.order_line_id.in_(order_line_ids), accepted.exists()
    )
    rows = session.execute(query).all()
    return {
        line: (came, left) for line, came, left in rows if line is not None and came is not None and left is not None
    }
