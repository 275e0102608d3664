"""Two parks negotiate at the table, one proposes what came out, both sign, the province registers: in a real browser."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from marketplace.composition import build
from marketplace.demo.world import PASSWORD
from marketplace.settings import DEMO_SECRET, Settings
from tenants.usecases import onboarding
from tests.support.parks import person
from tests.support.town import Town

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

Enter = Callable[..., Page]


def names_of(town: Town, login: str) -> tuple[str, str]:
    """Return a park's name and credit code, as its contract says them."""
    settings = Settings(
        database_url=town.database.url, database_owner_url=town.database.owner_url, secret_key=DEMO_SECRET, mode="demo"
    )
    with build(settings) as market:
        actor = person(market.workshop, login, PASSWORD)
        with market.workshop.work(actor) as work:
            park = onboarding.read_park(work, park_id=actor.require_tenant())
            return park.name, park.uscc


def test_parks_negotiate_propose_and_sign(enter: Enter, town: Town) -> None:
    name, own_code = names_of(town, "park01")
    _, code = names_of(town, "park05")
    page = enter("park01", width=390)
    page.goto("/joint/table")
    page.get_by_role("button", name=re.compile("移除")).last.click()
    expect(page.get_by_role("button", name=re.compile("移除"))).to_have_count(2)
    first = page.get_by_label("园区名称").first
    first.fill(name)
    first.press("Tab")
    page.get_by_label("出资比例").nth(1).fill("60")
    save = page.get_by_role("link", name="存为协议草案")
    settled = re.compile(rf"{re.escape(quote(name))}.*share=40&share=60(&|$)")
    expect(save).to_have_attribute("href", settled)  # the answer to the last change is there, and stays
    save.press("Enter")
    page.wait_for_url("**/joint/agreements/new?*")
    codes = page.get_by_label("统一社会信用代码")
    expect(codes.nth(0)).to_have_value(own_code)
    codes.nth(1).fill(code)
    expect(page.get_by_label("第 2 家的出资比例")).to_have_value("60")
    page.get_by_label("设施名称").fill("豫北电池检测中心")
    page.get_by_label("起始日").fill("2030-01-01")
    page.get_by_label("截止日（不含）").fill("2031-01-01")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "fits a phone"
    page.get_by_role("button", name="交各方签署").press("Enter")
    expect(page.get_by_text(f"由{name}提出")).to_be_visible()
    address = page.url
    page.get_by_role("button", name="代表本园区签署").click()
    expect(page.get_by_role("cell", name="待签署")).to_have_count(1)

    partner = enter("park05")
    partner.goto("/joint/agreements")
    partner.get_by_role("link", name="豫北电池检测中心").click()
    expect(partner.get_by_role("button", name="撤回")).to_have_count(0)
    partner.get_by_role("button", name="代表本园区签署").click()
    expect(partner.get_by_text("待签署")).to_have_count(0)

    approver = enter("approver")
    approver.goto(address)
    approver.get_by_role("button", name="备案生效").click()
    page.goto("/joint/agreements")
    expect(page.get_by_role("row", name=re.compile("豫北电池检测中心"))).to_contain_text("未开始")
