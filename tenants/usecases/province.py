"""Which province the platform serves: where its authority has its seat."""

from __future__ import annotations

from sqlalchemy import select

from tenants.kernel.vocabulary import OrganisationKind, Permission
from tenants.kernel.work import Work
from tenants.store.organisations import Organisation


def home_province(work: Work) -> str | None:
    """Return the province's two digits, None before an authority has been entered."""
    work.actor.require(Permission.READ_CATALOGUE)
    seat = (
        select(Organisation.region_code)
        .where(Organisation.kind == OrganisationKind.AUTHORITY)
        .order_by(Organisation.created_at, Organisation.id)
        .limit(1)
    )
    found = work.session.execute(seat).scalar()
    return found[:2] if found else None
