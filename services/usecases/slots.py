"""Taking a slot of an instrument: the database's exclusion constraint decides who gets it. What is free, see slot_search."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.exc import OperationalError

from services.rules.slots import Span
from services.store import slot_calls
from services.store.bookings import Reservation, in_the_way
from services.store.slot_holds import SlotHold
from services.usecases.instruments import InstrumentView
from services.usecases.slot_search import nearest_slots
from tenants.kernel.clock import CHINA
from tenants.kernel.errors import Conflict
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work


def check_free(work: Work, instrument: InstrumentView, span: Span) -> None:
    """Raise Conflict ``slot.taken`` when ``span`` is taken by now, naming the nearest free slots, and ``slot.waited_for``
    where others wait for it; what the acting park holds is its own.
    """
    work.actor.require(Permission.ASK_QUOTE)
    if not _free_units(work, instrument, span):
        raise _slot_taken(work, instrument, span)
    if not _is_held(work, span) and slot_calls.is_waited_for(work.connection, wanted(work, instrument, span)):
        raise waited_for(instrument, span)


def reserve(work: Work, instrument: InstrumentView, span: Span, given_back: Sequence[UUID] = ()) -> UUID:
    """Reserve a unit for ``span`` with its buffers; Conflict ``slot.taken`` when somebody was faster.

    What the park holds of it becomes the reservation. Else the lowest free unit is taken, so that long bookings find a
    unit that is free throughout. A booking belongs to every reservation. Two transactions that want the same time meet
    at the exclusion constraint: the second waits for the first and then sees it taken. Where others wait for the time
    it is theirs first: Conflict ``slot.waited_for``. ``given_back`` was this booking's own until now.
    """
    work.actor.require(Permission.PLACE_ORDER)
    answer, reservation_id = slot_calls.book_slot(work.connection, wanted(work, instrument, span), given_back)
    if answer == "taken":
        raise _slot_taken(work, instrument, span)
    if answer == "waited":
        raise waited_for(instrument, span)
    if answer != "booked" or reservation_id is None:
        raise busy()
    return reservation_id


def wanted(work: Work, instrument: InstrumentView, span: Span) -> slot_calls.Wanted:
    """Return a time of an instrument as the database is asked for it."""
    return slot_calls.Wanted(
        provider_id=instrument.provider_id,
        instrument_id=instrument.id,
        units=instrument.units,
        begins=span.starts_at,
        finishes=span.ends_at,
        occupied=instrument.hours.occupied(span.starts_at, span.ends_at),
        person=work.actor.user_id,
        moment=work.now,
    )


def waited_for(instrument: InstrumentView, span: Span) -> Conflict:
    """Return the refusal of who wants a freed time that goes to somebody who has waited for it."""
    at = f"{span.starts_at.astimezone(CHINA):%m-%d %H:%M}"
    return Conflict(
        "slot.waited_for",
        msg(
            "“{name}”{at} 起的时段有园区排队等候，将先提供给他们。您可加入排队，或另选时段。",
            name=instrument.name,
            at=at,
        ),
    )


def busy() -> Conflict:
    """Return the refusal of who is to try again: others want the same, or the provider changed the instrument."""
    return Conflict("slot.busy", msg("该时段正有多人预约，或服务机构刚刚调整了仪器。请稍后重试。"))


@contextmanager
def refused_when_deadlocked() -> Iterator[None]:
    """Raise the refusal of who is to try again where the database ended this one of several that waited in a ring.

    Two that want several instruments in opposite order do so, and a booking that has its time and waits for the
    instrument's row, whose holder, a maintenance, wants that time.
    """
    try:
        yield
    except OperationalError as error:
        if not slot_calls.is_deadlock(error):
            raise
        raise busy() from error


def _free_units(work: Work, instrument: InstrumentView, span: Span) -> list[int]:
    """Return the units that are free for ``span`` and its buffers, lowest first; what the asker holds is free."""
    same_time = (SlotHold.starts_at == span.starts_at) & (SlotHold.ends_at == span.ends_at)
    own = select(SlotHold.id).where(
        SlotHold.tenant_id == work.actor.tenant_id,
        SlotHold.provider_id == Reservation.provider_id,
        SlotHold.reservation_id == Reservation.id,
        SlotHold.outcome.is_(None),
        same_time | (SlotHold.place.is_not(None) & (SlotHold.held_by == work.actor.user_id)),
    )
    taken = select(Reservation.unit).where(
        Reservation.provider_id == instrument.provider_id,
        Reservation.instrument_id == instrument.id,
        in_the_way(work.now),
        ~own.exists(),
        Reservation.during.overlaps(_range(*instrument.hours.occupied(span.starts_at, span.ends_at))),
    )
    busy = set(work.session.execute(taken).scalars())
    return [unit for unit in range(1, instrument.units + 1) if unit not in busy]


def _is_held(work: Work, span: Span) -> bool:
    """Tell whether the acting park holds just this time."""
    own = select(SlotHold.id).where(
        SlotHold.tenant_id == work.actor.tenant_id,
        SlotHold.instrument_id == span.instrument_id,
        SlotHold.starts_at == span.starts_at,
        SlotHold.ends_at == span.ends_at,
        SlotHold.outcome.is_(None),
        SlotHold.expires_at > work.now,
    )
    return work.session.execute(own.limit(1)).first() is not None


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
