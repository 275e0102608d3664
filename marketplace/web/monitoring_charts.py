"""Options of ECharts for monitoring: series, expected use with the sums of an anomaly, a day's forecast."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from marketplace.web.charts import FUND, HELD, PARK, QUIET
from marketplace.web.rendering import sentence as _
from services.rules.monitoring.series import STEP, Flag, Series
from services.usecases.baselines import ForecastView
from tenants.kernel.clock import CHINA

_GRID = {"left": 8, "right": 16, "top": 40, "bottom": 8, "containLabel": True}
_TOUCHED = int(Flag.BRIDGED | Flag.SPREAD | Flag.ESTIMATED)


def series_chart(series: Series, unit: str) -> dict[str, Any]:
    """Return a line of a meter's steps; what was bridged, spread or estimated is drawn apart."""
    labels = [_label(int(at), series.step) for at in series.at]
    touched = (series.flags & _TOUCHED) != 0
    measured = [None if np.isnan(value) else round(float(value), 3) for value in series.values]
    marked = [value if mark else None for value, mark in zip(measured, touched, strict=True)]
    lines = [{"name": unit or _("数值"), "type": "line", "showSymbol": False, "data": measured, "connectNulls": False}]
    if touched.any():
        lines.append(
            {"name": _("补值或估计"), "type": "line", "symbolSize": 4, "lineStyle": {"width": 0}, "data": marked}
        )
    return {
        "color": [PARK, HELD],
        "grid": _GRID,
        "legend": {"top": 0, "right": 0},
        "tooltip": {"trigger": "axis", "valueFormatter": "number"},
        "xAxis": {"type": "category", "data": labels, "axisTick": {"show": False}},
        "yAxis": {"type": "value", "splitNumber": 3, "scale": series.is_level},
        "series": lines,
    }


def watch_chart(found: Mapping[str, Any], unit: str) -> dict[str, Any]:
    """Return the last days: columns of what was used, a line of what was expected, and the sum that makes an anomaly."""
    days: Sequence[Sequence[Any]] = found["days"]
    limit = found.get("limit", 0)
    return {
        "color": [PARK, FUND, HELD],
        "grid": _GRID | {"right": 8},
        "legend": {"top": 0, "right": 0},
        "tooltip": {"trigger": "axis", "valueFormatter": "number"},
        "xAxis": {"type": "category", "data": [str(day[0])[5:] for day in days], "axisTick": {"show": False}},
        "yAxis": [
            {"type": "value", "splitNumber": 3},
            {"type": "value", "min": 0, "max": max([2 * limit, *(round(day[3], 1) for day in days)]), "show": False},
        ],
        "series": [
            {
                "name": _("实际（{unit}）", unit=unit),
                "type": "bar",
                "data": [day[1] for day in days],
                "barMaxWidth": 18,
            },
            {"name": _("基线"), "type": "line", "showSymbol": False, "data": [day[2] for day in days]},
            {
                "name": _("累积偏离"),
                "type": "line",
                "yAxisIndex": 1,
                "showSymbol": False,
                "lineStyle": {"type": "dashed"},
                "data": [day[3] for day in days],
                "markLine": {
                    "silent": True,
                    "symbol": "none",
                    "label": {"formatter": _("告警限"), "position": "insideStartTop"},
                    "lineStyle": {"color": QUIET},
                    "data": [{"yAxis": limit}],
                },
            },
        ],
    }


def surge_chart(quarters: Sequence[Sequence[Any]], unit: str) -> dict[str, Any]:
    """Return the quarters around a sudden deviation: what was used, and what was expected, per hour."""
    return {
        "color": [PARK, FUND],
        "grid": _GRID,
        "legend": {"top": 0, "right": 0},
        "tooltip": {"trigger": "axis", "valueFormatter": "number"},
        "xAxis": {
            "type": "category",
            "data": [_label(int(each[0]), STEP) for each in quarters],
            "axisTick": {"show": False},
        },
        "yAxis": {"type": "value", "splitNumber": 3},
        "series": [
            {
                "name": _("每小时实际（{unit}）", unit=unit),
                "type": "line",
                "showSymbol": False,
                "data": [each[1] for each in quarters],
            },
            {
                "name": _("应有用量"),
                "type": "line",
                "showSymbol": False,
                "lineStyle": {"type": "dashed"},
                "data": [each[2] for each in quarters],
            },
        ],
    }


def forecast_chart(forecast: ForecastView, unit: str) -> dict[str, Any]:
    """Return the day's forecast by the hour, with its band."""
    return {
        "color": [PARK, QUIET, QUIET],
        "grid": _GRID,
        "legend": {"top": 0, "right": 0},
        "tooltip": {"trigger": "axis", "valueFormatter": "number"},
        "xAxis": {"type": "category", "data": [f"{hour:02}:00" for hour in range(24)], "axisTick": {"show": False}},
        "yAxis": {"type": "value", "splitNumber": 3},
        "series": [
            {
                "name": _("预测（{unit}）", unit=unit),
                "type": "line",
                "showSymbol": False,
                "data": list(forecast.values),
            },
            {"name": _("下限"), "type": "line", "showSymbol": False, "data": list(forecast.low)},
            {"name": _("上限"), "type": "line", "showSymbol": False, "data": list(forecast.high)},
        ],
    }


def _label(at: int, step: int) -> str:
    moment = datetime.fromtimestamp(at, UTC).astimezone(CHINA)
    return f"{moment:%m-%d}" if step >= 86400 else f"{moment:%m-%d %H:%M}"
