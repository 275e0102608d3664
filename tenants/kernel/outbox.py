"""What has happened, told in the transaction that made it happen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from sqlalchemy import Connection

from tenants.kernel.vocabulary import Priority


@dataclass(frozen=True)
class Event:
    """Something that has happened, by name (``order.placed``), with JSON values that jobs need to go on from it.

    ``tenant_id`` is the park it happened for, ``actor_id`` the person in whose name the follow-up is done.
    """

    name: str
    tenant_id: UUID | None
    payload: Mapping[str, str | int | None] = field(default_factory=dict)
    priority: int = Priority.NORMAL


class Outbox(Protocol):
    """Takes events on the connection of the running transaction: they are told if, and only if, it commits."""

    def put(self, connection: Connection, event: Event, *, actor_id: UUID | None) -> None:
        """Store ``event`` on ``connection``."""
        ...


class Silent:
    """An outbox that nobody listens to: for the seed's history and for tests of one use case alone."""

    def put(self, connection: Connection, event: Event, *, actor_id: UUID | None) -> None:
        """Drop the event."""
