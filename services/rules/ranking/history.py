"""Companies and their dated moves as arrays, and what was known of each pair of company and city on a day.

Everything of a ``History`` comes from before its day, so a model that is fitted on earlier days and asked on a later one
never sees what it is asked for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from services.rules.expansions import Expansion
from services.rules.leads import Company, Position, distance_km, own_region

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

HALF_LIFE_DAYS = 540.0
NEAR_KM = 200.0
_FLOW_PRIOR, _TRADE_PRIOR, _RATE_PRIOR = 20.0, 5.0, 5.0
"""How many made-up moves, spread as gravity or popularity say, stand beside the counted ones."""
_NAME_SIGNS = (("集团", "控股"), ("股份",), ("分公司", "分店", "营业部", "分厂", "个体"))

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
    """Companies in order of their codes, and their moves in order of days. Days are ordinals; -1 stands for unknown."""

    index: Mapping[str, int]
    cities: tuple[str, ...]
    city: Ints
    division: Ints
    counted: Ints
    """Expansions that the registry's row states, and as of which day."""
    counted_on: Ints
    founded: Ints
    capital: Floats
    """log10 of yuan, 0 where unknown."""
    signs: Floats
    scope_length: Floats
    kilometres: Floats
    """Between cities; NaN where a place has no position."""
    mover: Ints
    moved_on: Ints
    moved_to: Ints

    def city_index(self, region_code: str) -> int | None:
        """Return the number of a region's city, None when neither company nor move is there."""
        wanted = own_region(region_code)
        return self.cities.index(wanted) if wanted in self.cities else None


def build_pool(
    companies: Iterable[Company],
    moves: Iterable[Expansion],
    locate: Callable[[str], Position | None],
    day: date,
    target: str,
) -> Pool:
    """Return what is known before ``day`` of the newest row of each code and of moves between different cities.

    The order and repetition of rows and moves change nothing. ``target`` is a region that is asked for.
    """
    newest: dict[str, Company] = {}
    for company in companies:
        known = newest.get(company.uscc)
        if known is None or known < company:
            newest[company.uscc] = company
    rows = [newest[code] for code in sorted(newest)]
    index = {company.uscc: number for number, company in enumerate(rows)}
    by_name: dict[str, list[int]] = {}
    for number, company in enumerate(rows):
        by_name.setdefault(company.name, []).append(number)
    homes = [own_region(company.region_code) for company in rows]
    kept = sorted(
        {
            (move.on.toordinal(), who, own_region(move.region_code))
            for move in moves
            if move.on < day
            for who in (([index[move.uscc]] if move.uscc in index else []) if move.uscc else by_name.get(move.name, []))
            if own_region(move.region_code) != homes[who]
        }
    )
    cities = tuple(sorted({*homes, *(place for _, _, place in kept), own_region(target)}))
    number_of = {place: number for number, place in enumerate(cities)}
    divisions = {code: number for number, code in enumerate(sorted({row.industry_code[:2] for row in rows}))}
    return Pool(
        index=index,
        cities=cities,
        city=np.array([number_of[home] for home in homes], dtype=np.int64),
        division=np.array([divisions[row.industry_code[:2]] for row in rows], dtype=np.int64),
        counted=np.array([row.expansions if row.as_of <= day else 0 for row in rows], dtype=np.int64),
        counted_on=np.array([row.as_of.toordinal() for row in rows], dtype=np.int64),
        founded=np.array([row.founded_on.toordinal() if row.founded_on else -1 for row in rows], dtype=np.int64),
        capital=np.array([math.log10(row.capital_fen / 100 + 1) if row.capital_fen else 0.0 for row in rows]),
        signs=np.array([[any(sign in row.name for sign in group) for group in _NAME_SIGNS] for row in rows], dtype=np.float64).reshape(-1, 3),
        scope_length=np.array([math.log1p(len(row.scope)) for row in rows]),
        kilometres=_distances([locate(place) for place in cities]),
        mover=np.array([who for _, who, _ in kept], dtype=np.int64),
        moved_on=np.array([on for on, _, _ in kept], dtype=np.int64),
        moved_to=np.array([number_of[place] for _, _, place in kept], dtype=np.int64),
    )  # fmt: skip


