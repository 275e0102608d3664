"""Policies, funds and laboratories in words: what a requirement asks, and what an enterprise stated."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from services.rules.industries import DIVISIONS
from services.rules.matching import Constant, Finding, Requirement, Test, Value
from tenants.kernel.messages import Message, msg
from tenants.rules.regions import region_name

KINDS = {"policy": msg("政策"), "fund": msg("资金"), "laboratory": msg("实验室")}
VERDICTS = {"match": msg("匹配"), "incomplete": msg("待补"), "no": msg("不符")}
STATES = {"upcoming": msg("尚未开始"), "in_force": msg("有效"), "ended": msg("已截止")}
STACKING = {
    "SUM": msg("可以叠加"),
    "MAX": msg("取最高的一项"),
    "EXCLUSIVE": msg("只能选一项"),
}
FACTS = {
    "founded_on": msg("成立日期"),
    "staff": msg("职工总数"),
    "rd_staff": msg("科技人员数"),
    "patents": msg("专利等知识产权件数"),
    "invention_patents": msg("其中发明专利件数"),
    "revenue_fen": msg("上年销售收入"),
    "rd_spend_fen": msg("上年研发费用"),
    "hightech_revenue_fen": msg("上年高新技术产品（服务）收入"),
    "assets_fen": msg("资产总额"),
    "taxable_income_fen": msg("年应纳税所得额"),
    "industry": msg("行业"),
    "region_code": msg("所在地区"),
    "fields": msg("技术领域"),
    "qualifications": msg("已有资质"),
    "restricted": msg("属于国家限制、禁止或淘汰类产业"),
    "on_dishonesty_list": msg("列入失信名单"),
    "rd_staff_share_bp": msg("科技人员占职工总数的比例"),
    "rd_spend_share_bp": msg("研发费用占销售收入的比例"),
    "hightech_revenue_share_bp": msg("高新技术产品（服务）收入占比"),
    "age_days": msg("成立天数"),
    "age_years": msg("成立满年数"),
}
FIELDS = {
    "electronics": msg("电子信息"),
    "biology": msg("生物与新医药"),
    "aerospace": msg("航空航天"),
    "materials": msg("新材料"),
    "hightech_services": msg("高技术服务"),
    "energy": msg("新能源与节能"),
    "environment": msg("资源与环境"),
    "manufacturing": msg("先进制造与自动化"),
}
QUALIFICATIONS = {
    "hightech": msg("高新技术企业"),
    "sme_tech": msg("科技型中小企业"),
    "innovative_sme": msg("创新型中小企业"),
    "specialised_sme": msg("专精特新中小企业"),
    "little_giant": msg("专精特新“小巨人”企业"),
}
_SIGNS = {Test.EQ: "＝", Test.NE: "≠", Test.GTE: "≥", Test.GT: "＞", Test.LTE: "≤", Test.LT: "＜"}
_SETS: Mapping[str, Mapping[str, Message]] = {"fields": FIELDS, "qualifications": QUALIFICATIONS}


def requirement_words(requirement: Requirement) -> Message:
    """Return what a requirement asks, such as 职工总数 ≤ 500."""
    fact: Message | str = FACTS.get(requirement.fact, requirement.fact)
    if isinstance(requirement.constant, bool):
        yes = requirement.constant is (requirement.test is Test.EQ)
        return msg("{fact}：是", fact=fact) if yes else msg("{fact}：否", fact=fact)
    value = value_words(requirement.fact, requirement.constant)
    sign = _SIGNS.get(requirement.test)
    if sign is not None:
        return msg("{fact} {sign} {value}", fact=fact, sign=sign, value=value)
    if requirement.test in {Test.LACKS, Test.OUTSIDE}:
        return msg("{fact}不含以下各项：{value}", fact=fact, value=value)
    return msg("{fact}为以下之一：{value}", fact=fact, value=value)


def finding_words(finding: Finding) -> Message:
    """Return what a requirement asks, beside what the enterprise stated or has yet to state."""
    asked = requirement_words(finding.requirement)
    if finding.value is None:
        missing = _joined([FACTS.get(name, name) for name in finding.missing])
        return msg("{asked}（请补充：{missing}）", asked=asked, missing=missing)
    return msg("{asked}（现为 {value}）", asked=asked, value=value_words(finding.requirement.fact, finding.value))


def value_words(fact: str, value: Value | Constant) -> Message | str:
    """Return a fact's value with its unit: yuan, per cent, days, years, or names of codes."""
    if isinstance(value, bool):
        return msg("是") if value else msg("否")
    if isinstance(value, frozenset | tuple):
        parts: list[str | int] = sorted(value) if isinstance(value, frozenset) else list(value)
        return _joined([value_words(fact, part) for part in parts]) if parts else msg("无")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, int | Decimal):
        return _number(fact, value)
    return _code(fact, value)


def _number(fact: str, value: int | Decimal) -> Message | str:
    if fact.endswith("_fen"):
        return msg("{amount} 元", amount=f"{Decimal(value) / 100:,.2f}".removesuffix(".00"))
    if fact.endswith("_bp"):
        share = (Decimal(value) / 100).quantize(Decimal("0.01"), ROUND_HALF_UP).normalize()
        return f"{share:f}%"
    if fact == "age_days":
        return msg("{count} 天", count=value)
    return msg("{count} 年", count=value) if fact == "age_years" else f"{value:,}"


def _code(fact: str, value: str) -> Message | str:
    if fact == "region_code":
        return region_name(value.ljust(6, "0"))
    if fact == "industry":
        return f"{value} {DIVISIONS.get(value[:2], '')}".strip()
    return _SETS.get(fact, {}).get(value, value)


def _joined(parts: list[Message | str]) -> Message | str:
    whole: Message | str = parts[0] if parts else ""
    for part in parts[1:]:
        whole = msg("{first}、{rest}", first=whole, rest=part)
    return whole
