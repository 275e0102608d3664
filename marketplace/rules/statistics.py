"""Sums for the province: facts per park and service come in, groups with their ratios go out. Pure.

Definitions stand in the package's README. Money is whole fen; ratios are basis points, None where nothing is divided by.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from tenants.kernel.vocabulary import ParkSize, Tier
from tenants.rules.regions import region_class

WHOLE_BP = 10_000


class GroupBy(StrEnum):
    """What sums are made by."""

    MONTH = "month"
    PROGRAMME = "programme"
    REGION = "region"
    """The prefecture."""
    COUNTY = "county"
    REGION_CLASS = "region_class"
    SIZE = "size"
    TIER = "tier"
    """The service's, not the subscription's."""
    SERVICE = "service"


OF_PARKS = frozenset({GroupBy.REGION, GroupBy.COUNTY, GroupBy.REGION_CLASS, GroupBy.SIZE})
"""Groups that divide the parks, so that each has parks of its own to be counted against."""


@dataclass(frozen=True, slots=True)
class ParkFact:
    """A park."""

    id: UUID
    region_code: str
    size: ParkSize
    verified: bool


@dataclass(frozen=True, slots=True)
class ServiceFact:
    """A service, and what a park would pay to build the same."""

    slug: str
    tier: Tier
    build_cost_fen: int


@dataclass(frozen=True, slots=True)
class AidFact:
    """Public money reserved in a month for one park, service and programme: what of it stands, and what is spent."""

    park_id: UUID
    service: str
    programme: str
    month: str
    lines: int
    applied_fen: int
    granted_fen: int
    redeemed_fen: int
    exempted_fen: int = 0
    """Granted under case-by-case decisions: a part of ``granted_fen``."""


@dataclass(frozen=True, slots=True)
class DeliveryFact:
    """What was delivered in a month to one park of one service."""

    park_id: UUID
    service: str
    month: str
    deliveries: int
    gross_fen: int
    subsidy_fen: int
    payable_fen: int


@dataclass(frozen=True, slots=True)
class PayoutFact:
    """Claim lines paid in a month: how many, how much, and the sum of their days from the claim to the payout."""

    park_id: UUID
    service: str
    programme: str
    month: str
    lines: int
    paid_fen: int
    days: float


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a statistic is made of."""

    parks: Sequence[ParkFact]
    services: Sequence[ServiceFact]
    aid: Sequence[AidFact] = ()
    deliveries: Sequence[DeliveryFact] = ()
    payouts: Sequence[PayoutFact] = ()


@dataclass(frozen=True, slots=True)
class Filters:
    """What counts; an empty one lets everything through. ``region`` is the beginning of a division's code."""

    programme: str = ""
    region: str = ""
    tier: str = ""
    service: str = ""


@dataclass(frozen=True, slots=True)
class Sums:
    """The figures of one group, or of all. ``exempted_fen`` is the part of ``granted_fen`` under case-by-case decisions.

    ``parks`` are verified ones, ``parks_served`` those of them with a delivery. Of a programme's group, deliveries,
    rent and build cost are None: one delivery may have several programmes.
    """

    key: str
    lines: int
    applied_fen: int
    granted_fen: int
    redeemed_fen: int
    exempted_fen: int
    parks: int
    parks_served: int
    deliveries: int | None
    gross_fen: int | None
    rent_fen: int | None
    build_cost_fen: int | None
    paid_lines: int
    paid_fen: int
    payout_days: float | None

    @property
    def enablement_bp(self) -> int | None:
        """Parks served of all verified ones."""
        return self.parks_served * WHOLE_BP // self.parks if self.parks else None

    @property
    def rent_to_build_bp(self) -> int | None:
        """What parks paid in rent, of what building the same would have cost them."""
        if self.rent_fen is None or not self.build_cost_fen:
            return None
        return self.rent_fen * WHOLE_BP // self.build_cost_fen

    @property
    def redemption_bp(self) -> int | None:
        """What is spent of what was granted."""
        return self.redeemed_fen * WHOLE_BP // self.granted_fen if self.granted_fen else None


@dataclass(slots=True)
class _Group:
    parks: set[UUID] = field(default_factory=set)
    aid: list[AidFact] = field(default_factory=list)
    deliveries: list[DeliveryFact] = field(default_factory=list)
    payouts: list[PayoutFact] = field(default_factory=list)


