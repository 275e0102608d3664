"""From readings to a series on a grid of equal steps, with a flag for everything that was done to it.

Missing data: a gap of at most an hour is bridged (levels and interval amounts linearly); a longer one stays missing. What a
register counted during a gap is known and spread evenly over it, however long, and flagged. Nothing is ever guessed silently.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntFlag

import numpy as np
from numpy.typing import NDArray

from services.rules.monitoring.meters import MeterRule, Readings, Stamps

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

STEP = 15 * 60
"""Seconds of the finest step."""
BRIDGED = 60 * 60
"""Seconds of the longest gap that is bridged."""
STUCK_STEPS = 96
"""So many equal non-zero steps in a row are a meter that hangs."""


class Flag(IntFlag):
    """What there is to say of a step."""

    MISSING = 1
    BRIDGED = 2
    OUT_OF_RANGE = 4
    STUCK = 8
    RESET = 16
    ESTIMATED = 32
    """The sender says that it did not measure it."""
    SPREAD = 64
    """What a register counted during a gap."""


@dataclass(frozen=True)
class Samples:
    """Readings in the order of their stamps: seconds since 1970 (UTC), values as sent, whether they were estimated."""

    at: Ints
    values: Floats
    estimated: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.at)


@dataclass(frozen=True)
class Series:
    """Values of equal steps from ``start`` (seconds since 1970): amounts of each step, or mean levels. NaN is missing."""

    start: int
    step: int
    values: Floats
    flags: Ints
    is_level: bool

    def __len__(self) -> int:
        return len(self.values)

    @property
    def at(self) -> Ints:
        """Return the start of each step, in seconds since 1970."""
        return self.start + self.step * np.arange(len(self.values), dtype=np.int64)

    @property
    def coverage(self) -> float:
        """Return the share of steps that are known."""
        return float(np.mean(~np.isnan(self.values))) if len(self.values) else 0.0


def make_series(rule: MeterRule, samples: Samples, start: int, end: int) -> Series:
    """Return the 15-minute series of ``[start, end)`` (seconds since 1970, on the grid).

    ``samples`` should reach a little beyond both ends, so that registers and gaps at the edges are read rightly.
    """
    steps = max(0, (end - start) // STEP)
    values, flags = _spread(rule, samples, start, steps)
    flags[np.isnan(values)] |= Flag.MISSING
    series = _bridge(Series(start, STEP, values, flags, rule.is_level))
    return _flag_stuck(series)


def combine(parts: Sequence[tuple[float, Series]]) -> Series:
    """Return the sum of series times their factors: missing where one is missing, with the flags of all."""
    first = parts[0][1]
    values, flags = np.zeros(len(first)), np.zeros(len(first), dtype=np.int64)
    for factor, series in parts:
        values = values + factor * series.values
        flags = flags | series.flags
    return replace(first, values=values, flags=flags)


def coarser(series: Series, steps: int) -> Series:
    """Return a series of steps ``steps`` times as long; one is missing when a fifth of it or more is.

    Amounts of a step that is partly missing are scaled up to the whole.
    """
    count = len(series) // steps
    parts = series.values[: count * steps].reshape(count, steps)
    known = np.sum(~np.isnan(parts), axis=1)
    enough = known > 0.8 * steps
    sums = np.nansum(parts, axis=1)
    means = np.divide(sums, known, out=np.full(count, np.nan), where=enough)
    values = means if series.is_level else means * steps
    flags = np.bitwise_or.reduce(series.flags[: count * steps].reshape(count, steps), axis=1) & ~int(Flag.MISSING)
    flags[~enough] |= Flag.MISSING
    return Series(series.start, series.step * steps, values, flags, series.is_level)


def _spread(rule: MeterRule, samples: Samples, start: int, steps: int) -> tuple[Floats, Ints]:
    """Return values and flags of the grid as far as readings tell them."""
    if rule.readings is Readings.INSTANT:
        return _levels(rule, samples, start, steps)
    if rule.readings is Readings.CUMULATIVE:
        begins, ends, amounts, flags = _register(rule, samples)
    else:
        length = rule.interval_minutes * 60
        begins = samples.at if rule.stamps is Stamps.START else samples.at - length
        ends, amounts = begins + length, samples.values * rule.multiplier
        flags = np.where(samples.estimated, int(Flag.ESTIMATED), 0)
        wild = _wild(rule, amounts)
        flags = flags | np.where(wild, int(Flag.OUT_OF_RANGE), 0)
        amounts = np.where(wild, np.nan, amounts)
    return _onto_grid(begins, ends, amounts, flags, start, steps)


def _levels(rule: MeterRule, samples: Samples, start: int, steps: int) -> tuple[Floats, Ints]:
    values = samples.values * rule.multiplier
    index = (samples.at - start) // STEP
    inside = (index >= 0) & (index < steps)
    wild = _wild(rule, values)
    flags = np.zeros(steps, dtype=np.int64)
    np.bitwise_or.at(flags, index[inside & wild], int(Flag.OUT_OF_RANGE))
    np.bitwise_or.at(flags, index[inside & samples.estimated], int(Flag.ESTIMATED))
    good = inside & ~wild
    count = np.bincount(index[good], minlength=steps)[:steps]
    sums = np.bincount(index[good], weights=values[good], minlength=steps)[:steps]
    return np.divide(sums, count, out=np.full(steps, np.nan), where=count > 0), flags


def _wild(rule: MeterRule, values: Floats) -> NDArray[np.bool_]:
    """Return which values cannot be: above the highest, or below zero where only a level or a net meter may be."""
    wild = np.zeros(len(values), dtype=bool)
    if rule.highest is not None:
        wild |= np.abs(values) > rule.highest
    if rule.readings is Readings.INTERVAL:
        wild |= values < 0
    return wild


def _register(rule: MeterRule, samples: Samples) -> tuple[Ints, Ints, Floats, Ints]:
    """Return what a register counted between its readings: begins, ends, amounts, flags.

    It never counts down: at a fall it has rolled over its limit, if that makes a plausible amount, else it was set back
    to zero, and what it shows is what it has counted since.
    """
    grown = np.diff(samples.values)
    fallen = grown < 0
    hours = np.maximum(np.diff(samples.at), 1) / 3600
    flags: Ints = np.where(samples.estimated[1:], int(Flag.ESTIMATED), 0).astype(np.int64)
    since_reset = samples.values[1:]
    if rule.register_limit is not None:
        rolled = grown + rule.register_limit
        plausible = rolled >= 0
        if rule.highest is not None:
            plausible &= rolled * rule.multiplier <= rule.highest * hours
        since_reset = np.where(plausible, rolled, since_reset)
    amounts = np.where(fallen, since_reset, grown) * rule.multiplier
    flags = flags | np.where(fallen, int(Flag.RESET), 0)
    if rule.highest is not None:
        wild = amounts > rule.highest * hours * (1 + 1e-9)
        flags = flags | np.where(wild, int(Flag.OUT_OF_RANGE), 0)
        amounts = np.where(wild, np.nan, amounts)
    long = np.diff(samples.at) > max(BRIDGED, rule.interval_minutes * 60)
    return samples.at[:-1], samples.at[1:], amounts, flags | np.where(long, int(Flag.SPREAD), 0)


def _onto_grid(
    begins: Ints, ends: Ints, amounts: Floats, flags: Ints, start: int, steps: int
) -> tuple[Floats, Ints]:  # fmt: skip
    """Spread amounts of spans evenly over the steps that they touch; a step is known when it is covered as a whole."""
    edges = start + STEP * np.arange(steps + 1, dtype=np.int64)
    marks = np.zeros(steps, dtype=np.int64)
    touched = (ends > start) & (begins < edges[-1])
    begins, ends, amounts, flags = begins[touched], ends[touched], amounts[touched], flags[touched]
    for bit in Flag:
        marked = (flags & int(bit)) != 0
        _mark(marks, begins[marked], ends[marked], start, steps, int(bit))
    good = ~np.isnan(amounts)
    begins, ends, amounts = begins[good], ends[good], amounts[good]
    if not len(begins) or not steps:
        return np.full(steps, np.nan), marks
    length = (ends - begins).astype(np.float64)
    covered = np.diff(_running(begins, ends, length, edges))
    total = np.diff(_running(begins, ends, amounts, edges))
    return np.where(covered >= STEP - 0.5, total, np.nan), marks


def _running(begins: Ints, ends: Ints, amounts: Floats, edges: Ints) -> Floats:
    """Return how much of spans that do not overlap lies before each edge."""
    knots = np.stack([begins, ends], axis=1).ravel().astype(np.float64)
    before = np.concatenate([[0.0], np.cumsum(amounts)])
    heights = np.stack([before[:-1], before[1:]], axis=1).ravel()
    found: Floats = np.interp(edges.astype(np.float64), knots, heights)
    return found


def _mark(marks: Ints, begins: Ints, ends: Ints, start: int, steps: int, bit: int) -> None:
    first = np.clip((begins - start) // STEP, 0, steps)
    last = np.clip(-((start - ends) // STEP), 0, steps)
    level = np.zeros(steps + 1, dtype=np.int64)
    np.add.at(level, first, 1)
    np.add.at(level, last, -1)
    marks[np.cumsum(level)[:steps] > 0] |= bit


def _bridge(series: Series) -> Series:
    """Bridge gaps of at most an hour between known steps, linearly."""
    missing = np.isnan(series.values)
    if not missing.any() or missing.all():
        return series
    known = np.flatnonzero(~missing)
    place = np.searchsorted(known, np.arange(len(missing)))
    left = known[np.clip(place - 1, 0, len(known) - 1)]
    right = known[np.clip(place, 0, len(known) - 1)]
    short = missing & (left < np.arange(len(missing))) & (right > left)
    short &= (right - left - 1) * series.step <= BRIDGED
    values = series.values.copy()
    values[short] = np.interp(np.flatnonzero(short), known, series.values[known])
    flags = series.flags.copy()
    flags[short] = (flags[short] | int(Flag.BRIDGED)) & ~int(Flag.MISSING)
    return replace(series, values=values, flags=flags)


def _flag_stuck(series: Series) -> Series:
    """Flag runs of a day or more of one and the same non-zero value."""
    same = np.concatenate([[False], np.diff(series.values) == 0]) & (series.values != 0)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], same.astype(np.int64), [0]])))
    flags = series.flags.copy()
    for first, last in zip(edges[::2], edges[1::2], strict=True):
        if last - first + 1 >= STUCK_STEPS:
            flags[first - 1 : last] |= int(Flag.STUCK)
    return replace(series, flags=flags)
