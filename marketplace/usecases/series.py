"""Recurring bookings in the shop: a price for all occurrences at once, and cancelling those from a day on.

Each occurrence is a line of one order, so price, subsidy and capacity of all of them are taken together or not at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from billing.usecases.quotes import QuoteView
from marketplace.store.order_queries import orders_of_bookings
from marketplace.usecases import checkout, fulfilment
from services.rules.series import SeriesChoice, SeriesRule
from services.usecases import booking_series
from services.usecases.booking_series import Occurrence, SeriesView
from services.usecases.bookings import BookingStatus
from tenants.kernel.clock import CHINA
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.usecases import audit


@dataclass(frozen=True)
class SeriesWish:
    """What a park wants to book again and again."""

    offering: str
    instrument_id: UUID
    rule: SeriesRule
    slots: int
    purpose: str
    contract_no: str | None = None
    responsible_id: UUID | None = None
    """Who will use the instrument; the person who orders where nobody is named."""


@dataclass(frozen=True)
class AskedSeries:
    """A series with its price: a line for each occurrence that is to be booked."""

    id: UUID
    quote: QuoteView
    occurrences: tuple[Occurrence, ...]


def ask_series(work: Work, *, wish: SeriesWish, choice: SeriesChoice) -> AskedSeries:
    """Return what the occurrences that can be booked cost, or all of them, as the park chose; nothing is booked yet.

    Ordering that quote books all of its lines or none: one that was taken meanwhile is told, and the park asks anew.
    Raises as ``booking_series.begin_series`` and ``checkout.ask_quote`` do.
    """
    work.actor.require(Permission.ASK_QUOTE)
    series_id, occurrences = booking_series.begin_series(
        work,
        instrument_id=wish.instrument_id,
        rule=wish.rule,
        count=wish.slots,
        choice=choice,
        offering=wish.offering,
        responsible_id=wish.responsible_id,
    )
    lines = [checkout.LineWish(wish.offering, _request(wish, series_id, each)) for each in occurrences]
    quote = checkout.ask_quote(work, lines=lines, contract_no=wish.contract_no)
    return AskedSeries(series_id, quote, occurrences)


def read_series(work: Work, *, series_id: UUID) -> tuple[SeriesView, dict[UUID, UUID]]:
    """Return a series of the acting park, and the order of each of its bookings; NotFound for another park's."""
    work.actor.require(Permission.READ_ORDER)
    series = booking_series.read_series(work, series_id=series_id)
    return series, orders_of_bookings(work.session, [each.id for each in series.bookings])


def cancel_series(work: Work, *, series_id: UUID, from_day: date) -> SeriesView:
    """Cancel the open bookings of a series that start on ``from_day`` (in the instrument's zone) or later; the ones before
    stay. All of them or none, as if each were cancelled alone, with its fee where it is late; again changes nothing.

    What has begun is left out. Raises NotFound for another park's series.
    """
    work.actor.require(Permission.CANCEL_ORDER)
    series = booking_series.read_series(work, series_id=series_id)
    due = [
        each.id
        for each in series.bookings
        if each.status is BookingStatus.BOOKED
        and each.starts_at > work.now
        and each.starts_at.astimezone(CHINA).date() >= from_day
    ]
    for order_id in sorted(set(orders_of_bookings(work.session, due).values())):
        fulfilment.cancel_bookings(work, order_id=order_id, booking_ids=due)
    if due:
        audit.record(work, "series.cancel", "booking_series", series_id, from_day=from_day, bookings=len(due))
    return booking_series.read_series(work, series_id=series_id)


def _request(wish: SeriesWish, series_id: UUID, each: Occurrence) -> Mapping[str, Any]:
    named = {} if wish.responsible_id is None else {"responsible_id": str(wish.responsible_id)}
    return {
        "instrument_id": str(wish.instrument_id),
        "starts_at": each.starts_at.astimezone(CHINA).isoformat(),
        "slots": wish.slots,
        "purpose": wish.purpose,
        "series_id": str(series_id),
        **named,
    }
