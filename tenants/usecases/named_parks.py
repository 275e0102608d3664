"""Parks that somebody names: a provider knows them by the credit code on a contract, not by the platform's id."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import or_, select

from tenants.kernel.vocabulary import OrganisationKind, Permission
from tenants.kernel.work import Work
from tenants.store.organisations import Organisation


@dataclass(frozen=True)
class NamedPark:
    """A park by the names it goes by."""

    id: UUID
    name: str
    uscc: str


def read_named_parks(work: Work, *, ids: Collection[UUID] = (), usccs: Collection[str] = ()) -> tuple[NamedPark, ...]:
    """Return the parks among ``ids`` or with these credit codes, by name; a park is shown itself alone."""
    work.actor.require(Permission.READ_CATALOGUE)
    if not ids and not usccs:
        return ()
    query = (
        select(Organisation.id, Organisation.name, Organisation.uscc)
        .where(
            Organisation.kind == OrganisationKind.PARK,
            or_(Organisation.id.in_(set(ids)), Organisation.uscc.in_(set(usccs))),
        )
        .order_by(Organisation.name, Organisation.id)
    )
    return tuple(NamedPark(*row) for row in work.session.execute(query))
