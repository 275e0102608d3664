"""Which companies a park should talk to first: pure ranking over rows of a registry, the same for the same rows.

The score is 3·ln(1 + prior expansions) − ln(distance in km + 20): on dated cross-city expansions, history and distance
carried nearly all of the signal, and linkage almost none, so industries select candidates and do not score them. There
is no chance of success in the result: without outcomes the data supports a rank and a percentile, and nothing more.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Protocol

from services.rules.industries import DIVISIONS
from services.rules.limits import Limit, rules_out
from services.rules.ranking.measures import Chance
from tenants.kernel.errors import Conflict
from tenants.kernel.messages import Message, msg

FEWEST_ELIGIBLE = 200
FEWEST_LEADS = 20
OLDEST_DAYS = 180
OVERLAP = 0.6
"""Share of a word's character pairs that a business scope must contain to be related to it."""
LONGEST_QUOTE = 200
"""Characters of a business scope that a reason quotes."""
EARTH_KM = 6371.0088
MUNICIPALITIES = frozenset({"11", "12", "31", "50"})

_JOINTS = re.compile("[、，,和及]|其他|制造业?|加工业?|生产|供应|服务业?|活动|业$")
Position = tuple[float, float]
"""Latitude and longitude in degrees."""
Locate = Callable[[str], Position | None]


@dataclass(frozen=True, order=True)
class Company:
    """A row of the registry. ``industry_code`` is of GB/T 4754, or empty; ``expansions`` counts sites in other cities."""

    uscc: str
    as_of: date
    name: str
    region_code: str
    industry_code: str
    expansions: int
    scope: str
    active: bool
    founded_on: date | None = None
    capital_fen: int | None = None


@dataclass(frozen=True)
class Logistics:
    """Road distances in km to the nearest of each kind; None where nobody said."""

    motorway_km: float | None = None
    rail_freight_km: float | None = None
    port_km: float | None = None
    airport_km: float | None = None


@dataclass(frozen=True)
class Brief:
    """What a park looks for, and what it offers.

    ``divisions`` are wanted industries, ``keywords`` words of a business scope; with neither, every company is a
    candidate. ``exclusions`` (beginnings of industry codes) and ``limits`` say what is not looked for. Land and rent are
    in fen per mu and per m² and month, free power in kVA, electricity in yuan per kWh, the budget for supporting firms in
    fen; None is what was not said.
    """

    region_code: str
    divisions: tuple[str, ...]
    keywords: tuple[str, ...]
    area_mu: float
    count: int
    exclude_own_region: bool
    exclusions: tuple[str, ...] = ()
    limits: tuple[Limit, ...] = ()
    land_price_fen_per_mu: int | None = None
    rent_fen_per_m2_month: int | None = None
    power_kva: float | None = None
    electricity_yuan_per_kwh: float | None = None
    logistics: Logistics = Logistics()
    budget_fen: int | None = None


@dataclass(frozen=True)
class Reason:
    """Why a company is on the list: a sentence, and the field of its row that it stands on.

    ``weight`` is what it adds to the score against the usual lead, where a fitted model ranks.
    """

    code: str
    text: Message
    field: str
    value: str
    as_of: date
    weight: float | None = None


@dataclass(frozen=True)
class Lead:
    """A ranked company. ``percentile`` is the share of eligible companies that score lower, 0 to 100.

    ``chance`` is there only where enough dated outcomes support it.
    """

    rank: int
    company: Company
    score: float
    percentile: float
    distance_km: int
    reasons: tuple[Reason, ...]
    chance: Chance | None = None


class Scorer(Protocol):
    """What scores companies in place of distance and history alone: all answers are in the companies' order."""

    def scores(self, companies: Sequence[Company]) -> Sequence[float]:
        """Return a score for each, higher is better."""

    def chances(self, companies: Sequence[Company]) -> Sequence[Chance | None]:
        """Return what is known of how often companies placed like these moved in."""

    def reasons(self, companies: Sequence[Company]) -> Sequence[tuple[Reason, ...]]:
        """Return why each scores as it does."""


@dataclass(frozen=True)
class Ranking:
    """The leads, from how many companies they were chosen, and as of when the newest row is."""

    leads: tuple[Lead, ...]
    eligible: tuple[Company, ...]
    seen: int
    as_of: date


