"""Agreements on joint facilities with their parties and signatures. What was written is never changed: see the triggers.

Both tables are shared among the parties: ``members`` lets row security tell a party without looking at another table.
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
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    String,
    UniqueConstraint,
    Uuid,
    func,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import ExcludeConstraint, insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from billing.rules.joint_agreements import PartyRole
from tenants.kernel.database import Base, Code, Fen, Name, one_of
from tenants.kernel.writing import rows_written

SHARED = {"info": {"shared": "an agreement is its parties' in common; row security shows it to them alone"}}


class JointAgreement(Base):
    """A version of an agreement. Registered it is in force on ``[valid_from, valid_to)``, one version of a series at a time."""

    __tablename__ = "joint_agreements"
    __table_args__ = (
        UniqueConstraint("series_id", "version"),
        UniqueConstraint("id", "members"),
        CheckConstraint("version >= 1", name="version"),
        CheckConstraint("cardinality(members) >= 2", name="members"),
        CheckConstraint("valid_to > valid_from OR (valid_to = valid_from AND registered_at IS NOT NULL)", name="order"),
        CheckConstraint("capital_fen > 0 AND life_years BETWEEN 1 AND 100 AND variable_fen_per_hour >= 0", name="cost"),
        CheckConstraint(
            "year_minutes BETWEEN 1 AND 527040 AND reserve_minutes >= 0 AND maintenance_minutes >= 0"
            " AND reserve_minutes + maintenance_minutes < year_minutes",
            name="minutes",
        ),
        CheckConstraint("premium_bp >= 0 AND outsider_premium_bp >= 0", name="premiums"),
        CheckConstraint(
            "lending_notice_days >= 0 AND carry_over_minutes >= 0 AND overdraw_minutes >= 0"
            " AND overdraw_minutes <= year_minutes - reserve_minutes - maintenance_minutes",
            name="lending",
        ),
        CheckConstraint("(registered_at IS NULL) = (registered_by IS NULL)", name="registered"),
        CheckConstraint("registered_by <> created_by", name="four_eyes"),
        CheckConstraint("registered_at IS NULL OR withdrawn_at IS NULL", name="one_end"),
        CheckConstraint("proposed_by_park = ANY (members)", name="proposer"),
        ExcludeConstraint(
            ("series_id", "="),
            (func.daterange(text("valid_from"), text("valid_to")), "&&"),
            using="gist",
            where=text("registered_at IS NOT NULL"),
            name="ex_joint_agreements_one_in_force",
        ),
        Index(None, "created_at"),
        SHARED,
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    series_id: Mapped[UUID]
    version: Mapped[int] = mapped_column(Integer)
    members: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    title: Mapped[Name]
    valid_from: Mapped[date] = mapped_column(Date)
    valid_to: Mapped[date] = mapped_column(Date)
    agreed_to: Mapped[date] = mapped_column(Date)
    capital_fen: Mapped[Fen]
    life_years: Mapped[int] = mapped_column(Integer)
    year_minutes: Mapped[int] = mapped_column(Integer)
    reserve_minutes: Mapped[int] = mapped_column(Integer)
    maintenance_minutes: Mapped[int] = mapped_column(Integer)
    variable_fen_per_hour: Mapped[Fen]
    premium_bp: Mapped[int] = mapped_column(Integer)
    outsider_premium_bp: Mapped[int] = mapped_column(Integer)
    lending_notice_days: Mapped[int] = mapped_column(Integer)
    overdraw_minutes: Mapped[int] = mapped_column(Integer)
    carry_over_minutes: Mapped[int] = mapped_column(Integer)
    sha256: Mapped[str] = mapped_column(String(64))
    created_by: Mapped[UUID]
    created_at: Mapped[datetime]
    proposed_by_park: Mapped[UUID | None] = mapped_column(ForeignKey("parks.tenant_id"))
    """The party that wrote it; None for one that the province wrote."""
    registered_by: Mapped[UUID | None]
    registered_at: Mapped[datetime | None]
    withdrawn_at: Mapped[datetime | None]


class JointParty(Base):
    """A party of an agreement, its name as it was then, and its signature under the hash of the terms."""

    __tablename__ = "joint_parties"
    __table_args__ = (
        ForeignKeyConstraint(
            ["agreement_id", "members"],
            ["joint_agreements.id", "joint_agreements.members"],
            name="fk_joint_parties_agreement",
        ),
        one_of("role", PartyRole),
        CheckConstraint("park_id = ANY (members)", name="member"),
        CheckConstraint(
            "share_bp BETWEEN 0 AND 10000 AND (role = 'supervisor') = (share_bp = 0)",
            name="share",
        ),
        CheckConstraint("num_nulls(signed_by, signed_at, signed_name, signed_sha256) IN (0, 4)", name="signature"),
        Index(None, "park_id"),
        SHARED,
    )

    agreement_id: Mapped[UUID] = mapped_column(primary_key=True)
    park_id: Mapped[UUID] = mapped_column(ForeignKey("parks.tenant_id"), primary_key=True)
    members: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    name: Mapped[Name]
    role: Mapped[Code]
    share_bp: Mapped[int] = mapped_column(Integer)
    signed_by: Mapped[UUID | None]
    signed_name: Mapped[Name | None]
    signed_at: Mapped[datetime | None]
    signed_sha256: Mapped[str | None] = mapped_column(String(64))


def insert_agreement(session: Session, values: Mapping[str, Any], parties: Sequence[Mapping[str, Any]]) -> bool:
    """Write a version with its parties; False where the series has one of its number. A second writer waits for the first."""
    once = insert(JointAgreement).values(values).on_conflict_do_nothing(index_elements=["series_id", "version"])
    if not rows_written(session, once):
        return False
    session.execute(insert(JointParty).values([dict(each) for each in parties]))
    return True


def agreements_page(
    session: Session, *, before: tuple[datetime, UUID] | None, limit: int, series_id: UUID | None = None
) -> Sequence[JointAgreement]:
    """Return versions that the transaction may see, newest first."""
    query = select(JointAgreement).order_by(JointAgreement.created_at.desc(), JointAgreement.id.desc()).limit(limit)
    if series_id is not None:
        query = query.where(JointAgreement.series_id == series_id)
    if before is not None:
        key = text("(joint_agreements.created_at, joint_agreements.id) < (:at, :id)")
        query = query.where(key.bindparams(at=before[0], id=before[1]))
    return session.execute(query.execution_options(populate_existing=True)).scalars().all()


def agreement(session: Session, agreement_id: UUID, *, lock: bool = False) -> JointAgreement | None:
    """Return a version, under lock until the transaction ends where that is asked for."""
    query = select(JointAgreement).where(JointAgreement.id == agreement_id).execution_options(populate_existing=True)
    return session.execute(query.with_for_update() if lock else query).scalar_one_or_none()


def latest_version(session: Session, series_id: UUID) -> int:
    """Return the number of a series' last version; 0 where there is no such series."""
    query = select(func.coalesce(func.max(JointAgreement.version), 0)).where(JointAgreement.series_id == series_id)
    return int(session.execute(query).scalar_one())


