"""Who is asking: a bearer token, or the session of a signed-in person. Every request's work is done in their name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from uuid import UUID

import structlog
from flask import g, request

from marketplace.doors.current import current_market
from tenants.kernel.context import Actor, system_actor
from tenants.kernel.errors import Unauthenticated
from tenants.kernel.messages import msg
from tenants.kernel.work import Work
from tenants.usecases import identity


@contextmanager
def working() -> Iterator[Work]:
    """Open a unit of work for the API's caller; Unauthenticated without a valid token."""
    with current_market().workshop.work(bearer_actor()) as work:
        yield work


@contextmanager
def platform_working(name: str) -> Iterator[Work]:
    """Open a unit of work of the platform itself, for callers who need not be known: sign-up, reading a token."""
    with current_market().workshop.work(_platform(name)) as work:
        yield work


def bearer_actor() -> Actor:
    """Return whom the ``Authorization: Bearer`` header of the request stands for, looked up once a request."""
    known: Actor | None = g.get("actor")
    if known is not None:
        return known
    kind, _, token = request.headers.get("Authorization", "").strip().partition(" ")
    if kind.lower() != "bearer" or not token.strip():
        raise Unauthenticated("auth.required", msg("请先登录，或在请求中附上有效的 API 密钥。"))
    with platform_working("bearer") as work:
        actor = identity.actor_for_token(work, token=token.strip(), request_id=g.request_id)
    return remember(actor)


def person_actor(user_id: UUID) -> Actor:
    """Return the acting person of a session, with the rights they have now; Unauthenticated when they left."""
    with platform_working("session") as work:
        actor = identity.actor_for_user(work, user_id=user_id, request_id=g.request_id)
    return remember(actor)


def remember(actor: Actor) -> Actor:
    """Keep ``actor`` for the rest of the request and name the ids, and nothing personal, in its log line."""
    g.actor = actor
    structlog.contextvars.bind_contextvars(
        tenant_id=_text(actor.tenant_id), user_id=_text(actor.user_id), api_client_id=_text(actor.api_client_id)
    )
    return actor


def _platform(name: str) -> Actor:
    return replace(system_actor(name), request_id=g.request_id)


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)
