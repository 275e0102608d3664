"""Use charged in arrears: what meters counted in a month is worked out, and charged when the month is invoiced.

For each park, meter and part of the month in which one price holds, the quantity is taken in one snapshot (roll-ups and
what they do not hold yet), rated by the pure rules, and becomes usage like any other: an event, rated usage without
subsidy, a journal. What comes after the snapshot is looked for when the roll-ups say that something came: it is charged
on the next invoice as a line of its own month, less what was charged before.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from uuid import UUID

from billing.rules.arrears import Held, Offered, Piece, billed_quantity, due, looks_at_events, pieces
from billing.rules.meters import Meter
from billing.rules.periods import DEFAULT_ZONE, Period, local_day, parse_month
from billing.rules.prices import PriceScope
from billing.store import metered_queries as store
from billing.store.meter_parks import event_values, quantities_by_park
from billing.store.metered import offering_of
from billing.store.metered_queries import Before, ChargedMeter, PieceKey
from billing.store.programmes import Price
from billing.usecases.rated import charge_of
from tenants.kernel.work import Work
from tenants.usecases.tiers_held import TiersHeld, tiers_held

LateKey = tuple[UUID, str, str]
"""Park, meter and month."""


@dataclass(frozen=True)
class MeteredLine:
    """What a part of a month comes to beyond what was charged for it before. Amounts in fen, VAT included.

    ``quantity`` is all that was counted, ``charged_fen`` what is due now: negative when a correction has lowered it.
    """

    key: PieceKey
    name: str
    price: Price
    during: Period
    period: str
    number: int
    snapshot: str
    quantity: Decimal
    already_units: Decimal
    already_fen: int
    charged_fen: int

    @property
    def park_id(self) -> UUID:
        """Return whose use it is."""
        return self.key[0]

    @property
    def meter(self) -> str:
        """Return the meter's slug."""
        return self.key[1]

    @property
    def offering(self) -> str:
        """Return what it is shown under."""
        return offering_of(self.meter)

    @property
    def units(self) -> Decimal:
        """Return the quantity that stands on its line: what came since the last one."""
        return max(Decimal(0), self.quantity - self.already_units)

    @property
    def title(self) -> str:
        """Return what stands on its line."""
        return f"{self.name[:150]} {_days(self.during)}{'（迟到用量）' if self.number else ''}"

    def used_at(self, now: datetime) -> datetime:
        """Return the moment by which it was used: the last of its part, or now while that lasts."""
        return max(self.during.start, min(self.during.end - timedelta(microseconds=1), now))


@lru_cache(maxsize=64)
def _days(during: Period) -> str:
    """Return a part of a month by its first and last day; nearly all parks have the same."""
    last = local_day(during.end - timedelta(microseconds=1), DEFAULT_ZONE)
    return f"{local_day(during.start, DEFAULT_ZONE).isoformat()} – {last.isoformat()}"


@dataclass(frozen=True)
class Worked:
    """What is due for some parks, and the places of late use that were looked at."""

    lines: list[MeteredLine] = field(default_factory=list)
    looked: dict[LateKey, int] = field(default_factory=dict)


def work_out(work: Work, period: str, parks: Collection[UUID]) -> Worked:
    """Return what some parks' metered use up to a month comes to beyond what was charged for it, for use cases that have
    asked for their own permission. Nothing is written.

    Looked at are the month's meters that not all parks are charged for yet, and wherever something came late.
    """
    late = store.late_months(work.session, parks)
    worked = Worked(looked=late)
    asked: dict[str, dict[str, set[UUID]]] = {period: {}}
    for park_id, meter, month in late:
        asked.setdefault(month, {}).setdefault(meter, set()).add(park_id)
    for each in store.meters_to_charge(work.session, period):
        asked[period][each.meter.slug] = set(parks)
    for month in sorted(asked):
        worked.lines.extend(_of_month(work, month, asked[month]))
    return worked


def metered_parks(work: Work, period: str) -> set[UUID]:
    """Return the parks whose invoice of a month may have metered use that is not charged yet: those with a tier while
    something is charged by a meter that not all parks are charged for, and those for which something came late.
    """
    month = _month(period)
    found = store.parks_with_late_use(work.session)
    if store.meters_to_charge(work.session, period):
        found |= set(tiers_held(work, start=month.start, end=month.end))
    return found


def _month(period: str) -> Period:
    month = parse_month(period)
    assert month is not None, "the caller has checked it"  # noqa: S101 - for the type checker
    return month


def _of_month(work: Work, period: str, asked: Mapping[str, Collection[UUID]]) -> Iterator[MeteredLine]:
    """Yield what is due for one month, for the parks that are asked about by meter."""
    month = _month(period)
    meters = [each for each in store.meters_charged_in(work.session, period) if asked.get(each.meter.slug)]
    if not meters:
        return
    parks = sorted(set().union(*(asked[each.meter.slug] for each in meters)))
    before: dict[PieceKey, Before] = {
        each.key: each
        for each in store.charged_before(work.session, parks, [period], [each.meter.slug for each in meters])
    }
    held = tiers_held(work, start=month.start, end=month.end, park_ids=parks)
    for meter in meters:
        slug = meter.meter.slug
        fixed: dict[UUID, list[Piece]] = {}
        for each in before.values():
            if each.key[1] == slug:
                until = min(each.span_to, each.taken_at)
                if each.key[3] < until:
                    fixed.setdefault(each.key[0], []).append(Piece(Period(each.key[3], until), each.key[2]))
        for during, members in _by_span(month, meter, sorted(asked[slug]), held, fixed).items():
            yield from _due(work, period, meter, during, members, before)


