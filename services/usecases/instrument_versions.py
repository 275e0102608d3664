"""What an instrument was like, version by version: who changed what, and when. Versions are only added."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, insert, select

from services.store.catalogue import Instrument, InstrumentVersion
from tenants.kernel.errors import NotFound
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work


@dataclass(frozen=True)
class InstrumentVersionView:
    """A version, and which fields differ from the one before; ``changed_by`` is empty for what was there before."""

    version: int
    document: dict[str, Any]
    changed: tuple[str, ...]
    changed_by: str
    changed_at: datetime


def keep_version(work: Work, *, provider_id: UUID, instrument_id: UUID, document: dict[str, Any]) -> None:
    """Note what an instrument is like from now on, unless it is the same; its row must be locked, or new.

    A step of use cases that have asked for their own permission.
    """
    of_it = (InstrumentVersion.provider_id == provider_id, InstrumentVersion.instrument_id == instrument_id)
    newest = select(InstrumentVersion.document).where(*of_it).order_by(InstrumentVersion.version.desc()).limit(1)
    if work.session.execute(newest).scalar_one_or_none() == document:
        return
    last = work.session.execute(select(func.max(InstrumentVersion.version)).where(*of_it)).scalar_one()
    row = {
        "provider_id": provider_id,
        "instrument_id": instrument_id,
        "version": (last or 0) + 1,
        "document": document,
        "changed_by": work.actor.user_id,
        "changed_by_name": work.actor.name[:200],
        "changed_at": work.now,
    }
    work.session.execute(insert(InstrumentVersion).values(row))


def list_versions(work: Work, *, instrument_id: UUID) -> tuple[InstrumentVersionView, ...]:
    """Return the versions of an own instrument, the newest first; NotFound for another provider's."""
    work.actor.require(Permission.MANAGE_INSTRUMENT)
    own = (Instrument.provider_id == work.actor.organisation_id, Instrument.id == instrument_id)
    if work.session.execute(select(Instrument.id).where(*own)).scalar_one_or_none() is None:
        raise NotFound("instrument.not_found", msg("没有找到该仪器。请重新查询可预约时段。"))
    query = (
        select(InstrumentVersion)
        .where(
            InstrumentVersion.provider_id == work.actor.organisation_id,
            InstrumentVersion.instrument_id == instrument_id,
        )
        .order_by(InstrumentVersion.version)
    )
    views: list[InstrumentVersionView] = []
    before: dict[str, Any] = {}
    for row in work.session.execute(query).scalars():
        changed = tuple(sorted(name for name in row.document if row.document[name] != before.get(name)))
        views.append(
            InstrumentVersionView(
                row.version, row.document, changed if before else (), row.changed_by_name, row.changed_at
            )
        )
        before = row.document
    return tuple(reversed(views))
