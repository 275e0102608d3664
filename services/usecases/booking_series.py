"""Recurring bookings: what of a series can be booked, said for each occurrence, and the series that bookings belong to.

A series is a rule; each occurrence is a booking of its own, made and ended as every other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import insert, select

from services.formats.inspection import InspectionDocument
from services.rules.series import MOST_OCCURRENCES, MOST_STEPS, SeriesChoice, SeriesRule, SeriesUnit
from services.rules.slots import IsOpen, Span, check_span
from services.store.booking_series import BookingSeries
from services.store.bookings import Booking
from services.usecases import qualifications, quotas, rebooking, slots, suspensions
from services.usecases.bookings import BookingView, bookings_where
from services.usecases.instruments import InstrumentView, read_instrument
from services.usecases.slot_search import nearest_slots
from services.usecases.workdays import working_days
from tenants.kernel.clock import CHINA
from tenants.kernel.errors import Conflict, FieldError, Invalid, NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import Message, msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.usecases import audit

NEAREST = 3
MOST_LISTED = 100


class OccurrenceState(StrEnum):
    """Whether an occurrence can be booked, and why not."""

    FREE = "free"
    TAKEN = "taken"
    WAITED_FOR = "waited_for"
    CLOSED_DAY = "closed_day"
    NO_CALENDAR = "no_calendar"
    OUTSIDE_NOTICE = "outside_notice"
    OUTSIDE_HOURS = "outside_hours"
    OVER_QUOTA = "over_quota"
    NOT_QUALIFIED = "not_qualified"


_STATES = {
    "slot.closed_day": OccurrenceState.CLOSED_DAY,
    "slot.no_calendar": OccurrenceState.NO_CALENDAR,
    "slot.past": OccurrenceState.OUTSIDE_NOTICE,
    "slot.too_soon": OccurrenceState.OUTSIDE_NOTICE,
    "slot.too_far": OccurrenceState.OUTSIDE_NOTICE,
}


@dataclass(frozen=True)
class Occurrence:
    """One time of a series, half-open in UTC, whether it can be booked now, and what could be booked instead."""

    number: int
    starts_at: datetime
    ends_at: datetime
    state: OccurrenceState
    reason: Message | None = None
    nearest: tuple[datetime, ...] = ()


@dataclass(frozen=True)
class SeriesView:
    """A series with those of its occurrences that were booked, in order."""

    id: UUID
    instrument_id: UUID
    instrument_name: str
    offering: str
    rule: SeriesRule
    slots: int
    choice: SeriesChoice
    made_at: datetime
    bookings: tuple[BookingView, ...]


def preview_series(
    work: Work,
    *,
    instrument_id: UUID,
    rule: SeriesRule,
    count: int,
    offering: str | None = None,
    responsible_id: UUID | None = None,
) -> tuple[Occurrence, ...]:
    """Say for each occurrence of ``count`` slots whether the acting park could book it now; nothing is kept.

    What the quota has left is shared out in order, to those that are free. ``responsible_id`` is who will use the
    instrument, None for the acting person. Raises NotFound for an unknown instrument, Invalid for an unusable rule
    (``every``, ``count`` or ``until``) and for nobody of the park, and Conflict ``booking.suspended`` for a park that can
    book none of them now.
    """
    work.actor.require(Permission.ASK_QUOTE)
    instrument = read_instrument(work, instrument_id=instrument_id, offering=offering)
    _check_rule(rule)
    suspensions.refuse_suspended(work, provider_id=instrument.provider_id)
    is_open = working_days(work)
    refuse = qualifications.refuser(
        work, instrument, rebooking.user_of(work, responsible_id, "responsible_id"), "responsible_id"
    )
    found = [
        _if_qualified(_occurrence(work, instrument, number, starts_at, count, is_open), refuse)
        for number, starts_at in enumerate(rule.starts(CHINA), 1)
    ]
    free = [each for each in found if each.state is OccurrenceState.FREE]
    spans = [Span(instrument.id, each.starts_at, each.ends_at) for each in free]
    over = {
        each.number: Occurrence(each.number, each.starts_at, each.ends_at, OccurrenceState.OVER_QUOTA, problem.message)
        for each, problem in zip(free, quotas.refusals(work, instrument, spans), strict=True)
        if problem is not None
    }
    return tuple(over.get(each.number, each) for each in found)


def begin_series(
    work: Work,
    *,
    instrument_id: UUID,
    rule: SeriesRule,
    count: int,
    choice: SeriesChoice,
    offering: str,
    responsible_id: UUID | None = None,
) -> tuple[UUID, tuple[Occurrence, ...]]:
    """Keep a series that is about to be priced, and return it with the occurrences that are to be booked.

    Raises as ``preview_series``; Conflict ``series.not_all_free`` where all are wanted and one cannot be booked, with the
    reason of the first, and ``series.none_free`` where none can.
    """
    work.actor.require(Permission.ASK_QUOTE)
    found = preview_series(
        work,
        instrument_id=instrument_id,
        rule=rule,
        count=count,
        offering=offering,
        responsible_id=responsible_id,
    )
    free = tuple(each for each in found if each.state is OccurrenceState.FREE)
    _check_choice(found, free, choice)
    instrument = read_instrument(work, instrument_id=instrument_id)
    series_id = new_id()
    row = {
        "tenant_id": work.actor.require_tenant(),
        "id": series_id,
        "provider_id": instrument.provider_id,
        "instrument_id": instrument.id,
        "instrument_name": instrument.name,
        "offering": offering,
        "first_at": rule.first_at,
        "slots": count,
        "every": rule.every,
        "unit": rule.unit,
        "count": rule.count,
        "until": rule.until,
        "choice": choice,
        "made_by": work.actor.user_id,
        "made_at": work.now,
    }
    work.session.execute(insert(BookingSeries).values(row))
    audit.record(work, "series.begin", "booking_series", series_id, occurrences=len(free))
    return series_id, free


def occurrence_number(work: Work, asked: InspectionDocument) -> int | None:
    """Return which occurrence of its series a request is, None where it names none; for use cases that have asked for
    their own permission. Raises Invalid where the series is not the park's, or has no such occurrence.
    """
    if asked.series_id is None:
        return None
    row = _row(work, asked.series_id)
    number = None
    if row is not None and (row.instrument_id, row.slots) == (asked.instrument_id, asked.slots):
        number = _rule(row).number_of(asked.starts_at, CHINA)
    if number is None:
        wrong = msg("该时段不属于所称的系列预约。请重新预览后下单。")
        raise Invalid(
            "series.no_occurrence", wrong, errors=[FieldError("request.series_id", "series.no_occurrence", wrong)]
        )
    return number


def booked_already() -> Conflict:
    """Return the refusal of an occurrence that is booked."""
    return Conflict("series.booked_already", msg("该系列的这一次已经预约。请在订单中查看。"))


def read_series(work: Work, *, series_id: UUID) -> SeriesView:
    """Return a series of the acting park; NotFound for another's, and for one of which nothing was booked."""
    work.actor.require(Permission.READ_ORDER)
    row = _row(work, series_id)
    views = [] if row is None else _views(work, [row])
    if not views:
        raise NotFound("series.not_found", msg("没有找到该系列预约。请从订单中打开。"))
    return views[0]