def _by_span(
    month: Period,
    meter: ChargedMeter,
    parks: Collection[UUID],
    held: Mapping[UUID, TiersHeld],
    fixed: Mapping[UUID, Sequence[Piece]],
) -> dict[Period, dict[UUID, UUID]]:
    """Return the parts of the month that are charged, each with its parks and their prices: most parks have the same."""
    offered = tuple(
        Offered(
            price.id, PriceScope(price.tier, price.region_class, price.region), price.valid_from, price.valid_to
        )
        for price in meter.prices
    )  # fmt: skip
    by_class, by_region = any(price.region_class for price in meter.prices), any(price.region for price in meter.prices)
    found: dict[Period, dict[UUID, UUID]] = {}
    known: dict[object, tuple[Piece, ...]] = {}
    for park_id in parks:
        place = held.get(park_id)
        own = tuple(fixed.get(park_id, ()))
        tiers = () if place is None else tuple(_clipped(month, place))
        where = {
            "region_class": place.region_class if place and by_class else "",
            "region": place.region if place and by_region else "",
        }
        key = (tiers, own, *where.values())
        if key not in known:
            known[key] = pieces(month, tiers, offered, where, own)
        for piece in known[key]:
            found.setdefault(piece.during, {})[park_id] = piece.price_id
    return found


def _clipped(month: Period, place: TiersHeld) -> Iterator[Held]:
    for start, end, tier in place.tiers:
        yield Held(Period(max(start, month.start), min(end or month.end, month.end)), tier)


def _due(
    work: Work,
    period: str,
    meter: ChargedMeter,
    during: Period,
    price_of: Mapping[UUID, UUID],
    before: Mapping[PieceKey, Before],
) -> Iterator[MeteredLine]:
    """Yield what is due for one part of a month. ``price_of`` tells each park's price."""
    prices = {price.id: (price, charge_of(price)) for price in meter.prices}
    slug = meter.meter.slug
    counted = count_by_park(work, meter.meter, during, price_of)
    by_event = [park_id for park_id, price_id in price_of.items() if looks_at_events(prices[price_id][1])]
    values = values_by_park(work, meter.meter, during, by_event, counted.snapshot) if by_event else {}
    for park_id, price_id in price_of.items():
        price, charge = prices[price_id]
        earlier = before.get((park_id, slug, price_id, during.start))
        quantity = counted.by_park.get(park_id)
        if quantity is None and earlier is None:
            continue
        units = Decimal(0) if quantity is None else quantity
        already_fen = 0 if earlier is None else earlier.fen
        already_units = Decimal(0) if earlier is None else earlier.quantity
        found = due(charge, units, already_fen, values.get(park_id, ()) if looks_at_events(charge) else None)
        if earlier is not None and units == already_units and not found.fen:
            continue
        yield MeteredLine(
            key=(park_id, slug, price_id, during.start),
            name=meter.name,
            price=price,
            during=during,
            period=period,
            number=0 if earlier is None else earlier.number + 1,
            snapshot=counted.snapshot,
            quantity=units,
            already_units=already_units,
            already_fen=already_fen,
            charged_fen=found.fen,
        )


@dataclass(frozen=True)
class Counted:
    """What a meter counted of some parks in one snapshot; those of which it counted nothing are left out."""

    snapshot: str
    by_park: Mapping[UUID, Decimal]

    def of(self, park_id: UUID) -> Decimal:
        """Return what was counted of a park."""
        return self.by_park.get(park_id, Decimal(0))


def count_by_park(
    work: Work, meter: Meter, during: Period, parks: Iterable[UUID], *, as_of: str | None = None
) -> Counted:  # fmt: skip
    """Return what a meter counted of some parks as it is priced: now, or as it was in a snapshot."""
    asked = tuple(sorted(parks))
    found = quantities_by_park(work.session, meter, during, asked, as_of=as_of)
    snapshot = as_of or found.snapshot
    if snapshot is None:  # nothing was counted, and so no row has said what was seen
        return count_by_park(work, meter, during, asked, as_of=store.current_snapshot(work.session))
    return Counted(snapshot, {park_id: billed_quantity(value) for park_id, value in found.by_park.items()})


def values_by_park(
    work: Work, meter: Meter, during: Period, parks: Iterable[UUID], snapshot: str
) -> dict[UUID, list[Decimal]]:
    """Return what the single events of some parks say, as they were in a snapshot and in the order they happened."""
    return event_values(work.session, meter, during, tuple(sorted(parks)), as_of=snapshot)
