"""The subscription's pages and calls: prices beside each other, what a change costs before it is made, and its end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from marketplace.usecases import subscription_fees
from tenants.kernel.clock import ManualClock
from tenants.kernel.context import system_actor
from tests.support.province import Province
from tests.support.visitor import Visitor

Enter = Callable[[str], Visitor]


def plan(tier: str, fee_fen: int, **given: Any) -> dict[str, Any]:
    """Return the wish for a tier's next version."""
    tiers = ["basic", "enhanced", "leading"]
    return {
        "tier": tier,
        "name": f"方案 {tier}",
        "name_en": f"Plan {tier}",
        "monthly_fee_fen": fee_fen,
        "yearly_fee_fen": 10 * fee_fen,
        "entitlements": {"offering_tiers": tiers[: tiers.index(tier) + 1], **given},
    }


def charge(province: Province, park_id: str) -> None:
    """Do what the jobs of the park's periods do."""
    with province.workshop.work(system_actor("worker", tenant_id=UUID(park_id))) as work:
        subscription_fees.charge_park(work)


def test_a_park_sees_what_a_change_costs_makes_it_and_ends_it(
    province: Province, signed_in: Enter, clock: ManualClock
) -> None:
    for wish in (plan("enhanced", 50_000), plan("leading", 200_000, priority=5, support="dedicated")):
        assert province.operator.post("/plans", wish).status_code == 201
    caller = province.park(1, None)
    park_id = caller.get("/me").get_json()["park"]["id"]
    admin = signed_in("admin1")
    page = admin.get("/subscription").text
    for part in ("¥500.00/月", "¥2,000.00/月", "免费", "专人支持", "优先排队"):
        assert part in page, part
    first = admin.get("/subscription/change?tier=enhanced").text
    assert "本期剩余 30 天（共 31 天）" in first
    assert "¥483.88" in first
    assert admin.post("/subscription", {"tier": "golden"}).status_code == 422
    done = admin.follow(admin.post("/subscription", {"tier": "enhanced", "when": "now", "every": "month"})).text
    assert "当前订阅：增强层" in done
    assert "本期 2026-03-01 至 2026-03-31" in done
    assert "2026-04-01 自动续订" in done
    charge(province, park_id)
    clock.advance(timedelta(days=15))  # 17 March
    change = admin.get("/subscription/change?tier=leading").text
    for part in (
        "从增强层改为引领层",
        "¥967.75",
        "−¥241.94",
        "¥725.81",
        "自 2026-04-01 起每期",
        "立即升级",
        "期末升级",
    ):
        assert part in change, part
    told = caller.post("/subscriptions/preview", {"tier": "leading"}).get_json()
    assert (told["change"], told["days"], told["period_days"]) == ("upgrade", 15, 31)
    assert (told["due_fen"], told["credit_fen"], told["charged_fen"]) == (96_775, 24_194, 72_581)
    assert (told["next_fee_fen"], told["next_from"]) == (200_000, "2026-03-31T16:00:00Z")
    assert caller.get("/subscriptions/current").get_json()["current"]["tier"] == "enhanced", "a preview changes nothing"
    later = admin.follow(admin.post("/subscription", {"tier": "leading", "when": "period_end"})).text
    assert "自 2026-04-01 起改为引领层" in later
    current = caller.get("/subscriptions/current").get_json()
    assert (current["next"]["tier"], current["period_until"]) == ("leading", "2026-04-01")
    kept = admin.follow(admin.post("/subscription", {"tier": "enhanced"})).text
    assert "自动续订" in kept
    cancelled = admin.follow(admin.post("/subscription/cancellation")).text
    assert "已取消，2026-04-01 起不再续订" in cancelled
    assert caller.get("/subscriptions/current").get_json()["next"] is None
    assert caller.post("/subscriptions", {"tier": "enhanced"}, key="keep").status_code == 201
    assert caller.post("/subscriptions/cancellation", {}).status_code == 200
    issued = province.finance.post("/invoices", {"period": "2026-03"})
    assert issued.status_code in {200, 201}, issued.text
    (invoice,) = caller.get("/invoices").get_json()["items"]
    assert (invoice["payable_fen"], invoice["subsidy_fen"]) == (48_388, 0)
    english = signed_in("admin1")
    english.get("/language/en")
    assert "Cancelled" in english.get("/subscription").text
    assert "Subscription fee" in english.get("/usage").text
    clock.advance(timedelta(days=30))
    gone = caller.post("/subscriptions/cancellation", {})
    assert (gone.status_code, gone.get_json()["code"]) == (409, "subscription.none")


def test_the_operator_writes_the_next_version_on_a_page(province: Province, signed_in: Enter) -> None:
    operator = signed_in("operator")
    page = operator.get("/plans?tier=leading")
    assert "引领层" in page.text
    assert "offering_tiers" in page.text
    fields = {"tier": "leading", "name": "引领", "name_en": "Leading", "monthly_fee": "2,000", "yearly_fee": "20000"}
    refused = operator.post("/plans", fields | {"entitlements": '{"included": {"ai-leads": -1}}'})
    assert refused.status_code == 422
    assert 'id="e-entitlements"' in refused.text
    refused = operator.post("/plans", fields | {"entitlements": "{}", "valid_from": "2026-03-01"})
    assert 'id="e-valid_from"' in refused.text
    good = fields | {
        "entitlements": '{"offering_tiers": ["leading"], "support": "priority"}',
        "valid_from": "2026-04-01",
    }
    done = operator.follow(operator.post("/plans", good)).text
    assert "待生效" in done
    listed = province.nobody.get("/plans").get_json().get("items", [])
    assert listed == [], "plans are read by those who have signed in"
    park = province.park(1)
    (second, first) = [each for each in park.get("/plans").get_json()["items"] if each["tier"] == "leading"]
    assert (second["version"], second["monthly_fee_fen"], first["monthly_fee_fen"]) == (2, 200_000, 0)
    assert park.post("/plans", plan("basic", 1)).status_code == 403
    assert signed_in("admin1").get("/plans").status_code == 403


def test_a_fee_that_would_pass_a_budget_is_told_before_and_refused(province: Province, signed_in: Enter) -> None:
    assert province.operator.post("/plans", plan("leading", 200_000)).status_code == 201
    caller = province.park(1, None)
    caller.post("/budgets", {"limit": 100_000, "measure": "payable_fen"})
    admin = signed_in("admin1")
    assert "不会被接受" in admin.get("/subscription/change?tier=leading").text
    refused = admin.post("/subscription", {"tier": "leading", "when": "now", "every": "month"})
    assert (refused.status_code, "超出限额" in refused.text) == (409, True)
    assert caller.get("/subscriptions/current").get_json()["current"] is None
