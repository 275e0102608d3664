"""What a meter should read by the hour of the week and the weather: its baseline.

Time of week and temperature, after Mathieu, Price, Kiliccote and Piette, "Quantifying changes in building electricity use", IEEE
Transactions on Smart Grid 2(3), 2011: a level for each hour of the week, and the temperature piecewise linearly. In place of two
states (in use or not) each hour of the week has its own slope on the weather, which also knows the moisture of the air:

    use = level[hour] + slope[hour] · weather,    weather = c · (pieces of the temperature, moisture above dry air)

fitted by least squares in turn (c for given slopes, then levels and slopes for a given weather), slopes drawn a little to their
mean. Statistics as in ASHRAE Guideline 14-2014, of days that the fit had not seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.rules.monitoring.calendar import WEEK, local_days
from services.rules.monitoring.series import Floats, Ints

LEAST_DAYS = 28
"""Days of hours that a baseline needs at least."""
KNOTS = 6
RIDGE = 1.0
ROUNDS = 6
DRAW = 3.0
"""How many hours' worth a slope is drawn to that of the round before."""
FOLDS = 4
SIGMA_HOUR = 0.1
BALANCE_C = 18.0
DRY = (0.008, 0.012)
"""Moisture (kg of water in a kg of air) above which air is dried, and above which it takes more than that."""
LEAST_SIGMA = 0.05
MAD_TO_SIGMA = 1.4826


@dataclass(frozen=True)
class Hours:
    """Hours of a meter, in order: start (seconds since 1970), use (NaN: missing), hour of the week, °C and relative % or NaN."""

    at: Ints
    use: Floats
    week_hour: Ints
    temperature: Floats
    humidity: Floats

    def part(self, chosen: NDArray[np.bool_]) -> Hours:
        """Return some of the hours."""
        return Hours(
            self.at[chosen], self.use[chosen], self.week_hour[chosen], self.temperature[chosen], self.humidity[chosen]
        )


@dataclass(frozen=True)
class Baseline:
    """A fitted baseline. Errors are of days, worked out on days that the fit had not seen.

    ``sigma`` is the spread of a day's residual as a part of what was expected, ``base_sigma`` what it is at least, in the meter's
    unit; ``cv_rmse`` and ``nmbe`` are of daily use (ASHRAE 14);
    ``typical_day`` is the median predicted use of a day; ``rho`` the correlation of a day's residual with the next one's.
    """

    knots: tuple[float, ...]
    has_humidity: bool
    levels: tuple[float, ...]
    slopes: tuple[float, ...]
    coefficients: tuple[float, ...]
    profile: tuple[float, ...]
    occupied: tuple[bool, ...]
    days: int
    sigma: float
    base_sigma: float
    cv_rmse: float
    nmbe: float
    r2: float
    rho: float
    typical_day: float

    def document(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in vars(self).items()}

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Baseline:
        """Return the baseline of a document."""
        lists = ("knots", "levels", "slopes", "coefficients", "profile", "occupied")
        values: dict[str, Any] = {name: tuple(value) if name in lists else value for name, value in document.items()}
        return cls(**values)

    @property
    def by_temperature(self) -> bool:
        """Tell whether it knows the weather."""
        return bool(self.knots)

    def predict(self, hours: Hours) -> Floats:
        """Return the use of each hour as it should be; NaN where the weather that it needs is not known."""
        features = _features(hours, self.knots, self.has_humidity)
        model = _Model(np.array(self.levels), np.array(self.slopes), np.array(self.coefficients))
        return np.maximum(model.predict(hours.week_hour, features), 0.0)

    def by_day(self, hours: Hours) -> Days:
        """Return use and prediction by day."""
        return sum_by_day(hours, self.predict(hours), np.array(self.profile))

    def spread(self, predicted: Floats, share: Floats) -> Floats:
        """Return the spread of days' residuals, of which only a ``share`` of the expected use is metered."""
        found: Floats = np.sqrt((self.base_sigma * share) ** 2 + (self.sigma * predicted) ** 2)
        return np.maximum(found, 1e-9)


@dataclass(frozen=True)
class Days:
    """Use and prediction by day, over the hours in which both are known. ``share``: how much of a usual day's use that is."""

    day: Ints
    use: Floats
    predicted: Floats
    share: Floats


