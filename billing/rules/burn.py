"""How fast a fund is used up, and the day it will be empty. Amounts in whole fen, days as China's calendar has them.

The rate weighs two windows that end today: the last 28 days count twice, the last 90 days once. The short one sees a
change soon, the long one steadies it over quiet weeks. A fund younger than a window is judged by the days it has had.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction

WINDOWS = ((28, 2), (90, 1))
"""Days of each window, and its weight."""
LONGEST = max(days for days, _ in WINDOWS)
HORIZON_DAYS = 3_660
"""A forecast beyond ten years says nothing about a fund of one year."""


@dataclass(frozen=True, slots=True)
class Window:
    """What the rate stands on: so many days up to today, and what was taken from the fund in them."""

    days: int
    weight: int
    burned_fen: int


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a day costs, and how long the money lasts. ``runs_out_on`` is None beyond the horizon."""

    basis: tuple[Window, ...]
    rate: Fraction
    """Fen a day, exact."""
    days_left: int | None
    runs_out_on: date | None

    @property
    def daily_fen(self) -> int:
        """Return the rate in whole fen a day, half up."""
        return int(self.rate + Fraction(1, 2))


def forecast(available_fen: int, burned: Mapping[date, int], *, today: date, since: date) -> Forecast | None:
    """Return how long ``available_fen`` lasts; None when nothing was used, so that nothing can be said.

    ``burned`` is what each day took, net of what it gave back; days without movement may be left out. ``since`` is the
    first day on which there was money. A window in which more came back than was taken counts as nothing used.
    """
    age = max((today - since).days + 1, 1)
    basis = tuple(_window(burned, today, min(days, age), weight) for days, weight in WINDOWS)
    weights = sum(window.weight for window in basis)
    rate = sum((Fraction(window.weight * window.burned_fen, window.days * weights) for window in basis), Fraction(0))
    if rate == 0:
        return None
    days_left = int(max(available_fen, 0) / rate)
    if days_left > HORIZON_DAYS:
        return Forecast(basis, rate, None, None)
    return Forecast(basis, rate, days_left, today + timedelta(days=days_left))


def _window(burned: Mapping[date, int], today: date, days: int, weight: int) -> Window:
    first = today - timedelta(days=days - 1)
    taken = sum(amount for day, amount in burned.items() if first <= day <= today)
    return Window(days, weight, max(taken, 0))
