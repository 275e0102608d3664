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
_OFFICE = {
    "name": "综合服务楼", "floor_area": 3000, "height": 3.6, "wall_area": 1800, "wall_u": 0.55, "window_area": 650,
    "window_u": 2.4, "solar_share": 0.45, "metered": True,
}  # fmt: skip
_GRID = {
    "buses": [
        {"name": "10kV母线", "kv": 10},
        {"name": "纺织区10kV", "kv": 10},
        {"name": "纺织区0.4kV", "kv": 0.4, "load_share": 0.45, "pv_share": 0.5},
        {"name": "食品区0.4kV", "kv": 0.4, "load_share": 0.3, "pv_share": 0.3},
        {"name": "加工区0.4kV", "kv": 0.4, "load_share": 0.25, "pv_share": 0.2},
    ],
    "transformers": [
        {"name": "纺织区1号变", "from": "纺织区10kV", "to": "纺织区0.4kV", "kva": 1600, "uk_percent": 6,
         "load_loss_kw": 14.5, "no_load_loss_kw": 1.64},
        {"name": "食品区变", "from": "10kV母线", "to": "食品区0.4kV", "kva": 1000, "uk_percent": 4.5,
         "load_loss_kw": 10.3, "no_load_loss_kw": 1.15},
        {"name": "加工区变", "from": "10kV母线", "to": "加工区0.4kV", "kva": 1000, "uk_percent": 4.5,
         "load_loss_kw": 10.3, "no_load_loss_kw": 1.15},
    ],
    "feeders": [
        {"name": "纺织区电缆", "from": "10kV母线", "to": "纺织区10kV", "km": 0.8, "r_ohm_per_km": 0.125,
         "x_ohm_per_km": 0.09, "c_uf_per_km": 0.3, "ampacity_a": 300},
    ],
    "short_circuit_mva": 250, "battery_bus": "纺织区10kV", "wind_bus": "10kV母线",
}  # fmt: skip
_TRUCKS = {
    "fleets": [
        {"name": "干线货运", "drive": "diesel", "trips_per_day": 12, "km": 180, "per_100_km": 32},
        {"name": "厂内电动物流车", "drive": "electric", "trips_per_day": 60, "km": 6, "per_100_km": 80},
    ],
    "yard": {"docks": 4, "trucks_per_hour": 8, "service_minutes": 22, "variation": 0.6},
}


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
        "wind": {"count": 1, "rated_kw": 500, "hub_height_m": 60, "losses": 0.12},
        "buildings": [_OFFICE],
        "network": _GRID,
        "logistics": _TRUCKS,
        "fuels": [{"fuel": "natural_gas", "amount": "150000", "unit": "Nm3", "purpose": "production"}],
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
