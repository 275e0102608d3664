"""A plan's monthly minimum through HTTP: set with a plan, told on the draft and the subscription, charged on the invoice."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

from marketplace.usecases import invariants, subscription_fees
from tenants.kernel.clock import ManualClock
from tenants.kernel.context import system_actor
from tests.support.province import Province
from tests.support.visitor import Visitor
from tests.web.conftest import signed_in

__all__ = ["signed_in"]

Enter = Callable[[str], Visitor]


def test_a_minimum_is_told_before_it_is_charged(province: Province, signed_in: Enter, clock: ManualClock) -> None:
    operator = signed_in("operator")
    form = {
        "tier": "leading", "name": "引领层", "name_en": "Leading", "monthly_fee": "310", "yearly_fee": "0",
        "monthly_minimum": "-1", "entitlements": '{"offering_tiers": ["basic"]}',
    }  # fmt: skip
    operator.get("/plans")
    wrong = operator.post("/plans", form)
    assert (wrong.status_code, 'id="e-monthly_minimum"' in wrong.text) == (422, True)
    assert "¥620.00" in operator.follow(operator.post("/plans", form | {"monthly_minimum": "620"})).text
    park = province.park(1, None)
    (plan, *_) = [each for each in park.get("/plans").get_json()["items"] if each["tier"] == "leading"]
    assert plan["monthly_minimum_fen"] == 62_000
    admin = signed_in("admin1")
    assert "月最低消费 ¥620.00" in admin.get("/subscription").text
    assert park.post("/subscriptions", {"tier": "leading"}).status_code == 201
    park_id = park.get("/me").get_json()["park"]["id"]
    with province.workshop.work(system_actor("worker", tenant_id=UUID(park_id))) as work:
        subscription_fees.charge_park(work)
    draft = park.get(f"/invoice-drafts/2026-03/{park_id}").get_json()
    assert (draft["payable_fen"], draft["expected_minimum_fen"]) == (30_000, 60_000)
    assert "离本月最低消费还差 ¥600.00" in admin.get(f"/invoices/drafts/2026-03/{park_id}").text
    clock.advance(timedelta(days=31))
    (row,) = province.finance.post("/invoices", {"period": "2026-03"}).get_json()["items"]
    lines = park.get(f"/invoices/{row['id']}").get_json()["lines"]
    assert {line["offering"]: line["payable_fen"] for line in lines} == {"subscription": 30_000, "minimum": 60_000}
    place = next(line["line"] for line in lines if line["offering"] == "minimum")
    trace = park.get(f"/invoices/{row['id']}/lines/{place}/trace").get_json()
    assert trace["charge"]["price"]["charge"]["minimum_fen"] == 60_000
    assert admin.get(f"/invoices/{row['id']}/lines/{place}").status_code == 200
    assert "最低消费差额" in admin.get("/usage?from=2026-03&to=2026-03").text
    note = {
        "invoice_id": row["id"], "lines": [{"line": place, "amount_fen": 10_000}], "cause": "wrong", "reason": "多计",
        "agreement": "核对 3 号",
    }  # fmt: skip
    credited = province.finance.post("/credit-notes", note)
    assert (credited.status_code, credited.get_json()["status"]) == (201, "issued"), credited.text
    assert park.get(f"/invoices/{row['id']}").get_json()["paid_fen"] == 10_000
    with province.workshop.work(system_actor("test")) as work:
        assert invariants.check(work) == ()