def summarise(facts: Facts, group_by: GroupBy, filters: Filters = Filters()) -> tuple[Sums, tuple[Sums, ...]]:
    """Return the sums over all that the filters let through, and over each group in the order of the keys.

    A group that divides the parks is there as soon as it has a verified park, any other as soon as it has a figure.
    """
    facts = _filtered(facts, filters)
    by_programme = group_by is GroupBy.PROGRAMME or bool(filters.programme)
    verified = {park.id for park in facts.parks if park.verified}
    build = {service.slug: service.build_cost_fen for service in facts.services}
    whole = _Group(verified, list(facts.aid), list(facts.deliveries), list(facts.payouts))
    groups: dict[str, _Group] = {}
    park_key, fact_key = _keys(facts, group_by)
    if group_by in OF_PARKS:
        for park in facts.parks:
            if park.verified:
                groups.setdefault(park_key(park.id), _Group()).parks.add(park.id)
    for aid in facts.aid:
        groups.setdefault(fact_key(aid), _Group()).aid.append(aid)
    for delivery in facts.deliveries if group_by is not GroupBy.PROGRAMME else ():
        groups.setdefault(fact_key(delivery), _Group()).deliveries.append(delivery)
    for payout in facts.payouts:
        groups.setdefault(fact_key(payout), _Group()).payouts.append(payout)
    if group_by not in OF_PARKS:
        for group in groups.values():
            group.parks = verified
    total = _sums("", whole, verified, build, by_programme=bool(filters.programme))
    return total, tuple(_sums(key, groups[key], verified, build, by_programme=by_programme) for key in sorted(groups))


AnyFact = AidFact | DeliveryFact | PayoutFact


def _keys(facts: Facts, group_by: GroupBy) -> tuple[Callable[[UUID], str], Callable[[AnyFact], str]]:
    """Return how a park, and how a fact, is given to its group."""
    parks = {park.id: park for park in facts.parks}
    tiers = {service.slug: service.tier.value for service in facts.services}
    of_park: dict[GroupBy, Callable[[ParkFact], str]] = {
        GroupBy.REGION: lambda park: prefecture(park.region_code),
        GroupBy.COUNTY: lambda park: park.region_code,
        GroupBy.REGION_CLASS: lambda park: region_class(park.region_code).value,
        GroupBy.SIZE: lambda park: park.size.value,
    }

    def park_key(park_id: UUID) -> str:
        return of_park[group_by](parks[park_id])

    def fact_key(fact: AnyFact) -> str:
        match group_by:
            case GroupBy.MONTH:
                return fact.month
            case GroupBy.SERVICE:
                return fact.service
            case GroupBy.TIER:
                return tiers.get(fact.service, "")
            case GroupBy.PROGRAMME:
                return "" if isinstance(fact, DeliveryFact) else fact.programme
            case _:
                return park_key(fact.park_id)

    return park_key, fact_key


def prefecture(code: str) -> str:
    """Return the six digits of the prefecture that holds a county."""
    return f"{code[:4]}00"


def _filtered(facts: Facts, filters: Filters) -> Facts:
    if filters == Filters():
        return facts
    parks = [park for park in facts.parks if park.region_code.startswith(filters.region)]
    known = {park.id for park in parks}
    services = {
        service.slug
        for service in facts.services
        if filters.tier in {"", service.tier.value} and filters.service in {"", service.slug}
    }

    def counts(fact: AnyFact) -> bool:
        if fact.park_id not in known:
            return False
        if (filters.tier or filters.service) and fact.service not in services:
            return False
        return isinstance(fact, DeliveryFact) or filters.programme in {"", fact.programme}

    return Facts(
        parks=parks,
        services=facts.services,
        aid=[fact for fact in facts.aid if counts(fact)],
        deliveries=[fact for fact in facts.deliveries if counts(fact)],
        payouts=[fact for fact in facts.payouts if counts(fact)],
    )


def _sums(key: str, group: _Group, verified: set[UUID], build: Mapping[str, int], *, by_programme: bool) -> Sums:
    served = {fact.park_id for fact in group.deliveries}
    if by_programme:
        served = {fact.park_id for fact in group.aid if fact.redeemed_fen}
    built = {(fact.park_id, fact.service) for fact in group.deliveries if build.get(fact.service)}
    paid_lines = _total(fact.lines for fact in group.payouts)
    return Sums(
        key=key,
        lines=_total(fact.lines for fact in group.aid),
        applied_fen=_total(fact.applied_fen for fact in group.aid),
        granted_fen=_total(fact.granted_fen for fact in group.aid),
        redeemed_fen=_total(fact.redeemed_fen for fact in group.aid),
        exempted_fen=_total(fact.exempted_fen for fact in group.aid),
        parks=len(group.parks),
        parks_served=len(served & verified),
        deliveries=None if by_programme else _total(fact.deliveries for fact in group.deliveries),
        gross_fen=None if by_programme else _total(fact.gross_fen for fact in group.deliveries),
        rent_fen=None
        if by_programme
        else _total(fact.payable_fen for fact in group.deliveries if (fact.park_id, fact.service) in built),
        build_cost_fen=None if by_programme else _total(build[service] for _, service in built),
        paid_lines=paid_lines,
        paid_fen=_total(fact.paid_fen for fact in group.payouts),
        payout_days=sum(fact.days for fact in group.payouts) / paid_lines if paid_lines else None,
    )


def _total(numbers: Iterable[int]) -> int:
    return sum(numbers)
