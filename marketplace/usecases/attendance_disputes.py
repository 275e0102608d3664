"""Disputes, where a charge meets the booking it was for: whose it is, who noted it, and what it had led to."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from billing.rules.attendance_disputes import DisputeStatus
from billing.rules.attendance_fees import FeeKind
from billing.usecases import alerts, attendance_disputes
from billing.usecases.attendance_disputes import DisputeView, TimesClaim
from marketplace.rules.orders import LineStatus
from marketplace.store.order_queries import line_of_booking
from services.rules.attendance import Metering, used_hours
from services.usecases import attendance, attendance_corrections, bookings, suspensions
from services.usecases.bookings import BookingView
from tenants.kernel.errors import Conflict
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work

DECIDED = "attendance.dispute_decided"
"""What a park is told."""


def ask_dispute(work: Work, *, fee_id: UUID, reason: str) -> DisputeView:
    """Dispute an own fee; see ``billing.usecases.attendance_disputes``."""
    work.actor.require(Permission.ACCEPT_DELIVERY)
    booking_id = attendance_disputes.booking_of_fee(work, fee_id=fee_id)
    booking = bookings.read_booking(work, booking_id=booking_id)
    return attendance_disputes.ask_dispute(work, fee_id=fee_id, provider_id=booking.provider_id, reason=reason)


def ask_times_dispute(
    work: Work, *, booking_id: UUID, came_at: datetime, left_at: datetime, reason: str
) -> DisputeView:  # fmt: skip
    """Dispute the times that were noted of an own booking, by saying which are right.

    Raises NotFound for another park's booking, Invalid for times that are not within the noted ones, Conflict before its
    line was charged, too late or a second time.
    """
    work.actor.require(Permission.ACCEPT_DELIVERY)
    booking = bookings.read_booking(work, booking_id=booking_id)
    line = line_of_booking(work.session, booking_id)
    if line is None or line.status != LineStatus.DELIVERED:
        raise Conflict("dispute.not_charged", msg("该预约尚未结算。出具结果并结算后，可对使用时间提出异议。"))
    terms = attendance_corrections.check_claim(booking, came_at=came_at, left_at=left_at)
    by_use = terms.metering is Metering.ACTUAL
    claim = TimesClaim(
        booking_id=booking_id,
        order_line_id=line.id,
        provider_id=booking.provider_id,
        within_days=terms.dispute_days,
        noted_came_at=booking.checked_in_at,
        noted_left_at=booking.checked_out_at,
        came_at=came_at,
        left_at=left_at,
        used_units=used_hours(came_at, left_at, booking.ends_at, line.quantity) if by_use else None,
        overrun_units=terms.overrun_units(booking.ends_at, left_at),
    )
    return attendance_disputes.ask_times_dispute(work, claim=claim, reason=reason)


def times_disputable_until(work: Work, *, booking: BookingView) -> datetime | None:
    """Return until when the acting park may dispute the times of its booking; None where it may not, or has."""
    work.actor.require(Permission.READ_ORDER)
    line = line_of_booking(work.session, booking.id)
    if booking.terms is None or line is None or line.status != LineStatus.DELIVERED:
        return None
    return attendance_disputes.times_disputable_until(
        work, order_line_id=line.id, booking_id=booking.id, within_days=booking.terms.dispute_days
    )


def decide_dispute(work: Work, *, dispute_id: UUID, accept: bool, reason: str) -> DisputeView:
    """Answer or decide a dispute; a no-show whose fee is given back counts for no suspension any more, and of accepted
    times the booking tells those.
    """
    work.actor.require(Permission.DECIDE_DISPUTE)
    found = attendance_disputes.read_dispute(work, dispute_id=dispute_id)
    noted_by = attendance.noted_by(work, park_id=found.park_id, booking_id=found.booking_id)
    decided = attendance_disputes.decide_dispute(
        work, dispute_id=dispute_id, accept=accept, reason=reason, noted_by=noted_by
    )
    if decided.status is DisputeStatus.ACCEPTED and decided.kind == FeeKind.NO_SHOW:
        suspensions.excuse(work, park_id=found.park_id, booking_id=found.booking_id, reason=reason)
    if decided.status is DisputeStatus.ACCEPTED and decided.times is not None:
        attendance_corrections.correct_times(
            work,
            park_id=found.park_id,
            booking_id=found.booking_id,
            came_at=decided.times.came_at,
            left_at=decided.times.left_at,
            reason=reason,
        )
    return decided


def tell_decided(work: Work, *, dispute_id: UUID) -> None:
    """Tell the acting park once for each decision on its dispute."""
    work.actor.require(Permission.PLACE_ORDER)
    found = attendance_disputes.read_own_dispute(work, dispute_id=dispute_id)
    accepted = found.status is DisputeStatus.ACCEPTED
    kind = f"{DECIDED}.{'accepted' if accepted else 'refused'}"
    amount_fen = found.given_back_fen if accepted else found.amount_fen
    detail = {"title": found.title, "amount_fen": amount_fen, "reason": found.steps[-1].reason}
    alerts.tell_park(work, kind=kind, key=f"{dispute_id}:{found.steps[-1].number}", detail=detail)
