"""What a park is told once: a balance or a budget that crosses a line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ColumnElement, Index, String, UniqueConstraint, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from tenants.kernel.database import Base, Code, TenantOwned
from tenants.kernel.identifiers import new_id
from tenants.kernel.writing import rows_written


class ParkAlert(TenantOwned, Base):
    """Something a park is told. ``key`` names the crossing within its kind, so that it is told once."""

    __tablename__ = "park_alerts"
    __table_args__ = (
        UniqueConstraint("tenant_id", "kind", "key"),
        CheckConstraint("(acknowledged_by IS NULL) = (acknowledged_at IS NULL)", name="acknowledged"),
        Index(None, "tenant_id", "raised_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    person_id: Mapped[UUID | None]
    """Whom alone it is for; None for everybody of the park."""
    kind: Mapped[Code]
    key: Mapped[str] = mapped_column(String(200))
    detail: Mapped[dict[str, Any]]
    raised_at: Mapped[datetime]
    acknowledged_by: Mapped[UUID | None]
    acknowledged_at: Mapped[datetime | None]


@dataclass(frozen=True)
class Told:
    """What is told, once for each ``kind`` and ``key``: to the whole park, or to one person of it."""

    kind: str
    key: str
    detail: Mapping[str, Any]
    person_id: UUID | None = None


def raise_once(session: Session, tenant_id: UUID, told: Told, at: datetime) -> bool:
    """Tell a park or a person something; False when that was told."""
    row = {"tenant_id": tenant_id, "id": new_id(), **vars(told), "raised_at": at}
    return rows_written(session, insert(ParkAlert).values(row).on_conflict_do_nothing()) == 1


def open_alerts(session: Session, tenant_id: UUID, person: UUID | None, limit: int) -> Sequence[ParkAlert]:
    """Return what a park, or this person of it, was told and nobody has acknowledged, the latest first."""
    query = select(ParkAlert).where(
        ParkAlert.tenant_id == tenant_id, ParkAlert.acknowledged_at.is_(None), _for_person(person)
    )
    rows = session.execute(query.order_by(ParkAlert.raised_at.desc(), ParkAlert.id.desc()).limit(limit))
    return rows.scalars().all()


def acknowledge(session: Session, tenant_id: UUID, alert_id: UUID, *, by: UUID, at: datetime) -> bool:
    """Note that somebody has read it; False when there is none, or it had been read."""
    read = (
        update(ParkAlert)
        .where(
            ParkAlert.tenant_id == tenant_id,
            ParkAlert.id == alert_id,
            ParkAlert.acknowledged_at.is_(None),
            _for_person(by),
        )
        .values(acknowledged_by=by, acknowledged_at=at)
    )
    return rows_written(session, read) == 1


def exists(session: Session, tenant_id: UUID, alert_id: UUID, person: UUID) -> bool:
    """Tell whether there is such an alert for a person, read or not."""
    query = select(ParkAlert.id).where(ParkAlert.tenant_id == tenant_id, ParkAlert.id == alert_id, _for_person(person))
    return session.execute(query).scalar_one_or_none() is not None


def _for_person(person: UUID | None) -> ColumnElement[bool]:
    return or_(ParkAlert.person_id.is_(None), ParkAlert.person_id == person)
