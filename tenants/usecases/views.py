"""What the use cases of tenants answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from tenants.kernel.database import AnyRow
from tenants.kernel.messages import Message
from tenants.kernel.vocabulary import OrganisationKind, ParkSize, Role, Tier
from tenants.rules.days import Alignment, BilledEvery
from tenants.rules.parks import Verification
from tenants.rules.regions import RegionClass, region_class, region_name
from tenants.rules.uscc import uscc_warnings
from tenants.store.subscriptions import Subscription


@dataclass(frozen=True)
class ParkView:
    """A park. ``region_class`` decides subsidy rates; ``tier`` is the one it subscribes to now, ``credit_blocked``
    tells whether it is on the dishonesty list; ``warnings`` are for the person who verifies it.
    """

    id: UUID
    name: str
    uscc: str
    region_code: str
    region_name: str
    region_class: RegionClass
    size: ParkSize
    verification: Verification
    decision_note: str | None
    payment_reference: str
    control_group: UUID | None
    created_at: datetime
    tier: Tier | None
    credit_blocked: bool = False
    warnings: tuple[Message, ...] = ()


@dataclass(frozen=True)
class OrganisationView:
    """An organisation of any kind."""

    id: UUID
    kind: OrganisationKind
    name: str
    uscc: str
    region_code: str
    region_name: str
    control_group: UUID | None
    payment_reference: str
    created_at: datetime


@dataclass(frozen=True)
class PersonView:
    """A person in an organisation."""

    id: UUID
    organisation_id: UUID
    login: str
    name: str
    roles: tuple[Role, ...]
    language: str
    created_at: datetime


@dataclass(frozen=True)
class SubscriptionView:
    """A tier held from ``starts_at`` until ``ends_at`` (None: until it is changed).

    It is billed ``every`` month or year; ``anchor_on`` is the day from which these periods derive.
    """

    id: UUID
    tier: Tier
    starts_at: datetime
    ends_at: datetime | None
    every: BilledEvery
    alignment: Alignment
    anchor_on: date


def park_view(row: AnyRow) -> ParkView:
    """Return the view of a row of ``park_queries``."""
    return ParkView(
        id=row.id,
        name=row.name,
        uscc=row.uscc,
        region_code=row.region_code,
        region_name=region_name(row.region_code),
        region_class=region_class(row.region_code),
        size=ParkSize(row.size),
        verification=Verification(row.verification),
        decision_note=row.decision_note,
        payment_reference=row.payment_reference,
        control_group=row.control_group,
        created_at=row.created_at,
        tier=Tier(row.tier) if row.tier else None,
        credit_blocked=row.credit_blocked,
        warnings=uscc_warnings(row.uscc),
    )


def organisation_view(row: AnyRow) -> OrganisationView:
    """Return the view of an organisation's row."""
    return OrganisationView(
        id=row.id,
        kind=OrganisationKind(row.kind),
        name=row.name,
        uscc=row.uscc,
        region_code=row.region_code,
        region_name=region_name(row.region_code),
        control_group=row.control_group,
        payment_reference=row.payment_reference,
        created_at=row.created_at,
    )


def subscription_view(row: AnyRow | Subscription) -> SubscriptionView:
    """Return the view of a subscription's row."""
    return SubscriptionView(
        id=row.id,
        tier=Tier(row.tier),
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        every=BilledEvery(row.billed_every),
        alignment=Alignment(row.alignment),
        anchor_on=row.anchor_on,
    )
