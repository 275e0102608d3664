"""Maintenance of instruments: time in the same exclusion constraint as the bookings, so neither overlaps the other."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import Range, insert

from services.store.bookings import Booking, Reservation
from services.usecases.catalogue import refuse_fields
from services.usecases.instruments import InstrumentView, lock_own, read_instrument
from services.usecases.slots import refused_when_deadlocked
from tenants.kernel.clock import CHINA
from tenants.kernel.errors import Conflict, NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import Message, msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.usecases import audit

LONGEST = timedelta(days=366)


@dataclass(frozen=True)
class MaintenanceView:
    """A time at which a unit is down, half-open in UTC."""

    id: UUID
    instrument_id: UUID
    unit: int
    starts_at: datetime
    ends_at: datetime
    reason: str


def list_maintenance(work: Work, *, instrument_id: UUID) -> tuple[MaintenanceView, ...]:
    """Return when units of an instrument are down, now or later, by their start."""
    work.actor.require(Permission.READ_CATALOGUE)
    instrument = read_instrument(work, instrument_id=instrument_id)
    starts, ends = func.lower(Reservation.during), func.upper(Reservation.during)
    query = (
        select(Reservation.id, Reservation.instrument_id, Reservation.unit, starts, ends, Reservation.maintenance)
        .where(
            Reservation.provider_id == instrument.provider_id,
            Reservation.instrument_id == instrument_id,
            Reservation.active,
            Reservation.maintenance.is_not(None),
            ends > work.now,
        )
        .order_by(starts, Reservation.unit)
    )
    return tuple(MaintenanceView(*row) for row in work.session.execute(query))


def plan_maintenance(
    work: Work, *, instrument_id: UUID, starts_at: datetime, ends_at: datetime, reason: str, unit: int | None = None
) -> tuple[MaintenanceView, ...]:
    """Take one unit of an own instrument, or all of them, out of use for a time, working day or not.

    Raises NotFound for another provider's, Invalid with every wrong field, Conflict ``maintenance.in_use`` with what
    stands in the way (a booking is the park's, the provider gives it up by itself) or ``slot.busy`` to be tried again.
    """
    work.actor.require(Permission.MANAGE_INSTRUMENT)
    instrument = lock_own(work, instrument_id)
    wrong: dict[str, Message] = {}
    if ends_at <= starts_at or ends_at <= work.now or ends_at - starts_at > LONGEST:
        wrong["ends_at"] = msg("结束须晚于开始和现在，且不超过 {days} 天。", days=LONGEST.days)
    if not reason.strip() or len(reason) > 200:
        wrong["reason"] = msg("须为 1 至 {limit} 个字符。", limit=200)
    if unit is not None and not 1 <= unit <= instrument.units:
        wrong["unit"] = msg("该仪器有 {units} 台，请填写 1 至 {units}。", units=instrument.units)
    refuse_fields(wrong)
    units = range(1, instrument.units + 1) if unit is None else [unit]
    made = [MaintenanceView(new_id(), instrument_id, each, starts_at, ends_at, reason.strip()) for each in units]
    rows = [
        {
            "provider_id": instrument.provider_id,
            "id": each.id,
            "instrument_id": instrument_id,
            "unit": each.unit,
            "during": Range(starts_at, ends_at, bounds="[)"),
            "maintenance": each.reason,
            "active": True,
            "created_at": work.now,
        }
        for each in made
    ]
    _give_up_expired(work, instrument, starts_at, ends_at, list(units))
    statement = insert(Reservation).values(rows).on_conflict_do_nothing().returning(Reservation.id)
    with refused_when_deadlocked():
        placed = work.session.execute(statement).all()
    if len(placed) < len(rows):
        raise _in_use(work, instrument, starts_at, ends_at, list(units))
    audit.record(work, "instrument.maintenance", "instrument", instrument_id, units=list(units), reason=reason.strip())
    return tuple(made)


def end_maintenance(work: Work, *, maintenance_id: UUID) -> None:
    """Give a unit back before its maintenance was to end; ended twice is ended. NotFound for another provider's."""
    work.actor.require(Permission.MANAGE_INSTRUMENT)
    ended = (
        update(Reservation)
        .where(
            Reservation.provider_id == work.actor.organisation_id,
            Reservation.id == maintenance_id,
            Reservation.maintenance.is_not(None),
        )
        .values(active=False)
        .returning(Reservation.instrument_id)
    )
    instrument_id = work.session.execute(ended).scalar_one_or_none()
    if instrument_id is None:
        raise NotFound("maintenance.not_found", msg("没有找到该维护安排。请从仪器页面中选择。"))
    audit.record(work, "instrument.maintenance_end", "instrument", instrument_id)


def _give_up_expired(
    work: Work, instrument: InstrumentView, starts_at: datetime, ends_at: datetime, units: list[int]
) -> None:
    """Take holds whose time is over out of the constraint, which cannot look at the clock."""
    work.session.execute(
        update(Reservation)
        .where(
            Reservation.provider_id == instrument.provider_id,
            Reservation.instrument_id == instrument.id,
            Reservation.active,
            Reservation.held_until <= work.now,
            Reservation.unit.in_(units),
            Reservation.during.overlaps(Range(starts_at, ends_at, bounds="[)")),
        )
        .values(active=False)
        .execution_options(synchronize_session=False)
    )


def _in_use(
    work: Work, instrument: InstrumentView, starts_at: datetime, ends_at: datetime, units: list[int]
) -> Conflict:
    query = (
        select(Booking.starts_at)
        .join(
            Reservation,
            (Reservation.provider_id == Booking.provider_id) & (Reservation.id == Booking.reservation_id),
        )
        .where(
            Reservation.provider_id == instrument.provider_id,
            Reservation.instrument_id == instrument.id,
            Reservation.active,
            Reservation.maintenance.is_(None),
            Reservation.unit.in_(units),
            Reservation.during.overlaps(Range(starts_at, ends_at, bounds="[)")),
        )
        .order_by(Booking.starts_at)
        .limit(3)
    )
    booked = work.session.execute(query).scalars().all()
    held = select(func.max(Reservation.held_until)).where(
        Reservation.provider_id == instrument.provider_id,
        Reservation.instrument_id == instrument.id,
        Reservation.active,
        Reservation.unit.in_(units),
        Reservation.during.overlaps(Range(starts_at, ends_at, bounds="[)")),
    )
    if not booked and (until := work.session.execute(held).scalar_one()) is not None:
        return Conflict(
            "maintenance.in_use",
            msg(
                "有园区正在预约该时段，暂留至 {until}。请届时再试，或调整时间。",
                until=f"{until.astimezone(CHINA):%m-%d %H:%M}",
            ),
        )
    if not booked:
        return Conflict("maintenance.in_use", msg("该时段已有其他维护安排。请调整时间。"))
    return Conflict(
        "maintenance.in_use",
        msg(
            "该时段已有预约：{booked}。请调整时间，或先将其登记为无法检测。",
            booked="、".join(f"{each.astimezone(CHINA):%m-%d %H:%M}" for each in booked),
        ),
    )
