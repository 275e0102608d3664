"""A brief in plain words, for the documents of a lead list: what the park offers, and what it does not look for."""

from __future__ import annotations

from services.rules.industries import DIVISIONS
from services.rules.leads import Brief
from services.rules.limits import RULED_OUT, Limit
from tenants.rules.regions import region_name

LIMITS = {
    Limit.HIGH_ENERGY: "高耗能",
    Limit.HIGH_WATER: "高耗水",
    Limit.CHEMICALS: "化工",
    Limit.HEAVY_METALS: "重金属污染",
    Limit.DUST: "扬尘",
}
_FEN_PER_YUAN = 100


def brief_facts(brief: Brief) -> list[tuple[str, str]]:
    """Return (what, how much) for everything that the brief says; what was not said is left out."""
    way = brief.logistics
    said: list[tuple[str, str | None]] = [
        ("园区所在地", region_name(brief.region_code)),
        ("意向产业", "、".join(DIVISIONS[division] for division in brief.divisions) or "不限"),
        ("经营范围关键词", "、".join(brief.keywords) or None),
        ("可用面积", f"{brief.area_mu:g} 亩"),
        ("土地价格", _yuan(brief.land_price_fen_per_mu, "元/亩")),
        ("厂房租金", _yuan(brief.rent_fen_per_m2_month, "元/平方米·月")),
        ("剩余变压器容量", _number(brief.power_kva, "kVA")),
        ("电价", _number(brief.electricity_yuan_per_kwh, "元/kWh")),
        ("到高速公路入口", _number(way.motorway_km, "公里")),
        ("到铁路货场", _number(way.rail_freight_km, "公里")),
        ("到港口", _number(way.port_km, "公里")),
        ("到机场", _number(way.airport_km, "公里")),
        ("招商扶持预算", _yuan(brief.budget_fen, "元")),
        ("排除的行业", "、".join(_industry(code) for code in brief.exclusions) or None),
        (
            "环境限制",
            "；".join(f"不接受{LIMITS[each]}（行业代码 {'、'.join(RULED_OUT[each])}）" for each in brief.limits)
            or None,
        ),
    ]
    return [(what, text) for what, text in said if text is not None]


def _industry(code: str) -> str:
    return f"{code} {DIVISIONS[code]}" if code in DIVISIONS else code


def _yuan(fen: int | None, unit: str) -> str | None:
    if fen is None:
        return None
    whole, rest = divmod(fen, _FEN_PER_YUAN)
    return f"{whole:,}{f'.{rest:02}' if rest else ''} {unit}"


def _number(value: float | None, unit: str) -> str | None:
    return None if value is None else f"{value:,.10g} {unit}"
