"""What a report tells beside its key figures: what a little more is worth, other prices, and when processes run.

All of it stands in ``kpis.json``; page, PDF and workbook show it from there, so that they cannot differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.gateways.sectioned_documents import Section, Sheet

_SCENARIOS = {"as_is": "现状", "optimised": "优化运行", "sized": "优化配置"}
_VARIED = (
    ("annual_bill_yuan", "电费（元）", 2),
    ("capital_yuan", "新增设备年化成本（元）", 2),
    ("peak_kw", "最大需量（kW）", 1),
    ("import_kwh", "购入电量（kWh）", 0),
    ("export_kwh", "上网电量（kWh）", 0),
    ("emissions_t", "碳排放（tCO₂）", 1),
)


def answer_sections(document: Mapping[str, Any]) -> tuple[Section, ...]:
    """Return the sections that the figures of ``kpis.json`` have something for, without numbers in their headings."""
    found = (_worth(document), _varied(document), _processes(document))
    return tuple(section for section in found if section is not None)


def _worth(document: Mapping[str, Any]) -> Section | None:
    prices = document["shadow_prices"]
    if not prices:
        return None
    rows = tuple((item["text"], item["unit"], f"{item['value_yuan']:.2f}") for item in prices)
    told = [f"按“{_SCENARIOS[prices[0]['scenario']]}”方案计算；容量为每年的价值，最大需量为当月的价值。"]
    gap = document["sizing_gap"]
    if gap is not None:
        told.append(f"所选容量与理论最优的成本差距不超过 {100 * gap:.4f}%。")
    return Section("再多一点值多少钱", tuple(told), (Sheet("边际价值", ("说明", "单位", "元"), rows, (6, 0.7, 1)),))


def _varied(document: Mapping[str, Any]) -> Section | None:
    scenarios = document["scenarios"]
    if not scenarios:
        return None
    header = ("方案", *(label for _, label, _ in _VARIED))
    rows = tuple((item["name"], *(f"{item[field]:.{digits}f}" for field, _, digits in _VARIED)) for item in scenarios)
    return Section("情景对比", (), (Sheet("情景对比", header, rows, (1.8, *(1.0 for _ in _VARIED))),))


def _processes(document: Mapping[str, Any]) -> Section | None:
    found = document["processes"]
    if found is None:
        return None
    rows = tuple(
        (item["name"], str(item["found"]), str(item["moved"]), str(item["not_seen"])) for item in found["runs"]
    )
    told = f"运行时段与理论最优的差距不超过 {100 * found['gap']:.4f}%；电表上看不出的运行不移动。"
    header = ("工序", "识别到的运行（次）", "移动的运行（次）", "电表上看不出（次）")
    return Section("可移动工序", (told,), (Sheet("可移动工序", header, rows, (2, 1, 1, 1)),))