def list_series(work: Work) -> tuple[SeriesView, ...]:
    """Return the acting park's series of which something was booked, newest first, a hundred at most."""
    work.actor.require(Permission.READ_ORDER)
    tenant_id = work.actor.require_tenant()
    booked = select(Booking.id).where(Booking.tenant_id == tenant_id, Booking.series_id == BookingSeries.id)
    query = select(BookingSeries).where(BookingSeries.tenant_id == tenant_id, booked.exists())
    query = query.order_by(BookingSeries.made_at.desc(), BookingSeries.id).limit(MOST_LISTED)
    return tuple(_views(work, list(work.session.scalars(query))))


def _occurrence(
    work: Work, instrument: InstrumentView, number: int, starts_at: datetime, count: int, is_open: IsOpen
) -> Occurrence:
    ends_at = starts_at + timedelta(minutes=count * instrument.slot_minutes)
    try:
        check_span(instrument.hours, starts_at, count, work.now, is_open)
        slots.check_free(work, instrument, Span(instrument.id, starts_at, ends_at))
    except Invalid as problem:
        state = _STATES.get(problem.code, OccurrenceState.OUTSIDE_HOURS)
        return Occurrence(number, starts_at, ends_at, state, problem.message)
    except Conflict as problem:
        near = tuple(each.starts_at for each in nearest_slots(work, instrument, starts_at, NEAREST))
        state = OccurrenceState.WAITED_FOR if problem.code == "slot.waited_for" else OccurrenceState.TAKEN
        return Occurrence(number, starts_at, ends_at, state, problem.message, near)
    return Occurrence(number, starts_at, ends_at, OccurrenceState.FREE)


