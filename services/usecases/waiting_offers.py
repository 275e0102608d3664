"""Offering freed slots to those who wait, strictly in order: as a hold of the one whose turn it is.

Each place is looked at in a transaction of its own, which takes the slot only where nobody with a lower number could
have it: the database looks after the slot is taken, so that neither two clocks nor a late join can change the order.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from services.rules.slots import Hours, Span
from services.rules.waiting import PASSED_FOR, WaitingStep, offered_until
from services.store import slot_calls
from services.store.catalogue import Instrument
from services.store.slot_holds import SlotHold
from services.store.waiting import IS_ITS_TURN, WaitingPlace, WaitingStepRow, WaitingTurn
from services.usecases import qualifications, quotas, suspensions
from services.usecases.instruments import InstrumentView, instrument_view, read_instrument
from services.usecases.slot_holds import read_hold_terms
from services.usecases.slot_search import SlotView, free_within
from services.usecases.slots import wanted
from services.usecases.waiting import end_place
from tenants.kernel.errors import Conflict, NotFound, Problem
from tenants.kernel.identifiers import new_id
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.usecases import audit

MOST_TIMES = 6_000
"""More than an instrument has in the days of one wish."""


@dataclass(frozen=True)
class DuePlace:
    """A place for which something is free, or whose time is over."""

    tenant_id: UUID
    place_id: UUID


@dataclass(frozen=True)
class OfferView:
    """A slot that is held for who has waited for it, half-open in UTC, and until when."""

    place_id: UUID
    instrument_name: str
    starts_at: datetime
    ends_at: datetime
    expires_at: datetime
    joined_by: UUID | None


@dataclass(frozen=True)
class _Place:
    id: UUID
    provider_id: UUID
    instrument_id: UUID
    number: int
    from_at: datetime
    to_at: datetime
    slots: int
    joined_by: UUID | None

    @property
    def wish(self) -> tuple[UUID, datetime, datetime, int]:
        """What is waited for, whoever waits."""
        return self.instrument_id, self.from_at, self.to_at, self.slots

    def is_over(self, hours: Hours, now: datetime) -> bool:
        """Tell whether no booking of the wish can be made in time any more."""
        length = timedelta(minutes=hours.slot_minutes * max(self.slots, hours.min_slots))
        return self.to_at - length <= now + timedelta(minutes=hours.min_notice_minutes)


def places_to_offer(work: Work) -> tuple[DuePlace, ...]:
    """Return the places to look at, in the order of each instrument's list; ``offer`` decides."""
    work.actor.require(Permission.RUN_PLATFORM)
    query = (
        select(WaitingPlace.tenant_id, *_COLUMNS)
        .join(WaitingTurn, IS_ITS_TURN)
        .where(WaitingTurn.open)
        .order_by(WaitingPlace.provider_id, WaitingPlace.instrument_id, WaitingPlace.number)
    )
    rows = work.session.execute(query).all()
    known = select(Instrument).where(Instrument.id.in_({row.instrument_id for row in rows}))
    instruments = {each.id: instrument_view(each) for each in work.session.scalars(known)}
    has_free: dict[object, bool] = {}  # by wish: many wait for the same
    due = []
    for row in rows:
        place = _Place(*row[1:])
        instrument = instruments[place.instrument_id]
        if place.wish not in has_free:
            has_free[place.wish] = bool(_fitting(work, place, instrument, 1))
        if has_free[place.wish] or place.is_over(instrument.hours, work.now):
            due.append(DuePlace(row.tenant_id, place.id))
    return tuple(due)


def offer(work: Work, *, place_id: UUID) -> OfferView | None:
    """Hold the first free time that fits a place of the acting park, its quota and the qualification of who waits.

    None where there is none, where the place has ended, and where the time was just taken or belongs to somebody before
    it: the next round looks again. A park that may not book is passed over with the reason, and so is one whose quota
    the first free time is beyond, or whose person is not qualified on its day.
    """
    work.actor.require(Permission.RUN_PLATFORM)
    place = _open_place(work, place_id)
    if place is None:
        return None
    try:
        instrument = _bookable(work, place)
    except (Conflict, NotFound) as problem:
        _pass_over(work, place, problem, place.from_at, place.to_at)
        return None
    span = None if instrument is None else _first_allowed(work, place, instrument)
    if instrument is None or span is None:
        return None
    until = offered_until(instrument.hours, span.starts_at, read_hold_terms(work).offer_hours, work.now)
    if until <= work.now:
        return None
    try:
        with work.savepoint():
            return _offer(work, place, instrument, span, until)
    except _NotNowError:
        return None


