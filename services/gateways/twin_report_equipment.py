"""The report's plain sections on wind, buildings, the park's grid, logistics and emissions by purpose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from html import escape
from zoneinfo import ZoneInfo

from services.gateways.twin_physics import Physics, physics_document
from services.rules.twin.calendar import Calendar
from services.rules.twin.emissions import Emissions
from services.rules.twin.equipment import Equipment
from services.rules.twin.inputs import TwinRequest
from services.rules.twin.network import GridCheck

_SCENARIOS = {"as_is": "现状", "optimised": "优化运行", "sized": "优化配置"}
_PURPOSES = {"production": "生产", "logistics": "物流", "energy": "能源（建筑冷暖）"}
_DRIVES = {"diesel": "柴油（t）", "gasoline": "汽油（t）", "lng": "LNG（t）", "electric": "电（kWh）"}


def equipment_sections(
    request: TwinRequest,
    calendar: Calendar,
    physics: Physics,
    checks: Mapping[str, GridCheck],
    emissions: Mapping[str, Emissions],
) -> list[str]:
    """Return the sections of what the park has; the emissions are always there."""
    figures = physics_document(request, physics, {})
    parts = []
    if "wind" in figures:
        parts += ["<h2>风电</h2>", _wind(request, physics)]
    if physics.buildings:
        parts += ["<h2>建筑冷暖</h2>", _buildings(physics, calendar.horizon.hours)]
    if checks:
        parts += ["<h2>变压器与电压校核</h2>", _grid(checks, calendar)]
    if physics.hauls or physics.yard is not None:
        parts += ["<h2>物流与场站</h2>", _logistics(physics)]
    return [*parts, "<h2>碳排放构成（tCO₂）</h2>", _emissions(emissions)]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def line(cells: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    return "<table>" + line(head, "th") + "".join(line(row, "td") for row in rows) + "</table>"


def _wind(request: TwinRequest, physics: Physics) -> str:
    plant = (request.equipment or Equipment()).wind
    if plant is None:
        return ""
    kwh = float(physics.wind.sum()) * request.horizon.hours
    rated = plant.rated_kw * plant.count
    rows = [
        ["装机", f"{plant.count} 台，共 {rated:,.0f} kW，轮毂高 {plant.hub_height:,.0f} m"],
        ["发电量", f"{kwh:,.0f} kWh"],
        ["等效满发小时", f"{kwh / rated:,.0f} h"],
    ]
    return _table(["项目", "数值"], rows)


def _buildings(physics: Physics, hours: float) -> str:
    rows = []
    for item in physics.buildings:
        comfort = item.comfort
        heat, cool, power = (
            f"{float(values.sum()) * hours:,.0f}" for values in (comfort.heating, comfort.cooling, comfort.electricity)
        )
        rows.append([item.building.name, heat, cool, power, f"{float(comfort.electricity.max()):,.1f}",
                     f"{item.milder_saves_kwh:,.0f}"])  # fmt: skip
    head = ["建筑", "供热（kWh）", "供冷（kWh）", "用电（kWh）", "峰值（kW）", "设定温度放宽 1 ℃ 可省（kWh）"]
    return _table(head, rows)


def _grid(checks: Mapping[str, GridCheck], calendar: Calendar) -> str:
    rows = [
        [
            _SCENARIOS[name], item.name, f"{item.peak_loading * 100:,.1f} %", _moment(calendar, item.at_step),
            f"{item.hours_warm:,.1f}", f"{item.hours_over:,.1f}",
        ]
        for name, check in checks.items()
        for item in (*check.transformers, *check.feeders)
    ]  # fmt: skip
    volts = [
        [_SCENARIOS[name], item.name, f"{item.lowest_pu:.3f}", f"{item.highest_pu:.3f}", f"{item.hours_outside:,.1f}"]
        for name, check in checks.items()
        for item in check.buses
    ]
    verdicts = "".join(
        f"<li>{_SCENARIOS[name]}：{'全部变压器、线路与电压合格' if check.sound else '有过载或电压越限，见下表'}，"
        f"网损 {check.losses_kwh:,.0f} kWh。</li>"
        for name, check in checks.items()
    )
    return (
        f"<ul>{verdicts}</ul>"
        + _table(["方案", "设备", "最高负载率", "时刻", "超过 80 %（h）", "超过 100 %（h）"], rows)
        + _table(["方案", "母线", "最低（p.u.）", "最高（p.u.）", "超出 ±7 %（h）"], volts)
    )


def _moment(calendar: Calendar, step: int) -> str:
    horizon = calendar.horizon
    moment = horizon.start + timedelta(minutes=step * horizon.step_minutes)
    return f"{moment.astimezone(ZoneInfo(horizon.timezone)):%Y-%m-%d %H:%M}"


def _logistics(physics: Physics) -> str:
    rows = [
        [item.name, f"{item.trips:,.0f}", f"{item.km:,.0f}", _DRIVES[item.drive], f"{item.used:,.1f}"]
        for item in physics.hauls
    ]
    parts = _table(["车队", "趟次", "里程（km）", "能源", "用量"], rows) if rows else ""
    yard = physics.yard
    if yard is not None:
        parts += _table(
            ["平均等待（min）", "95 % 等待（min）", "最长（min）", "月台利用率", "平均排队（辆）", "怠速油耗（L）"],
            [[f"{yard.mean_wait:,.1f}", f"{yard.p95_wait:,.1f}", f"{yard.longest_wait:,.1f}",
              f"{yard.utilisation * 100:,.1f} %", f"{yard.mean_queue:,.2f}", f"{yard.idle_litres:,.0f}"]],
        )  # fmt: skip
    return parts


def _emissions(emissions: Mapping[str, Emissions]) -> str:
    rows = [
        ["范围一（燃料）", *(f"{item.scope_1:,.1f}" for item in emissions.values())],
        ["范围二（外购电，基于位置）", *(f"{item.scope_2:,.1f}" for item in emissions.values())],
        *(
            [f"其中：{title}", *(f"{item.by_purpose[name]:,.1f}" for item in emissions.values())]
            for name, title in _PURPOSES.items()
        ),
        ["合计", *(f"{item.total:,.1f}" for item in emissions.values())],
    ]
    return _table(["项目", *(_SCENARIOS[name] for name in emissions)], rows)
