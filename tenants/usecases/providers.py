"""Who offers: the names and control groups of providers, which every park may know."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select

from tenants.kernel.vocabulary import OrganisationKind, Permission
from tenants.kernel.work import Work
from tenants.store.organisations import Organisation


@dataclass(frozen=True)
class ProviderView:
    """A provider; ``control_group`` tells whether a park that orders is its relative."""

    id: UUID
    name: str
    control_group: UUID | None


def read_providers(work: Work, *, ids: Collection[UUID]) -> dict[UUID, ProviderView]:
    """Return the providers among ``ids``, by id."""
    work.actor.require(Permission.READ_CATALOGUE)
    query = select(Organisation.id, Organisation.name, Organisation.control_group).where(
        Organisation.id.in_(set(ids)), Organisation.kind == OrganisationKind.PROVIDER
    )
    return {row.id: ProviderView(row.id, row.name, row.control_group) for row in work.session.execute(query)}
