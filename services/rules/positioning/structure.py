"""What a registry says of the industries: how many companies here and everywhere, and how many were founded when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from services.rules.companies import own_region
from services.rules.industries import division_of
from services.rules.positioning.shrinkage import Ratio, shrunk_ratios
from services.rules.ranking.registry import Registry

SPAN = 3
"""Years on each side of the comparison of foundings."""


@dataclass(frozen=True)
class Counts:
    """Companies of one division: in the park's prefecture, everywhere, and founded in the last years and those before."""

    here: int
    everywhere: int
    recent: int
    before: int


@dataclass(frozen=True)
class Structure:
    """Counts of the active companies by division, in ``region`` (the beginning of its codes) and as of ``as_of``.

    ``recent`` are the three whole years before that of ``as_of``, ``before`` the three before them.
    """

    region: str
    as_of: date
    counts: Mapping[str, Counts]

    @property
    def recent_years(self) -> tuple[int, int]:
        """First and last year that count as recent."""
        return self.as_of.year - SPAN, self.as_of.year - 1

    @property
    def years_before(self) -> tuple[int, int]:
        """First and last year of those before."""
        return self.as_of.year - 2 * SPAN, self.as_of.year - SPAN - 1


def structure_of(registry: Registry, region_code: str, today: date) -> Structure:
    """Count the active companies that are founded by ``today``; the region is the prefecture (or municipality) of ``region_code``."""
    region = own_region(region_code)
    as_of = date.fromordinal(int(registry.as_of.max())) if len(registry) else today
    alive = registry.active & (registry.founded <= today.toordinal())
    divisions = [division_of(code) or "" for code in registry.industries]
    names = sorted(set(divisions) - {""})
    place = {name: at for at, name in enumerate(names)}
    table = np.array([place.get(name, len(names)) for name in divisions] or [0], dtype=np.int64)
    division = table[registry.industry] if len(registry) else np.zeros(0, dtype=np.int64)
    local = np.array([code.startswith(region) for code in registry.regions] or [False])
    here = alive & local[registry.region] if len(registry) else alive

    def count(rows: NDArray[np.bool_]) -> list[int]:
        found: list[int] = np.bincount(division[rows], minlength=len(names) + 1).tolist()
        return found

    def founded(first: int, last: int) -> NDArray[np.bool_]:
        begin, end = date(first, 1, 1).toordinal(), date(last + 1, 1, 1).toordinal()
        return np.asarray(alive & (registry.founded >= begin) & (registry.founded < end), dtype=np.bool_)

    empty = Structure(region, as_of, {})
    columns = (count(here), count(alive), count(founded(*empty.recent_years)), count(founded(*empty.years_before)))
    return Structure(region, as_of, {name: Counts(*(column[place[name]] for column in columns)) for name in names})


def location_quotients(structure: Structure) -> dict[str, Ratio]:
    """Return each division's location quotient: its share of the companies here over its share everywhere, shrunk.

    Of companies, since registries tell no staff. Expected here is what the share everywhere gives, so the plain ratio is the quotient of
    Florence (1939) as used by Miller and Blair, "Input–Output Analysis" (2nd ed. 2009), section 8.2.
    """
    here = sum(each.here for each in structure.counts.values())
    everywhere = sum(each.everywhere for each in structure.counts.values())
    share = here / everywhere if everywhere else 0.0
    return _ratios(
        {code: (each.here, each.everywhere * share) for code, each in structure.counts.items()},
    )


def founding_ratios(structure: Structure) -> dict[str, Ratio]:
    """Return how much more often than in all industries a division's companies of six years were founded in the last three.

    Only companies that still exist are in a registry, so older years are thinner in all industries; set against all, that falls away.
    """
    recent = sum(each.recent for each in structure.counts.values())
    both = recent + sum(each.before for each in structure.counts.values())
    share = recent / both if both else 0.0
    return _ratios(
        {code: (each.recent, (each.recent + each.before) * share) for code, each in structure.counts.items()}
    )


def _ratios(pairs: Mapping[str, tuple[int, float]]) -> dict[str, Ratio]:
    codes = sorted(pairs)
    found = shrunk_ratios([pairs[code][0] for code in codes], [pairs[code][1] for code in codes])
    return dict(zip(codes, found, strict=True))
