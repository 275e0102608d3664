"""Holding a slot while its price is confirmed: nobody else can take it, and it is free again when the time is over.

A hold is a reservation with an expiry, so the constraint that keeps bookings apart keeps holds apart too. The
constraint cannot look at the clock: what has expired is given up by whoever wants the time, and by a job.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert

from services.formats.inspection import read_inspection
from services.rules.slot_holds import MOST_MINUTES, MOST_OFFER_HOURS, MOST_PER_PARK, HoldOutcome, HoldTerms
from services.rules.slots import Span, check_span
from services.store import slot_calls
from services.store.bookings import Reservation
from services.store.entering import free_reservation
from services.store.slot_holds import SlotHold, SlotHoldLimit
from services.usecases import qualifications, quotas, rebooking, suspensions
from services.usecases.catalogue import refuse_fields
from services.usecases.instruments import InstrumentView, read_instrument
from services.usecases.slots import busy, waited_for, wanted
from services.usecases.workdays import working_days
from tenants.kernel.clock import CHINA
from tenants.kernel.errors import Conflict, NotFound
from tenants.kernel.messages import Message, msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.kernel.writing import rows_written
from tenants.usecases import audit

MOST_AT_ONCE = 500


@dataclass(frozen=True)
class HoldView:
    """A slot that the park holds, half-open in UTC, and until when."""

    id: UUID
    instrument_id: UUID
    instrument_name: str
    offering: str
    starts_at: datetime
    ends_at: datetime
    quote_id: UUID | None
    held_by: UUID | None
    held_at: datetime
    expires_at: datetime
    outcome: HoldOutcome | None
    counted: bool = True
    """Whether it is one of those that a park has at once; a slot that was waited for is not."""


def hold_slot(
    work: Work, *, instrument_id: UUID, starts_at: datetime, slots: int, responsible_id: UUID | None = None
) -> HoldView:
    """Hold ``slots`` slots from ``starts_at`` for the acting park; what it holds already stays as it is.

    ``responsible_id`` is who will use the instrument, None for the acting person. Raises NotFound for an unknown
    instrument, Invalid for a time that cannot be booked and for nobody of the park, Conflict ``booking.not_qualified``
    for a person who may not use it then, ``quota.exceeded`` where the park could not book it beside what it holds, and as
    ``take_hold`` does.
    """
    work.actor.require(Permission.PLACE_ORDER)
    # In a rush most come too late: they are told before anything else is looked up.
    if (name := slot_calls.gone_at(work.connection, instrument_id, starts_at, work.now)) is not None:
        raise _taken(name, starts_at)
    instrument = read_instrument(work, instrument_id=instrument_id)
    ends_at = check_span(instrument.hours, starts_at, slots, work.now, working_days(work))
    suspensions.refuse_suspended(work, provider_id=instrument.provider_id)
    person = rebooking.user_of(work, responsible_id, "responsible_id")
    qualifications.refuse_unqualified(work, instrument=instrument, at=starts_at, person=person, where="responsible_id")
    span = Span(instrument.id, starts_at, ends_at)
    quotas.check_hold(work, instrument, span)
    hold_id = take_hold(work, instrument, span)
    return read_hold(work, hold_id=hold_id)


def hold_request(work: Work, *, request: Mapping[str, Any], quote_id: UUID) -> None:
    """Hold what a planned inspection asks for, while its price is confirmed. Raises as ``hold_slot`` does."""
    work.actor.require(Permission.PLACE_ORDER)
    asked = read_inspection(request)
    instrument = read_instrument(work, instrument_id=asked.instrument_id)
    ends_at = check_span(instrument.hours, asked.starts_at, asked.slots, work.now, working_days(work))
    span = Span(instrument.id, asked.starts_at, ends_at)
    quotas.check_hold(work, instrument, span)
    take_hold(work, instrument, span, quote_id=quote_id)


def take_hold(work: Work, instrument: InstrumentView, span: Span, *, quote_id: UUID | None = None) -> UUID:
    """Hold a time that can be booked, in one call of the database, and return the hold.

    Raises Conflict: ``slot.taken`` when somebody was faster, ``slot.too_many_holds`` when the park holds as many as it
    may. Who was slower is not kept waiting for suggestions: what is free is asked when it is shown.
    """
    work.actor.require(Permission.PLACE_ORDER)
    answer, hold_id = slot_calls.hold_slot(work.connection, wanted(work, instrument, span), quote_id)
    if answer == "taken":
        raise _taken(instrument.name, span.starts_at)
    if answer == "too_many":
        raise Conflict(
            "slot.too_many_holds",
            msg("贵园区同时暂留的时段已达 {most} 个。请先下单或释放其中一个。", most=_terms(work).per_park),
        )
    if answer == "waited":
        raise waited_for(instrument, span)
    if answer != "held" or hold_id is None:
        raise busy()
    return hold_id


def list_holds(work: Work) -> tuple[HoldView, ...]:
    """Return the slots that the acting park holds now, the first to expire first."""
    work.actor.require(Permission.READ_ORDER)
    query = _holds(work).where(SlotHold.outcome.is_(None), SlotHold.expires_at > work.now)
    rows = work.session.execute(query.order_by(SlotHold.expires_at, SlotHold.id)).mappings()
    return tuple(_view(row) for row in rows)


def read_hold(work: Work, *, hold_id: UUID) -> HoldView:
    """Return a hold of the acting park, ended or not; NotFound for another's."""
    work.actor.require(Permission.READ_ORDER)
    row = work.session.execute(_holds(work).where(SlotHold.id == hold_id)).mappings().one_or_none()
    if row is None:
        raise _hold_not_found()
    return _view(row)


