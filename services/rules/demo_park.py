"""The demo county park as ``park.json`` documents: tariff, plant and costs of the kind an eastern county has in 2025.

Prices, costs and the factor are round figures for demonstration, not a quotation of any province's price list.
"""

from __future__ import annotations

from typing import Any

DEMO_FACTOR = {
    "kg_per_kwh": "0.5306",
    "edition": "2023 年电力二氧化碳排放因子（全国平均）",
    "year": 2023,
    "source": "生态环境部、国家统计局公告",
}
_WINTER_AND_SUMMER = [1, 7, 8, 12]


def demo_park(
    *, name: str = "云溪县轻纺食品产业园", seed: int = 1, year: int = 2025, annual_kwh: float = 8_000_000.0
) -> dict[str, Any]:
    """Return the document for a year at 15 minutes with a generated load."""
    return {
        "format": "park/2",
        "site": {"name": name, "latitude": 36.1, "longitude": 115.8, "timezone": "Asia/Shanghai"},
        "period": {"year": year},
        "step_minutes": 15,
        "weather": {"builtin": "723170TYA"},
        "load": {"profile": {"annual_kwh": annual_kwh, "seed": seed}},
        "pv": {"kwp": 600, "tilt": 15, "azimuth": 180},
        "battery": {"kwh": 1000, "kw": 500, "efficiency": 0.88},
        "tariff": {
            "prices": {"sharp": "1.1846", "peak": "0.9872", "flat": "0.6581", "valley": "0.3290"},
            "windows": [
                {"period": "valley", "from": "00:00", "to": "08:00"},
                {"period": "peak", "from": "09:00", "to": "12:00"},
                {"period": "valley", "from": "12:00", "to": "14:00"},
                {"period": "peak", "from": "17:00", "to": "22:00"},
                {"period": "sharp", "from": "18:00", "to": "20:00", "months": _WINTER_AND_SUMMER},
            ],
            "demand_yuan_per_kw_month": "38.4",
        },
        "feed_in": {"mode": "surplus", "price": "0.3"},
        "emission_factor": DEMO_FACTOR,
        "sizing": {
            "pv_max_kwp": 4000,
            "battery_max_kwh": 6000,
            "battery_max_kw": 3000,
            "subsidy_share": 0.2,
        },
        "seed": seed,
    }


def demo_week(*, name: str = "云溪县轻纺食品产业园", days: int = 7) -> dict[str, Any]:
    """Return the document for a summer week from Monday on, with processes that may be run at other hours."""
    park = demo_park(name=name)
    del park["sizing"]
    return park | {
        "period": {"from": "2025-07-14", "to": f"2025-07-{14 + days}"},
        "processes": [
            {
                "name": "冷库预冷", "kw": 160, "run_minutes": 240, "usual_start": "14:00", "adjustable": True,
                "window": {"from": "00:00", "to": "24:00"},
            },
            {
                "name": "污水曝气", "kw": 90, "run_minutes": 360, "usual_start": "09:00", "interruptible": True,
                "min_run_minutes": 60, "window": {"from": "00:00", "to": "24:00"},
            },
            {
                "name": "蒸煮杀菌", "kw": 180, "run_minutes": 180, "usual_start": "09:00", "days": "workdays",
                "window": {"from": "06:00", "to": "22:00"},
            },
            {
                "name": "灌装包装", "kw": 60, "run_minutes": 120, "usual_start": "17:00", "days": "workdays",
                "window": {"from": "08:00", "to": "24:00"}, "follows": "蒸煮杀菌",
            },
        ],
    }  # fmt: skip
