"""Looking for an inspection: which instruments can do it, when the first is free, and what it costs the park."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from marketplace.usecases import shop
from marketplace.usecases.shop import ShopItem
from services.rules.catalogue import Delivery
from services.usecases import slot_search
from services.usecases.instruments import InstrumentView
from services.usecases.slot_search import SlotView
from tenants.kernel.clock import CHINA
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work


@dataclass(frozen=True)
class FoundInspection:
    """An instrument that fits, its first free slot, and its service with what one hour costs the acting park now."""

    item: ShopItem
    instrument: InstrumentView
    first: SlotView
    full_until: date | None = None
    """The last day of those before ``first`` on which every slot is taken, so that a park can wait for one of them; None
    where there is no such day."""

    @property
    def gross_fen(self) -> int | None:
        """The list price of an hour, None while there is none."""
        return None if self.item.price is None else self.item.price.gross_fen(1)

    @property
    def payable_fen(self) -> int | None:
        """What the park would pay of an hour after its subsidy; None for anybody who is no park or may ask no price."""
        return None if self.item.line is None else self.item.line.payable_fen


def find_full(
    work: Work,
    *,
    found: Sequence[FoundInspection],
    method: str | None = None,
    region: str | None = None,
    limit: int = 50,
) -> tuple[InstrumentView, ...]:
    """Return the instruments that fit a search and are not among what it ``found``; none where it found as many as it may.

    A park can wait for a slot of them.
    """
    work.actor.require(Permission.READ_CATALOGUE)
    if len(found) >= limit:
        return ()
    slugs = sorted(item.offering.slug for item in shop.list_shop(work) if item.offering.delivery is Delivery.INSPECTION)
    fitting = slot_search.list_fitting(work, offerings=slugs, region=region, method=method, limit=limit)
    free = {each.instrument.id for each in found}
    return tuple(each for each in fitting if each.id not in free)


def find_inspections(
    work: Work,
    *,
    from_: datetime,
    to: datetime,
    offering: str | None = None,
    method: str | None = None,
    region: str | None = None,
    most_payable_fen: int | None = None,
    limit: int = 50,
) -> tuple[FoundInspection, ...]:
    """Return the instruments with a free slot within ``[from_, to)``, the earliest first.

    ``most_payable_fen`` is the most an hour may cost the park after its subsidy; a service without a price for the park
    is left out then. Raises as ``slot_search.search_slots`` does.
    """
    work.actor.require(Permission.READ_CATALOGUE)
    slot_search.check_search(from_, to)
    items = {
        item.offering.slug: item
        for item in shop.list_shop(work)
        if item.offering.delivery is Delivery.INSPECTION
        and offering in {None, item.offering.slug}
        and (most_payable_fen is None or (item.line is not None and item.line.payable_fen <= most_payable_fen))
    }
    found = slot_search.search_instruments(
        work, offerings=sorted(items), from_=from_, to=to, region=region, method=method, limit=limit
    )
    return tuple(
        FoundInspection(
            items[each.instrument.offering],
            each.instrument,
            each.first,
            _full_until(work, each.instrument, from_, each.first),
        )
        for each in found
    )


def _full_until(work: Work, instrument: InstrumentView, from_: datetime, first: SlotView) -> date | None:
    day = first.starts_at.astimezone(CHINA).date()
    midnight = datetime.combine(day, time(), CHINA)
    is_full = slot_search.is_open_within(work, instrument=instrument, from_=from_, to=midnight)
    return day - timedelta(days=1) if is_full else None
