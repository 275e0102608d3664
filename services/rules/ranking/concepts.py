"""From free words to classes of GB/T 4754: BM25 over their names and descriptions, with words that the standard does not use."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.rules.ranking.retrieval import Bm25, build_bm25
from services.rules.ranking.texts import pack_texts

NAME_WEIGHT = 1.5
"""A pair in a class's own name against one in its description or in what it lies under."""
LIKENESS_WEIGHT = 0.5
"""Share of the embeddings in the mixed score, where they are installed."""

Floats = NDArray[np.float32]
Likeness = Callable[[str], Floats]
"""How alike a query is to each class, in the classes' order; higher is better."""


@dataclass(frozen=True)
class IndustryClass:
    """A division (two digits), group (three) or class (four) with the standard's name and description, which may be empty."""

    code: str
    name: str
    description: str


@dataclass(frozen=True)
class Suggestion:
    """A class that answers a query. ``score`` compares answers to one query only."""

    code: str
    name: str
    division: str
    score: float


@dataclass(frozen=True)
class ConceptIndex:
    """Indexes over the four-digit classes, and words with the standard's words for them."""

    classes: tuple[IndustryClass, ...]
    names: Bm25
    texts: Bm25
    words: Mapping[str, str]


def build_concepts(industries: Sequence[IndustryClass], words: Mapping[str, str]) -> ConceptIndex:
    """Return the index of all four-digit classes; each is known by the names of its group and division too."""
    by_code = {each.code: each for each in industries}
    classes = tuple(each for each in industries if len(each.code) == 4)
    return ConceptIndex(
        classes,
        build_bm25(pack_texts(each.name for each in classes)),
        build_bm25(pack_texts(text_of(each, by_code) for each in classes)),
        {word.lower(): meant for word, meant in words.items()},
    )


def text_of(industry: IndustryClass, by_code: Mapping[str, IndustryClass]) -> str:
    """Return what a class is searched by: its name and description, and those it lies under."""
    above = [by_code[industry.code[:size]] for size in (3, 2) if industry.code[:size] in by_code]
    return "。".join((industry.name, industry.description, *(f"{each.name}" for each in above)))


def suggest(
    index: ConceptIndex, query: str, count: int = 5, likeness: Likeness | None = None
) -> tuple[Suggestion, ...]:
    """Return the classes that answer a query best, none for a query that nothing answers.

    With ``likeness``, the mean of both scores, each put on the scale 0 to 1 by its greatest and least.
    """
    asked = expanded(index, query)
    scores = NAME_WEIGHT * index.names.scores(asked) + index.texts.scores(asked)
    if likeness is not None:
        scores = (1 - LIKENESS_WEIGHT) * _scaled(scores) + LIKENESS_WEIGHT * _scaled(likeness(query))
    order = np.lexsort((np.arange(len(scores)), -scores))[:count].tolist()
    return tuple(
        Suggestion(one.code, one.name, one.code[:2], round(float(scores[at]), 6))
        for at in order
        if scores[at] > 0
        for one in (index.classes[at],)
    )


def expanded(index: ConceptIndex, query: str) -> str:
    """Return a query with the standard's words for those of it that are known; set apart, so that no pair spans them."""
    folded = query.lower()
    return "。".join((query, *(meant for word, meant in index.words.items() if word in folded)))


def _scaled(scores: Floats) -> Floats:
    low, high = scores.min(), scores.max()
    found: Floats = np.zeros_like(scores) if high <= low else (scores - low) / (high - low)
    return found
