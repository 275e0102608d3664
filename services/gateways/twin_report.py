"""The report of a twin run: one Chinese HTML page that opens without a network and repeats byte for byte."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from services.gateways.svg_charts import Line, bars, curves
from services.gateways.twin_physics import Physics
from services.gateways.twin_report_answers import answer_sections
from services.gateways.twin_report_equipment import equipment_sections
from services.rules.twin.advice import Advice
from services.rules.twin.calendar import Calendar
from services.rules.twin.emissions import Emissions
from services.rules.twin.inputs import Floats, TwinRequest
from services.rules.twin.network import GridCheck
from services.rules.twin.scenarios import Investment, Kpis, Scenario
from services.rules.twin.sizing_program import Additions
from services.rules.twin.tariff import Prices
from services.rules.twin.weather_year import Weather

SCENARIO_NAMES = {"as_is": "现状", "optimised": "优化运行", "sized": "优化配置"}
_KINDS = {
    "sharp": ("尖段电费", "#b3261e"),
    "peak": ("峰段电费", "#e07a2f"),
    "flat": ("平段电费", "#e9c46a"),
    "valley": ("谷段电费", "#6aa84f"),
    "deep_valley": ("深谷电费", "#2a7f62"),
    "demand": ("需量电费", "#4a6fa5"),
    "capacity": ("容量电费", "#7b6ba8"),
    "feed_in": ("上网收入", "#2ca6a4"),
}
KPI_ROWS = (
    ("annual_bill_yuan", "电费（元）", 2),
    ("capital_yuan", "新增设备年化成本（元）", 2),
    ("peak_kw", "最大需量（kW）", 1),
    ("import_kwh", "购入电量（kWh）", 0),
    ("pv_kwh", "光伏发电量（kWh）", 0),
    ("export_kwh", "上网电量（kWh）", 0),
    ("curtailed_kwh", "弃光电量（kWh）", 0),
    ("self_consumption_share", "自发自用率", 4),
    ("emissions_t", "碳排放（范围一、二，tCO₂）", 1),
)
_STYLE = (
    "body{font:15px/1.7 'Noto Sans SC','Microsoft YaHei','PingFang SC',sans-serif;color:#1d2733;margin:0;background:#f4f6f8}"
    "main{max-width:860px;margin:0 auto;padding:32px 24px;background:#fff}h1{font-size:26px;margin:0 0 4px}"
    "h2{font-size:19px;margin:36px 0 10px;border-left:4px solid #1f6feb;padding-left:10px}"
    "table{border-collapse:collapse;width:100%}th,td{padding:6px 10px;border-bottom:1px solid #e3e8ee;text-align:right}"
    "th:first-child,td:first-child{text-align:left}th{background:#f0f4f9}svg{width:100%;height:auto}"
    "svg text{font-size:12px;fill:#4c5866}.grid{stroke:#e3e8ee}.big{display:flex;gap:14px;flex-wrap:wrap}"
    ".big div{flex:1 1 180px;background:#f0f4f9;border-radius:8px;padding:12px 16px}.big b{display:block;font-size:22px}"
    "li{margin:6px 0}code{word-break:break-all;font-size:12px}.soft{color:#66717f}@media print{body{background:#fff}}"
)


BILL_KINDS = {kind: title for kind, (title, _) in _KINDS.items()}
"""Parts of a bill in words, in the order they are shown."""


@dataclass(frozen=True, eq=False)
class ReportInput:
    """All the page shows."""

    request: TwinRequest
    calendar: Calendar
    prices: Prices
    weather: Weather
    scenarios: Sequence[Scenario]
    kpis: Mapping[str, Kpis]
    additions: Additions
    investment: Investment
    advice: Sequence[Advice]
    notes: Sequence[str]
    identity: Mapping[str, object]
    physics: Physics
    checks: Mapping[str, GridCheck]
    emissions: Mapping[str, Emissions]
    document: Mapping[str, Any]


def render_report(content: ReportInput) -> bytes:
    """Return the page as UTF-8."""
    site = escape(content.request.site.name)
    body = [
        f"<h1>{site} · 能源数字孪生推演报告</h1>",
        _span(content),
        _headline(content),
        "<h2>建议（按收益排序）</h2>", _advice(content.advice),
        "<h2>关键指标</h2>", _kpi_table(content.kpis),
        "<h2>电费构成对比（元）</h2>", _bill_chart(content.scenarios), _bill_table(content.scenarios),
        "<h2>逐月电量（MWh，优化配置）</h2>", _monthly(content),
        "<h2>典型日（最大需量所在日，kW）</h2>", _typical_day(content),
        "<h2>投资与回收</h2>", _investment(content),
        *_answers(content),
        *equipment_sections(content.request, content.calendar, content.physics, content.checks, content.emissions),
        "<h2>数据质量与说明</h2>", "<ul>" + "".join(f"<li>{escape(note)}</li>" for note in content.notes) + "</ul>",
        "<h2>可追溯信息</h2>", _trace(content),
    ]  # fmt: skip
    page = (
        f'<!doctype html><html lang="zh-CN"><head><meta charset="utf-8"><title>{site} 数字孪生报告</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body><main>'
        + "\n".join(body)
        + "</main></body></html>\n"
    )
    return page.encode()


def _span(content: ReportInput) -> str:
    days, horizon = content.calendar.days, content.request.horizon
    return f'<p class="soft">{days[0]} 至 {days[-1]}，{horizon.step_minutes} 分钟步长，共 {horizon.steps:,} 个时段</p>'


def _headline(content: ReportInput) -> str:
    before, best, built = (content.kpis[name] for name in SCENARIO_NAMES)
    run = before.annual_bill_yuan - best.annual_bill_yuan
    build = before.annual_bill_yuan - built.annual_bill_yuan - built.capital_yuan
    avoided = before.emissions_t - built.emissions_t
    boxes = (
        ("现状电费", f"{before.annual_bill_yuan / 1e4:,.1f} 万元"),
        ("仅优化运行可省", f"{run / 1e4:,.1f} 万元"),
        ("优化配置后净省", f"{build / 1e4:,.1f} 万元"),
        ("优化配置减碳", f"{avoided:,.0f} tCO₂"),
    )
    return '<div class="big">' + "".join(f"<div>{name}<b>{value}</b></div>" for name, value in boxes) + "</div>"


def _advice(advice: Sequence[Advice]) -> str:
    if not advice:
        return "<p>在给定的电价与投资条件下，没有值得采取的措施。</p>"
    items = (
        f"<li>{escape(str(item.text))} 净省 <b>{item.saving_yuan:,.0f} 元</b>，减碳 <b>{item.avoided_t:,.1f} tCO₂</b>。"
        + (f'<br><span class="soft">主要时段：{escape(item.hours)}</span></li>' if item.hours else "</li>")
        for item in advice
    )
    return "<ol>" + "".join(items) + "</ol>"


def _answers(content: ReportInput) -> list[str]:
    parts = []
    for section in answer_sections(content.document):
        parts.append(f"<h2>{escape(section.heading)}</h2>")
        parts += [f'<p class="soft">{escape(text)}</p>' for text in section.paragraphs]
        parts += [_table(sheet.header, sheet.rows) for sheet in section.tables]
    return parts


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def line(cells: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    return "<table>" + line(head, "th") + "".join(line(row, "td") for row in rows) + "</table>"


def _kpi_table(kpis: Mapping[str, Kpis]) -> str:
    rows = [
        [title, *(f"{getattr(kpis[name], field):,.{digits}f}" for name in SCENARIO_NAMES)]
        for field, title, digits in KPI_ROWS
    ]
    return _table(["指标", *SCENARIO_NAMES.values()], rows)


def _bill_chart(scenarios: Sequence[Scenario]) -> str:
    bills = [item.bill.by_kind() for item in scenarios]
    lines = [
        Line(title, colour, [bill.get(kind, 0) / 100 for bill in bills])
        for kind, (title, colour) in _KINDS.items()
        if any(bill.get(kind) for bill in bills)
    ]
    return bars("电费构成对比", list(SCENARIO_NAMES.values()), lines)


def _bill_table(scenarios: Sequence[Scenario]) -> str:
    bills = [item.bill.by_kind() for item in scenarios]
    rows = [
        [title, *(f"{bill.get(kind, 0) / 100:,.2f}" for bill in bills)]
        for kind, (title, _) in _KINDS.items()
        if any(kind in bill for bill in bills)
    ]
    rows.append(["合计", *(f"{item.bill.total_fen / 100:,.2f}" for item in scenarios)])
    return _table(["项目", *SCENARIO_NAMES.values()], rows)


def _monthly(content: ReportInput) -> str:
    flow, hours = content.scenarios[-1].flow, content.calendar.horizon.hours
    months = len(content.calendar.months)

    def sums(values: Floats) -> list[float]:
        return [float(total) * hours / 1000 for total in np.bincount(content.calendar.month, values, months)]

    lines = [
        Line("购入电量", "#4a6fa5", sums(flow.imported)),
        Line("光伏自用", "#e9c46a", sums(flow.pv - flow.exported - flow.curtailed)),
        Line("上网电量", "#2ca6a4", [-value for value in sums(flow.exported)]),
    ]
    return bars("逐月电量", [name[5:] + "月" for name in content.calendar.months], lines)


def _typical_day(content: ReportInput) -> str:
    day = content.calendar.day[int(np.argmax(content.scenarios[0].flow.imported))]
    here = content.calendar.day == day
    before, after = content.scenarios[0].flow, content.scenarios[-1].flow
    lines = [
        Line("负荷", "#1d2733", before.load[here].tolist()),
        Line("现状购电", "#b3261e", before.imported[here].tolist(), dashed=True),
        Line("优化后购电", "#1f6feb", after.imported[here].tolist()),
        Line("光伏", "#e0a800", after.pv[here].tolist()),
        Line("储能放电（负为充电）", "#2a7f62", (after.discharge - after.charge)[here].tolist()),
    ]
    title = f"{content.calendar.days[int(day)]}"
    return f"<p>{title}</p>" + curves(title, [f"{hour}时" for hour in range(0, 24, 3)], lines)


def _investment(content: ReportInput) -> str:
    build, item = content.additions, content.investment
    if not item.capex_yuan:
        return "<p>在给定的造价与电价下，不建议新增设备。</p>"

    def years(value: float | None) -> str:
        return "不能回收" if value is None else f"{value:,.1f} 年"

    rows = [
        ["新增光伏", f"{build.pv_kwp:,.0f} kWp"],
        ["新增储能", f"{build.battery_kwh:,.0f} kWh / {build.battery_kw:,.0f} kW"],
        ["投资", f"{item.capex_yuan:,.0f} 元"],
        ["其中补贴", f"{item.subsidy_yuan:,.0f} 元"],
        ["年节省（扣除运维）", f"{item.yearly_saving_yuan:,.0f} 元"],
        ["净现值（无补贴）", f"{item.npv_yuan:,.0f} 元"],
        ["净现值（有补贴）", f"{item.npv_yuan_subsidised:,.0f} 元"],
        ["静态回收期（无补贴）", years(item.payback_years)],
        ["静态回收期（有补贴）", years(item.payback_years_subsidised)],
    ]
    return _table(["项目", "数值"], rows)


def _trace(content: ReportInput) -> str:
    factor, weather = content.request.factor, content.weather
    facts = (
        ("运行指纹", str(content.identity["fingerprint"])),
        ("负荷数据 SHA-256", content.request.load.sha256),
        ("气象数据", f"{weather.source}（SHA-256 {weather.sha256}）"),
        ("排放因子", f"{factor.kg_per_kwh} kgCO₂/kWh，{factor.edition}，{factor.year} 年，{factor.source}"),
        ("随机种子", str(content.request.seed)),
    )
    rows = "".join(f"<li>{escape(name)}：<code>{escape(value)}</code></li>" for name, value in facts)
    return f"<ul>{rows}</ul><p>各输出文件的哈希见 manifest.json；同一指纹的关键指标逐位一致。</p>"
