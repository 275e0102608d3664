"""API keys: programs that act for an organisation. A key's secret is shown once."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from flask import Response
from pydantic import Field

from marketplace.api.calls import call, noun, read, show
from marketplace.api.fields import Answer, Body, ById, Moment, Name, Paged
from marketplace.doors.identity import working
from tenants.usecases import api_keys as use_cases

api_keys = noun("api-keys", "Programs that act for an organisation.")


class KeyWish(Body):
    """A program, and what it may do: a part of what its maker may."""

    name: Name
    scopes: Annotated[list[Annotated[str, Field(max_length=64)]], Field(min_length=1, max_length=100)]


class NewKey(Answer):
    """A new key. ``token`` is shown now and never again; ``id`` and its last part are an OAuth client's id and secret."""

    id: UUID
    name: str
    token: str
    scopes: list[str]


class Key(Answer):
    """A key."""

    id: UUID
    name: str
    scopes: list[str]
    created_at: Moment
    revoked_at: Moment | None


class Keys(Answer):
    """Keys."""

    items: list[Key]
    next_cursor: str | None


@api_keys.post("/api-keys", **call(NewKey, status=201))
def create_api_key(body: KeyWish) -> Response:
    """Make a key. Only a person may, so that no key outlives its revocation through another one."""
    with working() as work:
        return show(NewKey.of(use_cases.create_api_key(work, name=body.name, scopes=body.scopes)), 201)


@api_keys.get("/api-keys", **call(Keys))
def list_api_keys(query: Paged) -> Response:
    """List the organisation's keys, without their secrets."""
    return read(Keys, lambda work: use_cases.list_api_keys(work, limit=query.limit, cursor=query.cursor))


@api_keys.delete("/api-keys/<id>", **call(status=204))
def revoke_api_key(path: ById) -> Response:
    """Revoke a key and every token it was given."""
    with working() as work:
        use_cases.revoke_api_key(work, client_id=path.id)
    return Response(status=204)
