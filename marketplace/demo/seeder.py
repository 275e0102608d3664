"""Steps that fill a database, each done once: a seed that was killed goes on where it stopped."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import Engine

from tenants.kernel.clock import ManualClock
from tenants.kernel.context import Actor, system_actor
from tenants.kernel.idempotency import once
from tenants.kernel.outbox import Outbox
from tenants.kernel.work import Work, WorkShop
from tenants.usecases import identity

SEED = UUID("6f1d9c40-5a0e-4f8e-9a57-1a5d0c6b7e21")
"""Owner of the seed's idempotency keys, and the space of its derived numbers."""

Step = Callable[[Work], Mapping[str, Any] | None]


class Seeder:
    """Carries out steps as given people at given moments, each in one transaction and once for good."""

    def __init__(self, engine: Engine, outbox: Outbox, start: datetime) -> None:
        self.clock = ManualClock(start)
        self.workshop = WorkShop(engine, self.clock, outbox)
        self._people: dict[str, Actor] = {}

    def step(self, key: str, actor: Actor, do: Step) -> dict[str, Any]:
        """Do ``do`` as ``actor`` unless the step ``key`` was done before; return what it said, then and now."""
        with self.workshop.work(replace(actor, organisation_id=actor.organisation_id or SEED)) as work:
            return once(work, f"seed:{key}", "seed", {"step": key}, lambda: dict(do(work) or {}))

    def system(self) -> Actor:
        """Return the platform itself, for what no person of the demo does."""
        return replace(system_actor("seed"), organisation_id=SEED)

    def person(self, login: str, password: str) -> Actor:
        """Return a person of the demo, signed in."""
        if login not in self._people:
            with self.workshop.work(system_actor("sign-in")) as work:
                user_id = identity.sign_in(work, login=login, password=password).user_id
                self._people[login] = identity.actor_for_user(work, user_id=user_id, request_id="seed")
        return self._people[login]


def derived(name: str, below: int) -> int:
    """Return a number below ``below`` that depends on ``name`` alone."""
    return uuid5(SEED, name).int % below
