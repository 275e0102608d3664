"""A fund's money moved between regions in a real browser: the officer asks, the approver agrees, the pictures are drawn."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


def test_two_people_move_money_of_a_fund(enter: Callable[..., Page]) -> None:
    officer = enter("policy")
    officer.goto("/funds")
    officer.locator("td.name a").first.click()
    expect(officer.locator("[data-chart-drawn]")).to_have_count(2)
    officer.locator(".nav-tabs a").nth(1).click()
    officer.locator("#f-to_envelope").fill("411200")
    officer.locator("#f-amount").fill("1,234.56")
    officer.locator("#f-reason").fill("支持三门峡的小园区")
    officer.locator("#transfer button").click()
    expect(officer.locator("td", has_text="支持三门峡的小园区")).to_be_visible()
    address = officer.url

    approver = enter("approver", width=390)
    expect(approver.locator(".next li", has_text="支持三门峡的小园区")).to_be_visible()
    approver.goto(address)
    approver.on("dialog", lambda dialog: dialog.accept())
    approver.locator("form[action$='/approval'] button").first.click()
    expect(approver.locator(".badge", has_text="已批准").first).to_be_visible()
    for number in range(4):
        approver.locator(".nav-tabs a").nth(number).click()
        approver.wait_for_load_state("networkidle")  # with its style sheet
        assert approver.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing sticks out on a phone"
