"""Companies and their dated moves as arrays, and what was known of each pair of company and city on a day.

Everything of a ``History`` comes from before its day, so a model that is fitted on earlier days and asked on a later one
never sees what it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from services.rules.companies import Locate, Position, distance_km, own_region
from services.rules.expansions import Expansion
from services.rules.ranking.registry import UNKNOWN, Registry

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

HALF_LIFE_DAYS = 540.0
FAR_KM = 2000.0
"""How far a place is taken to be whose position nobody knows."""
_TYPICAL_AGE = 2.0
NEAR_KM = 200.0
_FLOW_PRIOR, _TRADE_PRIOR, _RATE_PRIOR = 20.0, 5.0, 5.0
"""How many made-up moves, spread as gravity or popularity say, stand beside the counted ones."""

FEATURES = (
    "prior", "recent", "years_since", "cities", "distance", "same_province", "flow", "flow_count", "origin_rate",
    "industry_rate", "industry_flow", "present", "near_sites", "similar_sites", "capital", "capital_known", "age",
    "group_name", "stock_name", "branch_name", "scope_length", "city_size", "popularity",
)  # fmt: skip
THEMES: Mapping[str, str] = {
    "prior": "EXPANSIONS", "recent": "RECENT", "years_since": "RECENT", "cities": "EXPANSIONS",
    "distance": "DISTANCE", "same_province": "DISTANCE", "flow": "FLOW", "flow_count": "FLOW", "origin_rate": "FLOW",
    "industry_rate": "INDUSTRY_FLOW", "industry_flow": "INDUSTRY_FLOW", "present": "NETWORK", "near_sites": "NETWORK",
    "similar_sites": "NETWORK", "capital": "SIZE", "capital_known": "SIZE", "age": "AGE", "group_name": "SIZE",
    "stock_name": "SIZE", "branch_name": "SIZE", "scope_length": "SIZE", "city_size": "FLOW", "popularity": "FLOW",
}  # fmt: skip
"""Which reason a feature's contribution is told under."""
LINEAR = tuple(
    FEATURES.index(name) for name in FEATURES if name not in {"years_since", "flow_count", "city_size", "popularity"}
)
"""Features of the log-linear model: those whose effect is one slope."""


@dataclass(frozen=True)
class Pool:
    """A registry's companies, by city and division, and their moves in order of days (ordinals)."""

    registry: Registry
    cities: tuple[str, ...]
    city: Ints
    division: Ints
    kilometres: Floats
    """Between cities; NaN where a place has no position."""
    mover: Ints
    moved_on: Ints
    moved_to: Ints

    def city_index(self, region_code: str) -> int | None:
        """Return the number of a region's city, None when neither company nor move is there."""
        wanted = own_region(region_code)
        return self.cities.index(wanted) if wanted in self.cities else None

    def with_moves(self) -> Registry:
        """Return the registry with the number of dated moves where that is more than what it counts itself."""
        dated = np.bincount(self.mover, minlength=len(self.registry)).astype(np.int32)
        return replace(self.registry, expansions=np.maximum(self.registry.expansions, dated))

    def last_moves(self) -> Ints:
        """Return the day (ordinal) of each row's last move, ``UNKNOWN`` where none is known."""
        last = np.full(len(self.registry), UNKNOWN, dtype=np.int64)
        np.maximum.at(last, self.mover, self.moved_on)
        return last


def build_pool(registry: Registry, moves: Iterable[Expansion], locate: Locate, day: date, target: str) -> Pool:
    """Return what is known before ``day`` of moves between different cities; repeated ones of one city and day are one.

    The order of moves changes nothing; those of companies that the registry does not have are left out. ``target`` is a
    region that is asked for.
    """
    known = [move for move in moves if move.on < day]
    by_code = registry.rows_of(move.uscc for move in known if move.uscc)
    by_name = _rows_by_name(registry, {move.name for move in known if not move.uscc})
    homes = [own_region(region) for region in registry.regions]
    kept = sorted(
        {
            (move.on.toordinal(), who, there)
            for move in known
            for there in (own_region(move.region_code),)
            for who in ([by_code[move.uscc]] if move.uscc in by_code else by_name.get(move.name, ()))
            if there != homes[registry.region[who]]
        }
    )
    cities = tuple(sorted({*homes, *(place for _, _, place in kept), own_region(target)}))
    number_of = {place: number for number, place in enumerate(cities)}
    divisions = sorted({industry[:2] for industry in registry.industries})
    return Pool(
        registry=registry,
        cities=cities,
        city=_table(number_of[home] for home in homes)[registry.region],
        division=_table(divisions.index(industry[:2]) for industry in registry.industries)[registry.industry],
        kilometres=_distances([locate(place) for place in cities]),
        mover=_table(who for _, who, _ in kept),
        moved_on=_table(on for on, _, _ in kept),
        moved_to=_table(number_of[place] for _, _, place in kept),
    )


