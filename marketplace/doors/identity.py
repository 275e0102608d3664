"""Who is asking: a bearer token, or the session of a signed-in person. Every request's work is done in their name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import ip_address, ip_network
from uuid import UUID

import structlog
from flask import g, request

from marketplace.doors.current import current_market
from tenants.kernel.context import Actor, system_actor
from tenants.kernel.errors import Unauthenticated
from tenants.kernel.messages import msg
from tenants.kernel.work import Work
from tenants.usecases import identity, sign_in_limits

_THIS_MACHINE = {"127.0.0.1", "::1"}


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


@contextmanager
def proving(name: str, account: str) -> Iterator[Work]:
    """Open a unit of work in which somebody proves to be ``account``, as ``sign_in_limits.proving`` does."""
    attempt = sign_in_limits.Attempt(name, account, client_address())
    with sign_in_limits.proving(current_market().workshop, _platform(name), attempt) as work:
        yield work


def client_address() -> str:
    """Return the address that asks: what a proxy on this machine adds to X-Forwarded-For, else the connection's own.

    Of IPv6 it is the network, of which one household has 2^64 addresses.
    """
    own = request.remote_addr or ""
    told = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
    for text in (told, own) if own in _THIS_MACHINE else (own,):
        try:
            address = ip_address(text)
        except ValueError:
            continue
        return str(ip_network((address, 64), strict=False)) if address.version == 6 else str(address)
    return own


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
