"""Entering organisations and people; unique constraints decide who was first."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from tenants.kernel.writing import rows_written
from tenants.store.organisations import Organisation
from tenants.store.people import Membership, User


def enter_organisation(session: Session, row: dict[str, Any]) -> bool:
    """Add an organisation; False when its credit code is already entered."""
    statement = insert(Organisation).values(row).on_conflict_do_nothing(index_elements=["uscc"])
    return rows_written(session, statement) == 1


def enter_user(session: Session, row: dict[str, Any]) -> bool:
    """Add a person; False when the login is taken.

    The conflicting column is not named: a park's transaction may add people and not read them, not even their logins.
    """
    return rows_written(session, insert(User).values(row).on_conflict_do_nothing()) == 1


def enter_memberships(
    session: Session, organisation_id: UUID, user_id: UUID, roles: Collection[str], now: datetime
) -> None:
    """Add what a person is in an organisation."""
    rows = [
        {"organisation_id": organisation_id, "user_id": user_id, "role": role, "created_at": now}
        for role in sorted(roles)
    ]
    session.execute(insert(Membership).values(rows))