@dataclass(frozen=True)
class _Candidate:
    company: Company
    word: str | None
    """The brief's word that its scope is related by; None when its industry itself is wanted, or any is."""
    distance_km: float
    score: float


def rank_leads(
    brief: Brief, companies: Iterable[Company], locate: Locate, today: date, scorer: Scorer | None = None
) -> Ranking:
    """Return the best leads of ``companies`` for ``brief``; order and repetition of rows change nothing.

    ``scorer`` ranks in place of distance and history; it must know all of ``companies``.

    Raises Conflict, and nothing is charged, when the registry is older than 180 days, when fewer than 200 companies
    are eligible, or when fewer than 20 leads come out.
    """
    here = locate(brief.region_code)
    if here is None:
        raise Conflict(
            "leads.no_position", msg("没有代码为 {code} 的地区的位置数据。请联系平台补充。", code=brief.region_code)
        )
    words = {word: bigrams(word) for word in brief_words(brief)}
    distances: dict[str, float | None] = {}
    found: dict[str, _Candidate] = {}
    newest, seen = date.min, 0
    for company in companies:
        seen += 1
        newest = max(newest, company.as_of)
        known = found.get(company.uscc)
        if known is not None and known.company >= company:
            continue
        known_by_then = company.founded_on is None or company.founded_on <= today
        candidate = _candidate(brief, company, words, here, locate, distances) if known_by_then else None
        if candidate is not None:
            found[company.uscc] = candidate
        elif known is not None:  # a newer row takes the company off the list
            found.pop(company.uscc)
    check_registry(newest if seen else None, len(found), today)
    candidates = list(found.values())
    if scorer is not None:
        given = scorer.scores([item.company for item in candidates])
        candidates = [replace(item, score=score) for item, score in zip(candidates, given, strict=True)]
    ordered = sorted(candidates, key=lambda item: (-item.score, item.company.uscc))
    leads = _leads(brief, ordered, scorer)
    if len(leads) < FEWEST_LEADS:
        raise Conflict("leads.too_few", msg("只找到 {count} 条线索，不足 {fewest} 条，本次不计费。请放宽行业。",
                                            count=len(leads), fewest=FEWEST_LEADS))  # fmt: skip
    eligible = tuple(sorted(item.company for item in ordered))
    return Ranking(leads, eligible, seen, newest)


def _leads(brief: Brief, ordered: Sequence[_Candidate], scorer: Scorer | None) -> tuple[Lead, ...]:
    scores = sorted(item.score for item in ordered)
    first = ordered[: brief.count]
    chosen = [item.company for item in first]
    chances = [None] * len(chosen) if scorer is None else scorer.chances(chosen)
    reasons = [_history(item) for item in first] if scorer is None else scorer.reasons(chosen)
    return tuple(
        Lead(
            rank=number,
            company=item.company,
            score=round(item.score, 6),
            percentile=round(100 * bisect_left(scores, item.score) / len(scores), 2),
            distance_km=round(item.distance_km),
            reasons=_told(item, brief, why),
            chance=chance,
        )
        for number, (item, why, chance) in enumerate(zip(first, reasons, chances, strict=True), start=1)
    )


def check_registry(newest: date | None, eligible: int, today: date) -> None:
    """Refuse a registry that is empty, too old, or too thin for the brief: such a list would not be worth its price."""
    if newest is None:
        raise Conflict("leads.no_registry", msg("企业名录还没有数据，本次不计费。请联系平台导入名录。"))
    if (today - newest).days > OLDEST_DAYS:
        raise Conflict(
            "leads.registry_too_old",
            msg("企业名录数据截至 {as_of}，已超过 {days} 天，本次不计费。请联系平台更新名录后再试。",
                as_of=newest, days=OLDEST_DAYS),
        )  # fmt: skip
    if eligible < FEWEST_ELIGIBLE:
        raise Conflict(
            "leads.too_few_companies",
            msg("名录中只有 {count} 家企业符合所选行业，不足 {fewest} 家，本次不计费。请增加行业、放宽关键词，或减少排除的行业与环境限制。",
                count=eligible, fewest=FEWEST_ELIGIBLE),
        )  # fmt: skip


