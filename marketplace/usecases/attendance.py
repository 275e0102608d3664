"""Where a booking's attendance and money meet: what is charged beside its price, which the park pays alone."""

from __future__ import annotations

from uuid import UUID

from billing.rules.attendance_fees import FeeKind, fee_of, price_of_unit
from billing.usecases import alerts, attendance_fees
from billing.usecases.attendance_fees import BookingFee
from marketplace.rules.orders import LineStatus
from marketplace.store.orders import OrderLine
from marketplace.usecases.views import OrderView
from services.rules.attendance import AttendanceTerms, Metering, used_hours
from services.usecases import suspensions
from services.usecases.bookings import BookingStatus, BookingView
from tenants.kernel.clock import CHINA
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work

NO_SHOW = "booking.no_show"
"""Why a line was ended without a delivery: nobody came."""


SUSPENDED = "booking.suspended"
LIFTED = "booking.suspension_lifted"
"""What a park is told."""


def suspend_park(work: Work, *, provider_id: UUID) -> bool:
    """Suspend the acting park at a provider where it missed too many bookings, and tell it; False where it did not.

    A transaction of its own, see ``services.usecases.suspensions``.
    """
    work.actor.require(Permission.METER_USAGE)
    made = suspensions.suspend(work, provider_id=provider_id)
    if made is None:
        return False
    detail = {
        "provider": made.provider_name,
        "count": made.no_shows,
        "days": made.window_days,
        "until": f"{made.until.astimezone(CHINA):%Y-%m-%d %H:%M}",
    }
    alerts.tell_park(work, kind=SUSPENDED, key=str(made.id), detail=detail)
    return True


def tell_lifted(work: Work, *, suspension_id: UUID) -> None:
    """Tell the acting park once that a suspension was lifted, and why."""
    work.actor.require(Permission.PLACE_ORDER)
    found = suspensions.read_own_suspension(work, suspension_id=suspension_id)
    detail = {"provider": found.provider_name, "reason": found.lift_reason}
    alerts.tell_park(work, kind=LIFTED, key=str(suspension_id), detail=detail)


def charge_share(work: Work, line: OrderLine, booking: BookingView, kind: FeeKind) -> int:
    """Charge a share of a booking's price, for use cases that have asked for their own permission; return the fen."""
    if booking.terms is None:
        return 0
    return attendance_fees.charge_fee(work, fee=_share(line, booking, booking.terms, kind))


def charge_overrun(work: Work, line: OrderLine, booking: BookingView) -> int:
    """Charge the time that people stayed longer than booked, for use cases that have asked for their own permission."""
    terms = booking.terms
    units = 0 if terms is None else terms.overrun_units(booking.ends_at, booking.checked_out_at)
    if terms is None or not units:
        return 0
    unit_fen = terms.overrun_fee_fen
    if not unit_fen and terms.metering is Metering.LARGER:
        unit_fen = price_of_unit(line.gross_fen, booking.booked_minutes, terms.overrun_unit_minutes)
    fee = BookingFee(
        booking_id=booking.id,
        order_line_id=line.id,
        kind=FeeKind.OVERRUN,
        title=line.title,
        vat_bp=line.vat_bp,
        rule_version=terms.version,
        dispute_days=terms.dispute_days,
        base_fen=line.gross_fen,
        units=units,
        unit_fen=unit_fen,
    )
    return attendance_fees.charge_fee(work, fee=fee)


def charged_units(line: OrderLine, booking: BookingView) -> int | None:
    """Return how many of a line's units are charged where its booking's rule asks for actual use; None elsewhere."""
    if booking.terms is None or booking.terms.metering is not Metering.ACTUAL:
        return None
    return used_hours(booking.checked_in_at, booking.checked_out_at, booking.ends_at, line.quantity)


def is_late(booking: BookingView, work: Work) -> bool:
    """Tell whether cancelling an open booking is not free any more."""
    open_still = booking.status is BookingStatus.BOOKED and booking.terms is not None
    return open_still and booking.terms is not None and work.now > booking.terms.free_until(booking.starts_at)


def cancel_fee(work: Work, *, order: OrderView) -> int:
    """Return what cancelling an order costs at this moment, in fen, for the park to see before it does."""
    work.actor.require(Permission.READ_ORDER)
    kind = FeeKind.LATE_CANCEL
    late = [
        (line, line.booking)
        for line in order.lines
        if line.status is LineStatus.PLACED and line.booking is not None and is_late(line.booking, work)
    ]
    return sum(
        fee_of(kind, base_fen=line.gross_fen, rate_bp=booking.terms.late_cancel_bp, units=0, unit_fen=0)
        for line, booking in late
        if booking.terms is not None
    )


def _share(line: OrderLine, booking: BookingView, terms: AttendanceTerms, kind: FeeKind) -> BookingFee:
    return BookingFee(
        booking_id=booking.id,
        order_line_id=line.id,
        kind=kind,
        title=line.title,
        vat_bp=line.vat_bp,
        rule_version=terms.version,
        dispute_days=terms.dispute_days,
        base_fen=line.gross_fen,
        rate_bp=terms.no_show_bp if kind is FeeKind.NO_SHOW else terms.late_cancel_bp,
    )
