"""Budgets through HTTP: an order that would pass one is refused before it is accepted, and holds nothing."""

from __future__ import annotations

from tests.support.province import LEADS, Province


def test_a_budget_stops_the_order_that_would_pass_it(province: Province) -> None:
    fund = province.fund()
    park, other = province.park(1), province.park(2)
    mine = park.get("/me").get_json()["park"]["id"]
    quote = park.post("/quotes", {"lines": [LEADS]}).get_json()
    limit = {"limit": quote["payable_fen"], "measure": "payable_fen"}
    made = park.post("/budgets", limit, key="limit")
    assert made.status_code == 201, made.text
    assert park.post("/orders", {"quote_id": quote["id"]}).status_code == 201
    held = province.officer.get(f"/funds/{fund}").get_json()["held_fen"]
    second = park.post("/quotes", {"lines": [LEADS]}).get_json()
    refused = park.post("/orders", {"quote_id": second["id"]})
    assert (refused.status_code, refused.get_json()["code"]) == (409, "budget.exceeded")
    assert province.officer.get(f"/funds/{fund}").get_json()["held_fen"] == held
    (budget,) = park.get("/budgets").get_json()["items"]
    assert budget["used"] == budget["limit"] == quote["payable_fen"]
    assert [each["kind"] for each in park.get("/alerts").get_json()["items"]] == ["budget.share"] * 3
    assert other.get("/budgets").get_json()["items"] == []
    assert other.get(f"/parks/{mine}/budgets").status_code == 404
    assert other.delete(f"/budgets/{budget['id']}").status_code == 404
    quota = province.operator.post(f"/parks/{mine}/budgets", {"limit": 1, "measure": "quantity"})
    assert quota.status_code == 201, quota.text
    assert park.delete(f"/budgets/{quota.get_json()['id']}").status_code == 403
    assert province.operator.delete(f"/parks/{mine}/budgets/{quota.get_json()['id']}").status_code == 204
    assert park.delete(f"/budgets/{budget['id']}").status_code == 204
    assert park.post("/orders", {"quote_id": second["id"]}).status_code == 201
    assert park.post("/budgets", {"limit": -1}).status_code == 422
