"""All parks in one read, with what statistics sort them by."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from tenants.kernel.vocabulary import ParkSize, Permission
from tenants.kernel.work import Work
from tenants.rules.parks import Verification
from tenants.store.park_queries import profiles


@dataclass(frozen=True)
class ParkProfile:
    """What statistics sort a park by."""

    id: UUID
    name: str
    region_code: str
    size: ParkSize
    verified: bool


def list_profiles(work: Work) -> tuple[ParkProfile, ...]:
    """Return every park, however many there are: a statistic over a part of them would be wrong."""
    work.actor.require(Permission.READ_ALL_PARKS)
    return tuple(
        ParkProfile(row.id, row.name, row.region_code, ParkSize(row.size), row.verification == Verification.VERIFIED)
        for row in profiles(work.session)
    )
