"""Anomalies: a one-sided CUSUM (Page, Biometrika 41, 1954) over the days' relative residuals from a baseline.

A rule like "20 % above the mean" takes every hot week for a fault; a residual from the baseline does not know the weather any
more. The sum grows only while days lie above the baseline by more than a spread, so single odd days pass and a lasting fault
of a few spreads is found within days. The running day counts as soon as half of what is expected of it has been metered.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from services.rules.monitoring.baseline import Baseline, Days, Hours
from services.rules.monitoring.calendar import local_days
from services.rules.monitoring.series import Floats

SLACK = 1.0
"""Spreads that a day may lie off without counting."""
LIMIT = 6.0
"""Where the sum is an anomaly. With independent normal days a false one comes less than once in 10,000 days."""
MOST = 4.0
"""Spreads that one day counts at most: no single day is an anomaly by itself."""
LEAST_SHARE = 0.5
"""How much of a day's expected use must have been metered for the day to count."""
LEAST_EXCESS = 0.05
"""Anomalies of a smaller part of the expected use are not worth anybody's way."""


class Direction(StrEnum):
    """Which way it goes."""

    HIGH = "high"
    LOW = "low"


@dataclass(frozen=True)
class Anomaly:
    """A lasting deviation: from its first day to the day it was found, both included (days since 1970).

    ``excess`` is use above the baseline in the meter's unit (negative for LOW), ``share`` the same over the expected use.
    ``off_share`` is the part of it in hours without use of the building; ``offset_share`` the part that does not grow with
    the expected load. ``at_once`` tells that it was found by the quarter of an hour, not by the day.
    """

    direction: Direction
    first_day: int
    found_day: int
    excess: float
    share: float
    off_share: float
    offset_share: float
    at_once: bool = False


@dataclass(frozen=True)
class Watch:
    """The sums by day, for a picture, and the first anomaly, if any."""

    days: Days
    scores: Floats
    high: Floats
    low: Floats
    anomaly: Anomaly | None


def scores_of(baseline: Baseline, days: Days) -> Floats:
    """Return the days' residuals in spreads; NaN for days of which too little was metered."""
    found = (days.use - days.predicted) / baseline.spread(days.predicted, days.share)
    return np.where(days.share >= LEAST_SHARE, found, np.nan)


def watch(baseline: Baseline, hours: Hours) -> Watch:
    """Return the sums over the days of ``hours`` and the first anomaly in them."""
    predicted = baseline.predict(hours)
    days = baseline.by_day(hours)
    scores = np.clip(np.nan_to_num(scores_of(baseline, days)), -MOST, MOST)
    high, low = _sums(scores), _sums(-scores)
    for index in range(len(scores)):
        for direction, sums in ((Direction.HIGH, high), (Direction.LOW, low)):
            if sums[index] > LIMIT:
                first = _begin(sums, index)
                found = _describe(direction, baseline, hours, predicted, days, first, index)
                if abs(found.share) >= LEAST_EXCESS:
                    return Watch(days, scores, high, low, found)
    return Watch(days, scores, high, low, None)


def _sums(scores: Floats) -> Floats:
    found, total = np.zeros(len(scores)), 0.0
    for index, score in enumerate(scores.tolist()):
        total = max(0.0, total + score - SLACK) if score else total
        found[index] = total
    return found


def _begin(sums: Floats, index: int) -> int:
    """Return the day on which the sum began to grow."""
    before = np.flatnonzero(sums[:index] == 0)
    return int(before[-1]) + 1 if len(before) else 0


def _describe(
    direction: Direction, baseline: Baseline, hours: Hours, predicted: Floats, days: Days, first: int, last: int
) -> Anomaly:
    span = slice(first, last + 1)
    use, expected = float(days.use[span].sum()), float(days.predicted[span].sum())
    off, offset = _shape(baseline, hours, predicted, int(days.day[first]), int(days.day[last]))
    return Anomaly(
        direction=direction,
        first_day=int(days.day[first]),
        found_day=int(days.day[last]),
        excess=use - expected,
        share=(use - expected) / max(expected, 1e-9),
        off_share=off,
        offset_share=offset,
    )


def _shape(baseline: Baseline, hours: Hours, predicted: Floats, first: int, last: int) -> tuple[float, float]:
    """Return which part of the deviation falls on hours without use, and which does not grow with the expected load."""
    day = local_days(hours.at)
    inside = (day >= first) & (day <= last) & ~np.isnan(hours.use) & ~np.isnan(predicted)
    residual, load = (hours.use - predicted)[inside], predicted[inside]
    in_use = np.array(baseline.occupied)[hours.week_hour[inside]]
    total = float(residual.sum())
    if not len(residual) or abs(total) < 1e-9:
        return 0.0, 0.0
    off = float(residual[~in_use].sum()) / total
    working, expected = residual[in_use], load[in_use]
    if len(working) < 8 or float(np.var(expected)) < 1e-9 or abs(float(working.sum())) < 1e-9:
        return off, 1.0
    slope = float(np.cov(expected, working, bias=True)[0, 1] / np.var(expected))
    grows = slope * float(expected.sum()) / float(working.sum())
    return float(np.clip(off, 0, 1)), float(np.clip(1 - grows, 0, 1))
