"""Site-months: a standing service for one site in one calendar month of the park's zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from tenants.rules.days import add_months, first_moment, local_day

MOST_MONTHS_AHEAD = 3
"""How far ahead a month can be rented."""
MOST_MONTHS = 36
"""The longest standing order that names its end."""
GRACE = timedelta(hours=6)
"""How long a site that was rented last month goes on working in a new month, for its renewal to come through."""
CLOSED_AFTER = timedelta(minutes=15)
"""How long after its end a month is closed: what was begun before midnight has been committed by then."""


class SiteMonthStatus(StrEnum):
    """Where a site-month stands. Only a booked one is open."""

    BOOKED = "booked"
    DELIVERED = "delivered"
    FAILED = "failed"
    CANCELLED = "cancelled"


TAKEN = (SiteMonthStatus.BOOKED, SiteMonthStatus.DELIVERED)
"""Of one site, service and month only one stands so."""


@dataclass(frozen=True)
class MonthSpan:
    """A calendar month as the half-open span of UTC instants ``[starts_at, ends_at)``."""

    month: date
    starts_at: datetime
    ends_at: datetime


def month_of(moment: datetime) -> date:
    """Return the first day of the month that ``moment`` falls in where parks are."""
    return local_day(moment).replace(day=1)


def next_month(month: date, months: int = 1) -> date:
    """Return the first day of the month ``months`` later."""
    return add_months(month, months, 1)


def span_of(month: date) -> MonthSpan:
    """Return the span of the month that begins on ``month``."""
    return MonthSpan(month, first_moment(month), first_moment(next_month(month)))


def may_be_rented(month: date, now: datetime) -> bool:
    """Tell whether a month can still be, or be already, rented: the running one and the next three."""
    return month in rentable_months(now)


def rentable_months(now: datetime) -> tuple[date, ...]:
    """Return the months that can be rented, the running one first."""
    running = month_of(now)
    return tuple(next_month(running, ahead) for ahead in range(MOST_MONTHS_AHEAD + 1))


def is_closable(ends_at: datetime, now: datetime) -> bool:
    """Tell whether a month that ended at ``ends_at`` can be closed."""
    return ends_at + CLOSED_AFTER <= now


def working_months(now: datetime) -> tuple[date, ...]:
    """Return the months of which one must be rented for a service to work for a site now."""
    running, before = month_of(now), month_of(now - GRACE)
    return (running,) if before == running else (running, before)