def _if_qualified(found: Occurrence, refuse: Callable[[datetime], None]) -> Occurrence:
    """Return an occurrence as it is, or with the refusal of a person who may not use the instrument on its day."""
    try:
        refuse(found.starts_at)
    except Conflict as problem:
        if found.state is OccurrenceState.FREE:
            return replace(found, state=OccurrenceState.NOT_QUALIFIED, reason=problem.message)
    return found


def _check_rule(rule: SeriesRule) -> None:
    wrong = rule.problem(CHINA)
    if wrong is None:
        return
    said = {
        "every": msg("间隔须为 1 至 {most}。", most=MOST_STEPS),
        "count": msg("请填写次数（2 至 {most}）或截止日期，只填一项。", most=MOST_OCCURRENCES),
        "until": msg("到截止日期须为 2 至 {most} 次。请调整日期或间隔。", most=MOST_OCCURRENCES),
    }[wrong]
    raise Invalid("series.rule", said, errors=[FieldError(wrong, "series.rule", said)])


def _check_choice(found: Sequence[Occurrence], free: Sequence[Occurrence], choice: SeriesChoice) -> None:
    refused = next((each for each in found if each.state is not OccurrenceState.FREE), None)
    if refused is None or (choice is SeriesChoice.FREE and free):
        return
    facts = {"when": f"{refused.starts_at.astimezone(CHINA):%Y-%m-%d %H:%M}", "reason": refused.reason}
    if not free:
        raise Conflict("series.none_free", msg("没有一次可以预约。{when}：{reason}", **facts))
    raise Conflict(
        "series.not_all_free",
        msg("有 {count} 次不能预约，已全部放弃。{when}：{reason}", count=len(found) - len(free), **facts),
    )


def _row(work: Work, series_id: UUID) -> BookingSeries | None:
    own = (BookingSeries.tenant_id == work.actor.require_tenant(), BookingSeries.id == series_id)
    return work.session.execute(select(BookingSeries).where(*own)).scalar_one_or_none()


def _rule(row: BookingSeries) -> SeriesRule:
    until: date | None = row.until
    return SeriesRule(row.first_at, row.every, SeriesUnit(row.unit), row.count, until)


def _views(work: Work, rows: Sequence[BookingSeries]) -> list[SeriesView]:
    where = (Booking.tenant_id == work.actor.require_tenant(), Booking.series_id.in_([row.id for row in rows]))
    booked: dict[UUID | None, list[BookingView]] = {}
    for each in bookings_where(work, *where, limit=MOST_LISTED * MOST_OCCURRENCES * 2):
        booked.setdefault(each.series_id, []).append(each)
    return [
        SeriesView(
            row.id, row.instrument_id, row.instrument_name, row.offering, _rule(row), row.slots,
            SeriesChoice(row.choice), row.made_at, tuple(booked[row.id]),
        )
        for row in rows if row.id in booked
    ]  # fmt: skip
