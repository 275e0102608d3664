"""Parks that somebody names: a provider knows them by the credit code on a contract, not by the platform's id."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ARRAY, String, cast, column, func, or_, select

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


def read_partner_parks(work: Work, *, usccs: Collection[str]) -> tuple[NamedPark, ...]:
    """Return the verified parks with these credit codes, for a park that proposes an agreement to them.

    It is told the names of those that it names, and of no others; codes of no verified park are left out.
    """
    work.actor.require(Permission.PROPOSE_JOINT)
    work.actor.require_tenant()
    if not usccs:
        return ()
    found = func.partner_parks(cast(sorted(usccs), ARRAY(String))).table_valued(
        column("id", Organisation.id.type),
        column("name", Organisation.name.type),
        column("uscc", Organisation.uscc.type),
    )
    return tuple(NamedPark(*row) for row in work.session.execute(select(found.c.id, found.c.name, found.c.uscc)))
