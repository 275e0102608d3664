"""Free slots of instruments, and taking one: the database's exclusion constraint decides who gets it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import Range, insert
from sqlalchemy.exc import OperationalError

from services.gateways.workdays import is_workday
from services.rules.slots import LONGEST_SEARCH, Span, free_starts
from services.store.bookings import Reservation
from services.store.catalogue import Instrument
from services.usecases.catalogue import InstrumentView, instrument_view
from tenants.kernel.clock import CHINA
from tenants.kernel.errors import Conflict, FieldError, Invalid, NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work

MOST_FOUND = 1000
NEARBY = timedelta(days=7)
DEADLOCK = "40P01"


@dataclass(frozen=True)
class SlotView:
    """A slot that is free now, half-open in UTC."""

    instrument_id: UUID
    instrument_name: str
    region_code: str
    starts_at: datetime
    ends_at: datetime


def search_slots(
    work: Work,
    *,
    offering: str,
    from_: datetime,
    to: datetime,
    region: str | None = None,
    limit: int = 100,
) -> tuple[SlotView, ...]:
    """Return the free slots of an offering's instruments within ``[from_, to)``, earliest first.

    ``region`` is the beginning of an administrative division code: two digits are a province, four a prefecture.
    Only working days count. Raises Invalid for an unusable span, and for one that begins in a year whose calendar
    is not known; a span that runs into such a year ends there.
    """
    work.actor.require(Permission.READ_CATALOGUE)
    if to <= from_ or to - from_ > LONGEST_SEARCH:
        wrong = msg("查询时段须晚于起点，且不超过 {days} 天。", days=LONGEST_SEARCH.days)
        raise Invalid("slot.bad_span", wrong, errors=[FieldError("to", "slot.bad_span", wrong)])
    query = select(Instrument).where(Instrument.offering == offering).order_by(Instrument.name, Instrument.id)
    if region:
        query = query.where(Instrument.region_code.startswith(region, autoescape=True))
    instruments = [instrument_view(row) for row in work.session.execute(query).scalars()]
    return _free(work, instruments, from_, to, min(limit, MOST_FOUND))


def read_instrument(work: Work, *, offering: str, instrument_id: UUID) -> InstrumentView:
    """Return one instrument of an offering; NotFound when there is none."""
    work.actor.require(Permission.READ_CATALOGUE)
    query = select(Instrument).where(Instrument.offering == offering, Instrument.id == instrument_id)
    row = work.session.execute(query).scalar_one_or_none()
    if row is None:
        raise NotFound("instrument.not_found", msg("没有找到该仪器。请重新查询可预约时段。"))
    return instrument_view(row)


def check_free(work: Work, instrument: InstrumentView, span: Span) -> None:
    """Raise Conflict ``slot.taken`` when ``span`` is taken by now, naming the nearest free slots."""
    work.actor.require(Permission.ASK_QUOTE)
    taken = select(Reservation.id).where(
        Reservation.provider_id == instrument.provider_id,
        Reservation.instrument_id == instrument.id,
        Reservation.active,
        Reservation.during.overlaps(_range(span.starts_at, span.ends_at)),
    )
    if work.session.execute(taken.limit(1)).scalar_one_or_none() is not None:
        raise _slot_taken(work, instrument, span)


def reserve(work: Work, instrument: InstrumentView, span: Span) -> UUID:
    """Reserve ``span`` and return the reservation; Conflict ``slot.taken`` when somebody was faster.

    A booking belongs to every reservation. Two transactions that want the same time meet at the
    exclusion constraint: the second waits for the first and then sees it taken. Two that want several instruments in
    opposite order would wait for each other; the database ends one of them, which is the same answer: try again.
    """
    work.actor.require(Permission.PLACE_ORDER)
    statement = (
        insert(Reservation)
        .values(
            provider_id=instrument.provider_id,
            id=new_id(),
            instrument_id=instrument.id,
            during=_range(span.starts_at, span.ends_at),
            active=True,
            created_at=work.now,
        )
        .on_conflict_do_nothing()
        .returning(Reservation.id)
    )
    try:
        reservation_id = work.session.execute(statement).scalar_one_or_none()
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) != DEADLOCK:
            raise
        raise Conflict("slot.busy", msg("同一时段正有多人预约。请稍后重试。")) from error
    if reservation_id is None:
        raise _slot_taken(work, instrument, span)
    return reservation_id


def _slot_taken(work: Work, instrument: InstrumentView, span: Span) -> Conflict:
    """Return the refusal of a taken time, with up to three free ones nearest to it."""
    earliest = max(work.now, span.starts_at - NEARBY)
    free = _free(work, [instrument], earliest, max(span.starts_at, earliest) + NEARBY, MOST_FOUND)
    nearest = sorted(sorted(free, key=lambda slot: abs(slot.starts_at - span.starts_at))[:3], key=lambda s: s.starts_at)
    if not nearest:
        return Conflict(
            "slot.taken", msg("“{name}”的该时段已被预约，前后七天内也无空档。请更换仪器或日期。", name=instrument.name)
        )
    return Conflict(
        "slot.taken",
        msg(
            "“{name}”的该时段已被预约。最近的空档：{nearest}。",
            name=instrument.name,
            nearest="、".join(f"{slot.starts_at.astimezone(CHINA):%m-%d %H:%M}" for slot in nearest),
        ),
    )


def _free(
    work: Work, instruments: Sequence[InstrumentView], from_: datetime, to: datetime, limit: int
) -> tuple[SlotView, ...]:
    """Return free slots in the future; all instruments' reservations come in one query."""
    begin = max(from_, work.now + timedelta(microseconds=1)).astimezone(UTC)
    if begin >= to:
        return ()
    taken = _taken(work, instruments, begin, to)
    found: list[SlotView] = []
    end = _known_until(begin, to)
    for instrument in instruments:
        length = timedelta(minutes=instrument.slot_minutes)
        starts = free_starts(
            instrument.hours, Span(instrument.id, begin, end), taken.get(instrument.id, []), is_workday
        )
        for number, start in enumerate(starts):
            if number == limit:
                break
            moment = start.astimezone(UTC)
            found.append(SlotView(instrument.id, instrument.name, instrument.region_code, moment, moment + length))
    found.sort(key=lambda slot: (slot.starts_at, slot.instrument_name, slot.instrument_id))
    return tuple(found[:limit])


