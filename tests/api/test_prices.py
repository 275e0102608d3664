"""Prices through HTTP and pages: the operator sets and ends them, a delivery keeps the price of its order."""

from __future__ import annotations

from datetime import timedelta

from tenants.kernel.clock import ManualClock
from tests.support.province import LEADS, Province
from tests.support.visitor import Visitor

LEADS_SLUG = LEADS["offering"]


def test_the_operator_keeps_prices_and_parks_pay_theirs(province: Province, clock: ManualClock) -> None:
    province.fund()
    leading, basic = province.park(1), province.park(2, region_code="410105")
    old = leading.post("/quotes", {"lines": [LEADS]}).get_json()
    wish = {"offering": LEADS_SLUG, "charge": {"model": "per_unit", "unit_price": "3000.005"}, "vat_bp": 600}
    made = province.operator.post("/prices", wish | {"region": "510000"}, key="price")
    assert made.status_code == 201, made.text
    assert province.operator.post("/prices", wish | {"region": "510000"}, key="price").get_json() == made.get_json()
    again = province.operator.post("/prices", wish | {"region": "510000"})
    assert (again.status_code, again.get_json()["code"]) == (409, "price.already_set")
    assert leading.post("/prices", wish).status_code == 403
    assert province.operator.post("/prices", wish | {"offering": "nothing"}).status_code == 404
    wrong = province.operator.post("/prices", wish | {"region": "999999", "tier": "golden"})
    assert wrong.status_code == 422
    assert {error["field"] for error in wrong.get_json()["errors"]} == {"region", "tier"}
    odd = province.operator.post("/prices", wish | {"charge": {"model": "per_unit", "unit_price": "-1"}})
    assert [error["field"] for error in odd.get_json()["errors"]] == ["charge.unit_price"]
    changed = leading.post("/orders", {"quote_id": old["id"]})
    assert (changed.status_code, changed.get_json()["code"]) == (409, "price.changed")
    new = leading.post("/quotes", {"lines": [LEADS]}).get_json()
    assert new["gross_fen"] == 300_001, "rounded half up, once, on the sum"
    assert basic.post("/quotes", {"lines": [LEADS]}).get_json()["gross_fen"] == old["gross_fen"]
    shown = {each["slug"]: each["unit_price"] for each in leading.get("/offerings").get_json()["items"]}
    assert shown[LEADS_SLUG] == "3000.005"
    ordered = leading.post("/orders", {"quote_id": new["id"]})
    assert ordered.status_code == 201, ordered.text
    clock.advance(timedelta(hours=1))
    ended = province.operator.post(f"/prices/{made.get_json()['id']}/end", {})
    assert ended.status_code == 200, ended.text
    assert leading.get(f"/orders/{ordered.get_json()['id']}").get_json()["gross_fen"] == 300_001
    assert leading.post("/quotes", {"lines": [LEADS]}).get_json()["gross_fen"] == old["gross_fen"]
    history = leading.get(f"/prices?offering={LEADS_SLUG}").get_json()["items"]
    assert {(each["region"], each["valid_to"] is None) for each in history} == {("510000", False), ("", True)}


def test_prices_are_set_and_ended_on_the_page(province: Province) -> None:
    operator = Visitor(province.app)
    operator.sign_in("operator")
    assert "3000.5" not in operator.get(f"/prices/{LEADS_SLUG}").text
    fields = {"unit_price": "", "vat": "6%", "valid_from": "", "tier": "", "region_class": "", "region": ""}
    refused = operator.post(f"/prices/{LEADS_SLUG}", fields)
    assert refused.status_code == 422
    assert 'id="e-vat"' in refused.text
    refused = operator.post(f"/prices/{LEADS_SLUG}", fields | {"vat": "6"})
    assert 'id="e-unit_price"' in refused.text
    refused = operator.post(f"/prices/{LEADS_SLUG}", fields | {"vat": "6", "charge": '{"model": "per_unit"}'})
    assert 'id="e-charge"' in refused.text
    refused = operator.post(
        f"/prices/{LEADS_SLUG}", fields | {"vat": "6", "unit_price": "1", "valid_from": "2026-03-01"}
    )
    assert 'id="e-valid_from"' in refused.text
    good = fields | {"vat": "6", "unit_price": "3,000.5", "valid_from": "2026-03-10", "region_class": "western"}
    page = operator.follow(operator.post(f"/prices/{LEADS_SLUG}", good)).text
    assert "西部地区" in page
    assert "3000.5" in page
    assert "2026-03-10 00:00" in page
    ends = [part.partition('"')[0] for part in page.split(f'action="/prices/{LEADS_SLUG}/')[1:]]
    gone = [operator.post(f"/prices/{LEADS_SLUG}/{each}") for each in ends]
    assert [answer.status_code for answer in gone] == [303, 303]
    reader = Visitor(province.app, "en")
    reader.sign_in("operator")
    reader.get("/language/en")
    english = reader.get(f"/prices/{LEADS_SLUG}").text
    assert "Withdrawn" in english
    assert reader.get("/prices").status_code == 200
    park = Visitor(province.app)
    province.park(1)
    park.sign_in("admin1")
    assert park.get("/prices").status_code == 403
