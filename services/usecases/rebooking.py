"""A booking that changes and stays the same booking: moved to another slot, or handed over to a colleague."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select, update

from services.rules.slots import Span, check_span
from services.store.booking_changes import BookingChange
from services.store.bookings import Booking
from services.store.entering import free_reservation
from services.usecases import instruments, qualifications, quotas, slots
from services.usecases.bookings import BookingStatus, BookingView, booking_not_found, read_booking
from services.usecases.instruments import InstrumentView
from services.usecases.workdays import working_days
from tenants.kernel.clock import CHINA
from tenants.kernel.errors import Conflict, FieldError, Invalid, NotAllowed
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission, Role
from tenants.kernel.work import Work
from tenants.usecases import audit, people

TAKING_CARE = (Role.PARK_ADMIN, Role.PARK_MEMBER)
"""Who may be responsible for a booking: finance reads the money and takes no samples anywhere."""


@dataclass(frozen=True)
class BookingChangeView:
    """One change of a booking, with who made it. ``kind`` is ``moved`` or ``handed_over``."""

    revision: int
    kind: str
    old_starts_at: datetime | None
    old_ends_at: datetime | None
    new_starts_at: datetime | None
    new_ends_at: datetime | None
    old_person: UUID | None
    new_person: UUID | None
    changed_by: UUID
    changed_at: datetime


def reschedule(work: Work, *, booking_id: UUID, starts_at: datetime, count: int | None = None) -> BookingView:
    """Move an open booking of the acting park to ``count`` slots from ``starts_at`` on the same instrument.

    The old time is given back and the new one taken in this transaction, so a booking may move onto part of its own
    time, and one that is refused keeps what it has. The same time again changes nothing. ``count`` None keeps the length.
    Raises NotFound for another park's, Invalid for a time that cannot be booked, Conflict ``booking.longer``,
    ``booking.too_late`` (by the notice, or where cancelling would cost something), ``booking.begun``, ``booking.closed``,
    ``booking.not_qualified`` for its person on the new day, ``quota.exceeded`` with the day from which it fits,
    ``slot.taken`` with the nearest free slots, and ``slot.waited_for``.
    """
    work.actor.require(Permission.PLACE_ORDER)
    person = work.actor.require_person()
    reservation_id, before = _locked(work, booking_id)
    instrument = instruments.read_instrument(work, instrument_id=before.instrument_id)
    hours = instrument.hours
    _check_in_time(work, before, max(timedelta(minutes=hours.min_notice_minutes), _fee_notice(before)))
    slot = timedelta(minutes=hours.slot_minutes)
    length = before.ends_at - before.starts_at
    wanted = max(1, length // slot) if count is None else count
    if wanted * slot > length:
        raise _longer(length)
    try:
        ends_at = check_span(hours, starts_at, wanted, work.now, working_days(work))
    except Invalid as problem:
        field = FieldError("starts_at", problem.code, problem.message)
        raise Invalid(problem.code, problem.message, errors=[field]) from problem
    if (starts_at, ends_at) == (before.starts_at, before.ends_at):
        return before
    span = Span(instrument.id, starts_at, ends_at)
    qualifications.refuse_unqualified(work, instrument=instrument, at=starts_at, person=before.responsible_id)
    quotas.count_booking(work, instrument, span, before=before)
    free_reservation(work.session, before.provider_id, reservation_id)
    taken = slots.reserve(work, instrument, span, [reservation_id])
    _change(work, before, reservation_id=taken, starts_at=starts_at, ends_at=ends_at)
    _note(
        work,
        before,
        person,
        kind="moved",
        old_starts_at=before.starts_at,
        old_ends_at=before.ends_at,
        new_starts_at=starts_at,
        new_ends_at=ends_at,
    )
    audit.record(work, "booking.reschedule", "booking", booking_id, starts_at=starts_at, ends_at=ends_at)
    return read_booking(work, booking_id=booking_id)


def hand_over(work: Work, *, booking_id: UUID, to: UUID) -> BookingView:
    """Make a colleague responsible for an open booking: its own responsible person does so, or who places orders.

    To whom it belongs already changes nothing, and an instrument that was closed to the park since is no obstacle. Raises NotFound for another park's booking, NotAllowed for a person
    that is neither, Invalid for anybody who is not an active colleague with the role for it, Conflict
    ``booking.not_qualified`` for one who may not use the instrument on that day.
    """
    work.actor.require(Permission.ASK_QUOTE)
    person = work.actor.require_person()
    _, before = _locked(work, booking_id)
    if before.responsible_id != person and not work.actor.may(Permission.PLACE_ORDER):
        raise NotAllowed("booking.not_responsible", msg("只有负责人本人或园区管理员可以转交预约。请联系他们办理。"))
    check_colleague(work, to, "to")
    if to == before.responsible_id:
        return before
    instrument, _ = instruments.read_booked(work, instrument_id=before.instrument_id)
    qualifications.refuse_unqualified(work, instrument=instrument, at=before.starts_at, person=to, where="to")
    _change(work, before, responsible_id=to)
    _note(work, before, person, kind="handed_over", old_person=before.responsible_id, new_person=to)
    audit.record(work, "booking.hand_over", "booking", booking_id, to=to)
    return read_booking(work, booking_id=booking_id)


def check_colleague(work: Work, person: UUID, where: str) -> None:
    """Raise Invalid at the field ``where`` for anybody who may not take care of a booking; for use cases that have asked
    for their own permission.
    """
    if person not in people.active_colleagues(work, roles=TAKING_CARE):
        wrong = msg("请选择本园区在职的管理员或成员。")
        raise Invalid("booking.bad_colleague", wrong, errors=[FieldError(where, "booking.bad_colleague", wrong)])


def user_of(work: Work, named: UUID | None, where: str) -> UUID | None:
    """Return who will use an instrument: the colleague that is named, else the acting person, if a person acts. Raises
    Invalid at the field ``where`` as ``check_colleague`` does; for use cases that have asked for their own permission.
    """
    if named is None or named == work.actor.user_id:
        return work.actor.user_id
    check_colleague(work, named, where)
    return named


def list_takers(work: Work, *, booking_id: UUID) -> dict[UUID, str]:
    """Return to whom an own booking may be handed over, by id and in the order of names; NotFound for another's."""
    work.actor.require(Permission.READ_ORDER)
    read_booking(work, booking_id=booking_id)
    return people.active_colleagues(work, roles=TAKING_CARE)


