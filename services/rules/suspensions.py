"""When a park that did not come to its bookings is kept out of a provider's new bookings for a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from services.rules.attendance import AttendanceTerms


@dataclass(frozen=True, slots=True)
class Missed:
    """A booking that nobody came to and that has led to no suspension yet, with the terms it was made under."""

    booking_id: UUID
    starts_at: datetime
    terms: AttendanceTerms


def counted(missed: Sequence[Missed]) -> tuple[Missed, ...]:
    """Return the bookings that suspend by the rule of the latest of them, latest first; none where they are too few.

    They lie within its window, which ends with its own start. A rule of zero no-shows suspends nobody.
    """
    if not missed:
        return ()
    ordered = sorted(missed, key=lambda each: (each.starts_at, each.booking_id), reverse=True)
    latest = ordered[0]
    since = latest.starts_at - timedelta(days=latest.terms.suspend_window_days)
    within = tuple(each for each in ordered if each.starts_at > since)
    return within if 0 < latest.terms.suspend_after <= len(within) else ()