def _bookable(work: Work, place: _Place) -> InstrumentView | None:
    """Return a place's instrument; None where the wish is over, which ends the place.

    Raises NotFound and Conflict where its park may not book the instrument now.
    """
    instrument = None
    if place.to_at > work.now:
        instrument = read_instrument(work, instrument_id=place.instrument_id)
    if instrument is None or place.is_over(instrument.hours, work.now):
        end_place(work, place.id, WaitingStep.OVER)
        return None
    suspensions.refuse_suspended(work, provider_id=place.provider_id)
    return instrument


def _first_allowed(work: Work, place: _Place, instrument: InstrumentView) -> Span | None:
    """Return the first free time of a wish that the park's quota leaves room for and on whose day who waits is qualified;
    one that is refused before it passes the place over.
    """
    free = [Span(instrument.id, slot.starts_at, slot.ends_at) for slot in _fitting(work, place, instrument, MOST_TIMES)]
    if not free:
        return None
    found: Span | None
    problem: Problem | None
    found, problem = quotas.first_within(work, instrument, free)
    try:
        qualifications.refuser(work, instrument, place.joined_by)((found or free[0]).starts_at)
    except Conflict as unqualified:  # and so on every later day: a qualification only ends
        found, problem = None, unqualified
    if problem is not None:
        _pass_over(work, place, problem, free[0].starts_at, free[0].ends_at)
    return found


class _NotNowError(Exception):
    """The time was just taken, or belongs to somebody with a lower number."""


def _offer(work: Work, place: _Place, instrument: InstrumentView, span: Span, until: datetime) -> OfferView | None:
    """Hold a time for a place, which that ends; None when it had ended. Raises ``_NotNowError``: then nothing may stay of it."""
    hold_id = new_id()
    facts = {"hold_id": hold_id, "starts_at": span.starts_at, "ends_at": span.ends_at}
    if not end_place(work, place.id, WaitingStep.OFFERED, **facts):
        return None
    reserved = slot_calls.offer_slot(work.connection, wanted(work, instrument, span), until, place.number)
    if reserved is None:
        raise _NotNowError
    hold = {
        "tenant_id": work.actor.require_tenant(),
        "id": hold_id,
        "provider_id": place.provider_id,
        "instrument_id": instrument.id,
        "instrument_name": instrument.name,
        "offering": instrument.offering,
        "reservation_id": reserved,
        "starts_at": span.starts_at,
        "ends_at": span.ends_at,
        "held_by": place.joined_by,
        "held_at": work.now,
        "expires_at": until,
    }
    work.session.execute(insert(SlotHold).values(hold))
    audit.record(work, "waiting.offer", "waiting_place", place.id, hold_id=hold_id, number=place.number)
    return OfferView(place.id, instrument.name, span.starts_at, span.ends_at, until, place.joined_by)


def _pass_over(work: Work, place: _Place, problem: Problem, starts_at: datetime, ends_at: datetime) -> None:
    """Note once why a place is not offered a time, and let it keep nobody away until it is looked at again."""
    step = {
        "tenant_id": work.actor.require_tenant(),
        "id": new_id(),
        "place_id": place.id,
        "kind": WaitingStep.PASSED,
        "reason": problem.code,
        "starts_at": starts_at,
        "ends_at": ends_at,
        "noted_at": work.now,
    }
    work.session.execute(insert(WaitingStepRow).values(step).on_conflict_do_nothing())
    work.session.execute(
        update(WaitingTurn)
        .where(
            WaitingTurn.provider_id == place.provider_id,
            WaitingTurn.instrument_id == place.instrument_id,
            WaitingTurn.number == place.number,
            WaitingTurn.open,
        )
        .values(passed_until=work.now + PASSED_FOR)
        .execution_options(synchronize_session=False)
    )


def _fitting(work: Work, place: _Place, instrument: InstrumentView, limit: int) -> tuple[SlotView, ...]:
    if place.slots > instrument.hours.max_slots:  # the provider has shortened its bookings since
        return ()
    return free_within(work, place.instrument_id, place.from_at, place.to_at, slots=place.slots, limit=limit)


def _open_place(work: Work, place_id: UUID) -> _Place | None:
    query = select(*_COLUMNS).join(WaitingTurn, IS_ITS_TURN)
    mine = (WaitingPlace.tenant_id == work.actor.require_tenant(), WaitingPlace.id == place_id)
    row = work.session.execute(query.where(*mine, WaitingTurn.open)).one_or_none()
    return None if row is None else _Place(*row)


_COLUMNS = (
    WaitingPlace.id,
    WaitingPlace.provider_id,
    WaitingPlace.instrument_id,
    WaitingPlace.number,
    WaitingPlace.from_at,
    WaitingPlace.to_at,
    WaitingPlace.slots,
    WaitingPlace.joined_by,
)
