"""Hours of joint facilities: the parties' accounts by year, what was used, and what was released for lending.

Uses and releases are only ever added; a correction is a row of its own. Triggers hold the caps, whoever writes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    Date,
    ForeignKeyConstraint,
    Index,
    Integer,
    Row,
    String,
    UniqueConstraint,
    Uuid,
    func,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from tenants.kernel.database import Base, Name

SHARED = {
    "info": {"shared": "the hours of a joint facility are its parties' in common; row security shows them to them"}
}


def _of_agreement(table: str) -> ForeignKeyConstraint:
    return ForeignKeyConstraint(
        ["agreement_id", "members"],
        ["joint_agreements.id", "joint_agreements.members"],
        name=f"fk_{table}_agreement",
    )


def _of_account(table: str) -> ForeignKeyConstraint:
    return ForeignKeyConstraint(
        ["agreement_id", "year", "park_id"],
        ["joint_accounts.agreement_id", "joint_accounts.year", "joint_accounts.park_id"],
        name=f"fk_{table}_account",
    )


class JointAccount(Base):
    """What a party may use in a calendar year of a version. Entitlements of a year sum to its shared minutes: see the trigger."""

    __tablename__ = "joint_accounts"
    __table_args__ = (
        _of_agreement("joint_accounts"),
        ForeignKeyConstraint(
            ["agreement_id", "park_id"],
            ["joint_parties.agreement_id", "joint_parties.park_id"],
            name="fk_joint_accounts_party",
        ),
        CheckConstraint(
            "entitled_minutes >= carried_minutes AND carried_minutes >= 0 AND overdraw_minutes >= 0", name="minutes"
        ),
        SHARED,
    )

    agreement_id: Mapped[UUID] = mapped_column(primary_key=True)
    year: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    park_id: Mapped[UUID] = mapped_column(primary_key=True)
    members: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    entitled_minutes: Mapped[int] = mapped_column(Integer)
    carried_minutes: Mapped[int] = mapped_column(Integer)
    overdraw_minutes: Mapped[int] = mapped_column(Integer)


class JointUse(Base):
    """Hours that a party or, without a park, an outsider had on a day. A correction takes back the whole of another."""

    __tablename__ = "joint_uses"
    __table_args__ = (
        _of_agreement("joint_uses"),
        _of_account("joint_uses"),
        UniqueConstraint("agreement_id", "year", "id"),
        ForeignKeyConstraint(
            ["agreement_id", "year", "corrects_id"],
            ["joint_uses.agreement_id", "joint_uses.year", "joint_uses.id"],
            name="fk_joint_uses_corrects",
        ),
        UniqueConstraint("corrects_id"),
        CheckConstraint("(corrects_id IS NULL) = (minutes > 0) AND minutes BETWEEN -527040 AND 527040", name="minutes"),
        CheckConstraint("extract(year FROM day) = year", name="year"),
        CheckConstraint("evidence <> ''", name="evidence"),
        CheckConstraint("lead_id = ANY (members)", name="lead"),
        Index(None, "agreement_id", "year", "recorded_at"),
        SHARED,
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    agreement_id: Mapped[UUID]
    year: Mapped[int] = mapped_column(Integer)
    park_id: Mapped[UUID | None]
    user_name: Mapped[Name]
    members: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    lead_id: Mapped[UUID]
    day: Mapped[date] = mapped_column(Date)
    minutes: Mapped[int] = mapped_column(Integer)
    evidence: Mapped[str] = mapped_column(String(500))
    evidence_sha256: Mapped[str | None] = mapped_column(String(64))
    corrects_id: Mapped[UUID | None]
    recorded_by: Mapped[UUID]
    recorded_at: Mapped[datetime]


class JointRelease(Base):
    """Minutes that a party released for lending at any date; below zero: taken back."""

    __tablename__ = "joint_releases"
    __table_args__ = (
        _of_agreement("joint_releases"),
        _of_account("joint_releases"),
        CheckConstraint("minutes <> 0 AND minutes BETWEEN -527040 AND 527040", name="minutes"),
        Index(None, "agreement_id", "year"),
        SHARED,
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    agreement_id: Mapped[UUID]
    year: Mapped[int] = mapped_column(Integer)
    park_id: Mapped[UUID]
    members: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    minutes: Mapped[int] = mapped_column(Integer)
    released_by: Mapped[UUID]
    released_at: Mapped[datetime]


def lock_year(session: Session, agreement_id: UUID, year: int) -> None:
    """Wait until no other transaction changes the hours of this year; the triggers take the same lock."""
    session.execute(text("SELECT lock_joint_year(:agreement, :year)").bindparams(agreement=agreement_id, year=year))


def accounts_of(session: Session, agreement_id: UUID, year: int) -> Sequence[JointAccount]:
    """Return the accounts of a year that are open."""
    query = select(JointAccount).where(JointAccount.agreement_id == agreement_id, JointAccount.year == year)
    return session.execute(query.execution_options(populate_existing=True)).scalars().all()


def open_accounts(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Open accounts; those that are open stay as they are."""
    session.execute(insert(JointAccount).values([dict(each) for each in rows]).on_conflict_do_nothing())


