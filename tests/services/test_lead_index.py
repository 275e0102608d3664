"""The registry as columns, in memory and in a folder: the same companies come back, whatever order they came in."""

from __future__ import annotations

import random
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateways.lead_index import META, build_index, open_index
from services.rules.companies import Company
from services.rules.ranking.listing import best_first
from services.rules.ranking.registry import build_registry

FIRST = date(2025, 1, 1)
COMPANIES = st.builds(
    Company,
    uscc=st.sampled_from(["A" * 18, "B" * 18, "91510100YY0000003X"]),
    as_of=st.integers(0, 2).map(lambda days: FIRST + timedelta(days=days)),
    name=st.sampled_from(["甲集团", "乙股份公司", "丙分公司", ""]),
    region_code=st.sampled_from(["510100", "110000", "330106"]),
    industry_code=st.sampled_from(["39", "3982", ""]),
    expansions=st.integers(0, 3),
    scope=st.sampled_from(["", "储能系统", "é𠀀"]),
    active=st.booleans(),
    founded_on=st.none() | st.just(date(2001, 2, 3)),
    capital_fen=st.none() | st.integers(0, 10**15),
)


@given(st.lists(COMPANIES, max_size=12), st.randoms(use_true_random=False))
def test_the_newest_row_of_each_code_counts_in_any_order(rows: list[Company], chance: random.Random) -> None:
    registry = build_registry(rows)
    newest: dict[str, date] = {}
    for row in rows:
        newest[row.uscc] = max(newest.get(row.uscc, date.min), row.as_of)
    kept = [registry.company(at) for at in range(len(registry))]
    assert [each.uscc for each in kept] == sorted(newest)
    assert all(each in rows and each.as_of == newest[each.uscc] for each in kept)
    mixed = [*rows, *rows[:3]]
    chance.shuffle(mixed)
    again = build_registry(mixed)
    assert [again.company(at) for at in range(len(again))] == kept
    everyone = np.arange(len(kept))
    assert again.digest(everyone) == registry.digest(everyone)
    assert registry.rows_of([*newest, "nobody"]) == {each.uscc: at for at, each in enumerate(kept)}


@given(st.lists(COMPANIES, min_size=2, max_size=6, unique_by=lambda company: company.uscc))
def test_whatever_a_row_says_changes_its_digest(rows: list[Company]) -> None:
    digests = {build_registry([row]).digest(np.array([0])) for row in rows}
    assert len(digests) == len(rows)
    whole = build_registry(rows)
    assert {whole.digest(np.array([at])) for at in range(len(whole))} == digests, "of a row alone, wherever it stands"


@pytest.mark.parametrize("count", [0, 1, 700])
def test_a_folder_holds_what_memory_holds(tmp_path: Path, count: int) -> None:
    chance = random.Random(count)
    rows = [
        Company(f"{number:018d}", FIRST, f"企业{number}", chance.choice(["510100", "330106"]), "3982", number % 4,
                chance.choice(["储能系统研发", "", "技术服务；电池é"]) * chance.randint(0, 3), active=number % 5 > 0)
        for number in range(count)
    ]  # fmt: skip
    chance.shuffle(rows)
    built, known = build_index(iter([*rows, *rows[:9]]), tmp_path), build_registry(rows)
    opened = open_index(tmp_path)
    for index in (built, opened):
        assert [index.registry.company(at) for at in range(count)] == [known.company(at) for at in range(count)]
        assert (index.scopes.scores("储能电池") > 0).tolist() == [
            "储能" in known.scopes[at] or "电池" in known.scopes[at] for at in range(count)
        ]
    (tmp_path / META).unlink()
    with pytest.raises(OSError, match="meta"):
        open_index(tmp_path)


@given(st.lists(st.sampled_from([0.0, 1.0, 2.5, -np.inf]), max_size=20), st.integers(1, 25))
def test_the_best_come_first_and_equals_in_order(scores: list[float], count: int) -> None:
    plain = sorted(range(len(scores)), key=lambda at: (-scores[at], at))[:count]
    assert best_first(np.array(scores, dtype=np.float64), count).tolist() == plain
