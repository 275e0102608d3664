"""Meter readings as mean power per step: energy and registers, resets, gaps, and files finer than the step."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from services.rules.twin.inputs import Floats, Ints

_WEEK_MINUTES = 7 * 1440


class Unit(StrEnum):
    """What a meter's column holds: mean power, energy of the interval, or the register that only counts up."""

    KW = "kw"
    KWH = "kwh"
    REGISTER = "register_kwh"


class Stamp(StrEnum):
    """Which end of its interval a stamp names; a register's stamp is the moment it was read."""

    START = "start"
    END = "end"


class Missing(StrEnum):
    """What becomes of intervals that a file lacks."""

    REFUSE = "refuse"
    INTERPOLATE = "interpolate"
    LAST_WEEK = "last_week"


@dataclass(frozen=True)
class MeterSpec:
    """How a meter's file is to be read. ``ratio`` multiplies every value; times are minutes."""

    name: str
    unit: Unit = Unit.KW
    stamp: Stamp = Stamp.START
    interval: int = 15
    timezone: str = "Asia/Shanghai"
    ratio: float = 1.0
    missing: Missing = Missing.REFUSE
    longest_gap: int = 180
    resets: bool = False
    rollover: float | None = None


@dataclass(frozen=True)
class Gap:
    """Intervals that are missing: the first one's number and how many."""

    first: int
    count: int


@dataclass(frozen=True, eq=False)
class Filled:
    """Mean kW per interval, what was filled, what could not be, and how often a register was reset."""

    kw: Floats
    filled: tuple[Gap, ...]
    refused: tuple[Gap, ...]
    resets: int = 0
    fell: tuple[int, ...] = ()


def find_gaps(missing: NDArray[np.bool_]) -> tuple[Gap, ...]:
    """Return each run of missing intervals."""
    edge = np.array([False])
    starts = np.flatnonzero(missing & ~np.concatenate([edge, missing[:-1]]))
    ends = np.flatnonzero(missing & ~np.concatenate([missing[1:], edge]))
    return tuple(Gap(int(start), int(end - start + 1)) for start, end in zip(starts, ends, strict=True))


def from_intervals(values: Floats, spec: MeterSpec) -> Filled:
    """Turn power or energy of each interval (NaN where there is none) into kW, gaps filled as the meter's file says."""
    scale = spec.ratio if spec.unit is Unit.KW else spec.ratio * 60 / spec.interval
    kw = values * scale
    fill, refuse = _sort_gaps(find_gaps(np.isnan(kw)), spec)
    done: list[Gap] = []
    for gap in fill:
        found = _filling(kw, gap, spec)
        if found is None:
            refuse.append(gap)
        else:
            kw[gap.first : gap.first + gap.count] = found
            done.append(gap)
    return Filled(kw, tuple(done), tuple(sorted(refuse, key=lambda gap: gap.first)))


def from_register(readings: Floats, spec: MeterSpec) -> Filled:
    """Turn a register read at the start of each interval, and at the end of the last, into mean kW.

    What was counted over a gap is known, so it is spread evenly over it. A register that falls was reset: it counts on
    from zero, or rolls over at ``rollover``; where the meter's file does not allow that, ``fell`` names the intervals.
    """
    known = np.flatnonzero(~np.isnan(readings))
    count = len(readings) - 1
    kw = np.full(count, np.nan)
    if len(known) < 2:
        return Filled(kw, (), (Gap(0, count),))
    change = np.diff(readings[known])
    down = change < 0
    fell = () if spec.resets or spec.rollover else tuple(int(i) for i in known[1:][down])
    after = readings[known[1:]]
    change = np.where(down, change + spec.rollover if spec.rollover else after, change)
    spans = np.diff(known)
    fill, refuse = _sort_gaps(
        tuple(Gap(int(first), int(span)) for first, span in zip(known[:-1], spans, strict=True) if span > 1), spec
    )
    mean = change * spec.ratio * 60 / spec.interval / spans
    kw[known[0] : known[-1]] = np.repeat(mean, spans)
    for gap in refuse:
        kw[gap.first : gap.first + gap.count] = np.nan
    ends = from_intervals(kw / spec.ratio, MeterSpec(**{**vars(spec), "unit": Unit.KW}))
    edges = tuple(gap for gap in ends.filled if gap not in refuse)
    return Filled(ends.kw, (*fill, *edges), ends.refused, int(down.sum()), fell)


def to_steps(kw: Floats, interval: int, step: int) -> Floats:
    """Average intervals to steps; a step holds a whole number of intervals."""
    result: Floats = kw.reshape(-1, step // interval).mean(axis=1)
    return result


def intervals_of(seconds: Ints, start: int, interval: int) -> tuple[Ints, Ints]:
    """Return the number of each stamp's interval after ``start``, and how many seconds it lies off the grid."""
    width = interval * 60
    return (seconds - start) // width, (seconds - start) % width


def _sort_gaps(gaps: tuple[Gap, ...], spec: MeterSpec) -> tuple[list[Gap], list[Gap]]:
    """Split gaps into those that may be filled and those that are refused."""
    if spec.missing is Missing.REFUSE:
        return [], list(gaps)
    longest = spec.longest_gap // spec.interval
    return [gap for gap in gaps if gap.count <= longest], [gap for gap in gaps if gap.count > longest]


def _filling(kw: Floats, gap: Gap, spec: MeterSpec) -> Floats | None:
    """Return what goes into a gap; None when there is nothing to take it from."""
    here = np.arange(gap.first, gap.first + gap.count)
    if spec.missing is Missing.INTERPOLATE:
        ends = [i for i in (gap.first - 1, gap.first + gap.count) if 0 <= i < len(kw) and not np.isnan(kw[i])]
        result: Floats = np.interp(here, ends, kw[ends]) if ends else np.full(gap.count, np.nan)
        return result if ends else None
    week = _WEEK_MINUTES // spec.interval
    for shift in (-week, week):
        there = here + shift
        if there[0] >= 0 and there[-1] < len(kw) and not np.isnan(kw[there]).any():
            found: Floats = kw[there]
            return found
    return None