def latest_version_of_party(session: Session, series_id: UUID) -> int | None:
    """Return the number of a series' last version, also of one that the tenant is no party of; None where it is of none."""
    number: int | None = session.execute(select(func.joint_series_version(series_id))).scalar_one()
    return number


def parties_of(session: Session, agreement_ids: Sequence[UUID]) -> Sequence[JointParty]:
    """Return the parties of agreements: the lead first, then by share and name."""
    query = (
        select(JointParty)
        .where(JointParty.agreement_id.in_(agreement_ids))
        .order_by(JointParty.role != PartyRole.LEAD, JointParty.share_bp.desc(), JointParty.name)
    )
    return session.execute(query.execution_options(populate_existing=True)).scalars().all()


def sign(session: Session, agreement_id: UUID, park_id: UUID, values: Mapping[str, Any]) -> bool:
    """Write a party's signature; False where it has one. A second signer waits here for the first."""
    query = update(JointParty).where(
        JointParty.agreement_id == agreement_id, JointParty.park_id == park_id, JointParty.signed_at.is_(None)
    )
    return session.execute(query.values(values).returning(JointParty.park_id)).first() is not None


def end_overlapping(session: Session, row: JointAgreement) -> Sequence[UUID]:
    """Let the versions of a series that are in force end where ``row`` begins; return which they are."""
    query = update(JointAgreement).where(
        JointAgreement.series_id == row.series_id,
        JointAgreement.id != row.id,
        JointAgreement.registered_at.is_not(None),
        JointAgreement.valid_to > row.valid_from,
        JointAgreement.valid_from < row.valid_to,
    )
    cut = query.values(valid_to=func.greatest(JointAgreement.valid_from, row.valid_from))
    return session.execute(cut.returning(JointAgreement.id)).scalars().all()
