"""What a park's delivered services cost in the year, month by month and service by service."""

from __future__ import annotations

from datetime import date, datetime

from billing.rules.periods import DEFAULT_ZONE, start_of_day
from billing.usecases import metering
from marketplace.web.rendering import month_of
from tenants.kernel.work import Work


def months_of_year(now: datetime) -> list[str]:
    """Return the twelve months of the year that holds ``now``, ``2026-01`` and on."""
    year = month_of(now)[:4]
    return [f"{year}-{number:02d}" for number in range(1, 13)]


def spent_by(work: Work, key: str) -> dict[str, metering.UsageSum]:
    """Return the year's sums by ``key`` (``month`` or ``offering``); what was not used is left out."""
    year = int(month_of(work.now)[:4])
    first, after = (start_of_day(date(each, 1, 1), DEFAULT_ZONE) for each in (year, year + 1))
    return {row.key: row for row in metering.list_usage(work, from_=first, to=after, group_by=key)}
