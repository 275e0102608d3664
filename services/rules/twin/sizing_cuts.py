"""The sizes at full resolution: the cost of the best use is convex in the sizes, so its slopes bound it from below.

Each plant that is solved at full resolution gives its cost and, by its duals, what a little more of each size is worth.
The highest of these planes is never above the true cost, so the lowest point of all of them, with the capital on top,
is a bound that no plant can beat, and the distance to the best plant seen is a proven gap. The next plant to look at is
the one nearest to the best whose bound is well below it (a level step; Lemaréchal, Nemirovskii & Nesterov 1995); the
lowest point itself jumps from corner to corner.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from services.rules.twin.inputs import Floats
from services.rules.twin.linear_program import INFINITY, LinearProgram, Rows

SIZES = 3
_LEVEL = 0.4
"""Where between the bound and the best the next plant is sought."""


@dataclass(frozen=True, eq=False)
class Cut:
    """A plant that was solved: its sizes, the cost of its best use without capital, and the cost's slopes."""

    sizes: Floats
    cost: float
    slope: Floats


def bound_program(cuts: Sequence[Cut], capital: Floats, most: Floats) -> LinearProgram:
    """Write the program whose optimum no plant can beat. Columns: the sizes, then the cost of running."""
    rows = Rows()
    _planes(rows, cuts)
    cost = np.append(capital, 1.0)
    return rows.program(cost, np.append(np.zeros(SIZES), -INFINITY), np.append(most, INFINITY))


def level_program(cuts: Sequence[Cut], capital: Floats, most: Floats, best: Floats, level: float) -> LinearProgram:
    """Write the program of the plant nearest to ``best`` whose bound is at most ``level``."""
    rows = Rows()
    _planes(rows, cuts)
    rows.add(1, -INFINITY, level, (0, np.arange(SIZES + 1), np.append(capital, 1.0)))
    every = np.arange(SIZES)
    away = SIZES + 1 + every
    rows.add(SIZES, -INFINITY, best, (every, every, 1.0), (every, away, -1.0))
    rows.add(SIZES, best, INFINITY, (every, every, 1.0), (every, away, 1.0))
    cost = np.concatenate([np.zeros(SIZES + 1), 1 / np.maximum(most, 1.0)])
    lower = np.concatenate([np.zeros(SIZES), [-INFINITY], np.zeros(SIZES)])
    return rows.program(cost, lower, np.concatenate([most, np.full(SIZES + 1, INFINITY)]))


def _planes(rows: Rows, cuts: Sequence[Cut]) -> None:
    for cut in cuts:
        height = cut.cost - float(cut.slope @ cut.sizes)
        rows.add(1, height, INFINITY, (0, SIZES, 1.0), (0, np.arange(SIZES), -cut.slope))


def refine(
    look: Callable[[Floats], Cut],
    solve: Callable[[LinearProgram], tuple[Floats, float]],
    starts: Sequence[Floats],
    capital: Floats,
    most: Floats,
    *,
    looks: int,
    gap: float,
) -> tuple[Floats, float, float]:
    """Return the best sizes, their whole cost, and the bound below which no plant can be.

    ``look`` solves a plant, ``solve`` a small linear program (columns and objective). At most ``looks`` plants beyond
    ``starts`` are solved; it ends earlier when the relative gap is proven to be at most ``gap``.
    """
    cuts = [look(sizes) for sizes in starts]
    while True:
        totals = [cut.cost + float(capital @ cut.sizes) for cut in cuts]
        best = int(np.argmin(totals))
        _, bound = solve(bound_program(cuts, capital, most))
        bound = min(bound, totals[best])
        done = totals[best] - bound <= gap * max(1.0, abs(totals[best]))
        if done or len(cuts) >= len(starts) + looks:
            return cuts[best].sizes, totals[best], bound
        level = bound + _LEVEL * (totals[best] - bound)
        columns, _ = solve(level_program(cuts, capital, most, cuts[best].sizes, level))
        cuts.append(look(np.clip(np.round(columns[:SIZES], 3), 0, most)))
