"""Savings after a fault was mended, with their uncertainty.

Option C of the IPMVP (whole facility): the baseline's use under the weather of the reporting period, with the fault's excess as
it was measured, less what was metered. Uncertainty as in ASHRAE Guideline 14-2014, annex B (fractional savings uncertainty,
equation B-19): U = t · 1.26 · CV(RMSE) · sqrt(n/n' · (1 + 2/n') / m) of the expected use, n' = n (1 − ρ)/(1 + ρ), with the
uncertainty of the fault's excess, by the same formula over the fault's days, added in squares.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

CONFIDENCE = 0.90
FACTOR = 1.26
LEAST_DAYS = 14
"""Days of metered use after the repair that a saving is worked out of."""


@dataclass(frozen=True)
class Saving:
    """A saving of ``days`` days in the meter's unit, true within ± ``uncertainty`` with nine tenths confidence."""

    days: int
    expected: float
    metered: float
    saved: float
    uncertainty: float

    @property
    def is_proved(self) -> bool:
        """Tell whether it is larger than its uncertainty."""
        return self.saved > self.uncertainty


def saving(
    *, expected: float, metered: float, days: int, fault_share: float, fault_days: int, baseline_days: int,
    cv_rmse: float, rho: float,
) -> Saving:  # fmt: skip
    """Return the saving over ``days`` days: ``expected`` is the baseline's use in them, ``metered`` what was used.

    ``fault_share`` is the excess over the baseline that was measured in ``fault_days`` days before the repair.
    """
    with_fault = expected * (1 + fault_share)
    after = relative_uncertainty(baseline_days, days, cv_rmse, rho)
    before = relative_uncertainty(baseline_days, max(1, fault_days), cv_rmse, rho)
    return Saving(
        days=days,
        expected=with_fault,
        metered=metered,
        saved=with_fault - metered,
        uncertainty=expected * math.hypot(after, before),
    )


def relative_uncertainty(n: int, m: int, cv_rmse: float, rho: float) -> float:
    """Return the uncertainty of the use predicted for ``m`` days as a part of it, by a baseline of ``n`` days."""
    independent = max(3.0, n * (1 - rho) / (1 + rho))
    spread = math.sqrt(n / independent * (1 + 2 / independent) / m)
    return student(CONFIDENCE, independent - 2) * FACTOR * cv_rmse * spread


def student(confidence: float, freedom: float) -> float:
    """Return Student's t for a two-sided confidence (expansion of Abramowitz and Stegun, 26.7.5)."""
    x = NormalDist().inv_cdf(0.5 + confidence / 2)
    v = max(1.0, freedom)
    first = (x**3 + x) / 4
    second = (5 * x**5 + 16 * x**3 + 3 * x) / 96
    third = (3 * x**7 + 19 * x**5 + 17 * x**3 - 15 * x) / 384
    return x + first / v + second / v**2 + third / v**3
