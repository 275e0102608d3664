"""What a park has of public money: its ceilings now, its sums by programme, and every hold of a period."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from billing.formats.fields import parse_fact
from billing.rules.explanations import CeilingState, ceilings, rolling_ceiling
from billing.rules.periods import local_day
from billing.rules.terms import CapScope
from billing.store.park_aid_queries import holds_between, sums_by_programme
from billing.usecases.aid_register import used_in_registers
from billing.usecases.ceilings import used_before
from billing.usecases.policies_in_force import policies_in_force
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work

MOST_HOLDS = 5_000
OWN = frozenset({CapScope.ENTITY_YEAR, CapScope.CONTROLLER_YEAR})
"""Ceilings that are a park's own, or its controller's; what others use up of common ones is not told."""


@dataclass(frozen=True)
class ProgrammeCeilings:
    """A programme in force with the park's ceilings in it."""

    programme: str
    name: str
    name_en: str
    ceilings: tuple[CeilingState, ...]


@dataclass(frozen=True)
class ProgrammeAid:
    """What a programme gave in a period: reserved of it all, what is still held, what is spent, what is paid out."""

    programme: str
    lines: int
    reserved_fen: int
    held_fen: int
    captured_fen: int
    paid_fen: int


@dataclass(frozen=True)
class AidHold:
    """One reservation of public money for one order line, and what became of it."""

    id: UUID
    order_line_id: UUID
    programme: str
    version: int
    fund: str
    fund_name: str
    fund_name_en: str
    amount_fen: int
    captured_fen: int
    paid_fen: int
    status: str
    created_at: datetime
    settled_at: datetime | None


@dataclass(frozen=True)
class ParkAid:
    """A park's public money. ``ceilings`` are of now, the rest is of the period; ``holds`` are the newest ones."""

    ceilings: tuple[ProgrammeCeilings, ...]
    programmes: tuple[ProgrammeAid, ...]
    holds: tuple[AidHold, ...]


def read_park_aid(work: Work, *, facts: Mapping[str, Any], from_: datetime, to: datetime) -> ParkAid:
    """Return the acting park's public money reserved from ``from_`` until just before ``to``.

    ``facts`` are what programmes may know of the park: they decide which ceilings are in force for it.
    """
    work.actor.require(Permission.READ_USAGE)
    tenant_id = work.actor.require_tenant()
    return ParkAid(
        ceilings=_ceilings(work, tenant_id, facts),
        programmes=tuple(
            ProgrammeAid(row.programme, row.lines, *(int(row[place]) for place in range(2, 6)))
            for row in sums_by_programme(work.session, tenant_id, from_, to)
        ),
        holds=tuple(AidHold(*row) for row in holds_between(work.session, tenant_id, from_, to, MOST_HOLDS)),
    )


def _ceilings(work: Work, tenant_id: UUID, facts: Mapping[str, Any]) -> tuple[ProgrammeCeilings, ...]:
    in_force = policies_in_force(work, at=work.now)
    policies = [each.policy for each in in_force]
    used = used_before(work, policies, tenant_id, [[facts]], work.now)[0]
    rolled = used_in_registers(work, policies, tenant_id, facts, work.now)
    stated = {name: parse_fact(value) for name, value in facts.items()}
    found = []
    for each in in_force:
        policy = each.policy
        taken = {scope: used.taken(policy.programme, scope) for scope in OWN}
        states = ceilings(policy, stated, taken, 0, local_day(work.now, policy.timezone))
        own = (*(state for state in states if state.scope in OWN), *rolling_ceiling(policy, rolled, 0))
        if own:
            found.append(ProgrammeCeilings(policy.programme, each.name, each.name_en, own))
    return tuple(found)
