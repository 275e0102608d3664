"""Moving a booking while its order stays: price, subsidy and approvals are kept, and the line names the new time."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from billing.usecases import holds
from marketplace.rules.orders import hold_until
from marketplace.store.order_queries import lines_of, locked_line, order_of_booking
from services.usecases import bookings, rebooking
from services.usecases.bookings import BookingView
from tenants.kernel.clock import CHINA
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work


def reschedule_booking(work: Work, *, booking_id: UUID, starts_at: datetime, slots: int | None = None) -> BookingView:
    """Move a booking of the acting park to another slot of its instrument, of the same length or shorter.

    The order is locked first, as by whoever cancels or settles it, so only one of them happens. Its public money waits
    as long as the new time needs. Raises as ``rebooking.reschedule`` does; then nothing has changed.
    """
    work.actor.require(Permission.PLACE_ORDER)
    line = locked_line(work.session, booking_id=booking_id)
    if line is None:
        raise bookings.booking_not_found()
    before = bookings.read_booking(work, booking_id=booking_id)
    after = rebooking.reschedule(work, booking_id=booking_id, starts_at=starts_at, count=slots)
    line.title = line.title.replace(_when(before), _when(after))
    lines = lines_of(work.session, line.tenant_id, [line.order_id])
    holds.extend_holds(
        work, order_line_ids=[each.id for each in lines], expires_at=hold_until(work.now, [after.ends_at])
    )
    work.session.flush()
    return after


def booking_order(work: Work, *, booking_id: UUID) -> UUID:
    """Return the order that an own booking belongs to; NotFound for another park's."""
    work.actor.require(Permission.READ_ORDER)
    bookings.read_booking(work, booking_id=booking_id)
    found = order_of_booking(work.session, booking_id)
    if found is None:
        raise bookings.booking_not_found()
    return found


def _when(booking: BookingView) -> str:
    return f"{booking.starts_at.astimezone(CHINA):%Y-%m-%d %H:%M}"
