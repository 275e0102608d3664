"""Finding free slots: of one offering's instruments in turn, of each instrument the first, or of several together.

Slots are found from the earliest on, in stretches of time that grow, and the search stops as soon as it has enough: what
it costs follows what is shown, not how many instruments there are or how far ahead it may look.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import islice
from typing import Any
from uuid import UUID

from sqlalchemy import BindParameter, ColumnElement, Uuid, any_, bindparam, exists, func, select
from sqlalchemy.dialects.postgresql import ARRAY, Range

from services.rules.slots import LONGEST_SEARCH, IsOpen, Span, free_starts
from services.store.bookings import Reservation
from services.store.catalogue import Instrument
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
FIRST_STRETCH = timedelta(days=1)
"""How far ahead a search looks first; each further stretch is twice as long."""
LONGEST_METHOD = 100

Busy = Mapping[tuple[UUID, int], list[tuple[datetime, datetime]]]


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
) -> tuple[SlotView, ...]:
    """Return the free slots of an offering's instruments within ``[from_, to)``, earliest first.

    ``region`` is the beginning of an administrative division code: two digits are a province, four a prefecture;
    ``method`` is part of a method's name. Only working days count. Raises Invalid for an unusable span, and for one that
    begins in a year whose calendar is not known; a span that runs into such a year ends there.
    """
    work.actor.require(Permission.READ_CATALOGUE)
    check_search(from_, to)
    narrowed = [Instrument.offering == offering, *_narrowed(region, method)]
    if instrument_id is not None:
        narrowed.append(Instrument.id == instrument_id)
    return free_slots(work, _instruments(work, narrowed), from_, to, min(limit, MOST_FOUND))


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
    wanted = _instruments(work, [Instrument.offering.in_(offerings), *_narrowed(region, method)])
    by_id = {each.id: each for each in wanted}
    found: dict[UUID, SlotView] = {}
    for slots in _stretches(work, wanted, from_, to):
        for slot in slots:
            if slot.instrument_id not in found:
                found[slot.instrument_id] = slot
                if len(found) == min(limit, len(by_id)):
                    break
        if len(found) >= min(limit, len(by_id)):
            break
    return tuple(FoundInstrument(by_id[each], slot) for each, slot in found.items())


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
    longer = [_for_slots(each, slots) for each in wanted]
    ends: dict[datetime, list[datetime]] = {}
    common: list[TogetherView] = []
    for found in _stretches(work, longer, from_, to):
        for slot in found:
            at_once = ends.setdefault(slot.starts_at, [])
            at_once.append(slot.ends_at)
            if len(at_once) == len(longer):
                common.append(TogetherView(slot.starts_at, max(at_once)))
                if len(common) == limit:
                    return tuple(common)
        ends.clear()
    return tuple(common)


def check_search(from_: datetime, to: datetime) -> None:
    """Raise Invalid ``slot.bad_span`` for a span that no search takes."""
    if to <= from_ or to - from_ > LONGEST_SEARCH:
        wrong = msg("查询时段须晚于起点，且不超过 {days} 天。", days=LONGEST_SEARCH.days)
        raise Invalid("slot.bad_span", wrong, errors=[FieldError("to", "slot.bad_span", wrong)])


def free_slots(
    work: Work, instruments: Sequence[InstrumentView], from_: datetime, to: datetime, limit: int
) -> tuple[SlotView, ...]:
    """Return the free slots of ``instruments`` in the future, earliest first; for use cases that have asked for their
    own permission.
    """
    every = (slot for slots in _stretches(work, instruments, from_, to) for slot in slots)
    return tuple(islice(every, limit))


def _for_slots(instrument: InstrumentView, slots: int) -> InstrumentView:
    """Return the instrument as one that is booked for at least ``slots`` slots; Invalid ``slot.too_long`` for too many."""
    hours = instrument.hours
    if not 1 <= slots <= hours.max_slots:
        wrong = msg("“{name}”每次最多预约 {most} 档。请减少档数。", name=instrument.name, most=hours.max_slots)
        raise Invalid("slot.too_long", wrong, errors=[FieldError("slots", "slot.too_long", wrong)])
    return replace(instrument, hours=replace(hours, min_slots=max(hours.min_slots, slots)))


def _narrowed(region: str | None, method: str | None) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if region:
        found.append(Instrument.region_code.startswith(region, autoescape=True))
    if method and method.strip():
        named = func.jsonb_array_elements_text(Instrument.methods).table_valued("value").alias("named")
        wanted = method.strip()[:LONGEST_METHOD]
        found.append(exists(select(1).select_from(named).where(named.c.value.icontains(wanted, autoescape=True))))
    return found


def _instruments(work: Work, narrowed: Sequence[ColumnElement[bool]]) -> list[InstrumentView]:
    query = select(*Instrument.__table__.columns).where(*narrowed, *visible(work.actor))
    ordered = query.order_by(Instrument.name, Instrument.id)
    return [instrument_view(row) for row in work.session.execute(ordered)]


def _stretches(
    work: Work, instruments: Sequence[InstrumentView], from_: datetime, to: datetime
) -> Iterator[Iterator[SlotView]]:
    """Yield the free slots in order, a stretch of whole days at a time; a stretch's bookings are read when it comes."""
    begin = max(from_, work.now + timedelta(microseconds=1)).astimezone(UTC)
    if begin >= to or not instruments:
        return
    is_open = cache(working_days(work))
    end = _known_until(begin, to, is_open)
    length = FIRST_STRETCH
    while begin < end:
        midnight = begin.astimezone(CHINA).replace(hour=0, minute=0, second=0, microsecond=0)
        until = min(end, (midnight + length).astimezone(UTC))
        yield _in_order(work, instruments, (begin, until), is_open)
        begin, length = until, length * 2


