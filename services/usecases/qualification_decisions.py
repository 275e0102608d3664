"""What a provider does with the qualifications that persons of parks ask it for: grants, declines, revokes.

Steps are only added, each names the person. A revocation waits for the bookings that are being made, and lets them stay.
"""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Date, cast, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import aliased

from services.rules.qualifications import LONGEST_REASON, LONGEST_VALIDITY, QualificationState, QualificationStep
from services.store.bookings import Booking
from services.store.catalogue import Instrument
from services.store.qualifications import QualificationDecision, QualificationRequest, lock_out_bookings
from services.usecases.bookings import BookingStatus, BookingView, bookings_where
from services.usecases.qualifications import QualificationView, read_request
from tenants.kernel.clock import CHINA
from tenants.kernel.errors import Conflict, FieldError, Invalid
from tenants.kernel.messages import Message, msg
from tenants.kernel.outbox import Event
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.kernel.writing import rows_written
from tenants.usecases import audit, people

MOST_LACKING = 200


def grant(work: Work, *, request_id: UUID, until: date, reason: str = "") -> QualificationView:
    """Grant a request to the own provider until a day, which counts.

    Raises NotFound for another provider's, Invalid for a day that is over or too far, Conflict where it was answered.
    """
    work.actor.require(Permission.DECIDE_QUALIFICATION)
    found = read_request(work, request_id=request_id)
    today = work.now.astimezone(CHINA).date()
    if not today <= until <= today + LONGEST_VALIDITY:
        raise _wrong(
            "valid_until",
            "qualification.validity",
            msg("有效期须为今天或以后，不晚于 {last}。", last=(today + LONGEST_VALIDITY).isoformat()),
        )
    return _step(work, found, QualificationStep.GRANTED, reason, valid_until=until)


def decline(work: Work, *, request_id: UUID, reason: str) -> QualificationView:
    """Decline a request to the own provider with the reason. Raises as ``grant`` does, Invalid without a reason."""
    work.actor.require(Permission.DECIDE_QUALIFICATION)
    return _step(work, read_request(work, request_id=request_id), QualificationStep.DECLINED, reason)


def revoke(work: Work, *, request_id: UUID, reason: str) -> QualificationView:
    """Take a granted qualification back from now on, with the reason; what is booked stays.

    Raises NotFound for another provider's, Invalid without a reason, Conflict for one that is not granted any more.
    """
    work.actor.require(Permission.DECIDE_QUALIFICATION)
    found = read_request(work, request_id=request_id)
    _check_reason(QualificationStep.REVOKED, reason)
    lock_out_bookings(work.session, found.park_id, found.provider_id)
    found = read_request(work, request_id=request_id)
    if found.state not in {QualificationState.VALID, QualificationState.EXPIRED}:
        raise Conflict("qualification.not_granted", msg("该资质未授予或已撤销，无需撤销。请刷新页面。"))
    return _step(work, found, QualificationStep.REVOKED, reason, number=2, undoes=QualificationStep.GRANTED)


def list_lacking(work: Work) -> tuple[BookingView, ...]:
    """Return the own instruments' open bookings whose person is not qualified on their day, by their start.

    They were made before the qualification was asked for or revoked; the provider decides what becomes of them.
    """
    work.actor.require(Permission.DECIDE_QUALIFICATION)
    mine = (
        Booking.provider_id == work.actor.organisation_id,
        Booking.status == BookingStatus.BOOKED,
        Booking.ends_at > work.now,
    )
    return tuple(bookings_where(work, *mine, _lacks(), limit=MOST_LACKING))


def _lacks() -> ColumnElement[bool]:
    """Tell of a booking that its instrument asks for what its person does not hold on its day."""
    granted, revoked = aliased(QualificationDecision), aliased(QualificationDecision)
    day = cast(func.timezone("Asia/Shanghai", Booking.starts_at), Date)
    taken_back = select(revoked.request_id).where(
        revoked.tenant_id == granted.tenant_id,
        revoked.request_id == granted.request_id,
        revoked.step == QualificationStep.REVOKED,
    )
    held = (
        select(QualificationRequest.id)
        .join(
            granted,
            (granted.tenant_id == QualificationRequest.tenant_id) & (granted.request_id == QualificationRequest.id),
        )
        .where(
            QualificationRequest.tenant_id == Booking.tenant_id,
            QualificationRequest.provider_id == Booking.provider_id,
            QualificationRequest.person_id == Booking.responsible_id,
            QualificationRequest.qualification == Instrument.qualification,
            granted.step == QualificationStep.GRANTED,
            granted.valid_until >= day,
            ~taken_back.correlate(granted).exists(),
        )
    )
    asks = select(Instrument.id).where(
        Instrument.provider_id == Booking.provider_id,
        Instrument.id == Booking.instrument_id,
        Instrument.qualification != "",
        ~held.correlate(Booking, Instrument).exists(),
    )
    return asks.correlate(Booking).exists()


def _step(
    work: Work, found: QualificationView, step: QualificationStep, reason: str, *, number: int = 1, **values: Any
) -> QualificationView:
    """Add a step once; who comes second is told so."""
    _check_reason(step, reason)
    row = {
        "tenant_id": found.park_id,
        "request_id": found.id,
        "number": number,
        "step": step,
        "reason": reason.strip(),
        "taken_by": work.actor.require_person(),
        "taken_by_name": people.acting_name(work)[:200],
        "taken_at": work.now,
        **values,
    }
    if not rows_written(work.session, insert(QualificationDecision).values(row).on_conflict_do_nothing()):
        raise Conflict("qualification.decided", msg("该申请已有答复。请刷新页面。"))
    audit.record(work, f"qualification.{step}", "qualification", found.id, tenant_id=found.park_id)
    work.emit(Event("qualification.decided", found.park_id, {"request_id": str(found.id)}))
    return read_request(work, request_id=found.id)


def _check_reason(step: QualificationStep, reason: str) -> None:
    words = reason.strip()
    if len(words) > LONGEST_REASON or (not words and step is not QualificationStep.GRANTED):
        wrong = msg("请用 1 至 {limit} 个字说明原因，使用人会看到它。", limit=LONGEST_REASON)
        raise _wrong("reason", "qualification.reason", wrong)


def _wrong(name: str, code: str, message: Message) -> Invalid:
    return Invalid(code, message, errors=[FieldError(name, code, message)])