def release_hold(work: Work, *, hold_id: UUID) -> HoldView:
    """Give a held slot back before its time is over; one that has ended stays as it is. NotFound for another's."""
    work.actor.require(Permission.PLACE_ORDER)
    end_hold(work, hold_id)
    return read_hold(work, hold_id=hold_id)


def end_hold(work: Work, hold_id: UUID) -> bool:
    """Give a slot of the acting park back, for use cases that have asked for their own permission; False when it had ended."""
    released = (
        update(SlotHold)
        .where(SlotHold.tenant_id == work.actor.require_tenant(), SlotHold.id == hold_id, SlotHold.outcome.is_(None))
        .values(outcome=HoldOutcome.RELEASED, ended_at=work.now)
        .returning(SlotHold.provider_id, SlotHold.reservation_id)
        .execution_options(synchronize_session=False)
    )
    row = work.session.execute(released).one_or_none()
    if row is None:
        return False
    free_reservation(work.session, row.provider_id, row.reservation_id)
    audit.record(work, "slot.release", "slot_hold", hold_id)
    return True


def close_expired(work: Work, *, limit: int = MOST_AT_ONCE) -> int:
    """Note the holds of all parks whose time is over, and give their slots back; return how many there were."""
    work.actor.require(Permission.RUN_PLATFORM)
    over = (
        select(SlotHold.tenant_id, SlotHold.id)
        .where(SlotHold.ended_at.is_(None), SlotHold.expires_at <= work.now)
        .order_by(SlotHold.expires_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    keys = [tuple(row) for row in work.session.execute(over)]
    if not keys:
        return 0
    closed = (
        update(SlotHold)
        .where(tuple_(SlotHold.tenant_id, SlotHold.id).in_(keys))
        .values(outcome=HoldOutcome.EXPIRED, ended_at=SlotHold.expires_at)
        .returning(SlotHold.provider_id, SlotHold.reservation_id)
        .execution_options(synchronize_session=False)
    )
    reserved = [tuple(row) for row in work.session.execute(closed)]
    work.session.execute(
        update(Reservation)
        .where(
            tuple_(Reservation.provider_id, Reservation.id).in_(reserved),
            Reservation.active,
            Reservation.held_until <= work.now,
        )
        .values(active=False)
        .execution_options(synchronize_session=False)
    )
    return len(keys)


def read_hold_terms(work: Work) -> HoldTerms:
    """Return how long slots are held and how many at once."""
    work.actor.require(Permission.READ_CATALOGUE)
    return _terms(work)


def set_hold_terms(work: Work, *, minutes: int, per_park: int, offer_hours: int | None = None) -> HoldTerms:
    """Set how long slots are held, how many a park holds at once and how long a freed one is offered, from now on.

    What is held stays as it is; ``offer_hours`` None keeps the hours.
    """
    work.actor.require(Permission.MANAGE_CATALOGUE)
    person = work.actor.require_person()
    wrong: dict[str, Message] = {}
    if not 1 <= minutes <= MOST_MINUTES:
        wrong["minutes"] = msg("须为 1 至 {most} 的整数。", most=MOST_MINUTES)
    if not 1 <= per_park <= MOST_PER_PARK:
        wrong["per_park"] = msg("须为 1 至 {most} 的整数。", most=MOST_PER_PARK)
    if offer_hours is not None and not 1 <= offer_hours <= MOST_OFFER_HOURS:
        wrong["offer_hours"] = msg("须为 1 至 {most} 的整数。", most=MOST_OFFER_HOURS)
    refuse_fields(wrong)
    hours = _terms(work).offer_hours if offer_hours is None else offer_hours
    newest = work.session.execute(select(func.max(SlotHoldLimit.number))).scalar_one()
    values = {
        "number": newest + 1,
        "minutes": minutes,
        "per_park": per_park,
        "offer_hours": hours,
        "set_by": person,
        "set_at": work.now,
    }
    if not rows_written(work.session, insert(SlotHoldLimit).values(values).on_conflict_do_nothing()):
        raise Conflict("slot.hold_terms", msg("他人刚刚修改了暂留规则。请刷新页面后重试。"))
    audit.record(
        work,
        "slot.set_hold_terms",
        "slot_hold_limit",
        newest + 1,
        minutes=minutes,
        per_park=per_park,
        offer_hours=hours,
    )
    return _terms(work)


def _terms(work: Work) -> HoldTerms:
    row = work.session.execute(
        select(
            SlotHoldLimit.minutes,
            SlotHoldLimit.per_park,
            SlotHoldLimit.offer_hours,
            SlotHoldLimit.set_by,
            SlotHoldLimit.set_at,
        )
        .order_by(SlotHoldLimit.number.desc())
        .limit(1)
    ).one()
    return HoldTerms(*row)


def _holds(work: Work) -> Select[*tuple[Any, ...]]:
    return select(
        SlotHold.id,
        SlotHold.instrument_id,
        SlotHold.instrument_name,
        SlotHold.offering,
        SlotHold.starts_at,
        SlotHold.ends_at,
        SlotHold.quote_id,
        SlotHold.held_by,
        SlotHold.held_at,
        SlotHold.expires_at,
        SlotHold.outcome,
        SlotHold.place.is_not(None).label("counted"),
    ).where(SlotHold.tenant_id == work.actor.require_tenant())


def _view(row: Mapping[Any, Any]) -> HoldView:
    outcome = row["outcome"]
    return HoldView(**{**row, "outcome": None if outcome is None else HoldOutcome(outcome)})


def _taken(name: str, starts_at: datetime) -> Conflict:
    at = f"{starts_at.astimezone(CHINA):%m-%d %H:%M}"
    return Conflict(
        "slot.taken", msg("“{name}”{at} 起的时段刚被他人占用。请重新查询空档并另选时段。", name=name, at=at)
    )


def _hold_not_found() -> NotFound:
    return NotFound("slot.hold_not_found", msg("没有找到该暂留时段。请从“暂留的时段”中选择。"))
