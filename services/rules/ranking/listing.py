"""The best leads of a registry for a brief: a scan over columns, the same for the same rows in any order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

import numpy as np
from numpy.typing import NDArray

from services.rules.companies import Company, Locate, distance_km, own_region
from services.rules.industries import DIVISIONS
from services.rules.lead_allocation import DEPTH, Openings, choose
from services.rules.leads import (
    EXPLORATION,
    FEWEST_LEADS,
    LONGEST_QUOTE,
    OVERLAP,
    Brief,
    Lead,
    Ranking,
    Reason,
    Scorer,
    brief_words,
    check_registry,
)
from services.rules.limits import rules_out
from services.rules.ranking.registry import UNKNOWN, Registry, build_registry
from services.rules.ranking.retrieval import Bm25, build_bm25, pairs_of
from tenants.kernel.errors import Conflict
from tenants.kernel.messages import msg

MOST_RETRIEVED = 20_000
"""Companies whose scopes alone make them candidates, at most: those that BM25 puts first."""

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


def rank_leads(
    brief: Brief, companies: Iterable[Company], locate: Locate, today: date, scorer: Scorer | None = None
) -> Ranking:
    """Return the best leads of some companies; ``rank_registry`` says how."""
    registry = build_registry(companies)
    return rank_registry(brief, registry, build_bm25(registry.scopes), locate, today, scorer)


def rank_registry(
    brief: Brief,
    registry: Registry,
    index: Bm25,
    locate: Locate,
    today: date,
    scorer: Scorer | None = None,
    openings: Openings | None = None,
    moved_on: Ints | None = None,
) -> Ranking:
    """Return the best leads of ``registry`` for ``brief``; ``index`` is over its scopes.

    ``moved_on`` tells of each row the day (ordinal) of its last dated expansion, where one is known. ``scorer`` ranks in place of distance and history; it must be of the same registry. With ``openings`` the leads are
    shared with other parks: what is closed to this one is left out, and a fifth is from beyond the top ranks. Raises Conflict, and nothing is
    charged, when the registry is older than 180 days, when fewer than 200 companies are eligible, or when fewer than 20
    leads come out.
    """
    eligible, far, newest = eligible_rows(brief, registry, index, locate, today)
    kilometres = far[registry.region[eligible]]
    scores = heuristic(registry.expansions[eligible], kilometres) if scorer is None else scorer.scores(eligible)
    first, explored = _chosen(registry, eligible, scores, brief.count, openings)
    if len(first) < FEWEST_LEADS:
        raise Conflict("leads.too_few", msg("只找到 {count} 条线索，不足 {fewest} 条，本次不计费。请放宽行业。",
                                            count=len(first), fewest=FEWEST_LEADS))  # fmt: skip
    rows = eligible[first]
    chances = [None] * len(rows) if scorer is None else scorer.chances(rows)
    companies = [registry.company(row) for row in rows.tolist()]
    if scorer is None:
        last = [UNKNOWN] * len(rows) if moved_on is None else moved_on[rows].tolist()
        reasons: Sequence[tuple[Reason, ...]] = [_history(each, day) for each, day in zip(companies, last, strict=True)]
    else:
        reasons = scorer.reasons(rows)
    lower = (
        [(scores < score).mean() for score in scores[first]]
        if explored
        else _share_below(scores, scores[first]).tolist()
    )
    leads = tuple(
        Lead(
            rank=number,
            company=company,
            score=round(float(scores[at]), 6),
            percentile=round(100 * below, 2),
            distance_km=round(float(kilometres[at])),
            reasons=(
                *_told(company, float(kilometres[at]), brief, why),
                *((_explored(company, int((scores > scores[at]).sum()) + 1),) if at in explored else ()),
            ),
            chance=chance,
            explored=at in explored,
        )
        for number, (at, company, why, chance, below) in enumerate(
            zip(first.tolist(), companies, reasons, chances, lower, strict=True), start=1
        )
    )
    return Ranking(leads, registry, eligible, newest)


def eligible_rows(
    brief: Brief, registry: Registry, index: Bm25, locate: Locate, today: date
) -> tuple[Ints, Floats, date]:
    """Return the rows that may be on a list, how far each region is, and as of when the registry's newest row is.

    Raises Conflict, and nothing is charged, when the registry is too old or too few of it are eligible.
    """
    far = _distances(brief, registry, locate)
    eligible = np.flatnonzero(_candidates(brief, registry, index, far, today))
    newest = date.fromordinal(int(registry.as_of.max())) if len(registry) else None
    check_registry(newest, len(eligible), today)
    return eligible, far, newest or today


def _chosen(
    registry: Registry, eligible: Ints, scores: Floats, count: int, openings: Openings | None
) -> tuple[Ints, frozenset[int]]:
    """Return the places of the leads in ``eligible``, best first, and which of them are from beyond the top ranks."""
    if openings is None:
        return best_first(scores, count), frozenset()
    closed = np.array(list(registry.rows_of(openings.closed).values()), dtype=np.int64)
    able = np.flatnonzero(~np.isin(eligible, closed))
    ranked = able[best_first(scores[able], count * (1 + DEPTH))]
    codes = [registry.codes[row].decode() for row in eligible[ranked].tolist()]
    choices = choose(codes, count, openings)
    first = ranked[np.array([each.at for each in choices], dtype=np.int64)]
    return first, frozenset(at for at, each in zip(first.tolist(), choices, strict=True) if each.explored)


def heuristic(expansions: NDArray[np.int32], kilometres: Floats) -> Floats:
    """Return 3·ln(1 + expansions) − ln(km + 20) of each."""
    found: Floats = 3 * np.log1p(expansions) - np.log(kilometres + 20)
    return found


def best_first(scores: Floats, count: int) -> Ints:
    """Return the places of the ``count`` highest scores in order; equal ones in order of place, so always the same."""
    if count < len(scores):
        least = np.partition(scores, len(scores) - count)[len(scores) - count]
        above = np.flatnonzero(scores > least)
        rest = np.flatnonzero(scores == least)[: count - len(above)]
        chosen = np.sort(np.concatenate([above, rest]))
    else:
        chosen = np.arange(len(scores))
    return chosen[np.argsort(-scores[chosen], kind="stable")]


def _share_below(scores: Floats, chosen: Floats) -> Floats:
    """Return which share of all scores is lower than each of the chosen ones, which are the highest, in order."""
    at_least = np.flatnonzero(np.append(chosen[1:] < chosen[:-1], True))
    known = at_least[np.searchsorted(at_least, np.arange(len(chosen)))] + 1.0
    if len(chosen):
        known[chosen == chosen[-1]] = np.count_nonzero(scores >= chosen[-1])
    found: Floats = (len(scores) - known) / max(len(scores), 1)
    return found


def _distances(brief: Brief, registry: Registry, locate: Locate) -> Floats:
    """Return how far each of the registry's regions is from the park; NaN where nobody knows."""
    here = locate(brief.region_code)
    if here is None:
        raise Conflict(
            "leads.no_position", msg("没有代码为 {code} 的地区的位置数据。请联系平台补充。", code=brief.region_code)
        )
    places = [locate(region) for region in registry.regions]
    return np.array([np.nan if place is None else distance_km(here, place) for place in places], dtype=np.float64)


