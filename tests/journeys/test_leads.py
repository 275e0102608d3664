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
    operator = enter("operator")
    operator.goto("/lead-suppressions")
    operator.get_by_label("统一社会信用代码").fill(CODE)
    operator.get_by_label("要求日期").fill("2026-03-01")
    operator.get_by_label("原因").fill("来电要求")
    operator.get_by_role("button", name="登记").click()
    expect(operator.get_by_role("cell", name="来电要求")).to_be_visible()
    one.reload()
    expect(one.locator(f"[id='{CODE}']")).to_contain_text("Not to be contacted")
    expect(one.locator("tbody button")).to_have_count(0)