def fit_baseline(hours: Hours) -> Baseline | None:
    """Return the baseline of the hours; None with less than four weeks of them.

    Temperature is left out where less than nine tenths of the hours have one, and so is humidity.
    """
    used = hours.part(~np.isnan(hours.use))
    with_temperature = bool(np.mean(~np.isnan(used.temperature)) >= 0.9) if len(used.at) else False
    with_humidity = with_temperature and bool(np.mean(~np.isnan(used.humidity)) >= 0.9)
    good = ~np.isnan(hours.use)
    if with_temperature:
        good &= ~np.isnan(hours.temperature)
    if with_humidity:
        good &= ~np.isnan(hours.humidity)
    known = hours.part(good)
    if len(known.at) < LEAST_DAYS * 24:
        return None
    knots = _knots(known.temperature) if with_temperature else ()
    features = _features(known, knots, with_humidity)
    model = _fit(known.week_hour, features, known.use)
    profile = np.maximum(_means(known.week_hour, known.use), 0.0)
    by_day = sum_by_day(known, _unseen(known, features), profile)
    residual = by_day.use - by_day.predicted
    mean = float(np.mean(by_day.use))
    total = float(np.sum((by_day.use - mean) ** 2))
    sigma, base = _spreads(residual, by_day.predicted)
    return Baseline(
        knots=knots,
        has_humidity=with_humidity,
        levels=tuple(model.levels.tolist()),
        slopes=tuple(model.slopes.tolist()),
        coefficients=tuple(model.coefficients.tolist()),
        profile=tuple(profile.tolist()),
        occupied=tuple(bool(each) for each in _occupied(known)),
        days=len(by_day.day),
        sigma=sigma,
        base_sigma=base,
        cv_rmse=float(np.sqrt(np.mean(residual**2))) / max(mean, 1e-9),
        nmbe=float(np.mean(residual)) / max(mean, 1e-9),
        r2=1 - float(np.sum(residual**2)) / total if total > 0 else 0.0,
        rho=_autocorrelation(residual),
        typical_day=float(np.median(by_day.predicted)),
    )


def sum_by_day(hours: Hours, predicted: Floats, profile: Floats) -> Days:
    """Return use and prediction by day. ``profile`` is the mean use of each hour of the week: it tells how much of a day that
    is not over, or has gaps, has been metered.
    """
    days, place = np.unique(local_days(hours.at), return_inverse=True)
    count = len(days)
    both = ~np.isnan(hours.use) & ~np.isnan(predicted)
    used = np.bincount(place[both], weights=hours.use[both], minlength=count).astype(np.float64)
    expected = np.bincount(place[both], weights=predicted[both], minlength=count).astype(np.float64)
    seen = np.bincount(place[both], weights=profile[hours.week_hour[both]], minlength=count)
    of_weekday = profile.reshape(-1, 24).sum(axis=1)
    weekday = np.zeros(count, dtype=np.int64)
    weekday[place] = hours.week_hour // 24
    whole = of_weekday[weekday]
    share = np.divide(seen, whole, out=np.zeros(count), where=whole > 0)
    return Days(days, used, expected, np.minimum(share, 1.0))


def moisture(temperature: Floats, humidity: Floats) -> Floats:
    """Return kg of water in a kg of air at °C and relative %, at 1013 hPa (Magnus formula; WMO-No. 8, annex 4.B)."""
    pressure = humidity / 100 * 6.112 * np.exp(17.62 * temperature / (243.12 + temperature))
    found: Floats = 0.622 * pressure / (1013.25 - pressure)
    return found


def _knots(temperature: Floats) -> tuple[float, ...]:
    low, high = np.percentile(temperature, [2, 98])
    return tuple(float(each) for each in np.linspace(low, max(high, low + 1), KNOTS + 1))


def _occupied(hours: Hours) -> NDArray[np.bool_]:
    """Return for each hour of the week whether the building is in use: its mean use is nearer to the high ones'."""
    mean = _means(hours.week_hour, hours.use)
    low, high = np.percentile(mean, [10, 90])
    found: NDArray[np.bool_] = mean > (low + high) / 2
    return found


@dataclass(frozen=True)
class _Model:
    levels: Floats
    slopes: Floats
    coefficients: Floats

    def predict(self, week_hour: Ints, features: Floats) -> Floats:
        found: Floats = self.levels[week_hour] + self.slopes[week_hour] * (features @ self.coefficients)
        return found


def _features(hours: Hours, knots: tuple[float, ...], with_humidity: bool) -> Floats:
    """Return what the weather is described by: the pieces of the temperature, and moisture above dry air when it is warm."""
    if not knots:
        return np.zeros((len(hours.at), 0))
    edges = np.array(knots)
    # The last pieces go on beyond the weather that was seen, as straight lines.
    over = np.maximum(hours.temperature[:, None] - edges[None, 1:-1], 0.0)
    parts = [hours.temperature[:, None] - edges[0], over]
    if with_humidity:
        wet = np.maximum(moisture(hours.temperature, hours.humidity)[:, None] - np.array(DRY), 0.0) * 1000
        parts.append((hours.temperature > BALANCE_C)[:, None] * wet)
    return np.concatenate(parts, axis=1)


