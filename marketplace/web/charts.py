"""Options of ECharts: what is drawn, in the reader's words. Money in fen, energy as the engines give it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from marketplace.web.rendering import say
from marketplace.web.rendering import sentence as _
from tenants.kernel.messages import Message

FUND = "#2f7d5b"
PARK = "#24527a"
HELD = "#c08a2e"
QUIET = "#c9cfcf"
INK = "#33434d"
_GRID = {"left": 8, "right": 16, "top": 40, "bottom": 8, "containLabel": True}


def spend_chart(months: Sequence[str], fund_fen: Sequence[int], park_fen: Sequence[int]) -> dict[str, Any]:
    """Return stacked columns: what each month's services cost the fund and the park."""
    return {
        "color": [PARK, FUND],
        "grid": _GRID,
        "legend": {"top": 0, "right": 0},
        "tooltip": {"trigger": "axis", "valueFormatter": "fen"},
        "xAxis": {"type": "category", "data": list(months), "axisTick": {"show": False}},
        "yAxis": {"type": "value", "axisLabel": {"formatter": "shortfen"}, "splitNumber": 3},
        "series": [
            {"name": _("园区支付"), "type": "bar", "stack": "price", "data": list(park_fen), "barMaxWidth": 28},
            {"name": _("专项资金补贴"), "type": "bar", "stack": "price", "data": list(fund_fen), "barMaxWidth": 28},
        ],
    }


def meter_chart(days: Sequence[str], quantities: Sequence[float]) -> dict[str, Any]:
    """Return columns: what a meter counted on each day."""
    return {
        "color": [PARK],
        "grid": _GRID | {"top": 12},
        "tooltip": {"trigger": "axis", "valueFormatter": "number"},
        "xAxis": {"type": "category", "data": list(days), "axisTick": {"show": False}},
        "yAxis": {"type": "value", "splitNumber": 3},
        "series": [{"name": _("数量"), "type": "bar", "data": list(quantities), "barMaxWidth": 20}],
    }


def sharing_chart(
    parks: Sequence[str], costs_fen: Mapping[str, Mapping[str, int]], words: Mapping[str, Message]
) -> dict[str, Any]:
    """Return groups of columns: what a year costs each park, by the ways of sharing; the first is the agreement's."""
    colours = (PARK, FUND, HELD, "#7a6aa0", QUIET)
    return {
        "color": list(colours[: len(costs_fen)]),
        "grid": _GRID,
        "legend": {"top": 0, "left": 0, "type": "scroll"},
        "tooltip": {"trigger": "axis", "valueFormatter": "fen"},
        "xAxis": {"type": "category", "data": list(parks), "axisTick": {"show": False}},
        "yAxis": {"type": "value", "axisLabel": {"formatter": "shortfen"}, "splitNumber": 3},
        "series": [
            {"name": say(words[method]), "type": "bar", "data": [fen.get(park, 0) for park in parks], "barMaxWidth": 22}
            for method, fen in costs_fen.items()
        ],
    }


def fund_chart(funds: Sequence[Any]) -> dict[str, Any]:
    """Return a lying bar for each fund: what is available, held, captured and disbursed of its money."""
    parts = (
        (_("可用"), "available_fen", "#9cc7b3"),
        (_("预占"), "held_fen", HELD),
        (_("已核销"), "captured_fen", FUND),
        (_("已拨付"), "disbursed_fen", PARK),
    )
    return {
        "color": [colour for _name, _part, colour in parts],
        "grid": _GRID,
        "legend": {"top": 0, "left": 0},
        "tooltip": {"trigger": "item", "valueFormatter": "fen"},
        "xAxis": {"type": "value", "axisLabel": {"formatter": "shortfen"}, "splitNumber": 3},
        "yAxis": {"type": "category", "data": [fund.slug for fund in funds], "inverse": True},
        "series": [
            {
                "name": name,
                "type": "bar",
                "stack": "fund",
                "data": [getattr(fund, part) for fund in funds],
                "barMaxWidth": 26,
            }
            for name, part, _colour in parts
        ],
    }


def outlook_chart(outlook: Any, threshold_fen: int | None) -> dict[str, Any]:
    """Return a fund's balance day by day, a dashed line to the day it is forecast to run out, and its alert line."""
    history = [[each.day.isoformat(), each.available_fen] for each in outlook.history]
    series: list[dict[str, Any]] = [
        {
            "name": _("可用余额"),
            "type": "line",
            "step": "end",
            "showSymbol": False,
            "data": history,
            "areaStyle": {"opacity": 0.12},
        }
    ]
    if threshold_fen is not None:
        label = {"formatter": _("预警线"), "position": "insideStartTop"}
        series[0]["markLine"] = {
            "silent": True,
            "symbol": "none",
            "label": label,
            "lineStyle": {"color": HELD},
            "data": [{"yAxis": threshold_fen}],
        }
    if outlook.runs_out_on is not None and history:
        series.append(
            {
                "name": _("预计余额"),
                "type": "line",
                "showSymbol": False,
                "lineStyle": {"type": "dashed"},
                "data": [history[-1], [outlook.runs_out_on.isoformat(), 0]],
            }
        )
    return {
        "color": [FUND, HELD],
        "grid": _GRID,
        "legend": {"top": 0, "left": 0},
        "tooltip": {"trigger": "axis", "valueFormatter": "fen"},
        "xAxis": {"type": "time"},
        "yAxis": {"type": "value", "min": 0, "axisLabel": {"formatter": "shortfen"}, "splitNumber": 3},
        "series": series,
    }


