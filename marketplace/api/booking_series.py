"""Recurring bookings: what of a series can be booked, its price, and cancelling it from a day on."""

from __future__ import annotations

from datetime import date
from typing import Annotated
from uuid import UUID

from flask import Response
from pydantic import Field

from marketplace.api.bookings import Booking
from marketplace.api.calls import call, command, noun, show
from marketplace.api.fields import Amount, Answer, Body, ById, Idempotent, Instant, Moment, Slug
from marketplace.doors.identity import working
from marketplace.doors.language import reader_language
from marketplace.doors.texts import translate
from marketplace.usecases import series as shop
from services.rules.series import MOST_OCCURRENCES, MOST_STEPS, SeriesChoice, SeriesRule, SeriesUnit
from services.rules.slots import MOST_SLOTS
from services.usecases import booking_series as use_cases
from services.usecases.booking_series import OccurrenceState, SeriesView
from tenants.kernel.messages import Message
from tenants.kernel.work import Work

booking_series = noun("booking_series", "The same instrument and time every n days or weeks.")

Day = Annotated[date, Field(ge=date(2000, 1, 1), le=date(2200, 12, 31))]


class SeriesBody(Body):
    """The instrument and first time, and how it is repeated: ``count`` times or ``until`` a day, the local time staying."""

    offering: Slug
    instrument_id: UUID
    starts_at: Instant = Field(description="Of the first occurrence")
    slots: int = Field(1, ge=1, le=MOST_SLOTS, strict=True)
    every: int = Field(1, ge=1, le=MOST_STEPS, strict=True)
    unit: SeriesUnit = SeriesUnit.WEEK
    count: int | None = Field(None, ge=2, le=MOST_OCCURRENCES, strict=True)
    until: Day | None = Field(None, description="The last day on which one may start, in the instrument's zone")
    responsible_id: UUID | None = Field(None, description="Who will use it; the caller where nobody is named")

    def rule(self) -> SeriesRule:
        """Return the rule as the use case takes it."""
        return SeriesRule(self.starts_at, self.every, self.unit, self.count, self.until)


class SeriesWish(SeriesBody):
    """A series that is to be priced."""

    purpose: str = Field(min_length=1, max_length=500)
    choice: SeriesChoice = Field(SeriesChoice.ALL, description="All of them or nothing, or those that are free")
    contract_no: str | None = Field(None, min_length=1, max_length=100)


class SeriesOccurrence(Answer):
    """One time of a series and whether it can be booked now."""

    number: int
    starts_at: Moment
    ends_at: Moment
    state: OccurrenceState
    reason: str | None = Field(description="Why not, and what would do instead")
    nearest: list[Moment] = Field(description="Starts that are free instead, where this one is taken")


class SeriesPreview(Answer):
    """Every occurrence, in order."""

    items: list[SeriesOccurrence]
    next_cursor: str | None = None


class SeriesPrice(Answer):
    """A series and its quote: a line for each occurrence that is to be booked. Order the quote to book them."""

    id: UUID
    quote_id: UUID
    gross_fen: Amount
    subsidy_fen: Amount
    payable_fen: Amount
    expires_at: Moment
    occurrences: list[SeriesOccurrence]


class Series(Answer):
    """A series and its bookings, in the order of their time."""

    id: UUID
    offering: str
    instrument_id: UUID
    instrument_name: str
    first_at: Moment
    slots: int
    every: int
    unit: SeriesUnit
    count: int | None
    until: date | None
    choice: SeriesChoice
    made_at: Moment
    bookings: list[Booking]


class SeriesList(Answer):
    """The latest hundred series, newest first."""

    items: list[Series]
    next_cursor: str | None = None


class SeriesCancel(Body):
    """From which day on."""

    from_day: Day = Field(description="The first day whose bookings are cancelled, in the instrument's zone")


@booking_series.post("/booking-series/preview", **call(SeriesPreview))
def preview_series(body: SeriesBody) -> Response:
    """Say for each occurrence whether it could be booked now: free, taken, waited for, closed, outside notice, over quota, not qualified."""
    with working() as work:
        found = use_cases.preview_series(
            work,
            instrument_id=body.instrument_id,
            rule=body.rule(),
            count=body.slots,
            offering=body.offering,
            responsible_id=body.responsible_id,
        )
    return show(SeriesPreview(items=[_occurrence(each) for each in found]))


@booking_series.post("/booking-series", **call(SeriesPrice, status=201))
def ask_series(body: SeriesWish, header: Idempotent) -> Response:
    """Ask what a series costs; POST /orders with its quote books all of it or nothing."""
    wish = shop.SeriesWish(
        body.offering,
        body.instrument_id,
        body.rule(),
        body.slots,
        body.purpose,
        body.contract_no,
        body.responsible_id,
    )

    def carry_out(work: Work) -> SeriesPrice:
        asked = shop.ask_series(work, wish=wish, choice=body.choice)
        return SeriesPrice(
            id=asked.id,
            quote_id=asked.quote.id,
            gross_fen=asked.quote.gross_fen,
            subsidy_fen=asked.quote.subsidy_fen,
            payable_fen=asked.quote.payable_fen,
            expires_at=asked.quote.expires_at,
            occurrences=[_occurrence(each) for each in asked.occurrences],
        )

    return command("series.ask", header, body, carry_out, status=201)


@booking_series.get("/booking-series", **call(SeriesList))
def list_series() -> Response:
    """List the park's series."""
    with working() as work:
        found = use_cases.list_series(work)
    return show(SeriesList(items=[_series(each) for each in found]))


@booking_series.get("/booking-series/<id>", **call(Series))
def read_series(path: ById) -> Response:
    """Read a series with its bookings."""
    with working() as work:
        found = use_cases.read_series(work, series_id=path.id)
    return show(_series(found))


@booking_series.post("/booking-series/<id>/cancel", **call(Series))
def cancel_series(path: ById, body: SeriesCancel, header: Idempotent) -> Response:
    """Cancel the bookings of a series that start on a day or later and have not begun; again changes nothing."""
    return command(
        "series.cancel",
        header,
        body,
        lambda work: _series(shop.cancel_series(work, series_id=path.id, from_day=body.from_day)),
        about={"series": str(path.id)},
    )


def _occurrence(each: use_cases.Occurrence) -> SeriesOccurrence:
    reason: Message | None = each.reason
    return SeriesOccurrence(
        number=each.number,
        starts_at=each.starts_at,
        ends_at=each.ends_at,
        state=each.state,
        reason=None if reason is None else translate(reason, reader_language()),
        nearest=list(each.nearest),
    )


def _series(view: SeriesView) -> Series:
    return Series(
        id=view.id,
        offering=view.offering,
        instrument_id=view.instrument_id,
        instrument_name=view.instrument_name,
        first_at=view.rule.first_at,
        slots=view.slots,
        every=view.rule.every,
        unit=view.rule.unit,
        count=view.rule.count,
        until=view.rule.until,
        choice=view.choice,
        made_at=view.made_at,
        bookings=[Booking.of(each) for each in view.bookings],
    )