def _taken(
    work: Work, instruments: Sequence[InstrumentView], from_: datetime, to: datetime
) -> dict[UUID, list[tuple[datetime, datetime]]]:
    query = select(Reservation.instrument_id, func.lower(Reservation.during), func.upper(Reservation.during)).where(
        Reservation.provider_id.in_({instrument.provider_id for instrument in instruments}),
        Reservation.instrument_id.in_([instrument.id for instrument in instruments]),
        Reservation.active,
        Reservation.during.overlaps(_range(from_, to)),
    )
    taken: dict[UUID, list[tuple[datetime, datetime]]] = {}
    for instrument_id, starts_at, ends_at in work.session.execute(query):
        taken.setdefault(instrument_id, []).append((starts_at, ends_at))
    return taken


def _known_until(begin: datetime, to: datetime) -> datetime:
    """Return the end of a search that stops where the calendar is not known; its first day must be known."""
    first, last = begin.astimezone(CHINA), to.astimezone(CHINA)
    is_workday(first.date())
    for year in range(first.year + 1, last.year + 1):
        turn = datetime(year, 1, 1, tzinfo=CHINA)
        try:
            is_workday(turn.date())
        except Invalid:
            return min(to, turn)
    return to


def _range(from_: datetime, to: datetime) -> Range[datetime]:
    return Range(from_, to, bounds="[)")
