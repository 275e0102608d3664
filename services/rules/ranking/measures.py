"""How good a ranked list is against what happened later (binary relevance)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

TOP, DEEP = 50, 500
LEAST_HITS = 10
"""Ranks share one chance until so many hits stand behind it."""
_Z = 1.96
HitList = tuple[Sequence[bool], int]
"""Whether each of a list moved in, in order of rank, and how many did of all that could have been listed."""


@dataclass(frozen=True)
class ListScores:
    """Means over places with at least one later expansion: ``ndcg`` and ``precision`` at 50, ``recall`` at 500."""

    ndcg: float
    precision: float
    recall: float
    places: int
    positives: int


def score_lists(lists: Iterable[HitList]) -> ListScores:
    """Return the means of lists, each given as hits in order of rank and how many hits there were to find.

    A list with nothing to find says nothing and is left out. nDCG is Järvelin and Kekäläinen's with base 2.
    """
    gains, shares, found, positives = [], [], [], 0
    for hits, relevant in lists:
        if not relevant:
            continue
        positives += relevant
        best = sum(1 / math.log2(place + 2) for place in range(min(TOP, relevant)))
        gains.append(sum(1 / math.log2(place + 2) for place, hit in enumerate(hits[:TOP]) if hit) / best)
        shares.append(sum(map(bool, hits[:TOP])) / TOP)
        found.append(sum(map(bool, hits[:DEEP])) / relevant)
    places = len(gains)
    if not places:
        return ListScores(0.0, 0.0, 0.0, 0, 0)
    return ListScores(
        math.fsum(gains) / places, math.fsum(shares) / places, math.fsum(found) / places, places, positives
    )


@dataclass(frozen=True)
class Chance:
    """Of ``sample`` companies listed at ranks ``first`` to ``last`` in the back-test, ``hits`` moved in within ``days``.

    ``low`` and ``high`` are Wilson's 95 % interval of the share.
    """

    first: int
    last: int
    hits: int
    sample: int
    days: int

    @property
    def share(self) -> float:
        """The share that moved in, 0 to 1."""
        return self.hits / self.sample

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's score interval (1927)."""
        spread = _Z * math.sqrt(self.share * (1 - self.share) / self.sample + _Z**2 / (4 * self.sample**2))
        scale = 1 + _Z**2 / self.sample
        middle = self.share + _Z**2 / (2 * self.sample)
        # At all or no hits a bound is the share itself, which a last binary digit may miss.
        low, high = min(self.share, (middle - spread) / scale), max(self.share, (middle + spread) / scale)
        return max(0.0, low), min(1.0, high)


def chances_by_rank(lists: Iterable[HitList], days: int) -> tuple[Chance, ...]:
    """Return the chances of the ranks of back-tested lists: never higher further down, ten hits at least behind each.

    Neighbouring ranks are pooled until that holds (pool adjacent violators), so a chance is always a count of what
    happened. Ranks at the end with fewer than ten hits have none.
    """
    rows = [hits for hits, _ in lists]
    ranks = [
        (sum(hits[place] for hits in rows if place < len(hits)), sum(place < len(hits) for hits in rows))
        for place in range(DEEP)
    ]
    blocks: list[Chance] = []
    first, hits, sample = 1, 0, 0
    for rank, (hit, listed) in enumerate(ranks, start=1):
        hits, sample = hits + hit, sample + listed
        if hits < LEAST_HITS:
            continue
        block = Chance(first, rank, hits, sample, days)
        while blocks and blocks[-1].share <= block.share:
            above = blocks.pop()
            block = Chance(above.first, rank, above.hits + block.hits, above.sample + block.sample, days)
        blocks.append(block)
        first, hits, sample = rank + 1, 0, 0
    return tuple(blocks)
