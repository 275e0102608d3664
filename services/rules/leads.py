"""Which companies a park should talk to first: what is asked, and what a list says (``ranking.listing`` makes it).

The score is 3·ln(1 + prior expansions) − ln(distance in km + 20): on dated cross-city expansions, history and distance
carried nearly all of the signal, and linkage almost none, so industries select candidates and do not score them. There
is no chance of success in the result: without outcomes the data supports a rank and a percentile, and nothing more.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from services.rules.companies import Company
from services.rules.industries import DIVISIONS
from services.rules.limits import Limit
from services.rules.ranking.measures import Chance
from services.rules.ranking.registry import Registry
from tenants.kernel.errors import Conflict
from tenants.kernel.messages import Message, msg

FEWEST_ELIGIBLE = 200
FEWEST_LEADS = 20
OLDEST_DAYS = 180
OVERLAP = 0.6
"""Share of a word's character pairs that a business scope must contain to be related to it."""
EXPLORATION = "EXPLORATION"
"""Code of the reason of a lead from beyond the top ranks; it is for the park, and no letter says it."""
LONGEST_QUOTE = 200
"""Characters of a business scope that a reason quotes."""

_JOINTS = re.compile("[、，,和及]|其他|制造业?|加工业?|生产|供应|服务业?|活动|业$")


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

    ``chance`` is there only where enough dated outcomes support it. ``explored`` was taken from beyond the top ranks.
    """

    rank: int
    company: Company
    score: float
    percentile: float
    distance_km: int
    reasons: tuple[Reason, ...]
    chance: Chance | None = None
    explored: bool = False


class Scorer(Protocol):
    """What scores a registry's rows in place of distance and history alone: answers are in the order of ``rows``."""

    def scores(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return a score for each, higher is better."""

    def chances(self, rows: NDArray[np.int64]) -> Sequence[Chance | None]:
        """Return what is known of how often companies placed like these moved in."""

    def reasons(self, rows: NDArray[np.int64]) -> Sequence[tuple[Reason, ...]]:
        """Return why each scores as it does."""


@dataclass(frozen=True)
class Ranking:
    """The leads, the registry's rows from which they were chosen, and as of when the newest row is."""

    leads: tuple[Lead, ...]
    registry: Registry
    eligible: NDArray[np.int64]
    as_of: date


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


def fingerprint(brief: Brief, registry: str, tables: Iterable[str]) -> str:
    """Return the hash of a question and its data: the same one means that the same was asked of the same rows.

    ``registry`` names the registry with its expansions as it was, ``tables`` are the hashes of the positioning's tables.
    The order of words and industries asks nothing, and a newer engine is no newer data.
    """
    asked = asdict(brief)
    for name in ("divisions", "exclusions", "limits"):
        asked[name] = sorted(set(asked[name]))
    asked["keywords"] = sorted({word.casefold() for word in brief.keywords})
    facts = {"brief": asked, "registry": registry, "tables": sorted(tables)}
    return hashlib.sha256(json.dumps(facts, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def brief_words(brief: Brief) -> tuple[str, ...]:
    """Return the words that a related business scope contains: the keywords, and the parts of the industries' names."""
    parts = [part for division in brief.divisions for part in _JOINTS.split(DIVISIONS[division])]
    return tuple(dict.fromkeys([*brief.keywords, *(part for part in parts if len(part) > 1)]))


def score_of(expansions: int, kilometres: float) -> float:
    """Return the heuristic score."""
    return 3 * math.log1p(expansions) - math.log(kilometres + 20)
