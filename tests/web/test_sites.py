"""Sites, and standing services rented for them month by month, through forms and the API."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.province import Province
from tests.support.visitor import Visitor, form_value
from tests.support.web import Caller

Enter = Callable[[str], Visitor]


@pytest.fixture
def caller(province: Province) -> Caller:
    """A park of the leading tier, with a fund that has enough."""
    province.fund()
    return province.park(1)


def test_a_site_is_entered_rented_and_its_renewal_stopped(caller: Caller, signed_in: Enter) -> None:
    park = signed_in("admin1")
    assert "先添加一个站点" in park.get("/rent/energy-monitoring").text
    park.get("/sites")
    page = park.follow(park.post("/sites", {"name": "一号厂房", "latitude": "34.05", "longitude": "111.05"}))
    assert "一号厂房" in page.text
    assert "未租用" in page.text
    site = caller.get("/sites").get_json()["items"][0]
    form = park.get(f"/rent/energy-monitoring?site={site['id']}").text
    assert "2026-03（本月，按整月计费）" in form.replace("\n", "").replace("2026-03 （", "2026-03（")
    asked = park.post("/rent/energy-monitoring", {"site_id": site["id"], "month": "2026-03", "renew": "stop"})
    price = park.follow(asked)
    assert "¥800.00" in price.text
    assert "¥320.00" in price.text
    order = park.follow(park.post(asked.headers["Location"], {"key": form_value(price, "key")}))
    assert "月末结算" in order.text
    listed = park.get("/sites")
    for part in ("续租中", "2026-04", "¥320.00"):
        assert part in listed.text
    (standing,) = caller.get("/standing-orders").get_json()["items"]
    assert "已停止" in park.follow(park.post(f"/standing-orders/{standing['id']}/stop")).text
    state = caller.get(f"/sites/{site['id']}").get_json()
    assert (state["running"], state["rented"]) == (["monitoring"], {"monitoring": ["2026-03-01"]})


def test_forms_name_what_is_wrong(caller: Caller, signed_in: Enter) -> None:
    park = signed_in("admin1")
    park.get("/sites")
    assert "站点名称须为" in park.post("/sites", {"name": " "}).text
    assert "须为数字" in park.post("/sites", {"name": "甲", "latitude": "north"}).text
    assert "须一并填写" in park.post("/sites", {"name": "甲", "latitude": "34"}).text
    made = caller.post("/sites", {"name": "甲"}).get_json()
    assert "已有名为“甲”的站点" in park.post("/sites", {"name": "甲"}).text
    park.get("/rent/simple-alarms")
    assert "请至少选择一个站点" in park.post("/rent/simple-alarms", {"month": "2026-03"}).text
    many = park.post("/rent/simple-alarms", {"site_id": made["id"], "renew": "months", "months": "99"})
    assert many.status_code == 422
    assert "is-invalid" in many.text


def test_a_closed_site_is_not_rented_any_more(caller: Caller) -> None:
    site = caller.post("/sites", {"name": "甲"}).get_json()
    assert caller.put(f"/sites/{site['id']}", {"name": "乙"}).get_json()["name"] == "乙"
    closed = [caller.post(f"/sites/{site['id']}/closing").get_json()["closed_at"] for _ in range(2)]
    assert closed[0] is not None
    assert closed[0] == closed[1]
    refused = caller.post("/quotes", {"lines": [{"offering": "energy-monitoring", "request": {"site_id": site["id"]}}]})
    assert (refused.status_code, refused.get_json()["code"]) == (422, "site.closed")


def test_several_sites_are_one_order_of_several_lines(caller: Caller) -> None:
    ids = [caller.post("/sites", {"name": name}).get_json()["id"] for name in ("甲", "乙")]
    lines = [{"offering": "energy-monitoring", "request": {"site_id": each, "months": 12}} for each in ids]
    quote = caller.post("/quotes", {"lines": lines}).get_json()
    order = caller.post("/orders", {"quote_id": quote["id"]}, key="o").get_json()
    assert [line["site_month"]["site_name"] for line in order["lines"]] == ["甲", "乙"]
    assert [each["last_month"] for each in caller.get("/standing-orders").get_json()["items"]] == ["2027-02-01"] * 2
    twice = caller.post("/quotes", {"lines": [lines[0] | {"offering": "simple-alarms"}] * 2}).get_json()
    refused = caller.post("/orders", {"quote_id": twice["id"]})
    assert (refused.status_code, refused.get_json()["code"]) == (409, "site.month_taken")
