"""People as they are named in records of what was decided."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import ARRAY, Text, column, func, literal, select

from tenants.kernel.vocabulary import Permission, Role
from tenants.kernel.work import Work
from tenants.store.people import User


def person_names(work: Work, *, user_ids: Collection[UUID]) -> dict[UUID, str]:
    """Return the names of those who did something, by id; unknown ids are missing."""
    work.actor.require(Permission.READ_AUDIT)
    if not user_ids:
        return {}
    rows = work.session.execute(select(User.id, User.name).where(User.id.in_(set(user_ids))))
    return {row.id: row.name for row in rows}


def list_colleagues(work: Work) -> dict[UUID, str]:
    """Return the names of all people of the acting park, by id and in the order of names."""
    work.actor.require(Permission.READ_ORDER)
    work.actor.require_tenant()
    found = func.colleague_names().table_valued(column("id", User.id.type), column("name", User.name.type))
    rows = work.session.execute(select(found.c.id, found.c.name).order_by(found.c.name, found.c.id))
    return {row.id: row.name for row in rows}


def active_colleagues(work: Work, *, roles: Collection[Role]) -> dict[UUID, str]:
    """Return the people of the acting park who hold one of ``roles`` now, by id and in the order of names."""
    work.actor.require(Permission.READ_ORDER)
    work.actor.require_tenant()
    wanted = literal([role.value for role in roles], ARRAY(Text))
    found = func.active_colleagues(wanted, work.now).table_valued(
        column("id", User.id.type), column("name", User.name.type)
    )
    rows = work.session.execute(select(found.c.id, found.c.name).order_by(found.c.name, found.c.id))
    return {row.id: row.name for row in rows}


def acting_name(work: Work) -> str:
    """Return the name of the acting person, also where a program acts with that person's key; for records of who did
    something. A person whom nobody entered is called as the actor is.
    """
    work.actor.require(Permission.READ_CATALOGUE)
    person = work.actor.require_person()
    query = select(User.name).where(User.id == person)
    if work.actor.tenant_id is not None:
        found = func.colleague_names().table_valued(column("id", User.id.type), column("name", User.name.type))
        query = select(found.c.name).where(found.c.id == person)
    return work.session.execute(query).scalar_one_or_none() or work.actor.name


def colleague_names(work: Work, *, user_ids: Collection[UUID]) -> dict[UUID, str]:
    """Return the names of people of the acting park; for staff, of anybody. Ids of strangers are missing.

    A park's transaction reads no table of people: one function of the database tells it the names of its own.
    """
    work.actor.require(Permission.READ_ORDER)
    if not user_ids:
        return {}
    if work.actor.tenant_id is None:
        rows = work.session.execute(select(User.id, User.name).where(User.id.in_(set(user_ids))))
    else:
        found = func.colleague_names().table_valued(column("id", User.id.type), column("name", User.name.type))
        rows = work.session.execute(select(found.c.id, found.c.name).where(found.c.id.in_(set(user_ids))))
    return {row.id: row.name for row in rows}
