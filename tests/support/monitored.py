"""A park with a site that rents monitoring and alarms, behind the API."""

from __future__ import annotations

from typing import Any

from tests.support.province import Province
from tests.support.web import Caller

DAY = "2026-03-01T{hour:02}:{minute:02}:00+08:00"


def monitored_park(province: Province, *offerings: str, number: int = 1) -> tuple[Caller, str]:
    """Return a park's caller and the id of a site for which ``offerings`` are rented this month."""
    caller = province.park(number)
    site = caller.post("/sites", {"name": "一号厂房", "latitude": 34.05, "longitude": 111.05}).get_json()
    rent(caller, site["id"], *(offerings or ("energy-monitoring", "simple-alarms")))
    return caller, str(site["id"])


def rent(caller: Caller, site_id: str, *offerings: str) -> None:
    """Rent services for a site for this month."""
    lines = [{"offering": slug, "request": {"site_id": site_id}} for slug in offerings]
    quote = caller.post("/quotes", {"lines": lines}).get_json()
    placed = caller.post("/orders", {"quote_id": quote["id"]})
    assert placed.status_code == 201, placed.text


def add_meter(caller: Caller, site_id: str, code: str, **more: Any) -> dict[str, Any]:
    """Enter a meter."""
    made = caller.post(f"/sites/{site_id}/meters", {"code": code, "name": f"仪表 {code}"} | more)
    assert made.status_code == 201, made.text
    found: dict[str, Any] = made.get_json()
    return found


def quarters(*values: float, first: int = 0) -> list[list[Any]]:
    """Return readings of the quarters of 1 March 2026 in China, from the ``first`` one on."""
    return [
        [DAY.format(hour=(first + n) // 4, minute=(first + n) % 4 * 15), value] for n, value in enumerate(values)
    ]  # fmt: skip
