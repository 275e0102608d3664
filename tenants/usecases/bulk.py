"""Entering many verified parks at once, for load that is measured: what sign-up, verification and subscription leave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import Table, select
from sqlalchemy.dialects.postgresql import insert

from tenants.gateways.passwords import hash_password
from tenants.kernel.database import Base
from tenants.kernel.vocabulary import OrganisationKind, ParkSize, Permission, Role, Tier
from tenants.kernel.work import Work
from tenants.rules.days import Alignment, BilledEvery, anchor_of, local_day
from tenants.rules.organisations import payment_reference
from tenants.rules.parks import Verification
from tenants.rules.people import check_login, check_name
from tenants.rules.regions import check_county
from tenants.rules.uscc import check_uscc
from tenants.store.organisations import Organisation, Park
from tenants.store.people import Membership, User
from tenants.store.subscriptions import Subscription
from tenants.usecases import audit


@dataclass(frozen=True)
class ParkEntry:
    """A park to enter, with its tier and the login of its administrator. ``id`` is the caller's, so that a repeat meets
    it.
    """

    id: UUID
    name: str
    uscc: str
    region_code: str
    size: ParkSize
    tier: Tier
    login: str


def enter_parks(work: Work, *, parks: Sequence[ParkEntry], decided_by: UUID, password: str) -> int:
    """Enter those of ``parks`` that are not there yet, verified by ``decided_by`` and subscribed from now on.

    All administrators get the same ``password``, hashed once. Returns how many parks were new. Raises Invalid for a
    park that could not have signed up.
    """
    work.actor.require(Permission.RUN_PLATFORM)
    known = set(
        work.session.execute(
            select(Organisation.id).where(Organisation.id.in_([each.id for each in parks]))
        ).scalars()
    )  # fmt: skip
    missing = [each for each in parks if each.id not in known]
    if not missing:
        return 0
    organisations = [_organisation(work, each) for each in missing]
    hashed = hash_password(password)
    _insert(work, Organisation, organisations)
    _insert(work, Park, [_park(work, each, decided_by) for each in missing])
    _insert(work, User, [_administrator(work, each, hashed) for each in missing])
    _insert(work, Membership, [_membership(work, each) for each in missing])
    _insert(work, Subscription, [_subscription(work, each) for each in missing])
    audit.record(work, "park.enter_many", "park", missing[0].id, count=len(missing), decided_by=decided_by)
    return len(missing)


def _insert(work: Work, table: type[Base], rows: Sequence[Mapping[str, Any]]) -> None:
    """Add rows; two who enter the same parks at the same time do not disturb each other."""
    target = table.__table__
    assert isinstance(target, Table)  # noqa: S101 - none of ours is mapped to a query
    work.session.execute(insert(target).on_conflict_do_nothing(), list(rows))


def _organisation(work: Work, entry: ParkEntry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "kind": OrganisationKind.PARK,
        "name": check_name(entry.name),
        "uscc": check_uscc(entry.uscc).code,
        "region_code": check_county(entry.region_code).code,
        "control_group": None,
        "payment_reference": payment_reference(entry.id),
        "created_at": work.now,
    }


def _park(work: Work, entry: ParkEntry, decided_by: UUID) -> dict[str, Any]:
    return {
        "tenant_id": entry.id,
        "size": entry.size,
        "verification": Verification.VERIFIED,
        "decided_by": decided_by,
        "decided_at": work.now,
        "decision_note": "",
        "created_at": work.now,
    }


def _administrator(work: Work, entry: ParkEntry, password_hash: str) -> dict[str, Any]:
    return {
        "id": _administrator_id(entry),
        "login": check_login(entry.login),
        "name": entry.name,
        "password_hash": password_hash,
        "language": "zh",
        "active": True,
        "created_at": work.now,
    }


def _membership(work: Work, entry: ParkEntry) -> dict[str, Any]:
    return {
        "organisation_id": entry.id,
        "user_id": _administrator_id(entry),
        "role": Role.PARK_ADMIN,
        "expires_at": None,
        "created_at": work.now,
    }


def _subscription(work: Work, entry: ParkEntry) -> dict[str, Any]:
    return {
        "tenant_id": entry.id,
        "id": uuid5(entry.id, "subscription"),
        "tier": entry.tier,
        "starts_at": work.now,
        "ends_at": None,
        "billed_every": BilledEvery.MONTH,
        "alignment": Alignment.CALENDAR,
        "anchor_on": anchor_of(local_day(work.now), BilledEvery.MONTH, Alignment.CALENDAR),
        "created_by": _administrator_id(entry),
        "created_at": work.now,
    }


def _administrator_id(entry: ParkEntry) -> UUID:
    return uuid5(entry.id, "administrator")
