"""The form of a schedule: battery, demand, prices, and a few processes in rows; what it says as a request, and back to fields."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from marketplace.web.pages import field
from services.rules.demo_park import demo_park

ROWS = 4
"""Processes that the form has room for; the API takes more."""
PERIODS = ("sharp", "peak", "flat", "valley")
_PROCESS = re.compile(r"site\.processes\[(\d+)\](?:\.(\w+))?")
_PLACES = (
    ("site.processes", "p1_name"),
    ("site.battery.kw", "battery_kw"),
    ("site.battery.soc_start", "soc_percent"),
    ("site.battery", "battery_kwh"),
    ("site.pv", "pv_kwp"),
    *((f"site.tariff.prices.{period}", f"price_{period}") for period in PERIODS),
    ("site.tariff", "demand_price"),
    ("demand.so_far_kw", "so_far_kw"),
    ("demand.cap_kw", "cap_kw"),
)
_FIELDS = {"run_minutes": "minutes", "usual_start": "usual", "min_run_minutes": "minutes", "follows": "after"}


def schedule_request(load: Mapping[str, Any]) -> dict[str, Any]:
    """Return the request that the form says, on a load that ``load`` names (the demo's needs no plant)."""
    demand = {
        name: _number(field(name)) for name in ("so_far_kw", "cap_kw") if field(name)
    }  # what is empty is not said
    found: dict[str, Any] = {**load, **({"demand": demand} if demand else {})}
    if "demo" not in load:
        found["site"] = {
            "battery": _battery(),
            "pv": {"kwp": _number(field("pv_kwp") or "0")},
            "processes": _processes(),
            **_tariff(),
        }
    return found


def demo_prices() -> dict[str, str]:
    """Return the demo tariff's yuan per kWh by period, which the form shows at first."""
    prices: dict[str, str] = demo_park()["tariff"]["prices"]
    return prices


def demo_demand_price() -> str:
    """Return the demo tariff's yuan per kW and month."""
    return str(demo_park()["tariff"]["demand_yuan_per_kw_month"])


def _tariff() -> dict[str, Any]:
    """Return the prices that the form gives; the hours they hold for are the demo tariff's."""
    prices = {period: field(f"price_{period}") for period in PERIODS if field(f"price_{period}")}
    tariff: dict[str, Any] = {"prices": {**demo_prices(), **prices}} if prices else {}
    if field("demand_price"):
        tariff["demand_yuan_per_kw_month"] = field("demand_price")
    return {"tariff": tariff} if tariff else {}


def _battery() -> dict[str, Any]:
    battery: dict[str, Any] = {
        "kwh": _number(field("battery_kwh") or "0"),
        "kw": _number(field("battery_kw") or "0"),
        "habit": "valley_peak",
    }
    if field("soc_percent"):
        percent = _number(field("soc_percent"))
        battery["soc_start"] = percent / 100 if isinstance(percent, float) else percent
    return battery


def _processes() -> list[dict[str, Any]]:
    found = []
    for row in filled_rows():
        kind = field(f"p{row}_kind")
        process: dict[str, Any] = {
            "name": field(f"p{row}_name"),
            "kw": _number(field(f"p{row}_kw")),
            "run_minutes": _number(field(f"p{row}_minutes")),
            "window": {"from": field(f"p{row}_from"), "to": field(f"p{row}_to")},
            "usual_start": field(f"p{row}_usual"),
            "interruptible": kind == "interruptible",
            "adjustable": kind == "adjustable",
        }
        if field(f"p{row}_after"):
            process["follows"] = field(f"p{row}_after")
        found.append(process)
    return found


def filled_rows() -> list[int]:
    """Return the numbers of the rows that say something."""
    names = ("name", "kw", "minutes", "usual")
    return [row for row in range(1, ROWS + 1) if any(field(f"p{row}_{name}") for name in names)]


def schedule_place(path: str) -> str | None:
    """Return the form's field for a path of the request, None for one that is not about processes, battery or demand."""
    rest = path.rpartition("request.")[2]
    if (match := _PROCESS.match(rest)) is not None:
        rows = filled_rows()
        number = int(match[1])
        part = _FIELDS.get(match[2] or "name", match[2] or "name")
        part = {"window": "from"}.get(part, part)
        return f"p{rows[number]}_{part}" if number < len(rows) else None
    return next((name for start, name in _PLACES if rest == start or rest.startswith(f"{start}.")), None)


def _number(text: str) -> float | str:
    """Return a number, or the text as it is, for the use case to refuse."""
    return float(text) if re.fullmatch(r"-?[0-9]{1,9}(\.[0-9]{1,6})?", text) else text
