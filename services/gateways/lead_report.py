"""The report of a lead list as data: every sentence of the documents, bound to the facts that it was made from.

``report.json`` holds it, and the slides, the letters and the plan are made from nothing else. Its form::

    {"title", "place", "as_of", "date", "brief": [S], "basis": [S], "offer": [S], "sections": [],
     "leads": [{"rank", "uscc", "name", "region", "standing": S, "reasons": [S], "pitch": {"by", "sentences": [S]}}],
     "evidence": {"E1": {"about", "field", "value", "as_of"}}}

S is ``{"text", "evidence": [id]}``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from services.gateways.brief_text import brief_facts
from services.gateways.lead_model import Ranker
from services.gateways.sectioned_documents import Section
from services.rules.companies import Company
from services.rules.evidence import TEMPLATE, Fact, Ledger, Statement
from services.rules.industries import DIVISIONS
from services.rules.leads import EXPLORATION, Brief, Lead, Ranking, Reason
from services.rules.ranking.measures import Chance
from tenants.rules.regions import region_name

FORMULA = "3·ln(1 + 异地扩张次数) − ln(距离 + 20)"
_BRIEF, _REGISTRY, _LIST, _MODEL = "招商需求", "企业名录", "招商线索", "排序模型"
_OURS = frozenset({"意向产业", "经营范围关键词", "招商扶持预算", "排除的行业", "环境限制"})
"""What a brief says to us and not to a company that is invited."""
_WISHES = ("意向产业", "经营范围关键词")
_METHODS = {"linear": "对数线性模型", "boosted": "对数线性模型加梯度提升树"}
_FEN_PER_WAN = 1_000_000


def lead_report(
    brief: Brief,
    ranking: Ranking,
    ranker: Ranker | None,
    today: date,
    sections: Sequence[Section] = (),
    more: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
) -> dict[str, Any]:
    """Return the report. ``today`` is the day of the request, ``sections`` what else the plan tells, on the facts ``more``."""
    ledger = Ledger()
    asked = {what: ledger.fact(_BRIEF, what, told, today) for what, told in brief_facts(brief)}
    told = {what: Statement(f"{what}：{fact.value}。", (fact,)) for what, fact in asked.items()}
    wishes = tuple(asked[what] for what in _WISHES if what in asked)
    basis = [*_listed(ledger, ranking), *_method(ledger, ranking, ranker, today)]
    leads = [_lead(ledger, lead, wishes, ranking.as_of) for lead in ranking.leads]
    return {
        "title": "招商线索与推介方案",
        "place": region_name(brief.region_code),
        "as_of": ranking.as_of.isoformat(),
        "date": today.isoformat(),
        "brief": _said(told.values()),
        "basis": _said(basis),
        "offer": _said(each for what, each in told.items() if what not in _OURS),
        "sections": [asdict(section) for section in sections],
        "leads": leads,
        "evidence": {
            fact.id: {"about": fact.about, "field": fact.field, "value": fact.value, "as_of": fact.as_of.isoformat()}
            for fact in ledger.facts()
        }
        | {key: dict(fact) for key, fact in more.items()},
    }


def _said(statements: Iterable[Statement]) -> list[dict[str, Any]]:
    return [{"text": each.text, "evidence": [fact.id for fact in each.facts]} for each in statements]


def _listed(ledger: Ledger, ranking: Ranking) -> list[Statement]:
    """Return how many companies were looked at, and where those of the list are."""
    spread = Counter(region_name(lead.company.region_code[:2] + "0000") for lead in ranking.leads)
    places = "、".join(f"{place} {count} 家" for place, count in sorted(spread.items(), key=lambda it: (-it[1], it[0])))
    seen = ledger.fact(_REGISTRY, "companies", str(len(ranking.registry)), ranking.as_of)
    eligible = ledger.fact(_LIST, "eligible", str(len(ranking.eligible)), ranking.as_of)
    leads = ledger.fact(_LIST, "leads", str(len(ranking.leads)), ranking.as_of)
    where = ledger.fact(_LIST, "spread", places, ranking.as_of)
    listed = Statement(
        f"企业名录共 {seen.value} 家企业，符合条件 {eligible.value} 家，名单为前 {leads.value} 家。",
        (seen, eligible, leads),
    )
    if explored := sum(lead.explored for lead in ranking.leads):
        beyond = ledger.fact(_LIST, "explored", str(explored), ranking.as_of)
        listed = Statement(
            f"企业名录共 {seen.value} 家企业，符合条件 {eligible.value} 家，名单列 {leads.value} 家，其中 {beyond.value} 家"
            "是靠前名次之外的探索名额；每家企业最多推荐给五个园区，已被其他园区认领和要求不再联系的企业不列入。",
            (seen, eligible, leads, beyond),
        )
    return [
        listed,
        Statement(f"名单企业分布于：{where.value}。", (where,)),
        Statement(f"名录数据截至 {ranking.as_of.isoformat()}。", (seen,)),
    ]


def _method(ledger: Ledger, ranking: Ranking, ranker: Ranker | None, today: date) -> list[Statement]:
    """Return what the order rests on, and how well that did in the back-test."""
    formula = ledger.fact(_MODEL, "heuristic", FORMULA, today)
    if ranker is None or not ranker.scores:
        return [
            Statement(f"排序依据为异地扩张经历与到园区的距离：得分 = {FORMULA}。", (formula,)),
            Statement("名单不含成功概率：在有足够的落地结果之前，数据不支持给出概率。", ()),
        ]
    of, plain = ranker.scores[ranker.method], ranker.scores["heuristic"]

    def card(name: str, value: str) -> Fact:
        return ledger.fact(_MODEL, name, value, today)

    window = card("back_test", f"最近 {ranker.window_days} 天、{of.places} 个城市、{of.positives} 次扩张")
    ndcg, precision = card("ndcg@50", f"{of.ndcg:.3f}"), card("precision@50", f"{100 * of.precision:.1f}%")
    if ranker.method == "heuristic":
        chosen = [Statement(f"排序依据为异地扩张经历与到园区的距离：得分 = {FORMULA}。", (formula,))]
    else:
        moves = card("expansions", str(ranker.positives))
        kept = (
            []
            if ranker.edition is None
            else [card("edition", str(ranker.edition[0])), card("edition_sha256", ranker.edition[1][:16])]
        )
        old = (
            card("heuristic ndcg@50", f"{plain.ndcg:.3f}"),
            card("heuristic precision@50", f"{100 * plain.precision:.1f}%"),
        )
        chosen = [
            *([Statement(f"所用模型为第 {kept[0].value} 版（SHA-256 {kept[1].value}）。", tuple(kept))] if kept else []),
            Statement(f"排序依据为用 {moves.value} 次有日期的异地扩张拟合的{_METHODS[ranker.method]}。", (moves,)),
            Statement(f"同一回测中只看扩张次数与距离的 nDCG@50 为 {old[0].value}、命中率 {old[1].value}。", old),
        ]  # fmt: skip
    return [
        *chosen,
        Statement(
            f"在{window.value}的回测中，所用方法的 nDCG@50 为 {ndcg.value}、前 50 名命中率 {precision.value}。",
            (window, ndcg, precision),
        ),
        Statement(
            "回测落户比例是当时排在同样位次的企业中随后扩张到该市的比例，不是承诺。"
            if any(lead.chance for lead in ranking.leads)
            else "名单不含成功概率：在有足够的落地结果之前，数据不支持给出概率。",
            (),
        ),
    ]


def _lead(ledger: Ledger, lead: Lead, wishes: tuple[Fact, ...], as_of: date) -> dict[str, Any]:
    company = lead.company
    name = _of(ledger, company, "name", company.name)
    reasons = [_reason(ledger, lead, reason, wishes) for reason in lead.reasons]
    inviting = [each for each, why in zip(reasons, lead.reasons, strict=True) if why.code != EXPLORATION]
    return {
        "rank": lead.rank,
        "uscc": company.uscc,
        "name": company.name,
        "region": region_name(company.region_code),
        "standing": _said([_standing(ledger, lead, name, as_of)])[0],
        "reasons": _said(reasons),
        "pitch": {"by": TEMPLATE, "sentences": _said([_profile(ledger, company, name), *inviting])},
    }


def _of(ledger: Ledger, company: Company, field: str, value: str) -> Fact:
    return ledger.fact(company.uscc, field, value, company.as_of)


def _standing(ledger: Ledger, lead: Lead, name: Fact, as_of: date) -> Statement:
    """Return where a company stands in the list; for the park, not for the company."""
    facts = [
        name,
        *(
            ledger.fact(lead.company.uscc, field, str(value), as_of)
            for field, value in (("rank", lead.rank), ("score", lead.score), ("percentile", lead.percentile))
        ),
    ]
    text = f"{name.value}列第 {lead.rank} 位，得分 {lead.score}，百分位 {lead.percentile}"
    if lead.chance is not None:
        facts.append(ledger.fact(lead.company.uscc, "chance", chance_text(lead.chance), as_of))
        text += f"，回测落户比例 {facts[-1].value}"
    return Statement(f"{text}。", tuple(facts))


def chance_text(chance: Chance) -> str:
    """Return a chance with what it stands on, in percent."""
    low, high = chance.interval
    share, least, most = (f"{100 * part:.1f}" for part in (chance.share, low, high))
    return f"{share}%（{least}–{most}%，{chance.days} 天内，样本 {chance.sample}）"


def _profile(ledger: Ledger, company: Company, name: Fact) -> Statement:
    """Return who a company is, as far as its row tells."""
    region = _of(ledger, company, "region_code", company.region_code)
    facts, text = (
        [name, region],
        f"{company.name}（统一社会信用代码 {company.uscc}）登记于{region_name(company.region_code)}",
    )
    if company.industry_code:
        facts.append(_of(ledger, company, "industry_code", company.industry_code))
        trade = DIVISIONS.get(company.industry_code[:2])
        text += f"，行业代码 {company.industry_code}" + (f"（{trade}）" if trade else "")
    if company.founded_on:
        facts.append(_of(ledger, company, "founded_on", company.founded_on.isoformat()))
        text += f"，成立于 {company.founded_on.isoformat()}"
    if company.capital_fen:
        facts.append(_of(ledger, company, "capital", _wan(company.capital_fen)))
        text += f"，注册资本 {facts[-1].value} 万元"
    return Statement(f"{text}。", tuple(facts))


def _wan(fen: int) -> str:
    """Return fen in units of ten thousand yuan, exactly."""
    return f"{(Decimal(fen) / _FEN_PER_WAN).normalize():f}"


def _reason(ledger: Ledger, lead: Lead, reason: Reason, wishes: tuple[Fact, ...]) -> Statement:
    facts = [ledger.fact(lead.company.uscc, reason.field, reason.value, reason.as_of)]
    if reason.code == "DISTANCE":
        facts.append(ledger.fact(lead.company.uscc, "distance_km", str(lead.distance_km), reason.as_of))
    if reason.code == "SCOPE":
        facts += wishes  # the word comes from what the park asked for
    return Statement(str(reason.text), tuple(facts))
