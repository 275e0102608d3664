"""A park claims companies in the browser, is shown their numbers until the day's are used up; the operator reads who saw what."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import text

from marketplace.composition import build
from marketplace.settings import DEMO_SECRET, Settings
from services.rules.demo_companies import CITIES, demo_switchboard, demo_uscc
from services.rules.switchboards import masked
from tenants.kernel.context import system_actor
from tests.support.town import Town

pytestmark = pytest.mark.browser

Enter = Callable[..., Page]
NUMBERS = (40, 41, 42)
CODES = [demo_uscc(CITIES[number % len(CITIES)], number) for number in NUMBERS]


@pytest.fixture
def listed(town: Town) -> None:
    """Three companies that were listed to a park."""
    settings = Settings(
        database_url=town.database.url, database_owner_url=town.database.owner_url, secret_key=DEMO_SECRET, mode="demo"
    )
    with build(settings) as market, market.workshop.work(system_actor("test")) as work:
        park = work.session.execute(
            text("SELECT organisation_id FROM memberships JOIN users ON users.id = user_id WHERE login = 'park05'")
        ).scalar_one()
        for code in CODES:
            row = {"code": code, "park": UUID(str(park)), "now": work.now}
            work.session.execute(text("INSERT INTO lead_places VALUES (:code, 1, :park, :now)"), row)


def test_numbers_are_shown_one_by_one_until_the_days_are_used_up(enter: Enter, listed: None) -> None:
    operator = enter("operator")
    operator.goto("/lead-contacts")
    limit = operator.get_by_label("每个园区每天最多显示的号码数")
    limit.fill("很多")
    operator.get_by_role("button", name="保存").click()
    expect(operator.get_by_text("须为 0 至 1000 的整数。")).to_be_visible()
    limit.fill("2")
    operator.get_by_role("button", name="保存").click()
    expect(operator.get_by_text("每个园区每天最多 2 个")).to_be_visible()
    park = enter("park05", width=390)
    park.goto("/leads")
    for code, number in zip(CODES, NUMBERS, strict=True):
        row = park.locator(f"[id='{code}']")
        expect(row).to_contain_text(masked(demo_switchboard(number)))
        expect(row.get_by_role("button", name="显示号码")).to_have_count(0)
        row.get_by_role("button", name="认领").click()
    for code, number in zip(CODES[:2], NUMBERS[:2], strict=True):
        park.locator(f"[id='{code}']").get_by_role("button", name="显示号码").press("Enter")
        expect(park.locator("#number")).to_have_text(demo_switchboard(number))
    late = park.locator(f"[id='{CODES[2]}']")
    expect(late).to_contain_text("今日已用完")
    expect(late.get_by_role("button", name="显示号码")).to_have_count(0)
    park.locator(f"[id='{CODES[0]}']").get_by_role("button", name="显示号码").click()
    expect(park.locator("#number")).to_have_text(demo_switchboard(NUMBERS[0]))
    park.get_by_role("link", name="号码显示记录").click()
    expect(park.locator("tbody tr")).to_have_count(2)
    operator.reload()
    expect(operator.locator("tbody tr")).to_have_count(2)
    expect(operator.locator("tbody")).to_contain_text(CODES[0])
    expect(operator.get_by_text(demo_switchboard(NUMBERS[0]))).to_have_count(0)
    operator.goto("/language/en")
    operator.goto("/lead-contacts")
    expect(operator.get_by_role("heading", level=1)).to_have_text("Numbers shown")
