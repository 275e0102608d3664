"""A park claims a listed company in the browser and says how far it is; the operator notes who wants no contact."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import text

from marketplace.composition import build
from marketplace.settings import DEMO_SECRET, Settings
from services.rules.demo_companies import demo_uscc
from tenants.kernel.context import system_actor
from tests.support.town import Town

pytestmark = pytest.mark.browser

Enter = Callable[..., Page]
CODE = demo_uscc("330100", 1)


@pytest.fixture
def listed(town: Town) -> None:
    """One company that was listed to a park."""
    settings = Settings(
        database_url=town.database.url, database_owner_url=town.database.owner_url, secret_key=DEMO_SECRET, mode="demo"
    )
    with build(settings) as market, market.workshop.work(system_actor("test")) as work:
        parks = work.session.execute(
            text("SELECT organisation_id FROM memberships JOIN users ON users.id = user_id WHERE login = 'park01'")
        ).scalars()
        for place, park in enumerate(parks, start=1):
            row = {"code": CODE, "place": place, "park": UUID(str(park)), "now": work.now}
            work.session.execute(text("INSERT INTO lead_places VALUES (:code, :place, :park, :now)"), row)


def test_a_lead_is_claimed_moved_on_and_no_longer_to_be_contacted(enter: Enter, listed: None) -> None:
    one = enter("park01", width=390)
    one.goto("/leads")
    one.get_by_role("button", name="认领").press("Enter")
    expect(one.locator(f"[id='{CODE}']")).to_contain_text("已认领")
    one.get_by_role("button", name="已联系").click()
    expect(one.get_by_role("button", name="已签约")).to_be_visible()
    one.goto("/language/en")
    one.goto("/leads")
    expect(one.locator(f"[id='{CODE}']")).to_contain_text("Contacted")
    row = one.locator(f"[id='{CODE}']")
    one.goto("/language/zh")
    one.goto("/leads")
    one.get_by_role("button", name="已签约").click()
    expect(row).to_contain_text("签约落地")
    row.locator("summary").press("Enter")
    one.get_by_role("button", name="价格或政策不合").press("Enter")
    expect(row).to_contain_text("未落地")
    expect(row).to_contain_text("价格或政策不合")
    one.get_by_role("button", name="撤回记录").click()
    expect(row.get_by_role("link")).to_have_count(0)
    one.get_by_role("button", name="走访成功").click()
    row.get_by_role("link", name="走访成功").click()
    expect(one.locator("tbody tr")).to_have_count(5)
    assert one.evaluate("document.documentElement.scrollWidth") <= 390
    one.goto("/language/en")
    operator = enter("operator")
    operator.goto("/lead-suppressions")
    operator.get_by_label("统一社会信用代码").fill(CODE)
    operator.get_by_label("要求日期").fill("2026-03-01")
    operator.get_by_label("原因").fill("来电要求")
    operator.get_by_role("button", name="登记").click()
    expect(operator.get_by_role("cell", name="来电要求")).to_be_visible()
    one.goto("/leads")
    expect(one.locator(f"[id='{CODE}']")).to_contain_text("Not to be contacted")
    expect(one.locator("tbody button")).to_have_count(0)


def ask_list(page: Page) -> None:
    """Fill the brief in and go to the price."""
    page.goto("/rent/ai-leads")
    page.locator("#f-industries").select_option(["13", "17"])
    page.locator("#f-area_mu").fill("120")
    page.locator("#f-area_mu").press("Enter")
    page.wait_for_url("**/quotes/*")


@pytest.mark.timeout(300)
def test_a_park_opens_its_leads_from_the_order_and_the_same_brief_again_is_free(enter: Enter) -> None:
    page = enter("park05")
    ask_list(page)
    page.get_by_role("button", name="确认下单").click()
    page.wait_for_url("**/orders/*")
    expect(page.locator("#result-hash")).to_be_visible(timeout=180_000)
    seal, first = page.locator("#result-hash").text_content(), page.url
    page.get_by_role("link", name="在招商线索中认领企业").click()
    page.wait_for_url("**/leads")
    expect(page.locator("tbody tr").first).to_be_visible()
    page.set_viewport_size({"width": 390, "height": 900})
    ask_list(page)
    expect(page.get_by_text("再次交付不收费，也不占用补贴")).to_be_visible()
    page.get_by_role("button", name="确认下单，支付 ¥0.00").press("Enter")
    page.wait_for_url("**/orders/*")
    assert page.url != first
    expect(page.locator("#result-hash")).to_have_text(str(seal), timeout=60_000)
    page.get_by_role("link", name="打开此前的订单").click()
    page.wait_for_url(first)
    page.goto("/language/en")
    ask_list(page)
    expect(page.get_by_text("delivering it again costs nothing")).to_be_visible()
