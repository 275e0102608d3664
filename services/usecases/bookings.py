"""Bookings of instruments by parks: read, reported or given up by the provider. What is free, see slots."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, ScalarSelect, Select, select, tuple_, update

from services.gateways.calendar_files import CalendarEntry, Party, render_calendar
from services.rules.attendance import AttendanceTerms, Step, terms_of, used_minutes
from services.rules.slots import Span
from services.store.attendance import AttendanceCorrection, AttendanceNote
from services.store.bookings import Booking
from services.store.entering import enter_file, free_reservation
from services.usecases.artefacts import check_size
from services.usecases.slot_search import SlotView, search_slots
from tenants.kernel.errors import Conflict, FieldError, Invalid, NotFound
from tenants.kernel.messages import msg
from tenants.kernel.outbox import Event
from tenants.kernel.paging import Page, check_limit, decode_cursor, page_of
from tenants.kernel.vocabulary import Permission, Priority
from tenants.kernel.work import Work
from tenants.usecases import audit, people

__all__ = [
    "BookingStatus",
    "BookingView",
    "SlotView",
    "booking_calendar",
    "fail_inspection",
    "list_provider_bookings",
    "read_booking",
    "report_inspection",
    "search_slots",
]

LONGEST_REASON = 500


class BookingStatus(StrEnum):
    """Where a booking stands. Only a booked one is open."""

    BOOKED = "booked"
    REPORTED = "reported"
    CANCELLED = "cancelled"
    FAILED = "failed"
    NO_SHOW = "no_show"


@dataclass(frozen=True)
class BookingView:
    """A booking of an instrument, half-open ``[starts_at, ends_at)`` in UTC."""

    id: UUID
    park_id: UUID
    provider_id: UUID
    instrument_id: UUID
    instrument_name: str
    region_code: str
    offering: str
    starts_at: datetime
    ends_at: datetime
    purpose: str
    status: BookingStatus
    passed: bool | None
    failure_reason: str | None
    created_at: datetime
    closed_at: datetime | None
    responsible_id: UUID | None
    revision: int
    changed_at: datetime | None
    terms: AttendanceTerms | None
    """The rule of attendance that it was made under."""
    series_id: UUID | None
    series_number: int | None
    """Which occurrence of a series it is, from 1 on."""
    checked_in_at: datetime | None
    checked_out_at: datetime | None
    corrected_in_at: datetime | None
    corrected_out_at: datetime | None
    """As an accepted dispute put them right; None where none did."""

    @property
    def booked_minutes(self) -> int:
        """How long it was booked for."""
        return int((self.ends_at - self.starts_at).total_seconds()) // 60

    @property
    def used_minutes(self) -> int | None:
        """How long its instrument was used; None while that is not known."""
        return used_minutes(self.corrected_in_at or self.checked_in_at, self.corrected_out_at or self.checked_out_at)

    @property
    def span(self) -> Span:
        """The time it takes on its instrument."""
        return Span(self.instrument_id, self.starts_at, self.ends_at)


def read_booking(work: Work, *, booking_id: UUID) -> BookingView:
    """Return a booking of the acting park (for staff, of any); NotFound for another park's."""
    work.actor.require(Permission.READ_ORDER)
    own = () if work.actor.tenant_id is None else (Booking.tenant_id == work.actor.tenant_id,)
    row = work.session.execute(_bookings().where(Booking.id == booking_id, *own)).mappings().one_or_none()
    if row is None:
        raise booking_not_found()
    return _view(row)


