"""Surges: by the quarter of an hour, what the sums over days would find days later.

A burst pipe, a chiller that runs on through the night, a tripped feeder. The quarters since a moment are held against the
baseline's hours, corrected by what the same quarters of the weeks before were off it (an hour has a shape within, which the
baseline does not know) and measured in the spread that those had. Their one-sided sums (CUSUM: Page, Biometrika 41, 1954) need
at least six quarters, since no quarter counts for more than four spreads. A smaller and lasting deviation is left to the days:
a surge is at least half of what was expected.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.rules.monitoring.anomalies import Anomaly, Direction
from services.rules.monitoring.baseline import Baseline, Hours
from services.rules.monitoring.calendar import local_days
from services.rules.monitoring.series import STEP, Floats, Ints, Series

SLACK = 1.5
"""Spreads that a quarter may lie off without counting."""
LIMIT = 14.0
"""Where the sum is a surge."""
MOST = 4.0
"""Spreads that one quarter counts at most: a surge takes an hour and a half to be one."""
LEAST_SHARE = 0.5
"""Surges of a smaller part of the expected use (and its floor) are left to the sums over days."""
LEAST_HISTORY = 14 * 96
"""Known quarters before the watched ones without which there is no telling what is normal."""
LEAST_SPREAD = 0.08
"""The spread of a quarter is taken to be at least this part of its expected use."""
FLOOR = 0.5
"""Part of the mean hour's use of the weeks before that is added to a quarter's expected use before a deviation is compared with
it: on a morning of little use a baseline is off by half, and by nothing that matters."""
WIDE, WIDE_SIGMAS = 0.85, 1.44
"""Which deviation, from the smallest, tells a quarter's spread; and how many standard deviations that is (normal law)."""
NEIGHBOURS = 2
"""Quarters before and after whose deviations tell the spread of one as well."""
CARRIED = 2
"""Hours for which the last weather is taken to go on, where newer is not in yet."""
GAP = 4
"""Missing quarters after which a sum begins anew."""


@dataclass(frozen=True)
class Surge:
    """A sudden deviation, from the first quarter's start to the end of the one in which it was found (seconds since 1970).

    ``expected`` and ``excess`` (above it; negative for LOW) are in the meter's unit, for a level in level hours; ``off_share`` is
    the part of the excess in hours without use of the building.
    """

    direction: Direction
    first: int
    found: int
    expected: float
    excess: float
    off_share: float

    @property
    def share(self) -> float:
        """Return the excess over the expected use."""
        return self.excess / max(self.expected, 1e-9)

    def as_anomaly(self) -> Anomaly:
        """Return it as an anomaly of its days, found at once."""
        first, last = local_days(np.array([self.first, self.found - STEP], dtype=np.int64)).tolist()
        return Anomaly(self.direction, first, last, self.excess, self.share, self.off_share, 1.0, at_once=True)


@dataclass(frozen=True)
class Quarters:
    """Quarters of an hour, in order: start (seconds since 1970), use and expected use per hour, deviation in spreads.

    NaN is unknown. ``in_use`` tells whether the building is; ``level`` is the mean expected use per hour of the weeks before.
    """

    at: Ints
    use: Floats
    expected: Floats
    scores: Floats
    in_use: NDArray[np.bool_]
    level: float

    def part(self, chosen: NDArray[np.bool_]) -> Quarters:
        """Return some of the quarters."""
        return Quarters(
            self.at[chosen],
            self.use[chosen],
            self.expected[chosen],
            self.scores[chosen],
            self.in_use[chosen],
            self.level,
        )


