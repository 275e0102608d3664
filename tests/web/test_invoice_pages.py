"""Pages of invoices: what finance issues, and what a park finds behind a line in two clicks."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape

from tests.support.province import Province
from tests.support.sales import sold_inspection
from tests.support.visitor import Visitor

Enter = Callable[[str], Visitor]


def links(text: str, pattern: str) -> list[str]:
    """Return the addresses on a page that match."""
    return [unescape(each) for each in re.findall(r'href="([^"]+)"', text) if re.search(pattern, unescape(each))]


def test_a_line_leads_to_its_event_and_the_use_to_its_line(province: Province, signed_in: Enter) -> None:
    province.fund()
    order, _ = sold_inspection(province, province.park())
    (row,) = province.finance.post("/invoices", {"period": "2026-03"}).get_json()["items"]
    park = signed_in("admin1")
    (address,) = links(park.get(f"/invoices/{row['id']}").text, "/lines/")
    page = park.get(address)
    assert page.status_code == 200, page.text
    for said in ("已列入账单", "v1", "r.pdf", "inspection-hours", row["number"], f"/orders/{order}"):
        assert said in page.text
    (back,) = links(park.get("/usage").text, "/usage/event")
    assert row["number"] in park.get(back).text
    assert park.get(f"/invoices/{row['id']}/lines/9").status_code == 404
    assert park.get(f"/invoices/{row['id']}/lines/99999999999999999999").status_code == 404
    park.get("/language/en")
    assert "On an invoice" in park.get(address).text
