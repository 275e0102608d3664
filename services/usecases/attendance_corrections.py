"""Times of a booking that a dispute puts right: what a park may claim, and what stands once the claim was accepted."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert

from services.rules.attendance import AttendanceTerms, ClaimFault, claim_fault
from services.store.attendance import AttendanceCorrection
from services.usecases.bookings import BookingView
from tenants.kernel.clock import CHINA
from tenants.kernel.errors import Conflict, FieldError, Invalid
from tenants.kernel.messages import Message, msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.kernel.writing import rows_written
from tenants.usecases import audit


def check_claim(booking: BookingView, *, came_at: datetime, left_at: datetime) -> AttendanceTerms:
    """Refuse times that a park may not claim for its booking: Invalid at ``came_at`` or ``left_at``; return its rule.

    Raises Conflict for a booking without a rule of attendance, whose times nobody notes.
    """
    if booking.terms is None:
        raise Conflict("attendance.no_rule", msg("该预约没有签到规则，没有可提出异议的使用时间。"))
    earliest = booking.checked_in_at or booking.terms.opens_at(booking.starts_at)
    latest = booking.checked_out_at or booking.ends_at
    noted = (booking.checked_in_at, booking.checked_out_at)
    fault = claim_fault(came_at, left_at, earliest=earliest, latest=latest, noted=noted)
    if fault is None:
        return booking.terms
    field, wrong = _told(fault, earliest, latest)
    raise Invalid(f"dispute.{fault}", wrong, errors=[FieldError(field, f"dispute.{fault}", wrong)])


def correct_times(
    work: Work, *, park_id: UUID, booking_id: UUID, came_at: datetime, left_at: datetime, reason: str
) -> None:  # fmt: skip
    """Put the times of a booking right, for who decides on a park's dispute of them; Conflict for a second time."""
    work.actor.require(Permission.DECIDE_DISPUTE)
    row = {
        "tenant_id": park_id,
        "booking_id": booking_id,
        "came_at": came_at,
        "left_at": left_at,
        "reason": reason.strip(),
        "corrected_by": work.actor.require_person(),
        "corrected_at": work.now,
    }
    if not rows_written(work.session, insert(AttendanceCorrection).values(row).on_conflict_do_nothing()):
        raise Conflict("dispute.decided", msg("该异议已处理，或正等待其他人处理。请刷新页面。"))
    audit.record(work, "booking.times_corrected", "booking", booking_id, tenant_id=park_id)


def _told(fault: ClaimFault, earliest: datetime, latest: datetime) -> tuple[str, Message]:
    first, last = (f"{at.astimezone(CHINA):%m-%d %H:%M}" for at in (earliest, latest))
    match fault:
        case ClaimFault.EARLIER:
            return "came_at", msg("到场时间不能早于 {at}：异议只能缩短计费的使用时间。请改正。", at=first)
        case ClaimFault.LATER:
            return "left_at", msg("离场时间不能晚于 {at}：异议只能缩短计费的使用时间。请改正。", at=last)
        case ClaimFault.SAME:
            return "left_at", msg("与登记的时间相同。请填写您认为正确的时间。")
        case _:
            return "left_at", msg("离场须晚于到场。请改正。")
