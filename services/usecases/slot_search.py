"""Finding free slots: of one offering's instruments in turn, of each instrument the first, or of several together.

Slots are found from the earliest on, in stretches of days that grow, and the search stops as soon as it has enough: what
it costs follows what is shown, not how many instruments there are or how far ahead it may look.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import islice
from uuid import UUID

from sqlalchemy import ColumnElement, exists, func, select

from services.rules.slots import LONGEST_SEARCH, Hours, IsOpen, known_days, slot_starts
from services.store import slot_queries
from services.store.catalogue import Instrument
from services.store.slot_queries import Window
from services.usecases.instruments import InstrumentView, instrument_view, read_instrument, visible
from services.usecases.workdays import working_days
from tenants.kernel.clock import CHINA
from tenants.kernel.errors import FieldError, Invalid
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work

MOST_FOUND = 1000
MOST_TOGETHER = 8
"""Instruments that one search may want at once."""
LONGEST_METHOD = 100
MOST_STARTS = 20_000
"""More than eight instruments have in the days of one search."""
NEARBY = timedelta(days=7)


@dataclass(frozen=True)
class SlotView:
    """A slot that is free now, half-open in UTC."""

    instrument_id: UUID
    instrument_name: str
    region_code: str
    starts_at: datetime
    ends_at: datetime
    """The end of the shortest booking."""
    free_units: int = 1
    waited: bool = False
    """Whether it goes to somebody who has waited for it: free, and yet not to be booked."""


@dataclass(frozen=True)
class FoundInstrument:
    """An instrument that fits a search, with its first free slot in the span that was asked for."""

    instrument: InstrumentView
    first: SlotView


@dataclass(frozen=True)
class TogetherView:
    """A time at which several instruments are free, half-open in UTC."""

    starts_at: datetime
    ends_at: datetime


def search_slots(
    work: Work,
    *,
    offering: str,
    from_: datetime,
    to: datetime,
    region: str | None = None,
    method: str | None = None,
    instrument_id: UUID | None = None,
    limit: int = 100,
    waited: bool = False,
) -> tuple[SlotView, ...]:
    """Return the free slots of an offering's instruments within ``[from_, to)``, earliest first.

    Slots that go to others who wait for them are left out, or with ``waited`` are marked. ``region`` is the beginning of an
    administrative division code: two digits are a province, four a prefecture; ``method`` is part of a method's or
    standard's name. Only working days count. Raises Invalid for an unusable span, and for one that begins in a year whose
    calendar is not known; a span that runs into such a year ends there.
    """
    work.actor.require(Permission.READ_CATALOGUE)
    check_search(from_, to)
    narrowed = [Instrument.offering == offering, *_narrowed(region, method)]
    if instrument_id is not None:
        narrowed.append(Instrument.id == instrument_id)
    found: list[SlotView] = []
    instrument_ids, most = _instruments(work, narrowed), min(limit, MOST_FOUND)
    for window in _windows(work, from_, to):
        found += _free(work, instrument_ids, window, most - len(found), waited=waited)
        if len(found) >= most:
            break
    return tuple(found)


def search_instruments(
    work: Work,
    *,
    offerings: Collection[str],
    from_: datetime,
    to: datetime,
    region: str | None = None,
    method: str | None = None,
    limit: int = 50,
) -> tuple[FoundInstrument, ...]:
    """Return the instruments of some offerings that have a free slot within ``[from_, to)``, the earliest first.

    Raises as ``search_slots`` does.
    """
    work.actor.require(Permission.READ_CATALOGUE)
    check_search(from_, to)
    wanted = set(_instruments(work, [Instrument.offering.in_(offerings), *_narrowed(region, method)]))
    first: dict[UUID, SlotView] = {}
    for window in _windows(work, from_, to):
        while wanted and len(first) < limit:
            slots = _free(work, wanted, window, limit)
            for slot in slots:
                first.setdefault(slot.instrument_id, slot)
            wanted -= first.keys()
            if len(slots) < limit:
                break
    chosen = sorted(first.values(), key=lambda slot: slot.starts_at)[:limit]
    views = _views(work, [slot.instrument_id for slot in chosen])
    return tuple(FoundInstrument(views[slot.instrument_id], slot) for slot in chosen)


def search_together(
    work: Work, *, instrument_ids: Sequence[UUID], from_: datetime, to: datetime, slots: int = 1, limit: int = 20
) -> tuple[TogetherView, ...]:
    """Return the times within ``[from_, to)`` at which all of these instruments can be booked for ``slots`` slots from
    the same moment, earliest first; they end when the longest of the bookings does.

    Raises Invalid for an unusable span, fewer than two instruments or more than eight; NotFound for an unknown one.
    """
    work.actor.require(Permission.READ_CATALOGUE)
    check_search(from_, to)
    wanted = [read_instrument(work, instrument_id=each) for each in dict.fromkeys(instrument_ids)]
    if not 2 <= len(wanted) <= MOST_TOGETHER:
        wrong = msg("请选择 2 至 {most} 台仪器。", most=MOST_TOGETHER)
        raise Invalid("slot.together", wrong, errors=[FieldError("instrument_ids", "slot.together", wrong)])
    for each in wanted:
        _check_length(each, slots)
    ids = [each.id for each in wanted]
    common: list[TogetherView] = []
    for window in _windows(work, from_, to):
        ends: dict[datetime, list[datetime]] = {}
        for slot in _free(work, ids, window, MOST_STARTS, slots):
            ends.setdefault(slot.starts_at, []).append(slot.ends_at)
        common += [TogetherView(at, max(each)) for at, each in ends.items() if len(each) == len(ids)]
        if len(common) >= limit:
            break
    return tuple(common[:limit])


def check_search(from_: datetime, to: datetime) -> None:
    """Raise Invalid ``slot.bad_span`` for a span that no search takes."""
    if to <= from_ or to - from_ > LONGEST_SEARCH:
        wrong = msg("查询时段须晚于起点，且不超过 {days} 天。", days=LONGEST_SEARCH.days)
        raise Invalid("slot.bad_span", wrong, errors=[FieldError("to", "slot.bad_span", wrong)])


def nearest_slots(work: Work, instrument: InstrumentView, wanted: datetime, limit: int) -> tuple[SlotView, ...]:
    """Return the free slots nearest to a moment within seven days of it, in the order of time; for use cases that have
    asked for their own permission.
    """
    from_, to = max(work.now, wanted - NEARBY), max(work.now, wanted) + NEARBY
    window = _window(work, _open_days(from_, to, working_days(work)), from_, to)
    found = [SlotView(**row) for row in slot_queries.nearest_free(work.session, instrument.id, window, wanted, limit)]
    return tuple(sorted(found, key=lambda slot: slot.starts_at))


def free_within(
    work: Work, instrument_id: UUID, from_: datetime, to: datetime, *, slots: int, limit: int
) -> tuple[SlotView, ...]:
    """Return an instrument's free times of ``slots`` slots in a row within ``[from_, to)``, earliest first; for use cases
    that have asked for their own permission. Days of a year that is not known have none. Whoever waits for them: this is
    what is looked at before a slot is offered.
    """
    begin = max(from_, work.now + timedelta(microseconds=1))
    if begin >= to:
        return ()
    window = _window(work, _open_days(begin, to, working_days(work)), begin, to)
    rows = slot_queries.earliest_unreserved(work.session, [instrument_id], window, limit, slots)
    return tuple(SlotView(**row) for row in rows)


def taken_slots(
    work: Work, *, instruments: Iterable[InstrumentView], from_: datetime, to: datetime, free: Iterable[SlotView]
) -> tuple[SlotView, ...]:
    """Return the slots of some instruments within ``[from_, to)`` that could be booked were they not taken.

    ``free`` are all that are free then. What is taken has no free unit.
    """
    work.actor.require(Permission.READ_CATALOGUE)
    known = {(each.instrument_id, each.starts_at) for each in free}
    is_open = known_days(working_days(work))
    found: list[SlotView] = []
    for each in instruments:
        for at in _starts(work, each.hours, from_, to, is_open):
            if (each.id, at) not in known:
                ends_at = at + each.hours.shortest
                found.append(SlotView(each.id, each.name, each.region_code, at, ends_at, free_units=0))
    return tuple(found)


def is_open_within(work: Work, *, instrument: InstrumentView, from_: datetime, to: datetime) -> bool:
    """Tell whether an instrument has a slot within ``[from_, to)`` that can be booked, or could be were it not taken."""
    work.actor.require(Permission.READ_CATALOGUE)
    starts = _starts(work, instrument.hours, from_, to, known_days(working_days(work)))
    return next(starts, None) is not None


def list_fitting(
    work: Work, *, offerings: Collection[str], region: str | None = None, method: str | None = None, limit: int = 50
) -> tuple[InstrumentView, ...]:
    """Return the instruments of some offerings that fit a search, free or not, by name."""
    work.actor.require(Permission.READ_CATALOGUE)
    narrowed = [Instrument.offering.in_(offerings), *_narrowed(region, method)]
    query = select(Instrument).where(*narrowed, *visible(work.actor)).order_by(Instrument.name, Instrument.id)
    return tuple(instrument_view(row) for row in work.session.scalars(query.limit(limit)))


def _starts(work: Work, hours: Hours, from_: datetime, to: datetime, is_open: IsOpen) -> Iterator[datetime]:
    """Yield the starts within ``[from_, to)`` that are neither too soon nor too far to be booked now."""
    begin = max(from_, work.now + timedelta(minutes=hours.min_notice_minutes, microseconds=1))
    end = min(to, work.now + timedelta(days=hours.max_notice_days) + hours.shortest)
    return slot_starts(hours, begin, end, is_open)


def _check_length(instrument: InstrumentView, slots: int) -> None:
    most = instrument.hours.max_slots
    if not 1 <= slots <= most:
        wrong = msg("“{name}”每次最多预约 {most} 档。请减少档数。", name=instrument.name, most=most)
        raise Invalid("slot.too_long", wrong, errors=[FieldError("slots", "slot.too_long", wrong)])


def _narrowed(region: str | None, method: str | None) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if region:
        found.append(Instrument.region_code.startswith(region, autoescape=True))
    if method and method.strip():
        named = (
            func.jsonb_array_elements_text(Instrument.methods.op("||")(Instrument.standards))
            .table_valued("value")
            .alias("named")
        )
        wanted = method.strip()[:LONGEST_METHOD]
        found.append(exists(select(1).select_from(named).where(named.c.value.icontains(wanted, autoescape=True))))
    return found


def _instruments(work: Work, narrowed: Sequence[ColumnElement[bool]]) -> list[UUID]:
    return list(work.session.scalars(select(Instrument.id).where(*narrowed, *visible(work.actor))))


def _views(work: Work, ids: Collection[UUID]) -> dict[UUID, InstrumentView]:
    query = select(Instrument).where(Instrument.id.in_(ids), *visible(work.actor))
    return {row.id: instrument_view(row) for row in work.session.scalars(query)}


def _free(
    work: Work, ids: Collection[UUID], window: Window, limit: int, slots: int = 1, *, waited: bool = False
) -> list[SlotView]:
    found = slot_queries.earliest_free(work.session, ids, window, limit, slots, waited=waited)
    return [SlotView(**row) for row in found]


def _windows(work: Work, from_: datetime, to: datetime) -> Iterator[Window]:
    """Yield the worked days of ``[from_, to)`` that are to come, one first and twice as many each time.

    The first day's year must be known; the days end where a year is not.
    """
    begin = max(from_, work.now + timedelta(microseconds=1))
    if begin >= to:
        return
    is_open = working_days(work)
    is_open(begin.astimezone(CHINA).date())
    days = _open_days(begin, to, is_open)
    many = 1
    while some := list(islice(days, many)):
        yield _window(work, some, begin, to)
        many *= 2


def _window(work: Work, days: Iterable[date], from_: datetime, to: datetime) -> Window:
    return Window([datetime.combine(day, time(), CHINA) for day in days], from_, to, work.now)


def _open_days(from_: datetime, to: datetime, is_open: IsOpen) -> Iterator[date]:
    """Yield the worked days in order, up to the first of a year that is not known."""
    day, last = from_.astimezone(CHINA).date(), to.astimezone(CHINA).date()
    while day <= last:
        try:
            is_worked = is_open(day)
        except Invalid:
            return
        if is_worked:
            yield day
        day += timedelta(days=1)
