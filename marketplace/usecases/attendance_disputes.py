"""Disputes, where a fee meets the booking it was charged for: whose it is, who noted it, and what it had led to."""

from __future__ import annotations

from uuid import UUID

from billing.rules.attendance_disputes import DisputeStatus
from billing.rules.attendance_fees import FeeKind
from billing.usecases import alerts, attendance_disputes
from billing.usecases.attendance_disputes import DisputeView
from services.usecases import attendance, bookings, suspensions
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


def decide_dispute(work: Work, *, dispute_id: UUID, accept: bool, reason: str) -> DisputeView:
    """Answer or decide a dispute; a no-show whose fee is given back counts for no suspension any more."""
    work.actor.require(Permission.DECIDE_DISPUTE)
    found = attendance_disputes.read_dispute(work, dispute_id=dispute_id)
    noted_by = attendance.noted_by(work, park_id=found.park_id, booking_id=found.booking_id)
    decided = attendance_disputes.decide_dispute(
        work, dispute_id=dispute_id, accept=accept, reason=reason, noted_by=noted_by
    )
    if decided.status is DisputeStatus.ACCEPTED and decided.kind is FeeKind.NO_SHOW:
        suspensions.excuse(work, park_id=found.park_id, booking_id=found.booking_id, reason=reason)
    return decided


def tell_decided(work: Work, *, dispute_id: UUID) -> None:
    """Tell the acting park once for each decision on its dispute."""
    work.actor.require(Permission.PLACE_ORDER)
    found = attendance_disputes.read_own_dispute(work, dispute_id=dispute_id)
    accepted = found.status is DisputeStatus.ACCEPTED
    kind = f"{DECIDED}.{'accepted' if accepted else 'refused'}"
    detail = {"title": found.title, "amount_fen": found.amount_fen, "reason": found.steps[-1].reason}
    alerts.tell_park(work, kind=kind, key=f"{dispute_id}:{found.steps[-1].number}", detail=detail)