def refit_accounts(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Open accounts, or give those that are open other minutes."""
    adding = insert(JointAccount).values([dict(each) for each in rows])
    new = {name: adding.excluded[name] for name in ("entitled_minutes", "carried_minutes", "overdraw_minutes")}
    session.execute(adding.on_conflict_do_update(index_elements=["agreement_id", "year", "park_id"], set_=new))


def used_minutes(session: Session, agreement_id: UUID, year: int) -> dict[UUID | None, int]:
    """Return the minutes used by park in a year; None stands for outsiders."""
    query = (
        select(JointUse.park_id, func.sum(JointUse.minutes))
        .where(JointUse.agreement_id == agreement_id, JointUse.year == year)
        .group_by(JointUse.park_id)
    )
    return {park_id: int(minutes) for park_id, minutes in session.execute(query)}


def released_minutes(session: Session, agreement_id: UUID, year: int) -> dict[UUID, int]:
    """Return the minutes released for lending by park in a year."""
    query = (
        select(JointRelease.park_id, func.sum(JointRelease.minutes))
        .where(JointRelease.agreement_id == agreement_id, JointRelease.year == year)
        .group_by(JointRelease.park_id)
    )
    return {park_id: int(minutes) for park_id, minutes in session.execute(query)}


def insert_use(session: Session, values: Mapping[str, Any]) -> None:
    """Record a use, or what takes one back."""
    session.execute(insert(JointUse).values(dict(values)))


def insert_release(session: Session, values: Mapping[str, Any]) -> None:
    """Record hours that are released for lending or taken back."""
    session.execute(insert(JointRelease).values(dict(values)))


def use(session: Session, use_id: UUID) -> JointUse | None:
    """Return a use that the transaction may see."""
    return session.get(JointUse, use_id)


def is_corrected(session: Session, use_id: UUID) -> bool:
    """Tell whether a use was taken back."""
    return session.execute(select(JointUse.id).where(JointUse.corrects_id == use_id)).first() is not None


def last_day_of_use(session: Session, agreement_id: UUID) -> date | None:
    """Return the last day with a use of a version that was not taken back."""
    query = (
        select(JointUse.day)
        .where(JointUse.agreement_id == agreement_id)
        .group_by(JointUse.day)
        .having(func.sum(JointUse.minutes) > 0)
        .order_by(JointUse.day.desc())
    )
    return session.execute(query.limit(1)).scalar_one_or_none()


def uses_page(
    session: Session, agreement_id: UUID, *, year: int, before: tuple[datetime, UUID] | None, limit: int
) -> Sequence[Row[JointUse, bool]]:
    """Return the uses of a year, last recorded first, each with whether it was taken back."""
    taken = select(1).where(text("later.corrects_id = joint_uses.id")).select_from(text("joint_uses AS later")).exists()
    query = (
        select(JointUse, taken)
        .where(JointUse.agreement_id == agreement_id, JointUse.year == year)
        .order_by(JointUse.recorded_at.desc(), JointUse.id.desc())
        .limit(limit)
    )
    if before is not None:
        key = text("(joint_uses.recorded_at, joint_uses.id) < (:at, :id)")
        query = query.where(key.bindparams(at=before[0], id=before[1]))
    return session.execute(query).all()
