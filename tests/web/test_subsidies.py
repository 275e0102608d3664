"""A park's own subsidies, and its alone; the books by the names of those they are about."""

import csv
import io
from collections.abc import Callable

from marketplace.demo.world import YUAN
from tests.support.province import Province
from tests.support.visitor import Visitor
from tests.support.web import Caller

Enter = Callable[[str], Visitor]
YEAR = "from=2026-01-01T00:00:00%2B08:00&to=2027-01-01T00:00:00%2B08:00"


def order_twin(park: Caller) -> str:
    """Order a twin run; return the order's number."""
    wish = {"lines": [{"offering": "digital-twin-run", "request": {"demo": True}}]}
    quote = park.post("/quotes", wish).get_json()
    order = park.post("/orders", {"quote_id": quote["id"], "payment_method": "invoice"}, key=quote["id"])
    assert order.status_code == 201, order.text
    return str(order.get_json()["number"])


def test_a_park_sees_its_ceilings_grants_and_history_and_no_other_parks(province: Province, signed_in: Enter) -> None:
    province.fund(park_year_cap_fen=20_000 * YUAN)
    one, other = province.park(1), province.park(2)
    number = order_twin(one)
    order_twin(other)
    order_twin(other)
    found = one.get(f"/subsidies?{YEAR}").get_json()
    (ceiling,) = found["ceilings"][0]["ceilings"]
    assert (ceiling["limit_fen"], ceiling["used_fen"], ceiling["left_fen"]) == (20_000_00, 6_000_00, 14_000_00)
    assert ceiling["starts_anew"] == "2027-01-01"
    (programme,) = found["programmes"]
    assert (programme["lines"], programme["reserved_fen"], programme["held_fen"], programme["paid_fen"]) == (
        1, 6_000_00, 6_000_00, 0,
    )  # fmt: skip
    assert [each["order_number"] for each in found["items"]] == [number]
    assert one.get("/subsidies?from=2025-01-01T00:00:00Z&to=2026-01-01T00:00:00Z").get_json()["items"] == []
    assert province.officer.get(f"/subsidies?{YEAR}").status_code == 403

    admin = signed_in("admin1")
    page = admin.get("/subsidies").text
    for part in ("本园区年度补贴上限", "剩余 ¥14,000.00", "2027-01-01 起重新计算", number, 'width="30"'):
        assert part in page
    assert "¥12,000.00" not in page
    assert "这一年还没有补贴" in admin.get("/subsidies?year=2025").text
    rows = list(csv.DictReader(io.StringIO(admin.get("/subsidies.csv").get_data().decode("utf-8-sig"))))
    assert [(row["订单"], row["占用（元）"], row["状态"]) for row in rows] == [(number, "6000.00", "预占")]
    assert "Yearly ceiling of this park" in admin.get("/subsidies?lang=en").text
    assert signed_in("officer").get("/subsidies").status_code == 403


def test_the_trial_balance_names_parks_and_funds(province: Province, signed_in: Enter) -> None:
    province.fund()
    page = signed_in("finance").get("/books").text
    balance = page.partition('id="difference"')[0].rpartition("试算平衡")[2]
    assert "财政拨款" in balance
    assert "专项资金预算 · 专项资金" in balance