def brief_words(brief: Brief) -> tuple[str, ...]:
    """Return the words that a related business scope contains: the keywords, and the parts of the industries' names."""
    parts = [part for division in brief.divisions for part in _JOINTS.split(DIVISIONS[division])]
    return tuple(dict.fromkeys([*brief.keywords, *(part for part in parts if len(part) > 1)]))


def bigrams(text: str) -> frozenset[str]:
    """Return the pairs of neighbouring characters of ``text``: Chinese has no spaces to split words at."""
    return frozenset(text[index : index + 2] for index in range(len(text) - 1))


def distance_km(one: Position, other: Position) -> float:
    """Return the great-circle distance of two positions (haversine, mean earth radius)."""
    (lat1, lon1), (lat2, lon2) = (tuple(map(math.radians, place)) for place in (one, other))
    half = math.sin((lat2 - lat1) / 2) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    return 2 * EARTH_KM * math.asin(min(1.0, math.sqrt(half)))


def score_of(expansions: int, kilometres: float) -> float:
    """Return the heuristic score."""
    return 3 * math.log1p(expansions) - math.log(kilometres + 20)


def own_region(code: str) -> str:
    """Return the beginning of the codes that lie in a park's own region: its prefecture, or its municipality."""
    return code[:2] if code[:2] in MUNICIPALITIES else code[:4]


def _candidate(
    brief: Brief,
    company: Company,
    words: Mapping[str, frozenset[str]],
    here: Position,
    locate: Locate,
    distances: dict[str, float | None],
) -> _Candidate | None:
    """Return the company with its distance and score, None when it is not eligible."""
    if not company.active or (
        brief.exclude_own_region and company.region_code.startswith(own_region(brief.region_code))
    ):
        return None
    if rules_out(company.industry_code, brief.exclusions, brief.limits):
        return None
    wanted = company.industry_code[:2] in brief.divisions or not (brief.divisions or words)
    word = None if wanted else _related(company.scope, words)
    if word is None and not wanted:
        return None
    code = company.region_code
    if code not in distances:
        place = locate(code)
        distances[code] = None if place is None else distance_km(here, place)
    far = distances[code]
    return None if far is None else _Candidate(company, word, far, score_of(company.expansions, far))


def _related(scope: str, words: Mapping[str, frozenset[str]]) -> str | None:
    """Return the first word of the brief that the scope contains most character pairs of."""
    return next((word for word, own in words.items() if sum(pair in scope for pair in own) >= OVERLAP * len(own)), None)


def _told(item: _Candidate, brief: Brief, history: Sequence[Reason]) -> tuple[Reason, ...]:
    """Return why a company ranks as it does, why it is eligible, and how far it is."""
    why = tuple(each for each in history if each.code != "DISTANCE")
    near = next((each for each in history if each.code == "DISTANCE"), _distance(item))
    return (*why, *_eligible(item, brief), near)


def _eligible(item: _Candidate, brief: Brief) -> tuple[Reason, ...]:
    company, as_of = item.company, item.company.as_of
    division = company.industry_code[:2]
    if item.word is not None:
        quoted = company.scope[:LONGEST_QUOTE]
        return (Reason("SCOPE", msg("经营范围与“{word}”相关。", word=item.word), "scope", quoted, as_of),)
    if division in brief.divisions:
        told = msg("行业代码 {code}，属于所选行业“{name}”。", code=company.industry_code, name=DIVISIONS[division])
        return (Reason("INDUSTRY", told, "industry_code", company.industry_code, as_of),)
    return ()


def _distance(item: _Candidate) -> Reason:
    return Reason(
        "DISTANCE",
        msg("所在地与园区相距约 {km} 公里。", km=round(item.distance_km)),
        "region_code",
        item.company.region_code,
        item.company.as_of,
    )


def _history(item: _Candidate) -> tuple[Reason, ...]:
    company = item.company
    if not company.expansions:
        return ()
    told = msg("登记有 {count} 次异地扩张。", count=company.expansions)
    return (Reason("EXPANSIONS", told, "expansions", str(company.expansions), company.as_of),)
