"""What a joint facility's centre was paid of what its parties paid in. Rows are only added: one is undone by another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Date,
    ForeignKeyConstraint,
    Index,
    SmallInteger,
    String,
    UniqueConstraint,
    Uuid,
    func,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from billing.store.joint_true_ups import JointTrueUp, JointTrueUpShare
from tenants.kernel.database import Base
from tenants.kernel.writing import rows_written


class JointCentrePayment(Base):
    """A transfer to the centre of one version's parties; with ``reverses_id`` it takes another back, below zero."""

    __tablename__ = "joint_centre_payments"
    __table_args__ = (
        ForeignKeyConstraint(
            ["agreement_id", "members"],
            ["joint_agreements.id", "joint_agreements.members"],
            name="fk_joint_centre_payments_agreement",
        ),
        UniqueConstraint("id", "agreement_id", "reference", "paid_on"),
        ForeignKeyConstraint(
            ["reverses_id", "agreement_id", "reference", "paid_on"],
            [
                "joint_centre_payments.id",
                "joint_centre_payments.agreement_id",
                "joint_centre_payments.reference",
                "joint_centre_payments.paid_on",
            ],
            name="fk_joint_centre_payments_reverses",
        ),
        UniqueConstraint("reverses_id"),
        CheckConstraint("amount_fen <> 0 AND (reverses_id IS NULL) = (amount_fen > 0)", name="amount"),
        CheckConstraint("(reverses_id IS NULL) = (reason = '')", name="reason"),
        CheckConstraint("length(reference) >= 1", name="reference"),
        # One transfer is recorded once, in all agreements; anew when what was recorded of it has been taken back.
        Index(
            "uq_joint_centre_payments_reference",
            "reference",
            "attempt",
            unique=True,
            postgresql_where=text("reverses_id IS NULL"),
        ),
        Index(None, "agreement_id"),
        {"info": {"shared": "what a centre was paid is its parties' in common; row security shows it to them alone"}},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    agreement_id: Mapped[UUID]
    members: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    amount_fen: Mapped[int] = mapped_column(BigInteger)
    reference: Mapped[str] = mapped_column(String(100))
    paid_on: Mapped[date] = mapped_column(Date)
    attempt: Mapped[int] = mapped_column(SmallInteger)
    """How often a transfer of this reference was recorded: once more than it was taken back."""
    reverses_id: Mapped[UUID | None]
    reason: Mapped[str] = mapped_column(String(200))
    recorded_by: Mapped[UUID]
    recorded_at: Mapped[datetime]


def insert_payment(session: Session, values: Mapping[str, Any]) -> bool:
    """Write a payment or what takes one back; False where its reference is used, or it was taken back before."""
    return bool(rows_written(session, insert(JointCentrePayment).values(values).on_conflict_do_nothing()))


def times_reversed(session: Session, reference: str) -> int:
    """Return how often a transfer of this reference was taken back."""
    query = select(func.count()).where(
        JointCentrePayment.reference == reference, JointCentrePayment.reverses_id.is_not(None)
    )
    return session.execute(query).scalar_one()


def payments_of(session: Session, agreement_id: UUID) -> Sequence[JointCentrePayment]:
    """Return what a version's centre was paid, the latest first."""
    query = select(JointCentrePayment).where(JointCentrePayment.agreement_id == agreement_id)
    return (
        session.execute(query.order_by(JointCentrePayment.recorded_at.desc(), JointCentrePayment.id.desc()))
        .scalars()
        .all()
    )


def payment(session: Session, payment_id: UUID) -> JointCentrePayment | None:
    """Return a payment that the transaction may see."""
    return session.execute(select(JointCentrePayment).where(JointCentrePayment.id == payment_id)).scalar_one_or_none()


def settled_fen(session: Session, agreement_id: UUID) -> int:
    """Return what a version's approved true-ups charged its parties, less what they gave back to lenders."""
    query = (
        select(func.coalesce(func.sum(JointTrueUpShare.due_fen - JointTrueUpShare.received_fen), 0))
        .join(JointTrueUp, JointTrueUp.id == JointTrueUpShare.true_up_id)
        .where(JointTrueUp.agreement_id == agreement_id, JointTrueUp.status == "approved")
    )
    return int(session.execute(query).scalar_one())
