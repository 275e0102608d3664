"""Taking a slot of an instrument: the database's exclusion constraint decides who gets it. What is free, see slot_search."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import Range, insert
from sqlalchemy.exc import OperationalError

from services.rules.slots import Span
from services.store.bookings import Reservation
from services.store.catalogue import Instrument
from services.usecases.instruments import InstrumentView
from services.usecases.slot_search import nearest_slots
from tenants.kernel.clock import CHINA
from tenants.kernel.errors import Conflict
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work

DEADLOCK = "40P01"


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
    nearest = nearest_slots(work, instrument, span.starts_at, 3)
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


def _range(from_: datetime, to: datetime) -> Range[datetime]:
    return Range(from_, to, bounds="[)")