class History:
    """What was known on the morning of ``day`` (an ordinal)."""

    def __init__(self, pool: Pool, day: int) -> None:
        self.pool, self.day = pool, day
        count = len(pool.city)
        before = pool.moved_on < day
        mover, to = pool.mover[before], pool.moved_to[before]
        fade = np.exp2(-(day - pool.moved_on[before]) / HALF_LIFE_DAYS)
        self.prior = self._prior(mover, ~before)
        self.recent = np.bincount(mover, fade, minlength=count)
        self.last = np.full(count, UNKNOWN, dtype=np.int64)
        np.maximum.at(self.last, mover, pool.moved_on[before])
        self.active = np.unique(mover)
        """Rows of companies that have moved."""
        self._line = np.full(count, len(self.active), dtype=np.int64)
        self._line[self.active] = np.arange(len(self.active))
        self._kilometres = np.where(np.isnan(pool.kilometres), FAR_KM, pool.kilometres)
        self._visits(mover, to)
        self._flows(mover, to, fade)

    def _prior(self, mover: Ints, later: NDArray[np.bool_]) -> Floats:
        """Count moves: what a registry counted, less what is dated after the day, covers those from before the events began."""
        pool, registry = self.pool, self.pool.registry
        counted_later = later & (pool.moved_on < registry.as_of[pool.mover])
        later_moves = np.bincount(pool.mover[counted_later], minlength=len(registry))
        moves = np.bincount(mover, minlength=len(registry))
        found: Floats = np.maximum(moves, registry.expansions - later_moves).astype(np.float64)
        return found

    def _visits(self, mover: Ints, to: Ints) -> None:
        """Keep who has been where; the last line, of companies that have not moved, is empty."""
        places = len(self.pool.cities)
        shape = (len(self.active) + 1, places)
        self._visited = csr_array((np.ones(len(mover)), (self._line[mover], to)), shape=shape)
        self._visited.sum_duplicates()
        went = self._visited.copy()
        went.data[:] = 1.0
        self._went = went
        self._cities = np.asarray(went.sum(axis=1)).ravel()
        together = np.asarray((went.T @ went).todense(), dtype=np.float64)
        alone = np.diag(together).copy()
        np.fill_diagonal(together, 0.0)
        share = (alone + 1) / (alone.sum() + places)
        self._similar = (together + 2 * share) / (alone[:, None] + 2) / share
        self._closeness = np.exp(-self._kilometres / NEAR_KM)

    def _flows(self, mover: Ints, to: Ints, fade: Floats) -> None:
        pool, places = self.pool, len(self.pool.cities)
        home, trade = pool.city[mover], pool.division[mover]
        self._popular = np.bincount(to, fade, minlength=places)
        share = (self._popular + 0.5) / (self._popular.sum() + 0.5 * places)
        gravity = share[None, :] / (self._kilometres + 20)
        np.fill_diagonal(gravity, 0.0)
        gravity /= np.maximum(gravity.sum(axis=1, keepdims=True), 1e-12)
        self._counts = np.zeros((places, places))
        np.add.at(self._counts, (home, to), fade)
        leaving = self._counts.sum(axis=1)
        smooth = (self._counts + _FLOW_PRIOR * gravity) / (leaving[:, None] + _FLOW_PRIOR)
        self._flow = np.log(np.maximum(smooth, 1e-9) / share[None, :])
        self._sizes = np.bincount(pool.city, minlength=places).astype(np.float64)
        rate = (fade.sum() + 1) / (len(pool.city) + 1)
        self._origin = np.log((leaving + _RATE_PRIOR * rate) / (self._sizes + _RATE_PRIOR))
        trades = int(pool.division.max(initial=0)) + 1
        by_trade = np.zeros((trades, places))
        np.add.at(by_trade, (trade, to), fade)
        moved = by_trade.sum(axis=1)
        firms = np.bincount(pool.division, minlength=trades)
        self._trade = np.log((moved + _RATE_PRIOR * rate) / (firms + _RATE_PRIOR))
        self._trade_flow = np.log((by_trade + _TRADE_PRIOR * share) / (moved[:, None] + _TRADE_PRIOR) / share)

    def of_companies(self, who: Ints | slice) -> dict[str, Floats]:
        """Return the features of companies, wherever they are asked for."""
        pool, registry = self.pool, self.pool.registry
        home, trade, last, founded = pool.city[who], pool.division[who], self.last[who], registry.founded[who]
        signs = registry.signs[who]
        capital = np.log10(np.maximum(registry.capital_fen[who], 0) / 100 + 1)
        return {
            "prior": np.log1p(self.prior[who]),
            "recent": np.log1p(self.recent[who]),
            "years_since": np.where(last < 0, np.nan, (self.day - last) / 365.25),
            "cities": np.log1p(self._cities[self._line[who]]),
            "origin_rate": self._origin[home],
            "industry_rate": self._trade[trade],
            "capital": capital,
            "capital_known": (capital > 0).astype(np.float64),
            "age": np.where(founded < 0, _TYPICAL_AGE, np.log1p(np.maximum(self.day - founded, 0) / 365.25)),
            "group_name": (signs & 1 > 0).astype(np.float64),
            "stock_name": (signs & 2 > 0).astype(np.float64),
            "branch_name": (signs & 4 > 0).astype(np.float64),
            "scope_length": np.log1p(pool.registry.scope_lengths[who]),
            "city_size": np.log1p(self._sizes[home]),
        }

    def of_homes(self, where: int) -> dict[str, Floats]:
        """Return the features of each city as the home of companies that are asked for a city."""
        province = np.array([place[:2] == self.pool.cities[where][:2] for place in self.pool.cities])
        return {
            "distance": np.log(self._kilometres[:, where] + 20),
            "same_province": province.astype(np.float64),
            "flow": self._flow[:, where],
            "flow_count": np.log1p(self._counts[:, where]),
        }

    def of_trades(self, where: int) -> dict[str, Floats]:
        """Return the features of each division for a city."""
        return {"industry_flow": self._trade_flow[:, where]}

    def of_movers(self, where: int) -> dict[str, Floats]:
        """Return the features of ``active`` for a city, and 0 at the end for all others."""
        return {
            "present": np.log1p(self._visited[:, [where]].toarray().ravel()),
            "near_sites": np.log1p(self._visited @ self._closeness[:, where]),
            "similar_sites": np.log1p(self._went @ self._similar[:, where]),
        }

    def features(self, who: Ints, where: Ints | int) -> Floats:
        """Return a row of ``FEATURES`` for each pair of company and city."""
        to = np.broadcast_to(np.asarray(where, dtype=np.int64), who.shape)
        found = np.empty((len(who), len(FEATURES)))
        for name, values in self.of_companies(who).items():
            found[:, FEATURES.index(name)] = values
        found[:, FEATURES.index("popularity")] = np.log1p(self._popular[to])
        order = np.argsort(to, kind="stable")
        for place, rows in _groups(to[order], order):
            for keys, columns in (
                (self.pool.city[who[rows]], self.of_homes(place)),
                (self.pool.division[who[rows]], self.of_trades(place)),
                (self._line[who[rows]], self.of_movers(place)),
            ):
                for name, values in columns.items():
                    found[rows, FEATURES.index(name)] = values[keys]
        return found

    def heuristic(self, where: int) -> Floats:
        """Return 3·ln(1 + prior) − ln(km + 20) of every company for a city."""
        found: Floats = 3 * np.log1p(self.prior) - np.log(self._kilometres[:, where] + 20)[self.pool.city]
        return found

    def able(self, where: int) -> NDArray[np.bool_]:
        """Return who could move to a city: active companies of other cities that had been founded."""
        found: NDArray[np.bool_] = (
            (self.pool.city != where) & (self.pool.registry.founded < self.day) & self.pool.registry.active
        )
        return found

    def moves_to(self, home: int, where: int) -> int:
        """Return how many moves from one city (by number) to another are known, whenever they were."""
        return self._moves(self.pool.city == home, where)

    def trade_moves_to(self, division: int, where: int) -> int:
        """Return how many moves of a division's companies (by number) to a city are known."""
        return self._moves(self.pool.division == division, where)

    def _moves(self, companies: NDArray[np.bool_], where: int) -> int:
        pool = self.pool
        return int(np.sum(companies[pool.mover] & (pool.moved_to == where) & (pool.moved_on < self.day)))

    def kilometres(self, who: int, where: int) -> float:
        """Return how far a company's city is from another."""
        return float(self._kilometres[self.pool.city[who], where])

    def sites_near(self, who: int, where: int) -> int:
        """Return how many moves into a city or its province a company has made."""
        near = [place[:2] == self.pool.cities[where][:2] for place in self.pool.cities]
        return int(self._visited[[self._line[who]]].toarray()[0][near].sum())


