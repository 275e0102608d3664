"""A ranker fitted on dated expansions: a log-linear model, and trees (LightGBM) grown on top of it.

Fitted on windows of time, each with what was known before it. The method is chosen on the window before the last, and judged on
the last, which neither fit nor choice has seen. It is used only where it ranks better there than 3·ln(1 + prior) − ln(km + 20). Negatives are drawn from all candidates and
weighted back to all of them: hard negatives alone keep the AUC and lose the head of the list.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from services.rules.ranking.history import FEATURES, LINEAR, Floats, History, Ints, Pool, later_pairs
from services.rules.ranking.listing import best_first
from services.rules.ranking.measures import DEEP, Chance, HitList, ListScores, chances_by_rank, score_lists

METHODS = ("heuristic", "linear", "boosted")
"""In the order of how much they need; of two that rank equally well the plainer is used."""
LEAST_POSITIVES = 200
LONGEST_WINDOW_DAYS = 365
MOST_WINDOWS = 5
JUDGED_PLACES = 60
ROUNDS = 120
_SHORTLIST = 5000
_DRAWN_ACTIVE, _DRAWN_OTHER = 15_000, 8_000
"""Pairs drawn for a window of companies that had moved before, and of others."""
Samples = list[tuple[Floats, Floats, Floats]]
"""Features, labels and weights, a window each."""
_RIDGE = 3.0
_MOST_STEPS = 60
_CLOSE = 1e-7
SETTINGS = {
    "objective": "binary",
    "learning_rate": 0.05,
    "num_leaves": 15,
    "min_data_in_leaf": 100,
    "min_sum_hessian_in_leaf": 5.0,
    "feature_fraction": 0.8,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
}


@dataclass(frozen=True)
class Linear:
    """Slopes on standardised features; missing values count as the mean."""

    middle: Floats
    spread: Floats
    slopes: Floats
    intercept: float

    def parts(self, features: Floats) -> Floats:
        """Return what each feature adds to the log odds, beside the intercept."""
        chosen = (features[:, LINEAR] - self.middle) / self.spread
        return np.where(np.isnan(chosen), 0.0, chosen) * self.slopes

    def odds(self, features: Floats) -> Floats:
        """Return the log odds."""
        found: Floats = self.parts(features).sum(axis=1) + self.intercept
        return found

    def everyone(self, history: History) -> Callable[[int], Floats]:
        """Return what gives the log odds of every company of a registry for a city, without a table of features.

        What a company brings wherever it is asked for is summed once; a city adds one number for each home, each division
        and each company that has moved.
        """
        slope = dict(zip((FEATURES[at] for at in LINEAR), (self.slopes / self.spread).tolist(), strict=True))
        constant = self.intercept - float(np.sum(self.slopes * self.middle / self.spread))
        own = np.full(len(history.pool.city), constant)
        for name, values in history.of_companies(slice(None)).items():
            if name in slope:
                own += slope[name] * values

        def summed(columns: Mapping[str, Floats]) -> Floats:
            found: Floats = sum(slope[name] * values for name, values in columns.items() if name in slope)
            return found

        def odds(where: int) -> Floats:
            movers = summed(history.of_movers(where))
            found = own + summed(history.of_homes(where))[history.pool.city]
            found += summed(history.of_trades(where))[history.pool.division] + movers[-1]
            found[history.active] += movers[:-1] - movers[-1]
            return found

        return odds


@dataclass(frozen=True)
class Ranker:
    """The chosen method: ``heuristic``, ``linear`` or ``boosted``, and every method's scores on the last window."""

    method: str
    scores: dict[str, ListScores]
    positives: int
    window_days: int
    chances: tuple[Chance, ...] = ()
    """Of the chosen method's lists of the last window, by rank; empty where outcomes support none."""
    linear: Linear | None = None
    trees: Any = None
    edition: tuple[int, str] | None = None
    """Number and hash of the kept edition that it is; None for one that was fitted for a single list."""

    def score(self, history: History, where: int, rows: Ints | None = None) -> Floats:
        """Return a score of every company for a city, higher is better; who cannot move there has the lowest.

        Trees are asked about the 5,000 best of all, and of ``rows``, by the plainer methods; all others follow them.
        """
        able = history.able(where)
        plain = np.where(able, history.heuristic(where), -np.inf)
        if self.linear is None:
            return plain
        found = np.where(able, self.linear.everyone(history)(where), -np.inf)
        if self.trees is None:
            return found
        short = _shortlist(plain, found)
        if rows is not None:
            short = np.union1d(short, rows[_shortlist(plain[rows], found[rows])])
        short = short[able[short]]
        grown = _scored(self.linear, self.trees, history.features(short, where))
        if len(grown):
            # What is not asked about keeps its order, below what is.
            top = found.max(initial=-np.inf, where=~np.isin(np.arange(len(found)), short))
            found += min(0.0, float(grown.min()) - top) if np.isfinite(top) else 0.0
            found[short] = grown
        return found

    def contributions(self, history: History, who: Ints, where: int) -> Floats:
        """Return what each of ``FEATURES`` adds to each score, beside what all companies have in common."""
        found = np.zeros((len(who), len(FEATURES)))
        features = history.features(who, where)
        if self.linear is None:
            found[:, FEATURES.index("prior")] = 3 * features[:, FEATURES.index("prior")]
            found[:, FEATURES.index("distance")] = -features[:, FEATURES.index("distance")]
            return found
        found[:, LINEAR] = self.linear.parts(features)
        if self.trees is not None:
            found += np.asarray(self.trees.predict(features, pred_contrib=True))[:, :-1]
        return found


