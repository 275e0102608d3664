"""Further files of a twin run: energy flows, the series as CSV, and the report as workbook and A4 pages."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from services.gateways.sectioned_documents import Section, Sheet, render_pdf, render_workbook
from services.gateways.twin_report import BILL_KINDS, KPI_ROWS, SCENARIO_NAMES, ReportInput
from services.gateways.twin_report_answers import answer_sections
from services.rules.twin.calendar import Calendar
from services.rules.twin.flows import SINKS, SOURCES, links_of, mean_days, totals
from services.rules.twin.scenarios import Scenario

SOURCE_NAMES = {"grid": "电网", "own": "自有发电", "battery": "储能放电"}
SINK_NAMES = {"load": "负荷", "charging": "储能充电", "export": "上网", "curtailed": "弃电"}


def flows_document(scenarios: Sequence[Scenario], calendar: Calendar, *, feeds_all_in: bool) -> dict[str, object]:
    """Return each scenario's links in kWh, over the horizon and as each month's mean day by the hour.

    ``sources`` and ``sinks`` name the two ends; ``hours`` holds 24 values of kWh for each link of each month.
    """
    found: dict[str, object] = {}
    for scenario in scenarios:
        links = links_of(scenario.flow, feeds_all_in=feeds_all_in)
        whole = totals(links, calendar.horizon.hours)
        found[scenario.name] = {
            "links": [
                {"source": source, "sink": sink, "kwh": round(kwh, 3)}
                for (source, sink), kwh in whole.items()
                if round(kwh, 3)
            ],
            "months": [
                {
                    "month": day.month,
                    "links": [
                        {"source": source, "sink": sink, "hours": [round(float(each), 4) for each in kwh]}
                        for (source, sink), kwh in day.kwh.items()
                        if kwh.any()
                    ],
                }
                for day in mean_days(links, calendar)
            ],
        }
    return {"sources": list(SOURCES), "sinks": list(SINKS), "scenarios": found}


def series_csv(series: bytes) -> bytes:
    """Return the Parquet series as CSV: the same columns, UTC instants, power to the watt."""
    table = pq.read_table(io.BytesIO(series))
    columns: list[pa.ChunkedArray] = []
    for name in table.column_names:
        column = table[name]
        if pa.types.is_floating(column.type):
            column = pa.compute.round(column, 3 if name != "buy_yuan_per_kwh" else 6)
        elif pa.types.is_dictionary(column.type):
            column = column.cast(pa.string())
        columns.append(column)
    target = io.BytesIO()
    options = pa_csv.WriteOptions(quoting_style="needed")
    pa_csv.write_csv(pa.table(columns, names=table.column_names), target, options)
    return target.getvalue()


def report_documents(content: ReportInput, flows: Mapping[str, object]) -> dict[str, bytes]:
    """Return the report as A4 pages and as a workbook; both hold the figures of ``kpis.json``."""
    title = f"{content.request.site.name} 能源数字孪生推演报告"
    first, last = content.calendar.days[0], content.calendar.days[-1]
    subtitle = f"{first} 至 {last}，{content.request.horizon.step_minutes} 分钟步长"
    sections = _sections(content, flows)
    return {
        "report.pdf": render_pdf(title, subtitle, sections),
        "report.xlsx": render_workbook(title, sections, last),
    }


def _sections(content: ReportInput, flows: Mapping[str, object]) -> tuple[Section, ...]:
    sections = (
        Section("关键指标", tables=(_kpis(content),)),
        Section("电费构成（元）", tables=(_bills(content),)),
        Section("建议（按收益排序）", *_advice(content)),
        Section("投资与回收", tables=(_investment(content),)),
        *answer_sections(content.document),
        Section("能量流向（kWh）", (_RULE,), (_flows(flows),)),
        Section("排放（tCO₂）", tables=(_emissions(content),)),
        Section("数据质量与说明", tuple(content.notes)),
        Section("可追溯信息", (f"运行指纹：{content.identity['fingerprint']}", *_sources(content))),
    )
    return tuple(
        replace(section, heading=f"{number}、{section.heading}")
        for number, section in zip(_NUMBERS, sections, strict=False)
    )


_NUMBERS = ("一", "二", "三", "四", "五", "六", "七", "八", "九", "十", "十一", "十二")
_RULE = "记账规则：自有发电先供负荷，再充储能，再上网；储能放电供其余负荷；仍不足的由电网供给。"


def _kpis(content: ReportInput) -> Sheet:
    rows = tuple(
        (label, *(f"{getattr(content.kpis[name], field):.{digits}f}" for name in SCENARIO_NAMES))
        for field, label, digits in KPI_ROWS
    )
    return Sheet("关键指标", ("指标", *SCENARIO_NAMES.values()), rows, (1.8, 1, 1, 1))


def _bills(content: ReportInput) -> Sheet:
    bills = [item.bill.by_kind() for item in content.scenarios]
    rows = [
        (title, *(f"{bill.get(kind, 0) / 100:.2f}" for bill in bills))
        for kind, title in BILL_KINDS.items()
        if any(kind in bill for bill in bills)
    ]
    rows.append(("合计", *(f"{item.bill.total_fen / 100:.2f}" for item in content.scenarios)))
    return Sheet("电费构成", ("项目", *SCENARIO_NAMES.values()), tuple(rows), (1.8, 1, 1, 1))


def _advice(content: ReportInput) -> tuple[tuple[str, ...], tuple[Sheet, ...]]:
    if not content.advice:
        return ("在给定的电价与投资条件下，没有值得采取的措施。",), ()
    rows = tuple(
        (str(item.text), item.hours, f"{item.saving_yuan:.0f}", f"{item.avoided_t:.1f}") for item in content.advice
    )
    return (), (Sheet("建议", ("措施", "主要时段", "净省（元）", "减碳（tCO₂）"), rows, (4, 2, 1, 1)),)


def _investment(content: ReportInput) -> Sheet:
    build, item = content.additions, content.investment

    def years(value: float | None) -> str:
        return "不能回收" if value is None else f"{value:.1f} 年"

    rows = (
        ("新增光伏", f"{build.pv_kwp:.0f} kWp"),
        ("新增储能", f"{build.battery_kwh:.0f} kWh / {build.battery_kw:.0f} kW"),
        ("投资", f"{item.capex_yuan:.0f} 元"),
        ("其中补贴", f"{item.subsidy_yuan:.0f} 元"),
        ("年节省（扣除运维）", f"{item.yearly_saving_yuan:.0f} 元"),
        ("净现值（无补贴）", f"{item.npv_yuan:.0f} 元"),
        ("净现值（有补贴）", f"{item.npv_yuan_subsidised:.0f} 元"),
        ("静态回收期（无补贴）", years(item.payback_years)),
        ("静态回收期（有补贴）", years(item.payback_years_subsidised)),
    )
    return Sheet("投资与回收", ("项目", "数值"), rows, (2, 2))


def _flows(flows: Mapping[str, object]) -> Sheet:
    scenarios = flows["scenarios"]
    assert isinstance(scenarios, dict)  # noqa: S101 - flows_document makes it
    kwh = {
        name: {(each["source"], each["sink"]): each["kwh"] for each in scenarios[name]["links"]} for name in scenarios
    }
    rows = tuple(
        (f"{SOURCE_NAMES[source]} → {SINK_NAMES[sink]}", *(f"{kwh[name].get((source, sink), 0):.0f}" for name in kwh))
        for source in SOURCES
        for sink in SINKS
        if any((source, sink) in each for each in kwh.values())
    )
    return Sheet("能量流向", ("流向", *(SCENARIO_NAMES[name] for name in kwh)), rows, (1.8, *(1.0 for _ in kwh)))


def _emissions(content: ReportInput) -> Sheet:
    found = [content.emissions[name] for name in SCENARIO_NAMES]
    purposes = tuple(found[0].by_purpose)
    rows = (
        ("范围一", *(f"{item.scope_1:.1f}" for item in found)),
        ("范围二", *(f"{item.scope_2:.1f}" for item in found)),
        *((_PURPOSES.get(name, name), *(f"{item.by_purpose[name]:.1f}" for item in found)) for name in purposes),
    )
    return Sheet("排放", ("项目", *SCENARIO_NAMES.values()), rows, (1.8, 1, 1, 1))


_PURPOSES = {"production": "其中生产", "logistics": "其中物流", "energy": "其中能源"}


def _sources(content: ReportInput) -> tuple[str, ...]:
    factor, weather = content.request.factor, content.weather
    return (
        f"气象数据：{weather.source}（SHA-256 {weather.sha256}）",
        f"负荷数据 SHA-256：{content.request.load.sha256}",
        f"排放因子：{factor.kg_per_kwh} kgCO₂/kWh，{factor.edition}，{factor.year} 年，{factor.source}",
    )
