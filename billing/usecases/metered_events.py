"""What becomes of events on an invoice through the meters that count them: charged in arrears, or about to be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from billing.rules.arrears import Held, Offered, pieces
from billing.rules.periods import Period
from billing.rules.prices import PriceScope
from billing.store.metered_events import EventName, charges_counting
from billing.store.metered_queries import charged_meters
from billing.store.trace_queries import LinePlace
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.usecases.tiers_held import TiersHeld, tiers_of_park

_MOMENT = timedelta(microseconds=1)


@dataclass(frozen=True)
class MeteredEvent:
    """An event that no delivery was settled by, and the meters that count it now."""

    name: EventName
    time: datetime
    meters: tuple[str, ...]


@dataclass(frozen=True)
class MeteredFate:
    """How metered use bills an event: by the line it stands on, or on the next invoice (``place`` is then None)."""

    place: LinePlace | None


def metered_fates(work: Work, *, park_id: UUID, events: Sequence[MeteredEvent]) -> dict[EventName, MeteredFate]:
    """Return those of a park's events that metered use bills, with the line where it has one.

    What was counted in a charge is billed by it, the first that came to something; what came after every charge's
    snapshot, or is of a time that nobody has charged yet, comes with the next invoice when a price holds for the meter at its
    time. What a charge counted and asks nothing for is not billed.
    """
    work.actor.require(Permission.READ_USAGE)
    if not events:
        return {}
    first, last = min(each.time for each in events), max(each.time for each in events)
    found: dict[EventName, MeteredFate] = {}
    counted: set[EventName] = set()
    for charge in charges_counting(work.session, park_id, [each.name for each in events], first, last):
        counted.add(charge.event)
        known = found.get(charge.event)
        if charge.usage_id is not None and (known is None or (known.place is None and charge.place is not None)):
            found[charge.event] = MeteredFate(charge.place)
    waiting = [each for each in events if each.meters and each.name not in counted]
    if waiting:
        priced = _priced(work, park_id, Period(first, last + _MOMENT))
        found |= {each.name: MeteredFate(None) for each in waiting if _is_priced(each, priced)}
    return found


def _is_priced(event: MeteredEvent, priced: Mapping[str, Sequence[Period]]) -> bool:
    return any(event.time in during for slug in event.meters for during in priced.get(slug, ()))


def _priced(work: Work, park_id: UUID, during: Period) -> dict[str, list[Period]]:
    """Return, by meter, the parts of a time in which a price holds for the park."""
    meters = charged_meters(work.session, during.start, during.end)
    place = tiers_of_park(work, park_id=park_id, start=during.start, end=during.end) if meters else None
    if place is None:
        return {}
    held = tuple(_clipped(during, place))
    where = {"region_class": place.region_class, "region": place.region}
    found: dict[str, list[Period]] = {}
    for meter in meters:
        offered = [
            Offered(
                price.id, PriceScope(price.tier, price.region_class, price.region), price.valid_from, price.valid_to
            )
            for price in meter.prices
        ]  # fmt: skip
        found[meter.meter.slug] = [each.during for each in pieces(during, held, offered, where)]
    return found


def _clipped(during: Period, place: TiersHeld) -> Iterator[Held]:
    for start, end, tier in place.tiers:
        yield Held(Period(max(start, during.start), min(end or during.end, during.end)), tier)
