"""Ratios of counts, pulled towards 1 where the counts are too small to say much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Ratio:
    """A count against what was to be expected; ``shrunk`` is the estimate, ``trust`` how much of the raw ratio is in it."""

    observed: int
    expected: float
    shrunk: float
    trust: float

    @property
    def raw(self) -> float | None:
        """The plain ratio, None where nothing was to be expected."""
        return self.observed / self.expected if self.expected else None


def shrunk_ratios(observed: Sequence[int], expected: Sequence[float]) -> tuple[Ratio, ...]:
    """Return each count against its expectation, shrunk towards 1 by empirical Bayes.

    The global moment estimator of Marshall, "Mapping Disease and Mortality Rates Using Empirical Bayes Estimators",
    Applied Statistics 40 (1991), with the mean of the ratios known: expectations sum to the counts, so it is 1. With
    r = O/E and s² the variance of the r weighted by E, the true ratios vary by A = max(0, s² − 1/mean(E)), and the
    estimate is 1 + C·(r − 1) with C = A / (A + 1/E): the smaller E, the less the count says.
    """
    total = sum(expected)
    if not total:
        return tuple(Ratio(count, each, 1.0, 0.0) for count, each in zip(observed, expected, strict=True))
    pairs = [(count, each) for count, each in zip(observed, expected, strict=True) if each > 0]
    variance = sum(each * (count / each - 1) ** 2 for count, each in pairs) / total
    spread = max(0.0, variance - len(pairs) / total)
    return tuple(_shrunk(count, each, spread) for count, each in zip(observed, expected, strict=True))


def _shrunk(count: int, expected: float, spread: float) -> Ratio:
    if not expected or not spread:
        return Ratio(count, expected, 1.0, 0.0)
    trust = spread / (spread + 1 / expected)
    return Ratio(count, expected, 1 + trust * (count / expected - 1), trust)