def fit_ranker(pool: Pool, day: int, seed: int = 0) -> Ranker:
    """Return the ranker for questions of ``day`` (an ordinal); the heuristic where outcomes support no more."""
    edges = window_edges(pool, day)
    windows = list(pairwise(edges))
    positives = len(later_pairs(pool, edges[0], day)[0]) if windows else 0
    length = edges[1] - edges[0] if windows else 0
    if len(windows) < 2 or positives < LEAST_POSITIVES:
        return Ranker("heuristic", {}, positives, length)
    samples = [
        sample_window(pool, begin, end, np.random.default_rng([seed, place]))
        for place, (begin, end) in enumerate(windows)
    ]
    # With two windows there is none left to choose on: then the last one chooses, too.
    chosen = _scores(judge(pool, *windows[-2], *fit_models(samples[:-2], seed))) if len(windows) > 2 else None
    lists = judge(pool, *windows[-1], *fit_models(samples[:-1], seed))
    scores = _scores(lists)
    method = best_method(chosen or scores, METHODS)
    if scores[method].ndcg <= scores["heuristic"].ndcg:
        method = "heuristic"
    chances = chances_by_rank(lists[method], length)
    if method == "heuristic":
        return Ranker(method, scores, positives, length, chances)
    linear, trees = fit_models(samples, seed)
    return Ranker(method, scores, positives, length, chances, linear, trees if method == "boosted" else None)


def best_method(scores: Mapping[str, ListScores], methods: Sequence[str]) -> str:
    """Return the method that ranks best, of equally good ones the first."""
    return max(methods, key=lambda name: scores[name].ndcg)


def _scores(lists: Mapping[str, list[HitList]]) -> dict[str, ListScores]:
    return {name: score_lists(found) for name, found in lists.items()}


def judge(pool: Pool, begin: int, end: int, linear: Linear, trees: Any) -> dict[str, list[HitList]]:
    """Return which of the first 500 of each method's lists, asked for on ``begin``, moved until ``end``."""
    history = History(pool, begin)
    odds = linear.everyone(history)
    who, to = later_pairs(pool, begin, end)
    places, sizes = np.unique(to, return_counts=True)
    asked = sorted(places[np.argsort(-sizes, kind="stable")][:JUDGED_PLACES].tolist())
    lists: dict[str, list[HitList]] = {name: [] for name in METHODS}
    for where in asked:
        able = history.able(where)
        relevant = who[to == where]
        relevant = relevant[able[relevant]]
        plain, straight = np.where(able, history.heuristic(where), -np.inf), np.where(able, odds(where), -np.inf)
        short = _shortlist(plain, straight)
        short = short[able[short]]
        grown = _scored(linear, trees, history.features(short, where))
        for name, scores in (("heuristic", plain[short]), ("linear", straight[short]), ("boosted", grown)):
            first = short[best_first(scores, DEEP)]
            lists[name].append((np.isin(first, relevant).tolist(), len(relevant)))
    return lists


def _shortlist(plain: Floats, straight: Floats) -> Ints:
    return np.union1d(best_first(plain, _SHORTLIST), best_first(straight, _SHORTLIST))


