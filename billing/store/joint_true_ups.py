"""Yearly true-ups of joint facilities: proposed, decided once by another, undone only by a reversal of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    Date,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    String,
    UniqueConstraint,
    Uuid,
    func,
    insert,
    select,
    text,
)
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column

from billing.store.joint_agreements import JointAgreement
from billing.store.usage import RatedUsage
from tenants.kernel.database import Base, Code, Fen, Name, one_of

JOINT = "joint"
"""What stands for an offering on the usage of a true-up."""
SHARED = {"shared": "a true-up is its parties' in common; row security shows it to them alone"}


class JointTrueUp(Base):
    """What a year came to. Approved it closes the year; with ``reverses_id`` it undoes another and opens the year again."""

    __tablename__ = "joint_true_ups"
    __table_args__ = (
        ForeignKeyConstraint(
            ["agreement_id", "members"],
            ["joint_agreements.id", "joint_agreements.members"],
            name="fk_joint_true_ups_agreement",
        ),
        UniqueConstraint("id", "members"),
        UniqueConstraint("id", "agreement_id", "year"),
        ForeignKeyConstraint(
            ["reverses_id", "agreement_id", "year"],
            ["joint_true_ups.id", "joint_true_ups.agreement_id", "joint_true_ups.year"],
            name="fk_joint_true_ups_reverses",
        ),
        one_of("status", ("proposed", "approved", "refused")),
        CheckConstraint("ends > start AND outsider_minutes >= 0", name="part"),
        CheckConstraint("(reverses_id IS NULL) = (reason = '')", name="reason"),
        CheckConstraint("(status = 'proposed') = (decided_at IS NULL)", name="decided"),
        CheckConstraint("(decided_by IS NULL) = (decided_at IS NULL)", name="decider"),
        CheckConstraint("status <> 'approved' OR decided_by <> proposed_by", name="four_eyes"),
        Index(
            "uq_joint_true_ups_one_proposed",
            "agreement_id",
            "year",
            unique=True,
            postgresql_where=text("status = 'proposed'"),
        ),
        Index(
            "uq_joint_true_ups_one_reversal",
            "reverses_id",
            unique=True,
            postgresql_where=text("status = 'approved'"),
        ),
        Index(None, "agreement_id", "year", "proposed_at"),
        {"info": SHARED},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    agreement_id: Mapped[UUID]
    year: Mapped[int] = mapped_column(Integer)
    members: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    reverses_id: Mapped[UUID | None]
    start: Mapped[date] = mapped_column(Date)
    ends: Mapped[date] = mapped_column(Date)
    cost_fen: Mapped[Fen]
    outsiders_fen: Mapped[Fen]
    outsider_minutes: Mapped[int] = mapped_column(Integer)
    reason: Mapped[str] = mapped_column(String(500))
    status: Mapped[Code]
    proposed_by: Mapped[UUID]
    proposed_at: Mapped[datetime]
    decided_by: Mapped[UUID | None]
    decided_at: Mapped[datetime | None]


class JointTrueUpShare(Base):
    """A party's share of a true-up: the shares and what outsiders paid sum to the cost, see the trigger."""

    __tablename__ = "joint_true_up_shares"
    __table_args__ = (
        ForeignKeyConstraint(
            ["true_up_id", "members"],
            ["joint_true_ups.id", "joint_true_ups.members"],
            name="fk_joint_true_up_shares_true_up",
        ),
        ForeignKeyConstraint(
            ["true_up_id", "agreement_id", "year"],
            ["joint_true_ups.id", "joint_true_ups.agreement_id", "joint_true_ups.year"],
            name="fk_joint_true_up_shares_year",
        ),
        ForeignKeyConstraint(
            ["agreement_id", "year", "park_id"],
            ["joint_accounts.agreement_id", "joint_accounts.year", "joint_accounts.park_id"],
            name="fk_joint_true_up_shares_account",
        ),
        UniqueConstraint("id"),
        CheckConstraint("amount_fen = due_fen - received_fen", name="amount"),
        CheckConstraint("used_minutes >= 0 AND lent_minutes >= 0 AND carried_over_minutes >= 0", name="minutes"),
        {"info": SHARED},
    )

    true_up_id: Mapped[UUID] = mapped_column(primary_key=True)
    park_id: Mapped[UUID] = mapped_column(ForeignKey("parks.tenant_id"), primary_key=True)
    id: Mapped[UUID]
    agreement_id: Mapped[UUID]
    year: Mapped[int] = mapped_column(Integer)
    members: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    name: Mapped[Name]
    share_bp: Mapped[int] = mapped_column(Integer)
    entitled_minutes: Mapped[int] = mapped_column(Integer)
    carried_minutes: Mapped[int] = mapped_column(Integer)
    used_minutes: Mapped[int] = mapped_column(Integer)
    lent_minutes: Mapped[int] = mapped_column(Integer)
    borrowed_minutes: Mapped[int] = mapped_column(Integer)
    carried_over_minutes: Mapped[int] = mapped_column(Integer)
    capital_fen: Mapped[Fen]
    due_fen: Mapped[Fen]
    received_fen: Mapped[Fen]
    amount_fen: Mapped[Fen]


def insert_true_up(session: Session, values: Mapping[str, Any], shares: Sequence[Mapping[str, Any]]) -> None:
    """Write a proposal with its shares."""
    session.execute(insert(JointTrueUp).values(dict(values)))
    session.execute(insert(JointTrueUpShare).values([dict(each) for each in shares]))


