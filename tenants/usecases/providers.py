"""Who offers: the names and control groups of providers, which every park may know."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select

from tenants.kernel.clock import CHINA
from tenants.kernel.vocabulary import OrganisationKind, Permission
from tenants.kernel.work import Work
from tenants.store.organisations import Organisation
from tenants.store.standing_queries import is_blocked


@dataclass(frozen=True)
class ProviderView:
    """A provider; ``control_group`` tells whether a park that orders is its relative, ``credit_blocked`` whether it is on
    the dishonesty list now.
    """

    id: UUID
    name: str
    uscc: str
    control_group: UUID | None
    credit_blocked: bool


def read_providers(work: Work, *, ids: Collection[UUID]) -> dict[UUID, ProviderView]:
    """Return the providers among ``ids``, by id."""
    work.actor.require(Permission.READ_CATALOGUE)
    query = select(
        Organisation.id,
        Organisation.name,
        Organisation.uscc,
        Organisation.control_group,
        is_blocked(Organisation.uscc, work.now.astimezone(CHINA).date()),
    ).where(Organisation.id.in_(set(ids)), Organisation.kind == OrganisationKind.PROVIDER)
    return {row.id: ProviderView(*row) for row in work.session.execute(query)}