def list_users(work: Work, *, offered: Collection[InstrumentView]) -> dict[UUID, str]:
    """Return who of the acting park may be named as the user of one of these instruments, by id and in the order of
    names; nobody where none of them asks for a qualification, as it does not matter then.
    """
    work.actor.require(Permission.READ_CATALOGUE)
    if not any(each.facts.qualification for each in offered) or not work.actor.may(Permission.READ_ORDER):
        return {}
    return people.active_colleagues(work, roles=TAKING_CARE)


def list_changes(work: Work, *, booking_id: UUID) -> tuple[BookingChangeView, ...]:
    """Return what became of a booking, in order; NotFound for another park's."""
    work.actor.require(Permission.READ_ORDER)
    booking = read_booking(work, booking_id=booking_id)
    query = (
        select(
            BookingChange.revision,
            BookingChange.kind,
            BookingChange.old_starts_at,
            BookingChange.old_ends_at,
            BookingChange.new_starts_at,
            BookingChange.new_ends_at,
            BookingChange.old_person,
            BookingChange.new_person,
            BookingChange.changed_by,
            BookingChange.changed_at,
        )
        .where(BookingChange.tenant_id == booking.park_id, BookingChange.booking_id == booking_id)
        .order_by(BookingChange.revision)
    )
    return tuple(BookingChangeView(**row) for row in work.session.execute(query).mappings())


def _locked(work: Work, booking_id: UUID) -> tuple[UUID, BookingView]:
    """Return an open booking's reservation and view, locked against whoever changes or closes it."""
    mine = (Booking.tenant_id == work.actor.require_tenant(), Booking.id == booking_id)
    query = select(Booking.reservation_id).where(*mine).with_for_update()
    reservation_id = work.session.execute(query).scalar_one_or_none()
    if reservation_id is None:
        raise booking_not_found()
    booking = read_booking(work, booking_id=booking_id)
    if booking.status is not BookingStatus.BOOKED:
        raise Conflict("booking.closed", msg("该预约已经结束，不能再更改。"))
    return reservation_id, booking


def _fee_notice(booking: BookingView) -> timedelta:
    """Return how long before its start cancelling costs something: moving away then would be a way around that."""
    terms = booking.terms
    return timedelta(minutes=terms.free_cancel_minutes if terms is not None and terms.late_cancel_bp else 0)


def _check_in_time(work: Work, booking: BookingView, notice: timedelta) -> None:
    """Refuse a move of what has begun, or is so near that nobody else could book the time that is given back."""
    at = f"{booking.starts_at.astimezone(CHINA):%m-%d %H:%M}"
    if booking.checked_in_at is not None:
        raise Conflict("booking.begun", msg("该预约已签到，不能再改期。请联系服务机构处理。"))
    if booking.starts_at <= work.now:
        raise Conflict("booking.begun", msg("预约时段已于 {at} 开始，不能再更改。请联系服务机构处理。", at=at))
    if booking.starts_at - work.now < notice:
        minutes = notice // timedelta(minutes=1)
        raise Conflict(
            "booking.too_late",
            msg(
                "预约将于 {at} 开始，改期须至少提前 {minutes} 分钟。请按时使用，或联系服务机构处理。",
                at=at,
                minutes=minutes,
            ),
        )


def _longer(length: timedelta) -> Conflict:
    wrong = msg(
        "改期不能超过原预约的 {minutes} 分钟。如需更长时间，请取消后重新下单。", minutes=length // timedelta(minutes=1)
    )
    return Conflict("booking.longer", wrong, errors=[FieldError("slots", "booking.longer", wrong)])


def _change(work: Work, before: BookingView, **values: Any) -> None:
    changed = (
        update(Booking)
        .where(Booking.tenant_id == before.park_id, Booking.id == before.id)
        .values(revision=before.revision + 1, changed_at=work.now, **values)
        .execution_options(synchronize_session=False)
    )
    with qualifications.keeping_out():
        work.session.execute(changed)


def _note(work: Work, before: BookingView, person: UUID, **values: Any) -> None:
    work.session.execute(
        insert(BookingChange).values(
            tenant_id=before.park_id,
            id=new_id(),
            booking_id=before.id,
            revision=before.revision + 1,
            changed_by=person,
            changed_at=work.now,
            **values,
        )
    )
