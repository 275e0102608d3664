"""The fitted ranker: what it learns from dated expansions, when it is used, and what it may say of chances."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.gateways import lead_model
from services.gateways.lead_model import LEAST_POSITIVES, Ranker, fit_ranker
from services.gateways.lead_scoring import FittedScorer
from services.gateways.positions import locate
from services.rules.companies import Company
from services.rules.demo_companies import demo_uscc
from services.rules.expansions import Expansion
from services.rules.leads import Brief, Ranking
from services.rules.ranking.history import FEATURES, History, Pool, build_pool, later_pairs
from services.rules.ranking.listing import best_first, rank_registry
from services.rules.ranking.measures import LEAST_HITS, chances_by_rank, score_lists
from services.rules.ranking.registry import build_registry
from services.rules.ranking.retrieval import build_bm25

CITIES = tuple(f"{code}00" for code in ("3301", "3302", "3201", "3205", "4201", "5101", "6101", "4401", "4403", "3501"))
FIRST, DAY, LAST = date(2018, 1, 1), date(2024, 1, 1), date(2025, 1, 1)
BRIEF = Brief("510100", (), (), 50.0, 50, exclude_own_region=True)


def _town(seed: int, *, loyal: bool) -> tuple[list[Company], list[Expansion]]:
    """Return 2,500 companies and their moves; loyal ones follow what others from home did, the rest go anywhere, anytime."""
    chance = random.Random(seed)
    companies = [
        Company(
            demo_uscc(CITIES[number % 10], number), date(2023, 12, 31), f"甲{number}公司", CITIES[number % 10],
            f"{13 + number % 20}", 0, "研发", active=True, founded_on=date(2000, 1, 1) + timedelta(days=number),
            capital_fen=10**9 + number,
        )
        for number in range(2500)
    ]  # fmt: skip
    moves = []
    days = (LAST - FIRST).days
    for number, company in enumerate(companies):
        home = number % 10
        rate = chance.paretovariate(0.8) * 0.4
        start, length = (chance.randrange(days), 500) if loyal else (0, days)
        for _ in range(min(40, int(rate))):
            on = FIRST + timedelta(days=min(days - 1, start + chance.randrange(length)))
            there = (home * 3 + 1 + chance.choice((0, 0, 0, 1))) % 10 if loyal else chance.randrange(10)
            moves.append(Expansion(company.uscc, "", CITIES[there], on))
    return companies, moves


def _pool(companies: list[Company], moves: list[Expansion], day: date = DAY) -> Pool:
    return build_pool(build_registry(companies), moves, locate, day, BRIEF.region_code)


def _list(pool: Pool, ranker: Ranker | None) -> Ranking:
    scorer = None if ranker is None else FittedScorer(pool, ranker, BRIEF.region_code, DAY)
    return rank_registry(BRIEF, pool.with_moves(), build_bm25(pool.registry.scopes), locate, DAY, scorer)


@pytest.fixture(scope="module")
def loyal() -> tuple[list[Company], list[Expansion], Ranker]:
    companies, moves = _town(1, loyal=True)
    return companies, moves, fit_ranker(_pool(companies, moves), DAY.toordinal())


def test_what_can_be_learnt_is_learnt_and_holds_in_the_year_that_follows(
    loyal: tuple[list[Company], list[Expansion], Ranker],
) -> None:
    companies, moves, ranker = loyal
    assert ranker.method in {"linear", "boosted"}
    assert ranker.scores[ranker.method].ndcg > ranker.scores["heuristic"].ndcg
    pool, later = _pool(companies, moves), _pool(companies, moves, LAST)
    history = History(pool, DAY.toordinal())
    who, to = later_pairs(later, DAY.toordinal(), LAST.toordinal())
    found = {}
    for name, asked in (("fitted", ranker), ("plain", Ranker("heuristic", {}, 0, 0))):
        lists = []
        for where in range(len(pool.cities)):
            relevant = np.intersect1d(who[to == where], np.flatnonzero(history.able(where)))
            first = best_first(asked.score(history, where), 500)
            lists.append((np.isin(first, relevant).tolist(), len(relevant)))
        found[name] = score_lists(lists)
    assert found["fitted"].ndcg > 1.2 * found["plain"].ndcg


def test_the_method_is_chosen_before_the_window_that_scores_it(
    loyal: tuple[list[Company], list[Expansion], Ranker], monkeypatch: pytest.MonkeyPatch
) -> None:
    companies, moves, ranker = loyal
    pool, judged = _pool(companies, moves), []
    real = lead_model.judge

    def turned(pool: Pool, begin: int, end: int, linear: Any, trees: Any) -> Any:
        """In the window of the choice, let the better of the two fitted methods have the other's lists."""
        lists = real(pool, begin, end, linear, trees)
        judged.append(end)
        if end < DAY.toordinal():
            lists["linear"], lists["boosted"] = lists["boosted"], lists["linear"]
        return lists

    monkeypatch.setattr(lead_model, "judge", turned)
    other = fit_ranker(pool, DAY.toordinal())
    assert judged == [DAY.toordinal() - ranker.window_days, DAY.toordinal()]
    assert {ranker.method, other.method} == {"linear", "boosted"}
    assert other.scores == ranker.scores, "what scores it is what it was"


def test_too_few_outcomes_leave_the_plain_order(tmp_path: Path) -> None:
    companies, moves = _town(2, loyal=True)
    few = sorted(moves, key=lambda move: move.on)[:150]
    ranker = fit_ranker(_pool(companies, few), DAY.toordinal())
    assert (ranker.method, ranker.scores, ranker.chances) == ("heuristic", {}, ())
    assert ranker.positives < LEAST_POSITIVES
    assert fit_ranker(_pool(companies, []), DAY.toordinal()).method == "heuristic"


