"""Editions of the ranking model: fitted on what was before a day, scored on what came after it, and kept as JSON.

The bytes that are scored are the bytes that rank: an edition is not fitted again on the period that it was scored on, so
its card is about itself. It may run in a child process: arguments and results travel by pickle.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from services.gateways.expansion_files import read_expansion_file
from services.gateways.lead_index import open_index
from services.gateways.lead_model import (
    JUDGED_PLACES,
    LEAST_POSITIVES,
    Linear,
    Ranker,
    Samples,
    best_method,
    fit_models,
    sample_window,
    window_edges,
)
from services.gateways.positions import locate
from services.rules.companies import own_region
from services.rules.expansions import Expansion
from services.rules.lead_editions import HEURISTIC, IN_FORCE, NEW, PREDECESSOR, Period, Refusal, Told, refusal_of
from services.rules.ranking.history import FEATURES, History, Ints, Pool, build_pool, later_pairs
from services.rules.ranking.listing import best_first
from services.rules.ranking.measures import DEEP, Chance, HitList, ListScores, chances_by_rank, score_lists

FORMAT = 1
SEED = 0
_LIBRARIES = ("lightgbm", "numpy", "scipy")
_METHODS = ("linear", "boosted")
_LINEAR = ("middle", "spread", "slopes")
Progress = Callable[[str, float], None]
Rows = tuple[Ints, Ints, Ints]
"""Companies and cities by number, and days."""


@dataclass(frozen=True)
class Fitted:
    """A fit: its card, its bytes (none where there was too little to fit), and why it is not to be put in force."""

    card: dict[str, Any]
    model: bytes | None
    refusal: Refusal | None


def fit_edition(
    folder: Path, events: Path | None, told: Told, day: date, in_force: bytes | None, *, progress: Progress
) -> Fitted:
    """Fit on what was before T, and score it with the heuristic and the model in force on [T, ``day``).

    T is a window before ``day``, and never before that of the model in force, which must not have seen what it is scored on.
    The stages reported are prepare, fit, judge and done.
    """
    progress("prepare", 0.0)
    pool = _pool(folder, events, day)
    signed, lost = _rows(pool, told.signed), _rows(pool, told.lost)
    edges = window_edges(pool, day.toordinal())
    old = None if in_force is None else load_model(in_force)
    begin = edges[-2] if len(edges) > 1 else day.toordinal()
    if in_force is not None:
        begin = max(begin, _until(in_force).toordinal())
    period = Period(date.fromordinal(begin), day)
    training = list(pairwise(window_edges(pool, begin)))
    positives = len(_positives(pool, signed, training[0][0], day.toordinal())[0]) if training else 0
    card: dict[str, Any] = {
        "day": day.isoformat(),
        "trained": [date.fromordinal(training[0][0]).isoformat(), period.begin.isoformat()] if training else None,
        "held_out": [period.begin.isoformat(), period.end.isoformat()],
        "companies": len(pool.registry),
        "expansions": len(pool.mover),
        "positives": positives,
        "signed": len(signed[0]),
        "lost": len(lost[0]),
        "features": list(FEATURES),
        "libraries": {name: version(name) for name in _LIBRARIES},
        "seed": SEED,
    }
    if len(training) < 1 or positives < LEAST_POSITIVES or begin >= day.toordinal():
        return Fitted({**card, "scores": {}}, None, Refusal.TOO_FEW)
    progress("fit", 0.2)
    samples = _samples(pool, training, signed, lost)
    method = _chosen(pool, signed, samples, training)
    progress("fit", 0.4)
    linear, trees = fit_models(samples, SEED)
    progress("judge", 0.6)
    rankers = {
        HEURISTIC: Ranker("heuristic", {}, 0, 0),
        "linear": Ranker("linear", {}, 0, 0, linear=linear),
        "boosted": Ranker("boosted", {}, 0, 0, linear=linear, trees=trees),
        **({} if old is None else {IN_FORCE: old}),
    }
    lists = _lists(pool, signed, period, rankers)
    scores = {name: score_lists(found) for name, found in lists.items()}
    method = method or best_method(scores, _METHODS)
    length = (period.end - period.begin).days
    chances = chances_by_rank(lists[method], length)
    model = _dump(linear, trees if method == "boosted" else None, method, scores, positives, length, chances, period)
    refusal = refusal_of({**scores, NEW: scores[method]})
    card |= {
        "method": method,
        "chosen_on": [date.fromordinal(edge).isoformat() for edge in training[-1]] if len(training) > 1 else None,
        "scores": {name: asdict(found) for name, found in {**scores, NEW: scores[method]}.items()},
        "chances": [asdict(chance) for chance in chances],
        "sha256": hashlib.sha256(model).hexdigest(),
    }
    progress("done", 1.0)
    return Fitted(card, model, refusal)


def measure_editions(
    folder: Path,
    events: Path | None,
    told: Told,
    period: Period,
    in_force: bytes,
    predecessor: bytes | None,
    *,
    progress: Progress,
) -> dict[str, ListScores]:
    """Return how the model in force, what it followed and the heuristic rank in a period after all of them."""
    progress("prepare", 0.0)
    pool = _pool(folder, events, period.end)
    progress("judge", 0.5)
    loaded = {IN_FORCE: load_model(in_force), PREDECESSOR: None if predecessor is None else load_model(predecessor)}
    known = {name: ranker for name, ranker in loaded.items() if ranker is not None}
    lists = _lists(pool, _rows(pool, told.signed), period, {HEURISTIC: Ranker("heuristic", {}, 0, 0), **known})
    return {name: score_lists(found) for name, found in lists.items()}


def load_model(content: bytes) -> Ranker | None:
    """Return the ranker that an edition's bytes are; None where an older program wrote them, in another form or of other
    features: then lists are ranked as if there were none, until the next fit.
    """
    document = json.loads(content)
    if document["format"] != FORMAT or document["features"] != list(FEATURES):
        return None
    linear = Linear(
        **{name: np.array(document["linear"][name]) for name in _LINEAR}, intercept=document["linear"]["intercept"]
    )
    return Ranker(
        document["method"],
        {name: ListScores(**each) for name, each in document["scores"].items()},
        document["positives"],
        document["window_days"],
        tuple(Chance(**each) for each in document["chances"]),
        linear,
        _read_trees(document["trees"]),
    )


def _read_trees(text: str | None) -> Any:
    """Return the trees that were written as ``text``; None where there were none."""
    if text is None:
        return None
    import lightgbm

    return lightgbm.Booster(model_str=text)


def _dump(
    linear: Linear,
    trees: Any,
    method: str,
    scores: Mapping[str, ListScores],
    positives: int,
    length: int,
    chances: Iterable[Chance],
    period: Period,
) -> bytes:
    document = {
        "format": FORMAT,
        "features": list(FEATURES),
        "method": method,
        "linear": {name: getattr(linear, name).tolist() for name in _LINEAR} | {"intercept": linear.intercept},
        "trees": None if trees is None else trees.model_to_string(),
        "scores": {name: asdict(scores[name]) for name in (HEURISTIC, method)},
        "positives": positives,
        "window_days": length,
        "chances": [asdict(each) for each in chances],
        "until": period.begin.isoformat(),
    }
    return json.dumps(document, sort_keys=True).encode()


def _until(content: bytes) -> date:
    """Return the day before which everything is that a model was fitted on."""
    return date.fromisoformat(json.loads(content)["until"])


def _pool(folder: Path, events: Path | None, day: date) -> Pool:
    registry = open_index(folder).registry
    moves = () if events is None else read_expansion_file(events).expansions
    return build_pool(registry, moves, locate, day, registry.regions[0] if registry.regions else "110000")


def _rows(pool: Pool, records: Iterable[Expansion]) -> Rows:
    """Return what the registry and its cities know of records; a company into its own city is no expansion."""
    known = list(records)
    rows = pool.registry.rows_of(each.uscc for each in known)
    numbers = {place: number for number, place in enumerate(pool.cities)}
    kept = [
        (rows[each.uscc], numbers[own_region(each.region_code)], each.on.toordinal())
        for each in known
        if each.uscc in rows and own_region(each.region_code) in numbers
    ]
    who, to, on = (np.array([row[at] for row in kept], dtype=np.int64) for at in range(3))
    abroad = pool.city[who] != to
    return who[abroad], to[abroad], on[abroad]


def _within(rows: Rows, begin: int, end: int) -> tuple[Ints, Ints]:
    who, to, on = rows
    inside = (on >= begin) & (on < end)
    return who[inside], to[inside]


def _positives(pool: Pool, signed: Rows, begin: int, end: int) -> tuple[Ints, Ints]:
    """Return the different pairs of company and city that moved or signed in [begin, end)."""
    (who, to), (also, there) = later_pairs(pool, begin, end), _within(signed, begin, end)
    keys = np.unique(np.concatenate([who, also]) * len(pool.cities) + np.concatenate([to, there]))
    return keys // len(pool.cities), keys % len(pool.cities)


def _samples(pool: Pool, windows: Iterable[tuple[int, int]], signed: Rows, lost: Rows) -> Samples:
    return [
        sample_window(
            pool, begin, end, np.random.default_rng([SEED, place]),
            positives=_positives(pool, signed, begin, end), lost=_within(lost, begin, end),
        )
        for place, (begin, end) in enumerate(windows)
    ]  # fmt: skip


def _chosen(pool: Pool, signed: Rows, samples: Samples, training: list[tuple[int, int]]) -> str | None:
    """Return the method that ranks best in the last window before the period that scores it; None where it is the only one.

    Its fit has not seen that window either.
    """
    if len(training) < 2:
        return None
    linear, trees = fit_models(samples[:-1], SEED)
    rankers = {name: Ranker(name, {}, 0, 0, linear=linear) for name in _METHODS}
    rankers["boosted"] = replace(rankers["boosted"], trees=trees)
    lists = _lists(pool, signed, Period(*map(date.fromordinal, training[-1])), rankers)
    return best_method({name: score_lists(found) for name, found in lists.items()}, _METHODS)


def _lists(pool: Pool, signed: Rows, period: Period, rankers: Mapping[str, Ranker]) -> dict[str, list[HitList]]:
    """Return which of the first 500 of each ranker's lists, asked for on the period's first morning, came within it."""
    begin, end = period.begin.toordinal(), period.end.toordinal()
    history = History(pool, begin)
    who, to = _positives(pool, signed, begin, end)
    places, sizes = np.unique(to, return_counts=True)
    lists: dict[str, list[HitList]] = {name: [] for name in rankers}
    for where in sorted(places[np.argsort(-sizes, kind="stable")][:JUDGED_PLACES].tolist()):
        able = history.able(where)
        relevant = who[to == where]
        relevant = relevant[able[relevant]]
        for name, ranker in rankers.items():
            first = best_first(ranker.score(history, where), DEEP)
            lists[name].append((np.isin(first[able[first]], relevant).tolist(), len(relevant)))
    return lists