def _fit(week_hour: Ints, features: Floats, use: Floats) -> _Model:
    """Return the model by least squares in turn; a few wild hours are left out after the first rounds."""
    keep = np.ones(len(use), dtype=bool)
    slopes = _means(week_hour, use)
    slopes = slopes / max(float(slopes.max()), 1e-9)
    model = _Model(_means(week_hour, use), np.zeros(WEEK), np.zeros(features.shape[1]))
    if not features.shape[1]:
        return model
    for number in range(ROUNDS):
        model = _round(week_hour[keep], features[keep], use[keep], slopes)
        slopes = model.slopes
        if number == ROUNDS // 2:
            residual = use - model.predict(week_hour, features)
            spread = MAD_TO_SIGMA * float(np.median(np.abs(residual))) + 1e-9
            keep = np.abs(residual) < 10 * np.maximum(spread, SIGMA_HOUR * np.abs(use - residual))
    return model


def _round(week_hour: Ints, features: Floats, use: Floats, slopes: Floats) -> _Model:
    """Return coefficients for given slopes, then levels and slopes for the weather that they make."""
    sloped = features * slopes[week_hour][:, None]
    # Levels drop out of both sides when each hour's mean is taken off (Frisch and Waugh).
    within = sloped - np.stack([_means(week_hour, column)[week_hour] for column in sloped.T], axis=1)
    left = use - _means(week_hour, use)[week_hour]
    scale = np.sqrt(np.mean(within**2, axis=0)) + 1e-9
    scaled = within / scale
    gram = scaled.T @ scaled + RIDGE * np.eye(scaled.shape[1])
    coefficients = np.linalg.solve(gram, scaled.T @ left) / scale
    weather = features @ coefficients
    count = np.maximum(np.bincount(week_hour, minlength=WEEK), 1)
    centred = weather - _means(week_hour, weather)[week_hour]
    power = np.bincount(week_hour, weights=centred**2, minlength=WEEK)
    common = np.bincount(week_hour, weights=centred * left, minlength=WEEK)
    drawn = DRAW * float(np.mean(centred**2)) + 1e-12
    found = (common + drawn * slopes) / (power + drawn)
    top = max(float(np.percentile(np.abs(found), 95)), 1e-9)
    levels = _means(week_hour, use) - found * np.bincount(week_hour, weights=weather, minlength=WEEK) / count
    return _Model(levels, found / top, coefficients * top)


def _means(week_hour: Ints, values: Floats) -> Floats:
    """Return the mean of each hour of the week, the mean of all where there is none."""
    count = np.bincount(week_hour, minlength=WEEK)
    sums = np.bincount(week_hour, weights=values, minlength=WEEK)
    return np.where(count > 0, sums / np.maximum(count, 1), float(np.mean(values)))


def _unseen(hours: Hours, features: Floats) -> Floats:
    """Return predictions of each hour from fits that have not seen its fortnight."""
    days = local_days(hours.at)
    fold = (days - days[0]) // 14 % FOLDS
    found = np.full(len(hours.use), np.nan)
    for number in np.unique(fold):
        held = fold == number
        model = _fit(hours.week_hour[~held], features[~held], hours.use[~held])
        found[held] = np.maximum(model.predict(hours.week_hour[held], features[held]), 0.0)
    return found


def _spreads(residual: Floats, predicted: Floats) -> tuple[float, float]:
    """Return the spread of days' residuals: as a part of the expected use on busy days, and in units on days of little."""
    top = float(np.percentile(predicted, 90))
    busy, idle = predicted >= 0.4 * top, predicted < 0.25 * top
    relative = MAD_TO_SIGMA * float(np.median(np.abs(residual[busy] / np.maximum(predicted[busy], 1e-9))))
    base = MAD_TO_SIGMA * float(np.median(np.abs(residual[idle]))) if idle.sum() >= 10 else 0.0
    return max(LEAST_SIGMA, relative), base


def _autocorrelation(residual: Floats) -> float:
    shifted = residual - residual.mean()
    power = float(np.sum(shifted**2))
    return float(np.clip(np.sum(shifted[1:] * shifted[:-1]) / power, -0.9, 0.95)) if power > 0 else 0.0
