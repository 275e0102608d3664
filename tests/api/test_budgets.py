"""Budgets through HTTP: an order that would pass one is refused before it is accepted, and holds nothing."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from marketplace.usecases import invariants, subscription_fees
from tenants.kernel.clock import ManualClock
from tenants.kernel.context import system_actor
from tenants.usecases import subscription_periods
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


def test_a_budget_stops_a_fee_before_it_is_agreed_to_and_is_told_of_a_renewal(
    province: Province, clock: ManualClock
) -> None:
    for tier, fee_fen in (("basic", 30_000), ("leading", 310_000)):
        document = {"offering_tiers": ["basic"]}
        names = {"name": tier, "name_en": tier, "monthly_fee_fen": fee_fen, "yearly_fee_fen": 0}
        made = province.operator.post("/plans", {"tier": tier, **names, "entitlements": document})
        assert made.status_code == 201, made.text
    park = province.park(1, None)
    park_id = UUID(park.get("/me").get_json()["park"]["id"])
    park.post("/budgets", {"limit": 30_000, "measure": "payable_fen", "shares_bp": []})
    assert park.post("/subscriptions", {"tier": "basic"}).status_code == 201  # 30 of 31 days
    refused = park.post("/subscriptions", {"tier": "leading"})
    assert (refused.status_code, refused.get_json()["code"]) == (409, "budget.exceeded")
    assert park.get("/subscriptions/current").get_json()["current"]["tier"] == "basic"
    worker = system_actor("worker", tenant_id=park_id)
    for _ in range(2):
        with province.workshop.work(worker) as work:
            subscription_fees.charge_park(work)
    (budget,) = park.get("/budgets").get_json()["items"]
    assert budget["used"] == 29_033, "counted once, when it was agreed to"
    assert park.get("/alerts").get_json()["items"] == []
    clock.advance(timedelta(days=31))
    assert park.post("/budgets", {"limit": 20_000, "measure": "payable_fen", "shares_bp": []}).status_code == 201
    with province.workshop.work(worker) as work:
        subscription_periods.renew(work)
    with province.workshop.work(worker) as work:
        assert subscription_fees.charge_park(work) == 30_000
    (budget,) = park.get("/budgets").get_json()["items"]
    assert (budget["used"], budget["limit"]) == (30_000, 20_000), "a renewal is not stopped"
    (told,) = park.get("/alerts").get_json()["items"]
    assert (told["kind"], told["detail"]["share"]) == ("budget.share", "100%")
    with province.workshop.work(system_actor("test")) as work:
        assert invariants.check(work) == ()
