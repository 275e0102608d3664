"""What a running period will have cost when it ends, reckoned from the days just before today. Amounts in whole fen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction

WINDOW_DAYS = 28
"""Whole days before today that the rate stands on: four weeks, so that every day of the week counts alike."""
LEAST_DAYS = 7
LEAST_DAYS_OF_USE = 3


@dataclass(frozen=True, slots=True)
class UsageForecast:
    """The expected cost of a whole period, and what it stands on.

    ``basis_fen`` was spent in the ``basis_days`` whole days before today; each day left is expected to cost as much as
    one of those on average. ``spent_fen`` is what the period has cost so far.
    """

    expected_fen: int
    spent_fen: int
    basis_days: int
    basis_fen: int
    days_left: int


def forecast(
    spent: Mapping[date, int], *, start: date, end: date, today: date, since: date | None
) -> UsageForecast | None:
    """Return the expected cost of ``[start, end)``; None unless it is running and there is enough to go by.

    ``spent`` is what each day cost, also before ``start``; ``since`` is the day of the park's first use ever. Enough are
    ``LEAST_DAYS`` whole days since then, with use on at least ``LEAST_DAYS_OF_USE`` of them. Today counts as what it has
    cost so far, or as an average day, whichever is more.
    """
    if since is None or not start <= today < end:
        return None
    first = max(today - timedelta(days=WINDOW_DAYS), since)
    days = (today - first).days
    basis = {day: fen for day, fen in spent.items() if first <= day < today}
    if days < LEAST_DAYS or sum(1 for fen in basis.values() if fen) < LEAST_DAYS_OF_USE:
        return None
    rate = Fraction(sum(basis.values()), days)
    before = sum(fen for day, fen in spent.items() if start <= day < today)
    so_far = spent.get(today, 0)
    left = (end - today).days - 1
    expected = before + max(Fraction(so_far), rate) + rate * left
    return UsageForecast(
        expected_fen=int(expected + Fraction(1, 2)),
        spent_fen=before + so_far,
        basis_days=days,
        basis_fen=sum(basis.values()),
        days_left=left,
    )
