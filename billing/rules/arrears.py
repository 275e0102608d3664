"""Use that is charged in arrears: which price holds for which part of a month, and what is due for it, now or again.

A part of a month in which one price holds is charged by itself: its quantity, included units, minimum and maximum are
its own. What was charged before stays with its price, whatever became of prices and tiers since.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise
from uuid import UUID

from billing.rules.charges import Charge, Percentage
from billing.rules.meters import Aggregation
from billing.rules.money import EXACT
from billing.rules.periods import Period
from billing.rules.prices import PriceScope
from billing.rules.rating import rate

BILLED_STEP = Decimal("0.000001")
"""A quantity is rounded to this, half up, before it is priced: what stands on the line is what was multiplied."""
NOT_CHARGEABLE = frozenset((Aggregation.WEIGHTED_SUM,))
"""Meters that are not asked for quantities and so cannot be charged by."""


@dataclass(frozen=True, slots=True)
class Held:
    """A tier that a park subscribes to over a time."""

    during: Period
    tier: str


@dataclass(frozen=True, slots=True)
class Offered:
    """A price, for whom it is and from when until when (None: for good)."""

    id: UUID
    scope: PriceScope
    valid_from: datetime
    valid_to: datetime | None


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a month, and the price that holds in it."""

    during: Period
    price_id: UUID


@dataclass(frozen=True, slots=True)
class Due:
    """What a quantity comes to: ``fen`` more than what was charged for it before (negative: less)."""

    quantity: Decimal
    fen: int


def pieces(
    month: Period,
    held: Sequence[Held],
    prices: Sequence[Offered],
    place: Mapping[str, str],
    fixed: Sequence[Piece] = (),
) -> tuple[Piece, ...]:
    """Return the parts of a month that are charged, in time order; parts of one price that meet are one.

    ``place`` are the park's ``region`` and ``region_class``; ``fixed`` is what was charged already, up to when it was.
    Nothing is charged for a time in which the park subscribes to no tier, or no price holds for it.
    """
    spans = [*(each.during for each in held), *(each.during for each in fixed)]
    cuts = {month.start, month.end}
    cuts |= _inside(month, (moment for span in spans for moment in (span.start, span.end)))
    cuts |= _inside(month, (each.valid_from for each in prices))
    cuts |= _inside(month, (each.valid_to for each in prices if each.valid_to is not None))
    found: list[Piece] = []
    for start, end in pairwise(sorted(cuts)):
        price_id = _price_at(start, held, prices, place, fixed)
        if price_id is None:
            continue
        if found and found[-1].price_id == price_id and found[-1].during.end == start:
            found[-1] = Piece(Period(found[-1].during.start, end), price_id)
        else:
            found.append(Piece(Period(start, end), price_id))
    return tuple(found)


def _inside(month: Period, moments: Iterable[datetime]) -> set[datetime]:
    return {moment for moment in moments if month.start < moment < month.end}


def _price_at(
    moment: datetime, held: Sequence[Held], prices: Sequence[Offered], place: Mapping[str, str], fixed: Sequence[Piece]
) -> UUID | None:  # fmt: skip
    for piece in fixed:
        if moment in piece.during:
            return piece.price_id
    tier = next((each.tier for each in held if moment in each.during), None)
    if tier is None:
        return None
    facts = {**place, "tier": tier}
    valid = [
        each
        for each in prices
        if each.valid_from <= moment
        and (each.valid_to is None or moment < each.valid_to)
        and each.scope.holds_for(facts)
    ]
    return max(valid, key=lambda each: each.scope.rank).id if valid else None


def billed_quantity(quantity: Decimal) -> Decimal:
    """Return a meter's quantity as it is priced."""
    return quantity.quantize(BILLED_STEP, ROUND_HALF_UP, context=EXACT)


def looks_at_events(charge: Charge) -> bool:
    """Tell whether an amount depends on the single events, not on their sum alone."""
    model = charge.model
    if not isinstance(model, Percentage):
        return False
    free = model.free_events is not None or model.free_amount is not None
    return free or bool(model.fixed_fee) or model.event_min is not None or model.event_max is not None


def due(charge: Charge, quantity: Decimal, already_fen: int, event_values: Sequence[Decimal] | None = None) -> Due:
    """Return what all of a piece's quantity comes to beyond ``already_fen``, which was charged for it before.

    The whole is rated and what was charged taken off: for a sum that has grown this is ``rate`` with ``already_units``
    and ``already_billed``, and it also holds for what has shrunk and for quantities that do not add up.
    """
    return Due(quantity, rate(charge, quantity, event_values) - already_fen)
