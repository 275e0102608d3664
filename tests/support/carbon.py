"""A site with a rented month of carbon monitoring, and activities for its ledger."""

from __future__ import annotations

from typing import Any

from tests.support.province import Province
from tests.support.web import Caller

CARBON = "zero-carbon"
POWER = {
    "category": "electricity", "item": "electricity.average", "start": "2025-01-01", "end": "2025-02-01",
    "quantity": "1000", "unit": "MWh", "note": "",
}  # fmt: skip
GAS = {
    "category": "fuel", "item": "fuel.natural_gas", "start": "2025-01-01", "end": "2026-01-01",
    "quantity": "10", "unit": "10^4Nm3", "note": "",
}  # fmt: skip
CSV = """排放类别,活动,开始日期,结束日期,数量,单位,密度,备注
外购电力,电,2025-02-01,2025-02-28,900,MWh,,二月电费单
移动源,柴油,2025-02-01,2025-02-28,"1,000",L,0.84,叉车
"""


def carbon_site(province: Province, park: Caller, name: str = "一号厂房", *, rented: bool = True) -> str:
    """Enter a site and rent this month of carbon monitoring for it; return its id."""
    site = park.post("/sites", {"name": name}).get_json()["id"]
    if rented:
        quote = park.post("/quotes", {"lines": [{"offering": CARBON, "request": {"site_id": site}}]})
        assert quote.status_code in {200, 201}, quote.text
        order = park.post("/orders", {"quote_id": quote.get_json()["id"]})
        assert order.status_code in {200, 201}, order.text
    return str(site)


def enter(park: Caller, site: str, wish: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Write an activity; return the record."""
    answer = park.post(f"/sites/{site}/carbon/records", wish | changes)
    assert answer.status_code == 201, answer.text
    return dict(answer.get_json())


def year_of(park: Caller, site: str, year: int = 2025) -> dict[str, Any]:
    """Read a site's year."""
    answer = park.get(f"/sites/{site}/carbon/inventory?year={year}")
    assert answer.status_code == 200, answer.text
    return dict(answer.get_json())


def certify(park: Caller, site: str, number: str, **changes: Any) -> dict[str, Any]:
    """Register a certificate; return it."""
    wish = {"number": number, "origin": "purchased", "mwh": 100, "month": "2025-01", "project": "某风电场"}
    answer = park.post(f"/sites/{site}/certificates", wish | changes)
    assert answer.status_code == 201, answer.text
    return dict(answer.get_json())