def _in_order(
    work: Work,
    instruments: Sequence[InstrumentView],
    stretch: tuple[datetime, datetime],
    is_open: IsOpen,
) -> Iterator[SlotView]:
    """Yield the free slots within ``stretch``, by time and name: none is worked out before it is wanted."""
    busy = _taken(work, instruments, *stretch)
    each = [_free_of(work.now, instrument, stretch, busy, is_open) for instrument in instruments]
    return heapq.merge(*each, key=lambda slot: (slot.starts_at, slot.instrument_name, slot.instrument_id))


def _free_of(
    now: datetime, instrument: InstrumentView, stretch: tuple[datetime, datetime], busy: Busy, is_open: IsOpen
) -> Iterator[SlotView]:
    hours = instrument.hours
    begin, until = stretch
    first = max(begin, now + timedelta(minutes=hours.min_notice_minutes))
    latest = now + timedelta(days=hours.max_notice_days)
    span = Span(instrument.id, first, min(until, latest + hours.shortest))
    free = _counted(instrument, span, busy, is_open)
    for start, units in free:
        if start > latest:
            return
        moment = start.astimezone(UTC)
        yield SlotView(instrument.id, instrument.name, instrument.region_code, moment, moment + hours.shortest, units)


def _counted(instrument: InstrumentView, span: Span, busy: Busy, is_open: IsOpen) -> Iterable[tuple[datetime, int]]:
    """Return the free starts in order, with how many units are free; of one unit alone, as they are wanted."""
    by_unit = [
        free_starts(instrument.hours, span, busy.get((instrument.id, unit), []), is_open)
        for unit in range(1, instrument.units + 1)
    ]
    if len(by_unit) == 1:
        return ((start, 1) for start in by_unit[0])
    return sorted(Counter(start for starts in by_unit for start in starts).items())


def _taken(work: Work, instruments: Sequence[InstrumentView], from_: datetime, to: datetime) -> Busy:
    """Return the busy times of each unit; buffers reach a little beyond the span that is looked at."""
    before = max(each.hours.before_minutes for each in instruments)
    after = max(each.hours.after_minutes for each in instruments)
    near = Range(from_ - timedelta(minutes=before), to + timedelta(minutes=after), bounds="[)")
    query = select(
        Reservation.instrument_id, Reservation.unit, func.lower(Reservation.during), func.upper(Reservation.during)
    ).where(
        Reservation.provider_id == any_(_ids(instrument.provider_id for instrument in instruments)),
        Reservation.instrument_id == any_(_ids(instrument.id for instrument in instruments)),
        Reservation.active,
        Reservation.during.overlaps(near),
    )
    taken: dict[tuple[UUID, int], list[tuple[datetime, datetime]]] = {}
    for instrument_id, unit, starts_at, ends_at in work.session.execute(query):
        taken.setdefault((instrument_id, unit), []).append((starts_at, ends_at))
    return taken


def _ids(ids: Iterable[UUID]) -> BindParameter[Any]:
    """Return ids as one parameter, however many they are."""
    return bindparam(None, sorted(set(ids)), ARRAY(Uuid))


def _known_until(begin: datetime, to: datetime, is_open: IsOpen) -> datetime:
    """Return the end of a search that stops where the calendar is not known; its first day must be known."""
    first, last = begin.astimezone(CHINA), to.astimezone(CHINA)
    is_open(first.date())
    for year in range(first.year + 1, last.year + 1):
        turn = datetime(year, 1, 1, tzinfo=CHINA)
        try:
            is_open(turn.date())
        except Invalid:
            return min(to, turn)
    return to
