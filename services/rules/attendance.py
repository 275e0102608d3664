"""Attendance of a booking: when people check in, from when nobody came, and what a provider asks for it.

Minutes are whole, shares are basis points of the booking's price, fees are whole fen. What a fee comes to, billing works
out: here is only what it depends on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

WHOLE_BP = 10_000
MOST_MINUTES = {
    "check_in_before_minutes": 24 * 60,
    "grace_minutes": 24 * 60,
    "free_cancel_minutes": 60 * 24 * 60,
    "overrun_unit_minutes": 24 * 60,
}
MOST_NO_SHOWS = 20
MOST_DAYS = 366
MOST_FEE_FEN = 1_000_000_00
LEAST_DISPUTE_DAYS, USUAL_DISPUTE_DAYS, MOST_DISPUTE_DAYS = 5, 15, 180
"""A provider gives the parks no less time than the least; bookings made before it could choose have the usual one."""
ONE_MINUTE = timedelta(minutes=1)
ONE_HOUR = timedelta(hours=1)
"""What slots are made of, and what an order counts."""


class Metering(StrEnum):
    """What of a booking is paid."""

    BOOKED = "booked"
    """The booked time; time over its end costs the overrun fee, or nothing."""
    LARGER = "larger"
    """The larger of booked and used time: without an overrun fee, time over its end costs the booking's own price."""
    ACTUAL = "actual"
    """The used time, at most the booked one, whose unused part is given back; time over its end as for ``booked``."""


class Step(StrEnum):
    """What is noted of a booking, each once. Nobody has come is noted only where nobody has checked in."""

    CHECKED_IN = "checked_in"
    CHECKED_OUT = "checked_out"
    NO_SHOW = "no_show"


@dataclass(frozen=True, slots=True)
class AttendanceTerms:
    """A provider's rule for an instrument, as a booking was made under it.

    Who comes checks in from ``check_in_before_minutes`` before the start until ``grace_minutes`` after it; after that it is
    a no-show. Cancelling is free until ``free_cancel_minutes`` before the start.
    """

    version: int
    check_in_before_minutes: int
    grace_minutes: int
    free_cancel_minutes: int
    late_cancel_bp: int
    no_show_bp: int
    overrun_unit_minutes: int
    overrun_fee_fen: int
    metering: Metering
    suspend_after: int = 3
    """So many no-shows of a park at the provider within ``suspend_window_days`` keep it out of new bookings for
    ``suspend_days``; 0 for never."""
    suspend_window_days: int = 90
    suspend_days: int = 30
    dispute_days: int = USUAL_DISPUTE_DAYS
    """How long after it was charged a park may dispute a fee or the noted times, and after a refusal insist."""

    def problem(self) -> str | None:
        """Return which number is unusable, or None."""
        for name, most in MOST_MINUTES.items():
            if not (1 if name == "overrun_unit_minutes" else 0) <= getattr(self, name) <= most:
                return name
        if not 0 <= self.suspend_after <= MOST_NO_SHOWS:
            return "suspend_after"
        for name in ("suspend_window_days", "suspend_days"):
            if not 1 <= getattr(self, name) <= MOST_DAYS:
                return name
        if not LEAST_DISPUTE_DAYS <= self.dispute_days <= MOST_DISPUTE_DAYS:
            return "dispute_days"
        shares = (name for name in ("late_cancel_bp", "no_show_bp") if not 0 <= getattr(self, name) <= WHOLE_BP)
        return next(shares, None if 0 <= self.overrun_fee_fen <= MOST_FEE_FEN else "overrun_fee_fen")

    def document(self) -> dict[str, Any]:
        """Return the terms as a booking keeps them."""
        return asdict(self)

    def opens_at(self, starts_at: datetime) -> datetime:
        """Return from when people may check in."""
        return starts_at - timedelta(minutes=self.check_in_before_minutes)

    def closes_at(self, starts_at: datetime) -> datetime:
        """Return the last instant at which people may check in; after it nobody has come."""
        return starts_at + timedelta(minutes=self.grace_minutes)

    def free_until(self, starts_at: datetime) -> datetime:
        """Return the last instant at which cancelling is free."""
        return starts_at - timedelta(minutes=self.free_cancel_minutes)

    def overrun_units(self, ends_at: datetime, left_at: datetime | None) -> int:
        """Return the started units by which people stayed longer than they had booked; 0 where nobody noted the end."""
        if left_at is None or left_at <= ends_at:
            return 0
        return -((ends_at - left_at) // timedelta(minutes=self.overrun_unit_minutes))


def terms_of(document: Mapping[str, Any] | None) -> AttendanceTerms | None:
    """Return the terms that a booking keeps, None for one that was made without."""
    if document is None:
        return None
    known = {each.name: document[each.name] for each in fields(AttendanceTerms) if each.name in document}
    without = {"suspend_after": 0}  # a booking that was made before there were suspensions agreed to none
    return AttendanceTerms(**{**without, **known, "metering": Metering(document["metering"])})


def used_hours(came_at: datetime | None, left_at: datetime | None, ends_at: datetime, booked: int) -> int:
    """Return how many of ``booked`` hours were used: from check-in to check-out or the booking's end, whichever is earlier.

    A started hour counts whole, at least one does, and never more than were booked: time over the end has its own fee.
    While nobody has noted both, all of them count.
    """
    if came_at is None or left_at is None:
        return booked
    used = -((came_at - min(left_at, ends_at)) // ONE_HOUR)
    return max(1, min(booked, used))


def used_minutes(came_at: datetime | None, left_at: datetime | None) -> int | None:
    """Return how long an instrument was used, a started minute counting whole; None while that is not known."""
    if came_at is None or left_at is None:
        return None
    return -((came_at - left_at) // ONE_MINUTE)


class ClaimFault(StrEnum):
    """What is wrong with times that a park says are the right ones."""

    ORDER = "order"
    EARLIER = "earlier"
    LATER = "later"
    SAME = "same"


def claim_fault(
    came_at: datetime, left_at: datetime, *, earliest: datetime, latest: datetime, noted: tuple[datetime | None, ...]
) -> ClaimFault | None:
    """Return what is wrong with claimed times, None for nothing: they lie within what was noted and differ from it.

    So a dispute never makes a use longer: what was charged too little, its provider asks for.
    """
    if left_at <= came_at:
        return ClaimFault.ORDER
    if came_at < earliest:
        return ClaimFault.EARLIER
    if left_at > latest:
        return ClaimFault.LATER
    return ClaimFault.SAME if noted == (came_at, left_at) else None
