"""People as they are named in records of what was decided."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import select

from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.store.people import User


def person_names(work: Work, *, user_ids: Collection[UUID]) -> dict[UUID, str]:
    """Return the names of those who did something, by id; unknown ids are missing."""
    work.actor.require(Permission.READ_AUDIT)
    if not user_ids:
        return {}
    rows = work.session.execute(select(User.id, User.name).where(User.id.in_(set(user_ids))))
    return {row.id: row.name for row in rows}
