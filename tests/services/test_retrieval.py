"""Retrieval over texts: against a plain reading of the formula, whatever the characters and the blocks."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.rules.ranking import retrieval
from services.rules.ranking.retrieval import K1, B, build_bm25, pairs_of
from services.rules.ranking.texts import pack_texts

LETTERS = "电池储能系统ab1AB、,。 Ａ①𠀀é"
WORDS = st.text(alphabet=LETTERS, max_size=12)


def _pairs(text: str) -> Counter[str]:
    """The pairs of a text, read letter by letter."""
    folded = [
        character.lower().translate({0xFF41: "a"}) if character.isalnum() and character != "𠀀" else None
        for character in text
    ]
    return Counter(one + two for one, two in itertools.pairwise(folded) if one is not None and two is not None)


def _plain(texts: list[str], query: str) -> list[float]:
    rows = [_pairs(text) for text in texts]
    mean = max(sum(row.total() for row in rows) / len(rows), 1.0)
    found = []
    for row in rows:
        score = 0.0
        for pair in _pairs(query):
            holders = sum(pair in other for other in rows)
            rarity = math.log1p((len(rows) - holders + 0.5) / (holders + 0.5))
            score += rarity * row[pair] * (K1 + 1) / (row[pair] + K1 * (1 - B + B * row.total() / mean))
        found.append(score)
    return found


@given(st.lists(WORDS, min_size=1, max_size=9), WORDS, st.integers(1, 4))
def test_scores_are_those_of_the_formula_whatever_the_blocks(texts: list[str], query: str, block: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(retrieval, "_BLOCK", block)
        index = build_bm25(pack_texts(texts))
    assert index.scores(query).tolist() == pytest.approx(_plain(texts, query), rel=1e-5, abs=1e-6)
    wanted = set(_pairs(query))
    assert index.shared(query).tolist() == [len(wanted & set(_pairs(text))) for text in texts]
    for at in range(len(index.pairs)):
        who = index.texts[index.starts[at] : index.starts[at + 1]]
        assert np.all(np.diff(who) > 0), "each text once, in order"


def test_texts_come_back_as_they_were() -> None:
    given_texts = ["", "储能", "é𠀀", "a" * 300, ""]
    texts = pack_texts(given_texts)
    assert [texts[at] for at in range(len(texts))] == given_texts
    assert texts.character_counts().tolist() == [len(each) for each in given_texts]
    assert len(pack_texts([])) == 0


def test_the_rarer_word_decides_and_width_and_case_do_not() -> None:
    texts = pack_texts(["锂电池生产；技术服务", "技术服务、技术服务", "ＬＥＤ照明", "技术咨询"])
    index = build_bm25(texts)
    assert int(np.argmax(index.scores("锂电池技术"))) == 0
    assert int(np.argmax(index.scores("led"))) == 2
    assert not index.scores("咨锂").any(), "no pair reaches from one text into another"
    assert pairs_of("技术").tolist() == pairs_of("技术、技术").tolist()
    assert not build_bm25(pack_texts([])).scores("技术").size
    assert not build_bm25(pack_texts(["", "、"])).scores("技术").any()
