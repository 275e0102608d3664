"""The files of a schedule: a table as CSV and XLSX, and a page with charts. The same schedule, the same bytes."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html import escape
from zoneinfo import ZoneInfo

import numpy as np
import xlsxwriter

from services.gateways.schedule_words import PERIOD_NAMES, Said, say_battery, say_steps
from services.gateways.svg_charts import Line, curves
from services.rules.twin.calendar import Calendar
from services.rules.twin.dispatch import Dispatch
from services.rules.twin.inputs import Floats
from services.rules.twin.processes import Job
from services.rules.twin.schedule import Costs, ScheduleRequest, Steps
from services.rules.twin.tariff import PERIODS, Prices

_RISKY = ("=", "+", "-", "@", "\t", "\r")
_STYLE = (
    "body{font:15px/1.7 'Noto Sans SC','Microsoft YaHei','PingFang SC',sans-serif;color:#1d2733;margin:0;background:#f4f6f8}"
    "main{max-width:900px;margin:0 auto;padding:32px 24px;background:#fff}h1{font-size:26px;margin:0 0 4px}"
    "h2{font-size:19px;margin:36px 0 10px;border-left:4px solid #1f6feb;padding-left:10px}"
    "table{border-collapse:collapse;width:100%}th,td{padding:6px 10px;border-bottom:1px solid #e3e8ee;text-align:left;"
    "vertical-align:top}th{background:#f0f4f9}.n{text-align:right}svg{width:100%;height:auto}"
    "svg text{font-size:12px;fill:#4c5866}.grid{stroke:#e3e8ee}.big{display:flex;gap:14px;flex-wrap:wrap}"
    ".big div{flex:1 1 180px;background:#f0f4f9;border-radius:8px;padding:12px 16px}.big b{display:block;font-size:22px}"
    ".wide{overflow-x:auto}.soft{color:#66717f}@media print{body{background:#fff}}"
)
_COSTS = (("energy", "电量电费"), ("feed_in", "上网收入"), ("demand", "新增需量电费"), ("wear", "储能损耗"))


@dataclass(frozen=True, eq=False)
class ScheduleTable:
    """All the files show."""

    request: ScheduleRequest
    calendar: Calendar
    prices: Prices
    jobs: Sequence[Job]
    shares: Sequence[Floats]
    today: Dispatch
    planned: Dispatch
    before: Costs
    after: Costs
    steps: Steps
    limits_kw: Floats | None
    status: str
    gap: float


def render_documents(table: ScheduleTable) -> tuple[dict[str, bytes], list[dict[str, object]]]:
    """Return the files by name, and the advice: what may be done without the rest of the schedule, most yuan first."""
    said = say_steps(table.steps, table.request.park.processes, table.planned, table.calendar, table.prices)
    header, rows = _rows(table)
    files = {
        "schedule.csv": _csv(header, rows),
        "schedule.xlsx": _workbook(table, header, rows, said),
        "schedule.html": _page(table, said),
    }
    advice: list[dict[str, object]] = [
        {
            "day": item.day,
            "hours": item.hours,
            "text": item.text,
            "why": item.why,
            "saving_yuan": item.saving_yuan,
            "avoided_t": round(item.avoided_kg / 1000, 4),
        }
        for item in said
        if item.alone and item.saving_yuan > 0
    ]
    return files, advice


def _rows(table: ScheduleTable) -> tuple[list[str], list[list[str | float]]]:
    """One row per step: clock time, price, what each process and the battery do, and what the meter shows."""
    park = table.request.park
    power = [np.zeros(len(table.planned.load)) for _ in park.processes]
    for job, share in zip(table.jobs, table.shares, strict=True):
        power[job.process][job.first : job.until] += job.kw * share
    planned, today = table.planned, table.today
    header = [
        "开始时间", "电价时段", "购电价（元/kWh）", *(f"{process.name}（kW）" for process in park.processes),
        "全部负荷（kW）", "光伏（kW）", "储能充电（kW）", "储能放电（kW）", "储能荷电（%）",
        "计划购电（kW）", "现状购电（kW）", "上网（kW）",
    ]  # fmt: skip
    kwh = park.battery.kwh
    stored = 100 * planned.stored / kwh if kwh > 0 else np.zeros(len(planned.load))
    numbers = np.stack(
        [table.prices.buy, *power, planned.load, planned.pv, planned.charge, planned.discharge, stored,
         planned.imported, today.imported, planned.exported],
        axis=1,
    )  # fmt: skip
    numbers = np.round(numbers, 4) + 0.0
    zone, start = ZoneInfo(park.horizon.timezone), park.horizon.start
    step = timedelta(minutes=park.horizon.step_minutes)
    rows: list[list[str | float]] = []
    for number, values in enumerate(numbers.tolist()):
        moment = (start + number * step).astimezone(zone)
        period = PERIOD_NAMES[PERIODS[int(table.prices.period[number])].value]
        rows.append([f"{moment:%Y-%m-%d %H:%M}", period, values[0], *(round(value, 2) for value in values[1:])])
    return header, rows


def _csv(header: Sequence[str], rows: Sequence[Sequence[str | float]]) -> bytes:
    """With a mark of its encoding, because spreadsheets guess, and with risky beginnings quoted, because they reckon."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream)
    writer.writerow([f"'{cell}" if cell.startswith(_RISKY) else cell for cell in header])
    writer.writerows(rows)
    return stream.getvalue().encode("utf-8-sig")


