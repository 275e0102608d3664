"""Reads of people, their memberships, API clients and tokens."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from tenants.kernel.database import AnyRow
from tenants.store.organisations import Organisation
from tenants.store.people import AccessToken, ApiClient, Membership, User

USER = User.__table__.c
MEMBERSHIP = Membership.__table__.c
CLIENT = ApiClient.__table__.c
TOKEN = AccessToken.__table__.c


def user_of_login(session: Session, login: str) -> AnyRow | None:
    """Return the person who signs in so."""
    return session.execute(select(*USER).where(USER.login == login)).one_or_none()


def memberships(session: Session, user_id: UUID, now: datetime) -> Sequence[AnyRow]:
    """Return an active person's memberships that have not expired, the oldest first."""
    query = (
        select(
            USER.name.label("person"),
            USER.language,
            MEMBERSHIP.organisation_id,
            MEMBERSHIP.role,
            Organisation.__table__.c.kind,
        )
        .join_from(User.__table__, Membership.__table__, USER.id == MEMBERSHIP.user_id)
        .join(Organisation.__table__, Organisation.__table__.c.id == MEMBERSHIP.organisation_id)
        .where(USER.id == user_id, USER.active, or_(MEMBERSHIP.expires_at.is_(None), MEMBERSHIP.expires_at > now))
        .order_by(MEMBERSHIP.created_at, MEMBERSHIP.organisation_id, MEMBERSHIP.role)
    )
    return session.execute(query).all()


def client(session: Session, client_id: UUID) -> AnyRow | None:
    """Return an API client that has not been revoked."""
    return session.execute(select(*CLIENT).where(CLIENT.id == client_id, CLIENT.revoked_at.is_(None))).one_or_none()


def client_of_token(session: Session, token_hash: str, now: datetime) -> AnyRow | None:
    """Return the client of an access token that is in force, with the token's scopes in place of the client's."""
    own = [column for column in CLIENT if column.name != "scopes"]
    query = (
        select(*own, TOKEN.scopes)
        .join_from(AccessToken.__table__, ApiClient.__table__, CLIENT.id == TOKEN.client_id)
        .where(TOKEN.token_hash == token_hash, TOKEN.expires_at > now)
        .where(TOKEN.revoked_at.is_(None), CLIENT.revoked_at.is_(None))
    )
    return session.execute(query).one_or_none()


def clients(
    session: Session, organisation_id: UUID, before: tuple[datetime, UUID] | None, most: int
) -> Sequence[AnyRow]:
    """Return up to ``most`` API clients of an organisation, newest first, without their secrets."""
    shown = (CLIENT.id, CLIENT.name, CLIENT.scopes, CLIENT.created_by, CLIENT.created_at, CLIENT.revoked_at)
    query = select(*shown).where(CLIENT.organisation_id == organisation_id)
    if before is not None:
        at, row_id = before
        query = query.where((CLIENT.created_at < at) | ((CLIENT.created_at == at) & (CLIENT.id < row_id)))
    return session.execute(query.order_by(CLIENT.created_at.desc(), CLIENT.id.desc()).limit(most)).all()


def names_of_people(session: Session, user_ids: Collection[UUID]) -> dict[UUID, str]:
    """Return the names of people that the transaction may see."""
    rows = session.execute(select(USER.id, USER.name).where(USER.id.in_(user_ids)))
    return {row.id: row.name for row in rows}
