"""Gradient-boosted trees for load forecasts (LightGBM), on one thread and repeatable."""

from __future__ import annotations

import warnings

import numpy as np

from services.rules.monitoring.baseline import Hours
from services.rules.monitoring.forecast import LEAST_DAYS, LEVEL, TESTED_DAYS, USES, BackTest, features, judge, naive
from services.rules.monitoring.series import Floats

ROUNDS = 200
SETTINGS = {
    "objective": "regression",
    "learning_rate": 0.06,
    "num_leaves": 31,
    "min_data_in_leaf": 20,
    "feature_fraction": 0.9,
    "bagging_fraction": 0.9,
    "bagging_freq": 1,
    "lambda_l2": 1.0,
    "num_threads": 1,
    "seed": 7,
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
}


def forecast_day(hours: Hours, future: Hours) -> tuple[Floats, BackTest] | None:
    """Return the forecast of ``future`` hours (a day at most) and the back-test of the last four weeks.

    Trees see only what is known a day before each hour. When they do not beat "as a day ago" and "as a week ago" in the
    back-test, the better of those is the forecast. None with less than six weeks of hours.
    """
    if int(np.sum(~np.isnan(hours.use))) < LEAST_DAYS * 24 or len(future.at) > 24:
        return None
    rows = features(hours, future)
    count = len(hours.at)
    tested = slice(count - TESTED_DAYS * 24, count)
    forecasts = {
        "weekly": naive(hours.use, 168)[tested],
        "daily": naive(hours.use, 24)[tested],
        "boosted": _boosted(rows[: tested.start], hours.use[: tested.start], rows[tested]),
    }
    test = judge(hours.use[tested], forecasts)
    if test.method == "boosted":
        return _boosted(rows[:count], hours.use, rows[count:]), test
    lag = 168 if test.method == "weekly" else 24
    together = np.concatenate([hours.use, np.full(len(future.at), np.nan)])
    return naive(together, lag)[count:], test


def _boosted(rows: Floats, use: Floats, asked: Floats) -> Floats:
    """Return the trees' forecast. They learn the use over the level of the week before: trees do not go beyond what they saw."""
    import lightgbm

    rows, level = _levelled(rows)
    asked, asked_level = _levelled(asked)
    good = ~np.isnan(use) & ~np.isnan(level)
    use = use / level
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = lightgbm.Dataset(rows[good], use[good], free_raw_data=True)
        model = lightgbm.train(SETTINGS, data, num_boost_round=ROUNDS)
        found: Floats = np.asarray(model.predict(asked), dtype=np.float64) * asked_level
    return np.maximum(found, min(0.0, float(use[good].min())))


def _levelled(rows: Floats) -> tuple[Floats, Floats]:
    level = np.maximum(np.abs(rows[:, LEVEL]), 1e-6)
    scaled = rows.copy()
    scaled[:, USES] /= level[:, None]
    return scaled, level