def test_nothing_of_the_day_or_after_it_is_known(loyal: tuple[list[Company], list[Expansion], Ranker]) -> None:
    companies, moves, _ = loyal
    cut = [move for move in moves if move.on < DAY]
    whole, known = _pool(companies, moves), _pool(companies, cut)
    assert whole.moved_on.tolist() == known.moved_on.tolist()
    early = date(2021, 6, 1).toordinal()
    before = History(_pool(companies, [move for move in moves if move.on < date(2021, 6, 1)]), early)
    then = History(known, early)
    who = np.arange(0, 2500, 7)
    assert np.array_equal(before.features(who, 3), then.features(who, 3), equal_nan=True)


def test_order_repetition_and_unknown_companies_change_nothing(
    loyal: tuple[list[Company], list[Expansion], Ranker],
) -> None:
    companies, moves, ranker = loyal
    chance = random.Random(5)
    mixed, again = [*companies, *companies[:100]], [*moves, *moves[:200], Expansion("nobody", "", CITIES[0], FIRST)]
    chance.shuffle(mixed)
    chance.shuffle(again)
    other = fit_ranker(_pool(mixed, again), DAY.toordinal())
    assert other.scores == ranker.scores
    assert other.chances == ranker.chances
    lists = []
    for rows, found, fitted in ((companies, moves, ranker), (mixed, again, other)):
        lists.append(_list(_pool(rows, found), fitted).leads)
    assert lists[0] == lists[1]


def test_reasons_are_the_models_own_and_name_what_they_stand_on(
    loyal: tuple[list[Company], list[Expansion], Ranker],
) -> None:
    companies, moves, ranker = loyal
    leads = _list(_pool(companies, moves), ranker).leads
    by_code = {move.uscc: [each for each in moves if each.uscc == move.uscc and each.on < DAY] for move in moves}
    for lead in leads:
        weights = [reason.weight for reason in lead.reasons if reason.weight is not None]
        assert all(weight > 0 for weight in weights)
        assert all(reason.as_of < DAY for reason in lead.reasons)
        for reason in lead.reasons:
            if reason.code == "RECENT":
                assert reason.value == max(move.on for move in by_code[lead.company.uscc]).isoformat()
    assert {reason.code for lead in leads for reason in lead.reasons} >= {"FLOW", "RECENT", "DISTANCE"}
    assert [lead.score for lead in leads] == sorted((lead.score for lead in leads), reverse=True)


def test_contributions_sum_to_the_score(loyal: tuple[list[Company], list[Expansion], Ranker]) -> None:
    companies, moves, ranker = loyal
    pool = _pool(companies, moves)
    history = History(pool, DAY.toordinal())
    who = np.flatnonzero(history.able(5))[::11]
    features = history.features(who, 5)
    assert len(FEATURES) == features.shape[1]
    assert ranker.linear is not None
    odds = ranker.linear.odds(features)
    assert ranker.linear.everyone(history)(5)[who] == pytest.approx(odds), "the fast way says the same"
    whole = ranker.contributions(history, who, 5).sum(axis=1)
    rest = ranker.score(history, 5, who)[who] - whole
    assert np.ptp(rest) == pytest.approx(0, abs=1e-6), "what is left is the same for all companies"


def test_chances_come_from_counts_and_only_where_outcomes_support_them(
    loyal: tuple[list[Company], list[Expansion], Ranker],
) -> None:
    companies, moves, ranker = loyal
    assert ranker.chances
    leads = _list(_pool(companies, moves), ranker).leads
    assert leads[0].chance == ranker.chances[0]
    shares = [lead.chance.share for lead in leads if lead.chance]
    assert shares == sorted(shares, reverse=True)
    plain = _list(_pool(companies, moves), None)
    assert all(lead.chance is None for lead in plain.leads)


def test_list_scores_are_the_textbooks() -> None:
    found = score_lists([([True, False, True], 2), ([False], 0), ([False, False], 3)])
    best = 1 + 1 / math.log2(3)
    assert found.ndcg == pytest.approx((1 + 1 / math.log2(4)) / best / 2)
    assert (found.precision, found.recall, found.places, found.positives) == (2 / 50 / 2, 0.5, 2, 5)
    assert score_lists([]).places == 0


@example([[True, True]] * 6)  # all of them hits
@given(st.lists(st.lists(st.booleans(), min_size=1, max_size=80), max_size=12))
def test_chances_never_rise_down_the_list_and_count_every_rank_once(rows: list[list[bool]]) -> None:
    chances = chances_by_rank([(row, sum(row)) for row in rows], 365)
    shares = [each.share for each in chances]
    assert shares == sorted(shares, reverse=True)
    assert all(each.hits >= LEAST_HITS for each in chances)
    assert [each.first for each in chances] == [1, *(each.last + 1 for each in chances)][: len(chances)]
    for each in chances:
        low, high = each.interval
        assert 0 <= low <= each.share <= high <= 1
        assert each.sample == sum(min(len(row), each.last) - min(len(row), each.first - 1) for row in rows)


def test_a_registry_that_counts_more_than_the_file_knows_still_counts() -> None:
    companies, moves = _town(3, loyal=True)
    companies[0] = replace(companies[0], expansions=500)
    history = History(_pool(companies, moves), DAY.toordinal())
    assert history.prior[history.pool.registry.rows_of([companies[0].uscc])[companies[0].uscc]] == 500
