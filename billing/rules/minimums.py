"""A month's minimum: what a plan asks for the days on which it was held, and what the month's charges fall short of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from tenants.rules.days import Span


@dataclass(frozen=True, slots=True)
class Held:
    """The days on which a park had a plan, and the minimum that the plan asks for a whole month."""

    minimum_fen: int
    days: Span


def minimum_of(month: Span, held: Iterable[Held]) -> int:
    """Return the minimum of a month: each plan's share for its days in it, rounded down, in the park's favour."""
    return sum(each.minimum_fen * _days_within(each.days, month.start, month.end) // month.days for each in held)


def shortfall(minimum_fen: int, charges_fen: int) -> int:
    """Return what charges fall short of a minimum; never negative."""
    return max(0, minimum_fen - charges_fen)


def _days_within(days: Span, first: date, until: date) -> int:
    return max(0, (min(days.end, until) - max(days.start, first)).days)