def list_provider_bookings(
    work: Work,
    *,
    status: BookingStatus | None = None,
    from_: datetime | None = None,
    to: datetime | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> Page[BookingView]:
    """Return the bookings of the acting provider's instruments that start within ``[from_, to)``, by their start."""
    work.actor.require(Permission.REPORT_INSPECTION)
    query = _bookings().where(Booking.provider_id == work.actor.organisation_id)
    if status is not None:
        query = query.where(Booking.status == status)
    if from_ is not None:
        query = query.where(Booking.starts_at >= from_)
    if to is not None:
        query = query.where(Booking.starts_at < to)
    if (after := decode_cursor(cursor)) is not None:
        query = query.where(tuple_(Booking.starts_at, Booking.id) > after)
    query = query.order_by(Booking.starts_at, Booking.id).limit(check_limit(limit) + 1)
    rows = work.session.execute(query).mappings().all()
    return page_of(rows, limit, _view, lambda row: (row["starts_at"], row["id"]))


def report_inspection(
    work: Work,
    *,
    booking_id: UUID,
    file_name: str,
    media_type: str,
    content: bytes,
    passed: bool | None,
) -> BookingView:
    """Deliver an inspection: its result becomes a file of the park, and the booking is closed.

    Only the instrument's own provider may. Raises NotFound for anyone else's, Conflict when it was closed before.
    """
    work.actor.require(Permission.REPORT_INSPECTION)
    check_size(content)
    tenant_id = _close(work, booking_id, BookingStatus.REPORTED, passed=passed)
    enter_file(
        work.session,
        tenant_id,
        kind="output",
        source_id=booking_id,
        name=file_name,
        media_type=media_type,
        content=content,
        created_by=work.actor.user_id,
        created_at=work.now,
    )
    audit.record(work, "inspection.report", "booking", booking_id, tenant_id=tenant_id, passed=passed)
    work.emit(Event("inspection.reported", tenant_id, {"booking_id": str(booking_id)}, Priority.MONEY))
    return _provided(work, booking_id)


def fail_inspection(work: Work, *, booking_id: UUID, reason: str) -> BookingView:
    """Say that an inspection cannot be done: the slot is free again and nothing is charged."""
    work.actor.require(Permission.REPORT_INSPECTION)
    words = reason.strip()
    if not words or len(words) > LONGEST_REASON:
        wrong = msg("请用 1 至 {limit} 个字说明原因，园区会看到它。", limit=LONGEST_REASON)
        raise Invalid("inspection.reason", wrong, errors=[FieldError("reason", "inspection.reason", wrong)])
    tenant_id = _close(work, booking_id, BookingStatus.FAILED, failure_reason=words)
    audit.record(work, "inspection.fail", "booking", booking_id, tenant_id=tenant_id, reason=words)
    work.emit(Event("inspection.failed", tenant_id, {"booking_id": str(booking_id)}, Priority.MONEY))
    return _provided(work, booking_id)


def booking_calendar(work: Work, *, booking_id: UUID) -> bytes:
    """Return a booking as an invitation (RFC 5546); got again after a change it updates the event, or cancels it.

    Organiser and attendee are named by their ids: nobody's mail address is known here.
    """
    work.actor.require(Permission.READ_ORDER)
    booking = read_booking(work, booking_id=booking_id)
    person = booking.responsible_id
    names = people.colleague_names(work, user_ids=[] if person is None else [person])
    entry = replace(
        calendar_entry(booking),
        organiser=Party(f"urn:uuid:{booking.provider_id}", booking.instrument_name),
        attendee=Party(f"urn:uuid:{person or booking.park_id}", names.get(person, "") if person else ""),
    )
    return render_calendar([entry], method="CANCEL" if entry.cancelled else "REQUEST")


def calendar_entry(booking: BookingView) -> CalendarEntry:
    """Return a booking as calendars show it; after its end the entry updates, or cancels, the one before."""
    return CalendarEntry(
        uid=f"{booking.id}@booking.marketplace",
        sequence=booking.revision + (booking.closed_at is not None),
        starts_at=booking.starts_at,
        ends_at=booking.ends_at,
        changed_at=booking.closed_at or booking.changed_at or booking.created_at,
        title=str(msg("{instrument}：检验检测", instrument=booking.instrument_name)),
        description=booking.purpose,
        cancelled=booking.status in {BookingStatus.CANCELLED, BookingStatus.FAILED},
    )


def bookings_where(work: Work, *where: ColumnElement[bool], limit: int) -> list[BookingView]:
    """Return bookings by their start, for use cases that have asked for their own permission and say whose."""
    query = _bookings().where(*where).order_by(Booking.starts_at, Booking.id).limit(limit)
    return [_view(row) for row in work.session.execute(query).mappings()]


def booking_not_found() -> NotFound:
    """Return the refusal for a booking that is not there, or not the caller's."""
    return NotFound("booking.not_found", msg("没有找到该预约。请从订单或预约列表中打开。"))


def _close(
    work: Work,
    booking_id: UUID,
    status: BookingStatus,
    *,
    passed: bool | None = None,
    failure_reason: str | None = None,
) -> UUID:
    """Close an open booking of the acting provider and return its park."""
    provider_id = work.actor.organisation_id
    closed = (
        update(Booking)
        .where(Booking.provider_id == provider_id, Booking.id == booking_id, Booking.status == BookingStatus.BOOKED)
        .values(
            status=status,
            passed=passed,
            failure_reason=failure_reason,
            closed_by=work.actor.user_id,
            closed_at=work.now,
        )
        .returning(Booking.tenant_id, Booking.reservation_id)
    )
    row = work.session.execute(closed).one_or_none()
    if row is None:
        before = _provided(work, booking_id)
        raise Conflict(
            "booking.closed", msg("该预约已经结束（{status}），不能再次登记结果。", status=before.status.value)
        )
    if status is BookingStatus.FAILED and provider_id is not None:
        free_reservation(work.session, provider_id, row.reservation_id)
    return UUID(str(row.tenant_id))


def _provided(work: Work, booking_id: UUID) -> BookingView:
    """Return a booking of the acting provider's own instruments; NotFound for any other."""
    query = _bookings().where(Booking.provider_id == work.actor.organisation_id, Booking.id == booking_id)
    row = work.session.execute(query).mappings().one_or_none()
    if row is None:
        raise booking_not_found()
    return _view(row)


def _bookings() -> Select[*tuple[Any, ...]]:
    return select(
        Booking.id,
        Booking.tenant_id.label("park_id"),
        Booking.provider_id,
        Booking.instrument_id,
        Booking.instrument_name,
        Booking.region_code,
        Booking.offering,
        Booking.starts_at,
        Booking.ends_at,
        Booking.purpose,
        Booking.status,
        Booking.passed,
        Booking.failure_reason,
        Booking.created_at,
        Booking.closed_at,
        Booking.responsible_id,
        Booking.revision,
        Booking.changed_at,
        Booking.attendance.label("terms"),
        Booking.series_id,
        Booking.series_number,
        noted_at(Step.CHECKED_IN).label("checked_in_at"),
        noted_at(Step.CHECKED_OUT).label("checked_out_at"),
        AttendanceCorrection.came_at.label("corrected_in_at"),
        AttendanceCorrection.left_at.label("corrected_out_at"),
    ).outerjoin(
        AttendanceCorrection,
        (AttendanceCorrection.tenant_id == Booking.tenant_id) & (AttendanceCorrection.booking_id == Booking.id),
    )


def noted_at(step: Step) -> ScalarSelect[datetime]:
    """Return the moment at which a step of a booking was noted, as a column beside the booking's; NULL while it was not."""
    return (
        select(AttendanceNote.at)
        .where(
            AttendanceNote.tenant_id == Booking.tenant_id,
            AttendanceNote.booking_id == Booking.id,
            AttendanceNote.step == step,
        )
        .correlate(Booking)
        .scalar_subquery()
    )


def _view(row: Mapping[Any, Any]) -> BookingView:
    return BookingView(**{**row, "status": BookingStatus(row["status"]), "terms": terms_of(row["terms"])})