def true_up(session: Session, true_up_id: UUID, *, lock: bool = False) -> JointTrueUp | None:
    """Return a true-up that the transaction may see, under lock until it ends where that is asked for."""
    query = select(JointTrueUp).where(JointTrueUp.id == true_up_id).execution_options(populate_existing=True)
    return session.execute(query.with_for_update() if lock else query).scalar_one_or_none()


def shares_of(session: Session, true_up_ids: Sequence[UUID]) -> Sequence[JointTrueUpShare]:
    """Return the shares of true-ups: the largest first, then by park."""
    query = (
        select(JointTrueUpShare)
        .where(JointTrueUpShare.true_up_id.in_(true_up_ids))
        .order_by(JointTrueUpShare.share_bp.desc(), JointTrueUpShare.park_id)
    )
    return session.execute(query).scalars().all()


def true_ups_page(
    session: Session,
    agreement_id: UUID,
    *,
    year: int | None,
    before: tuple[datetime, UUID] | None = None,
    limit: int | None = None,
) -> Sequence[JointTrueUp]:
    """Return true-ups of a version, last proposed first."""
    query = (
        select(JointTrueUp)
        .where(JointTrueUp.agreement_id == agreement_id)
        .order_by(JointTrueUp.proposed_at.desc(), JointTrueUp.id.desc())
        .limit(limit)
    )
    if year is not None:
        query = query.where(JointTrueUp.year == year)
    if before is not None:
        key = text("(joint_true_ups.proposed_at, joint_true_ups.id) < (:at, :id)")
        query = query.where(key.bindparams(at=before[0], id=before[1]))
    return session.execute(query.execution_options(populate_existing=True)).scalars().all()


def is_closed(session: Session, agreement_id: UUID, year: int) -> bool:
    """Tell whether a year of a version is closed: the same question as the triggers ask."""
    asked = text("SELECT joint_year_closed(:agreement, :year)").bindparams(agreement=agreement_id, year=year)
    return bool(session.execute(asked).scalar_one())


def reversed_ids(session: Session, true_up_ids: Sequence[UUID]) -> set[UUID]:
    """Return which true-ups were undone."""
    query = select(JointTrueUp.reverses_id).where(
        JointTrueUp.reverses_id.in_(true_up_ids), JointTrueUp.status == "approved"
    )
    return {found for found in session.execute(query).scalars() if found is not None}


def first_version(session: Session, series_id: UUID, year: int) -> JointAgreement | None:
    """Return the version of a series that covers the first days of a calendar year that any covers."""
    query = (
        select(JointAgreement)
        .where(
            JointAgreement.series_id == series_id,
            JointAgreement.registered_at.is_not(None),
            JointAgreement.valid_from < date(year + 1, 1, 1),
            JointAgreement.valid_to > func.greatest(JointAgreement.valid_from, date(year, 1, 1)),
        )
        .order_by(JointAgreement.valid_from)
        .limit(1)
    )
    return session.execute(query.execution_options(populate_existing=True)).scalar_one_or_none()


def carried_out_of(session: Session, series_id: UUID, year: int) -> dict[UUID, int]:
    """Return the minutes by park that a series' closed year hands over to the next."""
    undone = aliased(JointTrueUp)
    query = (
        select(JointTrueUpShare.park_id, JointTrueUpShare.carried_over_minutes)
        .join(JointTrueUp, JointTrueUp.id == JointTrueUpShare.true_up_id)
        .join(JointAgreement, JointAgreement.id == JointTrueUp.agreement_id)
        .where(
            JointAgreement.series_id == series_id,
            JointTrueUp.year == year,
            JointTrueUp.status == "approved",
            JointTrueUp.reverses_id.is_(None),
            ~select(undone.id).where(undone.reverses_id == JointTrueUp.id, undone.status == "approved").exists(),
            JointTrueUpShare.carried_over_minutes > 0,
        )
    )
    return {row[0]: row[1] for row in session.execute(query)}


def share_of_usage(session: Session, usage: RatedUsage) -> tuple[JointTrueUpShare, JointTrueUp]:
    """Return the share that usage charges, with its true-up."""
    query = (
        select(JointTrueUpShare, JointTrueUp)
        .join(JointTrueUp, JointTrueUp.id == JointTrueUpShare.true_up_id)
        .where(JointTrueUpShare.id == usage.order_line_id)
    )
    share, of = session.execute(query).one()
    return share, of


def amounts_of_month(session: Session, period: str) -> dict[UUID, int]:
    """Return, by rated usage, what the true-ups charged in a month were decided to be."""
    query = (
        select(RatedUsage.id, JointTrueUpShare.amount_fen)
        .join(JointTrueUpShare, JointTrueUpShare.id == RatedUsage.order_line_id)
        .where(RatedUsage.period == period, RatedUsage.offering == JOINT)
    )
    return {row[0]: row[1] for row in session.execute(query)}


def projects_of(session: Session, start: date, end: date) -> int:
    """Return how many joint facilities that the transaction may see were in force on days of ``[start, end)``."""
    query = select(func.count(JointAgreement.series_id.distinct())).where(
        JointAgreement.registered_at.is_not(None), JointAgreement.valid_from < end, JointAgreement.valid_to > start
    )
    return int(session.execute(query).scalar_one())