def window_edges(pool: Pool, day: int) -> list[int]:
    """Return the ends of the windows, the last being ``day``; at least two of moves stay before the first, as history."""
    if not len(pool.moved_on):
        return [day]
    span = day - int(pool.moved_on[0])
    length = min(LONGEST_WINDOW_DAYS, span // 4)
    if length < 7:
        return [day]
    count = min(MOST_WINDOWS, span // length - 2)
    return [day - length * place for place in range(count, -1, -1)]


def sample_window(
    pool: Pool,
    begin: int,
    end: int,
    chance: np.random.Generator,
    *,
    positives: tuple[Ints, Ints] | None = None,
    lost: tuple[Ints, Ints] | None = None,
) -> tuple[Floats, Floats, Floats]:
    """Return features, labels and weights of a window: all that moved, and a part of all pairs that might have.

    ``positives`` are given where more than moves counts; ``lost`` are pairs of which it is known that nothing came.
    """
    history = History(pool, begin)
    who, to = later_pairs(pool, begin, end) if positives is None else positives
    born = (pool.registry.founded < begin) & pool.registry.active
    who, to = who[born[who]], to[born[who]]
    targets = np.unique(pool.moved_to[pool.moved_on < end])
    able = np.flatnonzero(born)
    active = able[history.prior[able] > 0]
    others = able[history.prior[able] <= 0]
    groups, weights = [], []
    for group, drawn in ((active, _DRAWN_ACTIVE), (others, _DRAWN_OTHER)):
        whole = len(group) * len(targets)
        if not whole:
            continue
        picked = chance.integers(0, whole, drawn) if whole > drawn else np.arange(whole)
        groups.append(group[picked // len(targets)] * len(pool.cities) + targets[picked % len(targets)])
        weights.append(np.full(len(picked), whole / len(picked)))
    if lost is not None:
        groups.append(lost[0] * len(pool.cities) + lost[1])
        weights.append(np.ones(len(lost[0])))
    keys, weight = np.concatenate(groups), np.concatenate(weights)
    good = (pool.city[keys // len(pool.cities)] != keys % len(pool.cities)) & ~np.isin(
        keys, who * len(pool.cities) + to
    )
    keys, weight = keys[good], weight[good]
    features = history.features(
        np.concatenate([who, keys // len(pool.cities)]), np.concatenate([to, keys % len(pool.cities)])
    )
    return features, np.repeat([1.0, 0.0], [len(who), len(keys)]), np.concatenate([np.ones(len(who)), weight])


def fit_models(samples: Samples, seed: int) -> tuple[Linear, Any]:
    """Return the log-linear model of some windows' samples, and the trees on top of it."""
    import lightgbm

    features, labels, weights = (np.concatenate(parts) for parts in zip(*samples, strict=True))
    linear = _fit_linear(features, labels, weights)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = lightgbm.Dataset(
            features, labels, weight=weights, init_score=linear.odds(features), feature_name=list(FEATURES),
            params={"verbosity": -1, "num_threads": 1},
        )  # fmt: skip
        trees = lightgbm.train({**SETTINGS, "seed": seed}, data, num_boost_round=ROUNDS)
    return linear, trees


def _fit_linear(features: Floats, labels: Floats, weights: Floats) -> Linear:
    """Logistic regression by Newton's method with halved steps, and a ridge on the slopes."""
    chosen = features[:, LINEAR]
    middle = np.average(chosen, axis=0, weights=weights)
    spread = np.sqrt(np.average((chosen - middle) ** 2, axis=0, weights=weights))
    spread[spread < 1e-9] = 1.0
    table = np.column_stack([(chosen - middle) / spread, np.ones(len(chosen))])
    ridge = np.full(table.shape[1], _RIDGE)
    ridge[-1] = 1e-6
    found = np.zeros(table.shape[1])
    found[-1] = np.log(labels.sum() / (weights.sum() - labels.sum()))

    def loss(slopes: Floats) -> float:
        odds = table @ slopes
        return float(weights @ (np.logaddexp(0.0, odds) - labels * odds) + 0.5 * ridge @ slopes**2)

    now = loss(found)
    for _ in range(_MOST_STEPS):
        chance = 1 / (1 + np.exp(-np.clip(table @ found, -30, 30)))
        slope = table.T @ (weights * (labels - chance)) - ridge * found
        curve = (table * (weights * chance * (1 - chance))[:, None]).T @ table + np.diag(ridge)
        step = np.linalg.solve(curve, slope)
        # Far from the answer a whole step overshoots: few companies moved often, and their rows reach far out.
        while (then := loss(found + step)) > now and float(np.abs(step).max()) > _CLOSE:
            step = step / 2
        if now - then < _CLOSE * now:
            break
        found, now = found + step, then
    return Linear(middle, spread, found[:-1], float(found[-1]))


def _scored(linear: Linear, trees: Any, features: Floats) -> Floats:
    odds = linear.odds(features)
    if trees is None:
        return odds
    found: Floats = odds + np.asarray(trees.predict(features, raw_score=True), dtype=np.float64)
    return found
