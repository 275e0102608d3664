"""Free slots of instruments, and taking one: the database's exclusion constraint decides who gets it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import Range, insert
from sqlalchemy.exc import OperationalError

from services.rules.slots import LONGEST_BUFFER, LONGEST_SEARCH, IsOpen, Span, free_starts
from services.store.bookings import Reservation
from services.store.catalogue import Instrument
from services.usecases.instruments import InstrumentView, instrument_view, visible
from services.usecases.workdays import working_days
from tenants.kernel.clock import CHINA
from tenants.kernel.errors import Conflict, FieldError, Invalid
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
    """The end of the shortest booking."""
    free_units: int = 1


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
    query = (
        select(Instrument)
        .where(Instrument.offering == offering, *visible(work.actor))
        .order_by(Instrument.name, Instrument.id)
    )
    if region:
        query = query.where(Instrument.region_code.startswith(region, autoescape=True))
    instruments = [instrument_view(row) for row in work.session.execute(query).scalars()]
    return _free(work, instruments, from_, to, min(limit, MOST_FOUND))


def check_free(work: Work, instrument: InstrumentView, span: Span) -> None:
    """Raise Conflict ``slot.taken`` when ``span`` is taken by now, naming the nearest free slots."""
    work.actor.require(Permission.ASK_QUOTE)
    if not _free_units(work, instrument, span):
        raise _slot_taken(work, instrument, span)


def reserve(work: Work, instrument: InstrumentView, span: Span) -> UUID:
    """Reserve a unit for ``span`` with its buffers; Conflict ``slot.taken`` when somebody was faster.

    The lowest free unit is taken, so that long bookings find a unit that is free throughout. A booking belongs to every reservation. Two transactions that want the same time meet at the
    exclusion constraint: the second waits for the first and then sees it taken. Two that want several instruments in
    opposite order would wait for each other; the database ends one of them, which is the same answer: try again.
    """
    work.actor.require(Permission.PLACE_ORDER)
    for unit in _free_units(work, instrument, span):
        if (reservation_id := _take(work, instrument, span, unit)) is not None:
            _check_unit(work, instrument, unit)
            return reservation_id
    raise _slot_taken(work, instrument, span)


def _take(work: Work, instrument: InstrumentView, span: Span, unit: int) -> UUID | None:
    """Reserve one unit; None when it was taken meanwhile."""
    statement = (
        insert(Reservation)
        .values(
            provider_id=instrument.provider_id,
            id=new_id(),
            instrument_id=instrument.id,
            unit=unit,
            during=_range(*instrument.hours.occupied(span.starts_at, span.ends_at)),
            active=True,
            created_at=work.now,
        )
        .on_conflict_do_nothing()
        .returning(Reservation.id)
    )
    try:
        return work.session.execute(statement).scalar_one_or_none()
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) != DEADLOCK:
            raise
        raise Conflict("slot.busy", msg("同一时段正有多人预约。请稍后重试。")) from error


def _check_unit(work: Work, instrument: InstrumentView, unit: int) -> None:
    """Raise Conflict when the provider took the unit away meanwhile.

    The reservation's foreign key has waited for a change of the instrument to end, so this reads what came of it.
    """
    if unit > 1:
        units = work.session.execute(
            select(Instrument.units).where(
                Instrument.provider_id == instrument.provider_id, Instrument.id == instrument.id
            )
        ).scalar_one_or_none()
        if units is None or units < unit:
            raise Conflict("slot.busy", msg("服务机构刚刚调整了该仪器。请重新查询可预约时段。"))


def _free_units(work: Work, instrument: InstrumentView, span: Span) -> list[int]:
    """Return the units that are free for ``span`` and its buffers, lowest first."""
    taken = select(Reservation.unit).where(
        Reservation.provider_id == instrument.provider_id,
        Reservation.instrument_id == instrument.id,
        Reservation.active,
        Reservation.during.overlaps(_range(*instrument.hours.occupied(span.starts_at, span.ends_at))),
    )
    busy = set(work.session.execute(taken).scalars())
    return [unit for unit in range(1, instrument.units + 1) if unit not in busy]


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
    is_open = working_days(work)
    end = _known_until(begin, to, is_open)
    found: list[SlotView] = []
    for instrument in instruments:
        hours = instrument.hours
        first = max(begin, work.now + timedelta(minutes=hours.min_notice_minutes))
        latest = work.now + timedelta(days=hours.max_notice_days)
        span = Span(instrument.id, first, min(end, latest + hours.shortest))
        free = Counter(
            start
            for unit in range(1, instrument.units + 1)
            for start in free_starts(hours, span, taken.get((instrument.id, unit), []), is_open)
            if start <= latest
        )
        for start in sorted(free)[:limit]:
            moment = start.astimezone(UTC)
            found.append(
                SlotView(
                    instrument.id,
                    instrument.name,
                    instrument.region_code,
                    moment,
                    moment + hours.shortest,
                    free[start],
                )
            )
    found.sort(key=lambda slot: (slot.starts_at, slot.instrument_name, slot.instrument_id))
    return tuple(found[:limit])


def _taken(
    work: Work, instruments: Sequence[InstrumentView], from_: datetime, to: datetime
) -> dict[tuple[UUID, int], list[tuple[datetime, datetime]]]:
    """Return the busy times of each unit; buffers reach a little beyond the span that is looked at."""
    around = timedelta(minutes=LONGEST_BUFFER)
    query = select(
        Reservation.instrument_id, Reservation.unit, func.lower(Reservation.during), func.upper(Reservation.during)
    ).where(
        Reservation.provider_id.in_({instrument.provider_id for instrument in instruments}),
        Reservation.instrument_id.in_([instrument.id for instrument in instruments]),
        Reservation.active,
        Reservation.during.overlaps(_range(from_ - around, to + around)),
    )
    taken: dict[tuple[UUID, int], list[tuple[datetime, datetime]]] = {}
    for instrument_id, unit, starts_at, ends_at in work.session.execute(query):
        taken.setdefault((instrument_id, unit), []).append((starts_at, ends_at))
    return taken


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


def _range(from_: datetime, to: datetime) -> Range[datetime]:
    return Range(from_, to, bounds="[)")