def _candidates(brief: Brief, registry: Registry, index: Bm25, far: Floats, today: date) -> Mask:
    """Return which rows may be on the list."""
    here = own_region(brief.region_code)
    near = np.array([brief.exclude_own_region and region.startswith(here) for region in registry.regions], dtype=bool)
    able = registry.active & (registry.founded <= today.toordinal())
    able &= (~near & ~np.isnan(far))[registry.region]
    refused = [rules_out(industry, brief.exclusions, brief.limits) for industry in registry.industries]
    able &= ~np.array(refused, dtype=bool)[registry.industry]
    words = brief_words(brief)
    if not (brief.divisions or words):
        return able
    wanted = np.array([industry[:2] in brief.divisions for industry in registry.industries], dtype=bool)
    meant: Mask = wanted[registry.industry] | related(index, words)
    return able & meant


def related(index: Bm25, words: Sequence[str]) -> Mask:
    """Return which scopes have most of the character pairs of one of the words; the best by BM25 where they are many."""
    found = np.zeros(len(index.lengths), dtype=bool)
    for word in words:
        found |= index.shared(word) >= max(1.0, OVERLAP * len(pairs_of(word)))
    if int(found.sum()) > MOST_RETRIEVED:
        scores = np.where(found, sum(index.scores(word) for word in words), -1.0).astype(np.float64)
        found[:] = False
        found[best_first(scores, MOST_RETRIEVED)] = True
    return found


def _word_of(scope: str, words: Sequence[str]) -> str | None:
    """Return the first word of the brief that a scope has most character pairs of."""
    pairs = pairs_of(scope)
    return next(
        (word for word in words if np.isin(own := pairs_of(word), pairs).sum() >= max(1.0, OVERLAP * len(own))), None
    )


def _told(company: Company, kilometres: float, brief: Brief, history: Sequence[Reason]) -> tuple[Reason, ...]:
    """Return why a company ranks as it does, why it is eligible, and how far it is."""
    why = tuple(each for each in history if each.code != "DISTANCE")
    near = next((each for each in history if each.code == "DISTANCE"), _distance(company, kilometres))
    return (*why, *_meant(company, brief), near)


def _meant(company: Company, brief: Brief) -> tuple[Reason, ...]:
    """Return which wish of the brief a company meets."""
    division = company.industry_code[:2]
    if division in brief.divisions:
        told = msg("行业代码 {code}，属于所选行业“{name}”。", code=company.industry_code, name=DIVISIONS[division])
        return (Reason("INDUSTRY", told, "industry_code", company.industry_code, company.as_of),)
    word = _word_of(company.scope, brief_words(brief))
    if word is None:
        return ()
    told = msg("经营范围与“{word}”相关。", word=word)
    return (Reason("SCOPE", told, "scope", company.scope[:LONGEST_QUOTE], company.as_of),)


def _distance(company: Company, kilometres: float) -> Reason:
    told = msg("所在地与园区相距约 {km} 公里。", km=round(kilometres))
    return Reason("DISTANCE", told, "region_code", company.region_code, company.as_of)


def _explored(company: Company, place: int) -> Reason:
    """Return that a company is on the list for exploration, and where it really stands."""
    told = msg("按公平分配的探索名额列入，在符合条件的企业中列第 {place} 位。", place=place)
    return Reason(EXPLORATION, told, "place", str(place), company.as_of)


def _history(company: Company, moved_on: int) -> tuple[Reason, ...]:
    """Return what a company did before: how often it has moved, and the last time where a dated move is known."""
    if not company.expansions:
        return ()
    told = msg("登记有 {count} 次异地扩张。", count=company.expansions)
    counted = Reason("EXPANSIONS", told, "expansions", str(company.expansions), company.as_of)
    if moved_on == UNKNOWN:
        return (counted,)
    on = date.fromordinal(moved_on)
    told = msg("最近一次异地扩张在 {date}。", date=on.isoformat())
    return counted, Reason("RECENT", told, "events", on.isoformat(), on)
