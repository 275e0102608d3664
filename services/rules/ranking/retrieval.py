"""Text retrieval by BM25 over pairs of neighbouring characters: Chinese has no spaces to split words at.

Okapi BM25 as in Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009), with an inverse
document frequency that is never negative, ln(1 + (N − n + 0.5) / (n + 0.5)). Letters are folded to lower case and half
width; a pair never reaches over punctuation or from one text into the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.rules.ranking.texts import Texts

K1, B = 1.2, 0.75
_BLOCK = 1 << 13
"""Texts folded and sorted at once, which bounds the memory that building takes."""
_LARGEST_COUNT = 255
_RELEASED = 4
"""Blocks between two releases of memory."""

Keys = NDArray[np.uint32]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Bm25:
    """Postings by pair: ``pairs`` is sorted; those of pair i are ``texts[starts[i]:starts[i + 1]]``, each text once."""

    pairs: Keys
    starts: NDArray[np.int64]
    texts: NDArray[np.int32]
    counts: NDArray[np.uint8]
    lengths: Floats
    """Pairs of each text."""

    def scores(self, query: str) -> Floats:
        """Return how well each text answers a query; 0 where they have no pair in common."""
        found = np.zeros(len(self.lengths), dtype=np.float32)
        mean = max(float(self.lengths.mean()), 1.0) if len(self.lengths) else 1.0
        for who, counts in self._postings(query):
            rarity = np.float32(np.log1p((len(self.lengths) - len(who) + 0.5) / (len(who) + 0.5)))
            often = counts.astype(np.float32)
            weight = often * np.float32(K1 + 1) / (often + np.float32(K1) * (1 - B + B / mean * self.lengths[who]))
            found[who] += rarity * weight.astype(np.float32)
        return found

    def shared(self, query: str) -> NDArray[np.uint8]:
        """Return how many different pairs of a query each text has."""
        found = np.zeros(len(self.lengths), dtype=np.uint8)
        for who, _ in self._postings(query):
            found[who] += 1
        return found

    def _postings(self, query: str) -> Iterator[tuple[NDArray[np.int32], NDArray[np.uint8]]]:
        for pair in pairs_of(query):
            at = int(np.searchsorted(self.pairs, pair))
            if at < len(self.pairs) and self.pairs[at] == pair:
                span = slice(self.starts[at], self.starts[at + 1])
                yield self.texts[span], self.counts[span]


def pairs_of(text: str) -> Keys:
    """Return the different pairs of neighbouring characters of a text, sorted."""
    keys, good = _pairs(text)
    return np.unique(keys[good])


def in_memory(_name: str, size: int, kind: type[np.generic]) -> NDArray[Any]:
    """Make an array for postings."""
    return np.empty(size, dtype=kind)


def build_bm25(
    texts: Texts,
    make: Callable[[str, int, type[np.generic]], NDArray[Any]] = in_memory,
    release: Callable[[NDArray[Any]], None] = lambda _array: None,
) -> Bm25:
    """Return the index of ``texts``: two passes, so that beside the postings only one block lies in memory.

    ``make`` provides the arrays of postings, ``texts`` and ``counts``, which may be mapped files; ``release`` is given
    them, and the texts, now and then, and may give back the memory that their pages take.
    """
    known, often = np.empty(0, dtype=np.uint32), np.empty(0, dtype=np.int64)
    lengths = np.zeros(len(texts), dtype=np.float32)
    sizes = texts.character_counts()
    for first, end, block in texts.blocks(_BLOCK):
        keys, _, counts = _block_postings(block, sizes[first:end], lengths[first:end])
        del counts
        new, times = np.unique(keys, return_counts=True)
        merged, where = np.unique(np.concatenate([known, new]), return_inverse=True)
        summed = np.zeros(len(merged), dtype=np.int64)
        np.add.at(summed, where, np.concatenate([often, times]))
        known, often = merged, summed
    starts = np.concatenate([[0], np.cumsum(often)]).astype(np.int64)
    found = make("texts", int(starts[-1]), np.int32)
    counted = make("counts", int(starts[-1]), np.uint8)
    filled = starts[:-1].copy()
    for first, end, block in texts.blocks(_BLOCK):
        keys, who, counts = _block_postings(block, sizes[first:end], lengths[first:end])
        new, begins, times = np.unique(keys, return_index=True, return_counts=True)
        row = np.searchsorted(known, new)
        # Postings of one pair keep the order of their texts: its block begins where the blocks before have ended.
        places = np.repeat(filled[row] - begins, times) + np.arange(len(keys))
        found[places] = who + first
        counted[places] = counts
        filled[row] += times
        if end % (_RELEASED * _BLOCK) == 0:
            for array in (found, counted, texts.data):
                release(array)
    return Bm25(known, starts, found, counted, lengths)


def _block_postings(
    block: str, sizes: NDArray[np.int64], lengths: Floats
) -> tuple[Keys, NDArray[np.int32], NDArray[np.uint8]]:
    """Return pair, text and count of each posting of a block in order of pair and text; fill in the texts' lengths."""
    keys, good = _pairs(block)
    owner = np.repeat(np.arange(len(sizes), dtype=np.uint32), sizes)
    if len(owner) > 1:
        good &= owner[1:] == owner[:-1]
    joined = np.sort(keys[good].astype(np.uint64) << np.uint64(20) | owner[:-1][good])
    lengths[:] = np.bincount((joined & np.uint64(0xFFFFF)).astype(np.int64), minlength=len(sizes))
    joined, counts = np.unique_counts(joined) if len(joined) else (joined, np.empty(0, dtype=np.int64))
    who = (joined & np.uint64(0xFFFFF)).astype(np.int32)
    return (joined >> np.uint64(20)).astype(np.uint32), who, np.minimum(counts, _LARGEST_COUNT).astype(np.uint8)


def _pairs(text: str) -> tuple[Keys, NDArray[np.bool_]]:
    """Return the pair that begins at each character but the last, and whether both are letters or digits."""
    points = np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32)
    points = _folding()[np.minimum(points, 0xFFFF)].astype(np.uint32)
    keys = points[:-1] << np.uint32(16) | points[1:]
    return keys, (points[:-1] > 0) & (points[1:] > 0)


@cache
def _folding() -> NDArray[np.uint16]:
    """Return, for each character of the basic plane, what it counts as; 0 for what is no letter or digit."""
    table = np.zeros(0x10000, dtype=np.uint16)
    for point in range(0xFFFF):  # the last one stands for characters beyond the plane, which do not count
        if chr(point).isalnum():
            half = chr(point - 0xFEE0) if 0xFF01 <= point <= 0xFF5E else chr(point)
            lower = half.lower()
            table[point] = ord(lower) if len(lower) == 1 else point
    return table