def quarters_of(baseline: Baseline, hours: Hours, series: Series, *, since: int) -> Quarters | None:
    """Return the quarters of ``series`` from ``since`` (seconds since 1970) on, held against those before.

    ``hours`` are of the same span as ``series``, which begins with an hour. None with less than a fortnight before ``since``.
    """
    count = len(series)
    predicted = np.repeat(baseline.predict(_carried(hours)), 4)[:count]
    use = series.values if series.is_level else series.values * 4
    known = predicted[~np.isnan(predicted)]
    level = float(known.mean()) if len(known) else 0.0
    floor = max(FLOOR * level, 1e-9)
    apart = (use - predicted) / (predicted + floor)
    at, week_hour = series.at, np.repeat(hours.week_hour, 4)[:count]
    past = at < since
    if np.sum(past & ~np.isnan(apart)) < LEAST_HISTORY:
        return None
    rest = (week_hour // 24 >= 5).astype(np.int64)
    quarter = week_hour % 24 * 4 + np.arange(count) % 4
    centre, spread = _normal(apart[past], rest[past], quarter[past])
    now = ~past
    place = (rest[now], quarter[now])
    expected = np.maximum(predicted[now] + centre[place] * (predicted[now] + floor), 0.0)
    return Quarters(
        at=at[now],
        use=use[now],
        expected=expected,
        scores=(apart[now] - centre[place]) / spread[place],
        in_use=np.array(baseline.occupied)[week_hour[now]],
        level=level,
    )


def find_surge(quarters: Quarters) -> Surge | None:
    """Return the first surge, None when there is none."""
    found = (_first(quarters, direction) for direction in Direction)
    return min((each for each in found if each is not None), key=lambda each: each.found, default=None)


def _first(quarters: Quarters, direction: Direction) -> Surge | None:
    sign = 1 if direction is Direction.HIGH else -1
    scores = np.clip(sign * quarters.scores, -MOST, MOST).tolist()
    total, first, missing = 0.0, 0, 0
    for index, score in enumerate(scores):
        if np.isnan(score):
            missing += 1
            total = 0.0 if missing >= GAP else total
            continue
        missing = 0
        if total == 0:
            first = index
        total = max(0.0, total + score - SLACK)
        if total > LIMIT:
            surge = _describe(quarters, direction, first, index)
            hours = (surge.found - surge.first) / 3600
            compared = surge.expected + FLOOR * quarters.level * hours
            if sign * surge.excess < LEAST_SHARE * compared:
                # Lasting, but small: the days' sums will tell. A larger one after it begins its own sum.
                total = 0.0
            else:
                return surge
    return None


def _describe(quarters: Quarters, direction: Direction, first: int, last: int) -> Surge:
    span = slice(first, last + 1)
    residual = np.nan_to_num(quarters.use[span] - quarters.expected[span]) / 4
    expected = float(quarters.expected[span][~np.isnan(quarters.use[span])].sum()) / 4
    excess = float(residual.sum())
    off = float(residual[~quarters.in_use[span]].sum()) / excess if abs(excess) > 1e-9 else 0.0
    return Surge(
        direction=direction,
        first=int(quarters.at[first]),
        found=int(quarters.at[last]) + STEP,
        expected=expected,
        excess=excess,
        off_share=float(np.clip(off, 0, 1)),
    )


def _normal(apart: Floats, rest: Ints, quarter: Ints) -> tuple[Floats, Floats]:
    """Return what quarters are usually apart from the baseline, and their spread, by kind of day and quarter of the day.

    Medians, so that a fault in the weeks before does not become the rule.
    """
    centre, spread = np.zeros((2, 96)), np.full((2, 96), LEAST_SPREAD)
    known = ~np.isnan(apart)
    for kind in range(2):
        of_kind = known & (rest == kind)
        values, places = apart[of_kind], quarter[of_kind]
        if not len(values):
            continue
        order = np.argsort(places, kind="stable")
        values, places = values[order], places[order]
        edges = np.searchsorted(places, np.arange(97))
        centre[kind] = [_median(values[edges[each] : edges[each + 1]]) for each in range(96)]
        off = np.abs(values - centre[kind][places])
        for each in range(96):
            near = off[edges[max(0, each - NEIGHBOURS)] : edges[min(96, each + NEIGHBOURS + 1)]]
            # A rest day comes twice a week: the wide ones among few count, not the middle one.
            spread[kind, each] = max(LEAST_SPREAD, float(np.quantile(near, WIDE)) / WIDE_SIGMAS if len(near) else 0.0)
    return centre, spread


def _median(values: Floats) -> float:
    return float(np.median(values)) if len(values) else 0.0


def _carried(hours: Hours) -> Hours:
    """Return the hours with the last weather carried on for a little: sensors report after the meter, and the hour runs."""
    return Hours(hours.at, hours.use, hours.week_hour, _carry(hours.temperature), _carry(hours.humidity))


def _carry(values: Floats) -> Floats:
    known = np.flatnonzero(~np.isnan(values))
    if not len(known):
        return values
    found = values.copy()
    found[known[-1] + 1 : known[-1] + 1 + CARRIED] = values[known[-1]]
    return found