class History:
    """What was known on the morning of ``day`` (an ordinal)."""

    def __init__(self, pool: Pool, day: int) -> None:
        self.pool, self.day = pool, day
        count, places = len(pool.city), len(pool.cities)
        before = pool.moved_on < day
        mover, to = pool.mover[before], pool.moved_to[before]
        age = day - pool.moved_on[before]
        fade = np.exp2(-age / HALF_LIFE_DAYS)
        later = np.bincount(pool.mover[~before & (pool.moved_on < pool.counted_on[pool.mover])], minlength=count)
        # What a registry counted, less what is dated after the day, covers moves from before the events began.
        self.prior = np.maximum(np.bincount(mover, minlength=count), pool.counted - later).astype(np.float64)
        self.recent = np.bincount(mover, fade, minlength=count)
        self.last = np.full(count, -1, dtype=np.int64)
        np.maximum.at(self.last, mover, pool.moved_on[before])
        self._movers = np.full(count, -1, dtype=np.int64)
        active = np.unique(mover)
        self._movers[active] = np.arange(len(active))
        visits = np.zeros((len(active) + 1, places))
        np.add.at(visits, (self._movers[mover], to), 1.0)
        self._visits = visits  # the last row, number -1, is of companies without a move
        self._cities = (visits > 0).sum(axis=1).astype(np.float64)
        kilometres = np.where(np.isnan(pool.kilometres), 2000.0, pool.kilometres)
        self._kilometres = kilometres
        self._near = visits @ np.exp(-kilometres / NEAR_KM)
        went = (visits > 0).astype(np.float64)
        together = went.T @ went
        alone = np.diag(together).copy()
        np.fill_diagonal(together, 0.0)
        share = (alone + 1) / (alone.sum() + places)
        self._similar = went @ ((together + 2 * share) / (alone[:, None] + 2) / share)
        self._flows(mover, to, fade)

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

    def features(self, who: Ints, where: Ints | int) -> Floats:
        """Return a row of ``FEATURES`` for each pair of company and city."""
        pool = self.pool
        home, trade, row = pool.city[who], pool.division[who], self._movers[who]
        to = np.broadcast_to(np.asarray(where, dtype=np.int64), who.shape)
        last, founded = self.last[who], pool.founded[who]
        provinces = np.array([place[:2] for place in pool.cities])
        columns = (
            np.log1p(self.prior[who]),
            np.log1p(self.recent[who]),
            np.where(last < 0, np.nan, (self.day - last) / 365.25),
            np.log1p(self._cities[row]),
            np.log(self._kilometres[home, to] + 20),
            provinces[home] == provinces[to],
            self._flow[home, to],
            np.log1p(self._counts[home, to]),
            self._origin[home],
            self._trade[trade],
            self._trade_flow[trade, to],
            np.log1p(self._visits[row, to]),
            np.log1p(self._near[row, to]),
            np.log1p(self._similar[row, to]),
            pool.capital[who],
            pool.capital[who] > 0,
            np.where(founded < 0, 2.0, np.log1p(np.maximum(self.day - founded, 0) / 365.25)),
            *pool.signs[who].T,
            pool.scope_length[who],
            np.log1p(self._sizes[home]),
            np.log1p(self._popular[to]),
        )
        return np.column_stack(columns).astype(np.float64)

    def heuristic(self, who: Ints, where: Ints | int) -> Floats:
        """Return 3·ln(1 + prior) − ln(km + 20) of each pair."""
        far = self._kilometres[self.pool.city[who], where]
        found: Floats = 3 * np.log1p(self.prior[who]) - np.log(far + 20)
        return found

    def candidates(self, where: int) -> Ints:
        """Return who could move to a city: companies of other cities that had been founded."""
        pool = self.pool
        return np.flatnonzero((pool.city != where) & (pool.founded < self.day))

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
        """Return how many known sites a company has in a city or its province."""
        pool = self.pool
        near = [place[:2] == pool.cities[where][:2] for place in pool.cities]
        return int(self._visits[self._movers[who]][near].sum())


def later_pairs(pool: Pool, begin: int, end: int) -> tuple[Ints, Ints]:
    """Return the different pairs of company and city that moves of the days [begin, end) made."""
    inside = (pool.moved_on >= begin) & (pool.moved_on < end)
    keys = np.unique(pool.mover[inside] * len(pool.cities) + pool.moved_to[inside])
    return keys // len(pool.cities), keys % len(pool.cities)


def _distances(places: Sequence[Position | None]) -> Floats:
    found = np.full((len(places), len(places)), np.nan)
    for one, here in enumerate(places):
        for other in range(one + 1):
            there = places[other]
            if here is not None and there is not None:
                found[one, other] = found[other, one] = distance_km(here, there)
    return found
