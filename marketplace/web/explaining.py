"""Explanations of awards in plain sentences, in the reader's language: for pages and for the API alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from billing.rules.conditions import Comparison, Condition, Fact, Scalar
from billing.rules.explanations import EXEMPTION, ROLLING, BetterRate, CeilingState, Explanation, FundState, Unmet, Way
from marketplace.doors.language import reader_language
from marketplace.doors.service_names import service_name
from marketplace.doors.texts import ENGLISH
from marketplace.web import words
from marketplace.web.rendering import percent, say, yuan
from tenants.kernel.messages import Message, msg
from tenants.rules.regions import regions

FACTS = {
    "park_size": msg("园区规模"),
    "region": msg("所在区县"),
    "region_class": msg("所在地区"),
    "tier": msg("订阅层级"),
    "verification": msg("园区审核"),
    "control_group": msg("实际控制人"),
    "offering": msg("服务"),
    "offering_tier": msg("服务层级"),
    "delivery": msg("服务类别"),
    "provider": msg("服务机构"),
    "gross_fen": msg("标价"),
    "contracts_this_year": msg("本年已签合同数"),
}
COMPARISONS = {
    Comparison.EQ: msg("{fact}须为“{value}”"),
    Comparison.NE: msg("{fact}不能是“{value}”"),
    Comparison.IN: msg("{fact}须为以下之一：{value}"),
    Comparison.LTE: msg("{fact}不超过 {value}"),
    Comparison.GTE: msg("{fact}不低于 {value}"),
    Comparison.LT: msg("{fact}须低于 {value}"),
    Comparison.GT: msg("{fact}须高于 {value}"),
}
_KINDS = {
    "park_size": "size",
    "region_class": "region_class",
    "tier": "tier",
    "offering_tier": "tier",
    "verification": "verification",
    "delivery": "delivery",
}
SCOPES = {
    "order": msg("单笔订单补贴上限"),
    "entity_year": msg("本园区年度补贴上限"),
    "controller_year": msg("同一实际控制人年度补贴上限"),
    "provider_pool": msg("该服务机构的补贴额度"),
    "fund_year": msg("该政策年度总额度"),
    "scheme": msg("该政策执行期内总额度"),
    EXEMPTION: msg("一事一议批复额度"),
    ROLLING: msg("同一实际控制人滚动累计上限"),
}
FUND_STATES = {
    FundState.AVAILABLE: msg("专项资金余额充足。"),
    FundState.NEARLY_USED_UP: msg("专项资金即将用完，能否足额补贴以下单时的余额为准。"),
    FundState.USED_UP: msg("专项资金已用完。"),
}
MOST_VALUES = 8
"""Values of a list that are named one by one."""


@dataclass(frozen=True)
class ToldCeiling:
    """A ceiling for a bar: the share of it that is used, with this award, in whole per cent."""

    title: str
    text: str
    anew: str
    used_percent: int
    used_fen: int
    left_fen: int
    limit_fen: int


@dataclass(frozen=True)
class Told:
    """An explanation in words. ``why`` says what the rate is for, ``better`` why it is not higher."""

    why: tuple[str, ...]
    better: tuple[str, ...]
    ceilings: tuple[ToldCeiling, ...]
    fund: str | None
    elsewhere: bool = False
    """The programme is for other services: pages leave it out here."""

    @property
    def sentences(self) -> list[str]:
        """All of it, one sentence after the other."""
        ceilings = [f"{each.text} {each.anew}".strip() for each in self.ceilings]
        return [*self.why, *self.better, *ceilings, *([self.fund] if self.fund else [])]


def tell(explanation: Explanation) -> Told:
    """Return an explanation in words."""
    return Told(
        why=(
            *(words.reason(code) for code in explanation.reasons),
            *_eligibility(explanation),
            *([say(msg("批准文号：{number}。", number=explanation.document_no))] if explanation.document_no else []),
        ),
        better=tuple(_better(rate, explanation.rate_bp) for rate in explanation.better_rates),
        ceilings=tuple(tell_ceiling(each) for each in explanation.ceilings),
        fund=_fund(explanation.funds),
        elsewhere=explanation.other_services,
    )


def condition(each: Condition) -> str:
    """Return a condition in words."""
    fact = _fact(each.fact)
    return say(Message(COMPARISONS[each.comparison].template, {"fact": fact, "value": _value(each.fact, each.value)}))


def tell_ceiling(each: CeilingState) -> ToldCeiling:
    """Return a ceiling in words: how much of it is used and left, and when it starts anew."""
    title = say(SCOPES[each.scope]) if each.scope in SCOPES else each.scope
    figures = {
        "title": title,
        "limit": yuan(each.limit_fen),
        "used": yuan(each.used_fen),
        "taken": yuan(each.taken_fen),
        "left": yuan(each.left_fen),
    }
    if each.taken_fen:
        text = msg("{title} {limit}：此前已用 {used}，本次 {taken}，之后剩余 {left}。", **figures)
    else:
        text = msg("{title} {limit}：已用 {used}，剩余 {left}。", **figures)
    used = each.used_fen + each.taken_fen
    share = 100 if not each.limit_fen else min(100, used * 100 // each.limit_fen)
    return ToldCeiling(title, say(text), _anew(each), share, used, each.left_fen, each.limit_fen)


def _anew(each: CeilingState) -> str:
    if each.starts_anew is not None:
        return say(msg("{day} 起重新计算。", day=each.starts_anew.isoformat()))
    return say(msg("任意连续 {years} 年累计，满 {years} 年的不再计入。", years=each.years)) if each.years else ""


def _eligibility(explanation: Explanation) -> tuple[str, ...]:
    if not explanation.eligibility:
        return ()
    ways = say(msg("；或 ")).join(_way(way) for way in explanation.eligibility)
    return (say(msg("享受该政策还须：{ways}。", ways=ways)),)


def _better(rate: BetterRate, applied_bp: int) -> str:
    values = {"better": percent(rate.rate_bp), "applied": percent(applied_bp), "unmet": _way(rate.unmet)}
    if applied_bp:
        text = msg("为什么不是 {better}：{unmet}。", better=values["better"], unmet=values["unmet"])
    else:
        text = msg("要得到 {better}：{unmet}。", better=values["better"], unmet=values["unmet"])
    mendable = {each.condition.fact for each in rate.unmet} <= {"tier"}
    return say(text) + (say(msg("调整订阅层级即可达到。")) if mendable else "")


def _way(way: Way) -> str:
    return say(msg("，且")).join(_unmet(each) for each in way)


def _unmet(each: Unmet) -> str:
    if each.stated is None:
        return condition(each.condition) + say(msg("（目前没有此项信息）"))
    return condition(each.condition) + say(msg("（目前：{stated}）", stated=_value(each.condition.fact, each.stated)))


def _fund(states: Mapping[str, FundState]) -> str | None:
    """Return the worst state of an award's funds: the award shrinks with the fund that runs short first."""
    if not states:
        return None
    worst = max(states.values(), key=tuple(FundState).index)
    return say(FUND_STATES[worst])


def _fact(name: str) -> str:
    return say(FACTS[name]) if name in FACTS else name


def _value(fact: str, value: Fact) -> str:
    if isinstance(value, tuple):
        shown = [_scalar(fact, each) for each in value[:MOST_VALUES]]
        joined = say(msg("、")).join(shown)
        return joined if len(value) <= MOST_VALUES else say(msg("{some} 等 {count} 个", some=joined, count=len(value)))
    return "—" if value is None else _scalar(fact, value)


def _scalar(fact: str, value: Scalar) -> str:
    if isinstance(value, bool):
        return say(msg("是")) if value else say(msg("否"))
    if fact == "gross_fen" and isinstance(value, int | Decimal):
        return yuan(int(value))
    if fact == "region":
        return place(str(value))
    if fact == "offering":
        return service_name(str(value))
    return words.word(_KINDS[fact], value) if fact in _KINDS else str(value)


def place(code: str) -> str:
    """Return a division by its own name and its city's; English readers are also told the code."""
    region = regions().get(code)
    if region is None:
        return code
    name = "".join(dict.fromkeys(part for part in (region.city, region.county) if part)) or region.province
    return f"{name} ({code})" if reader_language() == ENGLISH else name
