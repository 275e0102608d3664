"""Which tiers many parks held over a time, and where they lie: what prices look at, in one read."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.rules.regions import region_class
from tenants.store import subscription_queries


@dataclass(frozen=True)
class TiersHeld:
    """A park's region, and its tiers in time order: each from when until when (None: until further notice)."""

    region: str
    region_class: str
    tiers: tuple[tuple[datetime, datetime | None, str], ...]


def tiers_held(
    work: Work, *, start: datetime, end: datetime, park_ids: Collection[UUID] | None = None
) -> dict[UUID, TiersHeld]:
    """Return, by park, the tiers that it subscribed to between ``start`` and ``end``; parks without one are left out.

    Without ``park_ids`` all parks are asked about, as far as the transaction may see them.
    """
    work.actor.require(Permission.READ_PARK)
    return _held(work, start, end, park_ids)


def tiers_of_park(work: Work, *, park_id: UUID, start: datetime, end: datetime) -> TiersHeld | None:
    """Return the same of one park, for whoever reads its use; None when it held no tier then."""
    work.actor.require(Permission.READ_USAGE)
    return _held(work, start, end, [park_id]).get(park_id)


def _held(work: Work, start: datetime, end: datetime, park_ids: Collection[UUID] | None) -> dict[UUID, TiersHeld]:
    found: dict[UUID, list[tuple[datetime, datetime | None, str]]] = {}
    regions: dict[UUID, str] = {}
    for row in subscription_queries.held_between(work.session, start, end, park_ids):
        found.setdefault(row.tenant_id, []).append((row.starts_at, row.ends_at, row.tier))
        regions[row.tenant_id] = row.region_code
    return {
        park_id: TiersHeld(regions[park_id], region_class(regions[park_id]).value, tuple(tiers))
        for park_id, tiers in found.items()
    }