def _workbook(
    table: ScheduleTable, header: Sequence[str], rows: Sequence[Sequence[str | float]], said: Sequence[Said]
) -> bytes:
    """A process's name must never become a formula; the date of making is the schedule's first day."""
    target = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    book = xlsxwriter.Workbook(target, options)
    first = table.request.park.horizon.start.astimezone(UTC).replace(tzinfo=None)
    book.set_properties({"title": "用能排程", "created": datetime.combine(first.date(), first.time())})
    bold = book.add_format({"bold": True, "bg_color": "#F0F4F9", "text_wrap": True, "valign": "top"})
    wrap = book.add_format({"text_wrap": True, "valign": "top"})
    sheets: tuple[tuple[str, Sequence[str], Sequence[Sequence[str | float]], Sequence[int]], ...] = (
        ("排程", header, rows, [17, 9, *[12] * (len(header) - 2)]),
        (
            "调整与理由",
            ["日期", "做什么", "为什么", "省（元）", "减碳（kg）", "可单独执行"],
            [[s.day, s.text, s.why, s.saving_yuan, s.avoided_kg, "是" if s.alone else "否"] for s in said],
            [12, 50, 60, 12, 12, 10],
        ),
        ("储能", ["时间", "做什么"], say_battery(table.planned, table.calendar, table.prices), [24, 60]),
        ("费用", ["项目", "现状（元）", "计划（元）", "节省（元）"], _costs(table), [20, 14, 14, 14]),
    )
    for name, titles, body, widths in sheets:
        sheet = book.add_worksheet(name)
        sheet.freeze_panes(1, 1)
        sheet.set_row(0, 32)
        sheet.write_row(0, 0, titles, bold)
        for at, width in enumerate(widths):
            sheet.set_column(at, at, width)
        for number, cells in enumerate(body, start=1):
            sheet.write_row(number, 0, cells, wrap)
    book.close()
    return target.getvalue()


def _costs(table: ScheduleTable) -> list[list[str | float]]:
    rows: list[list[str | float]] = []
    for name, title in _COSTS:
        before, after = round(getattr(table.before, name), 2), round(getattr(table.after, name), 2)
        rows.append([title, before + 0.0, after + 0.0, round(before - after, 2) + 0.0])
    rows.append(["合计", *(round(sum(float(row[at]) for row in rows), 2) for at in (1, 2, 3))])
    return rows


def _page(table: ScheduleTable, said: Sequence[Said]) -> bytes:
    park, calendar = table.request.park, table.calendar
    site = escape(park.site.name)
    moves = [[s.day, s.text, s.why, f"{s.saving_yuan:,.2f}", f"{s.avoided_kg:,.0f}"] for s in said]
    body = [
        f"<h1>{site} · 用能优化排程</h1>",
        _span(table),
        _headline(table),
        "<h2>购电功率：现状与计划（kW）</h2>", _power_chart(table),
        "<h2>工序与储能（kW）</h2>", _devices_chart(table),
        "<h2>调整与理由（按节省排序）</h2>",
        _html_table(["日期", "做什么", "为什么", "省（元）", "减碳（kg）"], moves, numbers=2)
        if moves else "<p>各工序保持现有时间最省。</p>",
        "<h2>储能计划</h2>",
        _html_table(["时间", "做什么与理由"], say_battery(table.planned, calendar, table.prices))
        if park.battery.kwh > 0 else "<p>没有储能。</p>",
        "<h2>费用对比（元）</h2>",
        _html_table(["项目", "现状", "计划", "节省"],
                    [[str(row[0]), *(f"{float(cell):,.2f}" for cell in row[1:])] for row in _costs(table)], numbers=3),
        "<h2>说明</h2>", "<ul>" + "".join(f"<li>{escape(note)}</li>" for note in _notes(table)) + "</ul>",
    ]  # fmt: skip
    page = (
        f'<!doctype html><html lang="zh-CN"><head><meta charset="utf-8"><title>{site} 用能优化排程</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body><main>'
        + "\n".join(body)
        + "</main></body></html>\n"
    )
    return page.encode()


