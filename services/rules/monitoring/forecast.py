"""Load forecasts: what the next day looks like from the days before, the calendar and the temperature; and what is naive.

Every feature of an hour is known a whole day before it, so a back-test sees nothing that the forecast would not: lags of a day
and more, and the temperature of a day ago (persistence), not the one that came.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from services.rules.monitoring.baseline import Hours
from services.rules.monitoring.series import Floats

DAY, WEEK = 24, 168
LAGS = (24, 25, 26, 48, 72, 96, 120, 144, 168, 336)
USES = slice(0, len(LAGS) + 2)
"""The columns of features that are uses."""
LEVEL = len(LAGS) + 1
"""The column of the mean use of a week."""
LEAST_DAYS = 42
TESTED_DAYS = 28
LOWEST, HIGHEST = 0.1, 0.9
METHODS = ("boosted", "weekly", "daily")
"""Gradient-boosted trees; as a week ago; as a day ago."""


@dataclass(frozen=True)
class Errors:
    """Errors of a back-test: root mean square as a part of the mean use, mean absolute error as a part of use in %.

    MAPE leaves out hours of less than a tenth of the mean use, where a percentage says nothing.
    """

    nrmse: float
    mape: float


@dataclass(frozen=True)
class BackTest:
    """How each method did on the last four weeks, and which is used: naive ones win ties."""

    errors: Mapping[str, Errors]
    method: str
    low: float
    high: float
    days: int

    @property
    def beats_naive(self) -> bool:
        """Tell whether the trees did better than both naive forecasts."""
        return self.method == "boosted"

    def document(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "errors": {name: vars(each) for name, each in self.errors.items()},
            "method": self.method,
            "days": self.days,
        }


def features(hours: Hours, future: Hours) -> Floats:
    """Return a row of features for each of ``hours`` and then each of ``future``, which follows it without a gap.

    Rows of hours whose lags reach before the first hour hold NaN there; the trees take that as missing.
    """
    use = np.concatenate([hours.use, np.full(len(future.at), np.nan)])
    temperature = np.concatenate([hours.temperature, np.full(len(future.at), np.nan)])
    week_hour = np.concatenate([hours.week_hour, future.week_hour])
    hour, day = week_hour % DAY, week_hour // DAY
    columns = [_lagged(use, lag) for lag in LAGS]
    columns += [_mean_before(use, DAY, span) for span in (DAY, WEEK)]
    columns += [_lagged(temperature, DAY), _mean_before(temperature, DAY, DAY)]
    columns += [
        hour.astype(float),
        day.astype(float),
        (day < 5).astype(float),
        (_before(week_hour) // DAY < 5).astype(float),
    ]
    return np.stack(columns, axis=1)


def naive(use: Floats, lag: int) -> Floats:
    """Return the forecast that says: as ``lag`` hours ago."""
    return _lagged(use, lag)


def judge(actual: Floats, forecasts: Mapping[str, Floats]) -> BackTest:
    """Return the errors of forecasts over the hours that all of them and the meter know, and the best method."""
    known = ~np.isnan(actual)
    for each in forecasts.values():
        known &= ~np.isnan(each)
    errors = {name: _errors(actual[known], each[known]) for name, each in forecasts.items()}
    order = [name for name in ("weekly", "daily", "boosted") if name in errors]
    best = min(order, key=lambda name: errors[name].nrmse)
    off = (actual[known] - forecasts[best][known]) if known.any() else np.zeros(1)
    low, high = np.quantile(off, [LOWEST, HIGHEST])
    return BackTest(errors, best, float(low), float(high), int(known.sum()) // DAY)


def _errors(actual: Floats, forecast: Floats) -> Errors:
    mean = max(float(np.mean(np.abs(actual))), 1e-9) if len(actual) else 1.0
    off = forecast - actual
    counted = np.abs(actual) >= 0.1 * mean
    mape = float(np.mean(np.abs(off[counted] / actual[counted]))) if counted.any() else float("nan")
    return Errors(float(np.sqrt(np.mean(off**2))) / mean if len(off) else float("nan"), mape)


def _lagged(values: Floats, lag: int) -> Floats:
    found = np.full(len(values), np.nan)
    found[lag:] = values[:-lag]
    return found


def _mean_before(values: Floats, gap: int, span: int) -> Floats:
    """Return the mean of ``span`` hours that end ``gap`` hours before each hour."""
    sums = np.concatenate([[0.0], np.cumsum(np.nan_to_num(values))])
    counts = np.concatenate([[0.0], np.cumsum(~np.isnan(values))])
    end = np.clip(np.arange(len(values)) - gap + 1, 0, None)
    start = np.clip(end - span, 0, None)
    count = counts[end] - counts[start]
    found: Floats = np.divide(sums[end] - sums[start], count, out=np.full(len(values), np.nan), where=count > 0)
    return found


def _before(week_hour: Any) -> Any:
    """Return the hour of the week a day ago: whether yesterday was worked says much about today."""
    found = np.empty_like(week_hour)
    found[DAY:] = week_hour[:-DAY]
    found[:DAY] = week_hour[:DAY]
    return found
