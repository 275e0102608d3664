"""Aid in any N years that roll with the clock: a grant counts from its moment until the same one N years later.

The second kind of ceiling beside those of a cap year. ``(moment − N years, moment]`` in the wall clock of a zone. Where
the later year lacks the day, 29 February, a grant counts until the end of that February; where the clock is put forward,
until the day it falls out of ends at the latest. So a grant that has fallen out never comes back.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from billing.rules.periods import local_day, start_of_day

_INSTANT = timedelta(microseconds=1)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Granted:
    """Aid granted to one controller at an aware moment; ``amount_fen`` is what of it was not given back."""

    at: datetime
    amount_fen: int


def rolling_start(moment: datetime, years: int, timezone: str) -> datetime:
    """Return the last instant that no longer counts at ``moment``, as UTC: what was granted after it counts."""
    day = local_day(moment, timezone)
    before = _shifted(day, -years)
    if before is None:
        # 29 February: what was granted by the end of 28 February then has fallen out by now.
        return start_of_day(date(day.year - years, 3, 1), timezone) - _INSTANT
    start, end = start_of_day(before, timezone), start_of_day(before + _DAY, timezone)
    return min(start + (moment - start_of_day(day, timezone)), end - _INSTANT)


def falls_out(granted_at: datetime, years: int, timezone: str) -> datetime:
    """Return the first moment at which a grant no longer counts, as UTC."""
    day = local_day(granted_at, timezone)
    later = _shifted(day, years)
    if later is None:
        return start_of_day(date(day.year + years, 3, 1), timezone)
    start, end = start_of_day(later, timezone), start_of_day(later + _DAY, timezone)
    return min(start + (granted_at - start_of_day(day, timezone)), end)


def rolled(grants: Iterable[Granted], moment: datetime, years: int, timezone: str) -> int:
    """Return what counts at ``moment``, in fen; grants after it (another clock's) count, too."""
    start = rolling_start(moment, years, timezone)
    return sum(grant.amount_fen for grant in grants if grant.at > start)


def _shifted(day: date, years: int) -> date | None:
    """Return the same day in another year, None where that year lacks it."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return None