def _span(table: ScheduleTable) -> str:
    days, minutes = table.calendar.days, table.request.park.horizon.step_minutes
    files = "逐时段数值见 schedule.xlsx 与 schedule.csv"
    return f'<p class="soft">{days[0]} 至 {days[-1]}，每 {minutes} 分钟一行；{files}</p>'


def _headline(table: ScheduleTable) -> str:
    saved = table.before.total - table.after.total
    boxes = (
        ("比现状节省", f"{saved:,.2f} 元"),
        ("最大购电功率", f"{table.today.imported.max():,.0f} → {table.planned.imported.max():,.0f} kW"),
        ("移动的工序", f"{len(table.steps.moves)} 次"),
    )
    return '<div class="big">' + "".join(f"<div>{name}<b>{value}</b></div>" for name, value in boxes) + "</div>"


def _labels(calendar: Calendar) -> list[str]:
    if len(calendar.days) == 1:
        return [f"{hour}时" for hour in range(0, 24, 3)]
    return [f"{day:%m-%d}" for day in calendar.days]


def _power_chart(table: ScheduleTable) -> str:
    lines = [
        Line("现状购电", "#b3261e", table.today.imported.tolist(), dashed=True),
        Line("计划购电", "#1f6feb", table.planned.imported.tolist()),
        Line("光伏", "#e0a800", table.planned.pv.tolist()),
    ]
    if table.limits_kw is not None and np.isfinite(table.limits_kw).all():
        limits = table.limits_kw[table.calendar.month]
        lines.append(Line("需量上限", "#66717f", limits.tolist(), dashed=True))
    return curves("购电功率", _labels(table.calendar), lines)


def _devices_chart(table: ScheduleTable) -> str:
    colours = ("#7b6ba8", "#2a7f62", "#e07a2f", "#4a6fa5", "#b3261e", "#6aa84f")
    lines = []
    for number, process in enumerate(table.request.park.processes[:5]):
        power = np.zeros(len(table.planned.load))
        for job, share in zip(table.jobs, table.shares, strict=True):
            if job.process == number:
                power[job.first : job.until] += job.kw * share
        lines.append(Line(process.name, colours[number], power.tolist()))
    if table.request.park.battery.kwh > 0:
        net = table.planned.discharge - table.planned.charge
        lines.append(Line("储能放电（负为充电）", "#1d2733", net.tolist()))
    return curves("工序与储能", _labels(table.calendar), lines)


def _notes(table: ScheduleTable) -> list[str]:
    request = table.request
    notes = [
        "现状：工序按常用开始时间、储能按现有习惯运行；期末储能电量不低于现状。",
        "各项节省依次计算，每一项都是在前面各项之上再省的费用，合计等于总节省（差额不超过 1 元，来自逐项取整）。",
        "排程已按工序时长、时段、先后、最短运行、储能容量与功率、需量上限逐时段独立校核。",
        f"求解状态：{table.status}，与理论最优的差距不超过 {100 * table.gap:.4f}%。",
    ]
    tariff = request.park.tariff
    prices = "、".join(f"{PERIOD_NAMES[period.value]} {price}" for period, price in tariff.prices.items())
    notes.append(f"电价（元/kWh）：{prices}；需量电价 {tariff.demand_yuan_per_kw} 元/kW·月。")
    if table.limits_kw is not None:
        notes.append("计划不产生新的最大需量：各月购电功率不超过现状与本月已发生的最大需量中的较高者。")
    if request.pv_forecast is None and request.park.pv.kwp > 0:
        notes.append("未提供光伏预测，按典型气象年同日估计，不是天气预报；阴晴变化时请重新排程。")
    notes += [f"负荷数据：{note}" for note in request.park.load.notes]
    return notes


def _html_table(head: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: int = 0) -> str:
    first = len(head) - numbers

    def line(cells: Sequence[str], tag: str) -> str:
        marked = (
            f'<{tag} class="n">{escape(cell)}</{tag}>' if at >= first else f"<{tag}>{escape(cell)}</{tag}>"
            for at, cell in enumerate(cells)
        )
        return "<tr>" + "".join(marked) + "</tr>"

    return '<div class="wide"><table>' + line(head, "th") + "".join(line(row, "td") for row in rows) + "</table></div>"
