"""Options of the carbon pages' charts, in tonnes of CO2 equivalent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from math import isnan
from typing import Any

from marketplace.web import words
from marketplace.web.rendering import sentence as _
from services.rules.carbon.inventory import Inventory
from services.usecases.carbon_metering import HoursView
from tenants.kernel.clock import CHINA

COLOURS = {
    "fuel": "#8a5a2b",
    "vehicle": "#c08a2e",
    "process": "#6b6f76",
    "refrigerant": "#8e6bb0",
    "electricity": "#24527a",
    "heat": "#b0493f",
    "sold_electricity": "#9db7cc",
    "sold_heat": "#d9a9a4",
}
KIND_COLOURS = {
    "efficiency": "#2f7d5b",
    "pv": "#c08a2e",
    "storage": "#8e6bb0",
    "electrification": "#24527a",
    "green_power": "#74b816",
    "offset": "#9aa3a9",
}
_GRID = {"left": 8, "right": 16, "top": 56, "bottom": 8, "containLabel": True}
_GRAMS = 1_000_000


def month_chart(inventory: Inventory) -> dict[str, Any]:
    """Return stacked columns of a year's months by heading, and a line of what electricity is by the market."""
    shown = [heading for heading in inventory.headings if heading.category.sign]
    series: list[dict[str, Any]] = [
        {
            "name": words.word("carbon_category", heading.category),
            "type": "bar",
            "stack": "all",
            "barMaxWidth": 28,
            "itemStyle": {"color": COLOURS[heading.category]},
            "data": [round(grams / _GRAMS, 3) for grams in heading.months],
        }
        for heading in shown
    ]
    series.append(
        {
            "name": _("电力（基于市场）"),
            "type": "line",
            "symbolSize": 5,
            "lineStyle": {"type": "dashed", "color": "#33434d"},
            "itemStyle": {"color": "#33434d"},
            "data": [round(grams / _GRAMS, 3) for grams in inventory.market_months],
        }
    )
    return {
        "grid": _GRID,
        "legend": {"top": 0, "left": 0, "type": "scroll"},
        "tooltip": {"trigger": "axis", "valueFormatter": "number"},
        "xAxis": {"type": "category", "data": [f"{inventory.year}-{month:02d}" for month in range(1, 13)]},
        "yAxis": {"type": "value", "name": "tCO₂e", "splitNumber": 4},
        "series": series,
    }


def hours_chart(view: HoursView) -> dict[str, Any]:
    """Return areas of bought and own power hour by hour, and a line of what the bought power emits."""
    first = datetime.fromtimestamp(view.hours.start, CHINA)
    names = [f"{first + timedelta(hours=place):%m-%d %H}" for place in range(len(view.hours.bought))]
    parts: list[dict[str, Any]] = [
        {
            "name": name,
            "type": "line",
            "stack": "kwh",
            "symbol": "none",
            "areaStyle": {"opacity": 0.7, "color": colour},
            "lineStyle": {"width": 0},
            "itemStyle": {"color": colour},
            "data": [None if isnan(value) else round(float(value), 2) for value in values],
        }
        for name, colour, values in (
            (_("自发自用（kWh）"), "#c08a2e", view.hours.own),
            (_("外购（kWh）"), "#24527a", view.hours.bought),
        )
    ]
    emitted = [None if isnan(grams) else round(float(grams) / 1000, 2) for grams in view.hours.grams]
    line = {"name": _("排放（kgCO₂）"), "type": "line", "symbol": "none", "yAxisIndex": 1, "data": emitted,
            "lineStyle": {"type": "dashed", "color": "#33434d"}, "itemStyle": {"color": "#33434d"}}  # fmt: skip
    return {
        "grid": _GRID,
        "legend": {"top": 0, "left": 0, "type": "scroll"},
        "tooltip": {"trigger": "axis", "valueFormatter": "number"},
        "xAxis": {"type": "category", "data": names, "boundaryGap": False},
        "yAxis": [
            {"type": "value", "name": "kWh", "splitNumber": 4},
            {"type": "value", "name": "kg", "splitNumber": 4},
        ],
        "series": [*parts, line],
    }


def abatement_chart(curve: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the marginal abatement cost curve: each measure as wide as its tonnes, as high as one of them costs."""
    series, done = [], 0.0
    for step in curve:
        ends = done, done + float(step["tonnes"])
        cost = float(step["yuan_per_tonne"])
        series.append(
            {
                "name": step["name"],
                "type": "line",
                "symbol": "none",
                "lineStyle": {"width": 1, "color": KIND_COLOURS[step["kind"]]},
                "areaStyle": {"opacity": 0.85, "color": KIND_COLOURS[step["kind"]], "origin": 0},
                "itemStyle": {"color": KIND_COLOURS[step["kind"]]},
                "data": [
                    [round(ends[0], 3), 0],
                    [round(ends[0], 3), cost],
                    [round(ends[1], 3), cost],
                    [round(ends[1], 3), 0],
                ],
            }
        )
        done = ends[1]
    return {
        "grid": _GRID | {"top": 72},
        "legend": {"top": 0, "left": 0, "type": "scroll"},
        "tooltip": {"trigger": "item", "valueFormatter": "yuan"},
        "xAxis": {"type": "value", "name": "tCO₂/a", "nameLocation": "middle", "nameGap": 26, "max": round(done, 3)},
        "yAxis": {"type": "value", "name": _("元/tCO₂"), "splitNumber": 4},
        "series": series,
    }


def path_chart(base: Mapping[str, Any], base_year: int, years: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return columns of what is left of each year's emissions, what offsets cover of it, and the line of the limits."""
    names = [str(base_year), *(str(year["year"]) for year in years)]
    net = [float(base["tonnes"])] + [round(float(y["emissions_t"]) - float(y["offset_t"]), 3) for y in years]
    offsets = [0.0] + [float(year["offset_t"]) for year in years]
    limits = [float(base["tonnes"])] + [float(year["limit_t"]) for year in years]
    return {
        "grid": _GRID,
        "legend": {"top": 0, "left": 0, "type": "scroll"},
        "tooltip": {"trigger": "axis", "valueFormatter": "number"},
        "xAxis": {"type": "category", "data": names},
        "yAxis": {"type": "value", "name": "tCO₂", "splitNumber": 4},
        "series": [
            {"name": _("排放"), "type": "bar", "stack": "t", "data": net, "itemStyle": {"color": "#24527a"}, "barMaxWidth": 30},
            {"name": _("抵消"), "type": "bar", "stack": "t", "data": offsets, "itemStyle": {"color": "#c9cfcf"}, "barMaxWidth": 30},
            {"name": _("目标"), "type": "line", "step": "middle", "symbol": "none", "data": limits,
             "lineStyle": {"type": "dashed", "color": "#b0493f"}, "itemStyle": {"color": "#b0493f"}},
        ],
    }  # fmt: skip