SCENARIOS = ("as_is", "optimised", "sized")


def twin_chart(kpis: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return columns of the yearly bill as it is, optimised and sized; None for figures that are not a twin's."""
    scenarios = kpis
    if not all(isinstance(scenarios.get(name), Mapping) for name in SCENARIOS):
        return None
    names = [_("现状"), _("优化运行"), _("扩容后")]
    bills = [scenarios[name].get("annual_bill_yuan") or 0 for name in SCENARIOS]
    colours = (QUIET, "#7fb39b", FUND)
    return {
        "grid": _GRID,
        "tooltip": {"trigger": "item", "valueFormatter": "yuan"},
        "xAxis": {"type": "category", "data": names, "axisTick": {"show": False}},
        "yAxis": {"type": "value", "axisLabel": {"formatter": "shortyuan"}, "splitNumber": 3},
        "series": [
            {
                "name": _("年电费"),
                "type": "bar",
                "barMaxWidth": 72,
                "data": [
                    {"value": round(float(bill), 2), "itemStyle": {"color": colour}}
                    for bill, colour in zip(bills, colours, strict=True)
                ],
            }
        ],
    }


def schedule_chart(kpis: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return lines of the power bought today and as planned, and the PV; None for figures that are not a schedule's."""
    curve = kpis.get("curve")
    if not isinstance(curve, Mapping):
        return None
    lines = ((_("现状购电"), "today_kw", QUIET), (_("计划购电"), "planned_kw", PARK), (_("光伏"), "pv_kw", HELD))
    return {
        "color": [colour for _name, _key, colour in lines],
        "grid": _GRID,
        "legend": {"top": 0, "left": 0},
        "tooltip": {"trigger": "axis", "valueFormatter": "number"},
        "xAxis": {"type": "category", "data": list(curve["times"]), "axisTick": {"show": False}},
        "yAxis": {"type": "value", "name": "kW", "splitNumber": 3},
        "series": [
            {"name": name, "type": "line", "showSymbol": False, "data": list(curve[key])}
            for name, key, _colour in lines
        ],
    }


def change_chart(months: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return columns side by side: what the programme gave each month, and what the tried version would have given."""
    return {
        "color": [QUIET, FUND],
        "grid": _GRID,
        "legend": {"top": 0, "right": 0},
        "tooltip": {"trigger": "axis", "valueFormatter": "fen"},
        "xAxis": {"type": "category", "data": [each["month"] for each in months], "axisTick": {"show": False}},
        "yAxis": {"type": "value", "axisLabel": {"formatter": "shortfen"}, "splitNumber": 3},
        "series": [
            {"name": _("实际"), "type": "bar", "data": [each["before_fen"] for each in months], "barMaxWidth": 28},
            {"name": _("试算"), "type": "bar", "data": [each["after_fen"] for each in months], "barMaxWidth": 28},
        ],
    }


def flow_chart(links: Sequence[tuple[str, str, float]], words: Mapping[str, Message]) -> dict[str, Any]:
    """Return a Sankey diagram of kWh from sources to sinks; both ends of the battery are nodes of their own."""
    colours = {
        "grid": PARK, "own": "#c9a227", "battery": FUND, "load": INK, "charging": "#9cc7b3", "export": HELD,
        "curtailed": QUIET,
    }  # fmt: skip
    nodes = dict.fromkeys(end for source, sink, _kwh in links for end in (source, sink))
    return {
        "tooltip": {"trigger": "item", "valueFormatter": "kwh"},
        "series": [
            {
                "type": "sankey",
                "left": 8,
                "right": 110,
                "top": 12,
                "bottom": 12,
                "data": [{"name": say(words[node]), "itemStyle": {"color": colours[node]}} for node in nodes],
                "links": [
                    {"source": say(words[source]), "target": say(words[sink]), "value": round(kwh, 3)}
                    for source, sink, kwh in links
                ],
                "lineStyle": {"color": "source", "opacity": 0.35},
                "label": {"color": INK},
            }
        ],
    }


def bill_chart(
    kpis: Mapping[str, Any], scenarios: Mapping[str, Message], parts: Mapping[str, Message]
) -> dict[str, Any]:
    """Return a stacked column for each scenario: what its bill is made of, in yuan; feed-in lies below the line."""
    bills = {name: kpis[name].get("bill_parts_yuan", {}) for name in scenarios}
    return {
        "grid": _GRID | {"top": 64},
        "legend": {"top": 0, "left": 0, "type": "scroll"},
        "tooltip": {"trigger": "axis", "valueFormatter": "yuan"},
        "xAxis": {"type": "category", "data": [say(word) for word in scenarios.values()], "axisTick": {"show": False}},
        "yAxis": {"type": "value", "axisLabel": {"formatter": "shortyuan"}, "splitNumber": 3},
        "series": [
            {
                "name": say(word),
                "type": "bar",
                "stack": "bill",
                "barMaxWidth": 56,
                "data": [bill.get(part, 0) for bill in bills.values()],
            }
            for part, word in parts.items()
            if any(bill.get(part) for bill in bills.values())
        ],
    }
