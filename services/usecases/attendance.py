"""Who came to a booking and who did not: each noted once, by a person or by the clock, whoever asks at the same time.

The booking's row is the lock; the index of the notes refuses a second answer to the question whether somebody came.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Integer, func, select, update
from sqlalchemy.dialects.postgresql import insert

from services.rules.attendance import AttendanceTerms, Step, terms_of
from services.store.attendance import AttendanceNote
from services.store.bookings import Booking
from services.store.entering import free_reservation
from services.usecases.bookings import BookingStatus, BookingView, booking_not_found, bookings_where
from tenants.kernel.clock import CHINA
from tenants.kernel.errors import Conflict
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.kernel.writing import rows_written
from tenants.usecases import audit

MOST_AT_ONCE = 500


@dataclass(frozen=True)
class Missed:
    """A booking that nobody has checked in to although its grace is over."""

    tenant_id: UUID
    booking_id: UUID


def check_in(work: Work, *, booking_id: UUID) -> BookingView:
    """Note that people came to a booking, by its park or its provider; again changes nothing.

    Raises NotFound for anyone else's, Conflict for one without a rule or already closed, before the window opens
    (``attendance.too_early``) and after the grace (``attendance.too_late``).
    """
    work.actor.require(Permission.ATTEND_BOOKING)
    booking, terms = _open(work, booking_id)
    if not _noted(work, booking, Step.CHECKED_IN):
        if work.now < (opens := terms.opens_at(booking.starts_at)):
            raise Conflict(
                "attendance.too_early",
                msg("{at} 起才能签到。请届时再试。", at=f"{opens.astimezone(CHINA):%m-%d %H:%M}"),
            )
        if work.now > (closes := terms.closes_at(booking.starts_at)):
            raise Conflict(
                "attendance.too_late",
                msg(
                    "签到已于 {at} 截止，按爽约处理。如有异议请联系服务机构。",
                    at=f"{closes.astimezone(CHINA):%m-%d %H:%M}",
                ),
            )
        _note(work, booking, Step.CHECKED_IN)
    return _read(work, booking)


def check_out(work: Work, *, booking_id: UUID) -> BookingView:
    """Note that the instrument is free again, by the park or the provider; again changes nothing.

    Raises as ``check_in`` does, and Conflict ``attendance.not_in`` where nobody has checked in.
    """
    work.actor.require(Permission.ATTEND_BOOKING)
    booking, _terms = _open(work, booking_id)
    if not _noted(work, booking, Step.CHECKED_OUT):
        if not _noted(work, booking, Step.CHECKED_IN):
            raise Conflict("attendance.not_in", msg("该预约尚未签到，不能签退。请先签到。"))
        _note(work, booking, Step.CHECKED_OUT)
    return _read(work, booking)


def noted_by(work: Work, *, park_id: UUID, booking_id: UUID) -> frozenset[UUID]:
    """Return the people who noted that somebody came or left, and so do not decide on it."""
    work.actor.require(Permission.DECIDE_DISPUTE)
    query = select(AttendanceNote.noted_by).where(
        AttendanceNote.tenant_id == park_id, AttendanceNote.booking_id == booking_id
    )
    return frozenset(each for each in work.session.execute(query).scalars() if each is not None)


def missed_bookings(work: Work, *, limit: int = MOST_AT_ONCE) -> tuple[Missed, ...]:
    """Return open bookings of all parks whose grace is over and to which nobody came, the longest first."""
    work.actor.require(Permission.RUN_PLATFORM)
    grace = func.make_interval(0, 0, 0, 0, 0, Booking.attendance["grace_minutes"].astext.cast(Integer))
    came = select(AttendanceNote.id).where(
        AttendanceNote.tenant_id == Booking.tenant_id, AttendanceNote.booking_id == Booking.id
    )
    query = (
        select(Booking.tenant_id, Booking.id)
        .where(
            Booking.status == BookingStatus.BOOKED,
            Booking.attendance.is_not(None),
            Booking.starts_at < work.now,
            Booking.starts_at + grace < work.now,
            ~came.exists(),
        )
        .order_by(Booking.starts_at, Booking.id)
        .limit(limit)
    )
    return tuple(Missed(*row) for row in work.session.execute(query))


def note_no_show(work: Work, *, booking_id: UUID) -> bool:
    """Note that nobody came to a booking of the acting park and end it; False where somebody did, or it is not so late.

    What the park owes for it is not decided here.
    """
    work.actor.require(Permission.METER_USAGE)
    booking = _locked(work, booking_id)
    terms = None if booking is None else terms_of(booking.attendance)
    if booking is None or terms is None or booking.status != BookingStatus.BOOKED:
        return False
    if work.now <= terms.closes_at(booking.starts_at) or not _note(work, booking, Step.NO_SHOW):
        return False
    work.session.execute(
        update(Booking)
        .where(Booking.tenant_id == booking.tenant_id, Booking.id == booking.id)
        .values(status=BookingStatus.NO_SHOW, closed_at=work.now)
        .execution_options(synchronize_session=False)
    )
    free_reservation(work.session, booking.provider_id, booking.reservation_id)
    return True


def _open(work: Work, booking_id: UUID) -> tuple[Booking, AttendanceTerms]:
    work.actor.require_person()
    booking = _locked(work, booking_id)
    if booking is None:
        raise booking_not_found()
    terms = terms_of(booking.attendance)
    if terms is None:
        raise Conflict("attendance.no_rule", msg("该预约没有签到规则，无需签到。"))
    if booking.status != BookingStatus.BOOKED:
        raise Conflict(
            "attendance.closed", msg("该预约已经结束（{status}），不能再签到或签退。", status=booking.status)
        )
    return booking, terms


def _locked(work: Work, booking_id: UUID) -> Booking | None:
    """Return a booking of the acting park or provider, under lock."""
    tenant = work.actor.tenant_id
    own = Booking.provider_id == work.actor.organisation_id if tenant is None else Booking.tenant_id == tenant
    query = select(Booking).where(Booking.id == booking_id, own).execution_options(populate_existing=True)
    return work.session.execute(query.with_for_update()).scalar_one_or_none()


def _noted(work: Work, booking: Booking, step: Step) -> bool:
    query = select(AttendanceNote.id).where(
        AttendanceNote.tenant_id == booking.tenant_id,
        AttendanceNote.booking_id == booking.id,
        AttendanceNote.step == step,
    )
    return work.session.execute(query).first() is not None


def _note(work: Work, booking: Booking, step: Step) -> bool:
    """Write a note; False where the database has another answer."""
    side = "platform" if step is Step.NO_SHOW else "provider" if work.actor.tenant_id is None else "park"
    row = {
        "tenant_id": booking.tenant_id,
        "id": new_id(),
        "booking_id": booking.id,
        "step": step,
        "at": work.now,
        "side": side,
        "noted_by": work.actor.user_id,
    }
    if not rows_written(work.session, insert(AttendanceNote).values(row).on_conflict_do_nothing()):
        return False
    audit.record(work, f"booking.{step}", "booking", booking.id, tenant_id=booking.tenant_id)
    return True


def _read(work: Work, booking: Booking) -> BookingView:
    (view,) = bookings_where(work, Booking.tenant_id == booking.tenant_id, Booking.id == booking.id, limit=1)
    return view