def later_pairs(pool: Pool, begin: int, end: int) -> tuple[Ints, Ints]:
    """Return the different pairs of company and city that moves of the days [begin, end) made."""
    inside = (pool.moved_on >= begin) & (pool.moved_on < end)
    keys = np.unique(pool.mover[inside] * len(pool.cities) + pool.moved_to[inside])
    return keys // len(pool.cities), keys % len(pool.cities)


def _groups(values: Ints, order: Ints) -> Iterator[tuple[int, Ints]]:
    """Yield each value of a sorted array, and its part of ``order``."""
    begins = np.flatnonzero(np.append(True, values[1:] != values[:-1])) if len(values) else values
    for begin, end in pairwise([*begins.tolist(), len(values)]):
        yield int(values[begin]), order[begin:end]


def _rows_by_name(registry: Registry, names: set[str]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    if names:
        for row in range(len(registry)):
            if (name := registry.names[row]) in names:
                found.setdefault(name, []).append(row)
    return found


def _table(numbers: Iterable[int]) -> Ints:
    return np.fromiter(numbers, dtype=np.int64)


def _distances(places: Sequence[Position | None]) -> Floats:
    found = np.full((len(places), len(places)), np.nan)
    for one, here in enumerate(places):
        for other in range(one + 1):
            there = places[other]
            if here is not None and there is not None:
                found[one, other] = found[other, one] = distance_km(here, there)
    return found
