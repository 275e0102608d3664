"""A park repeats a booking in the browser, leaves out what cannot be, and cancels the series from a day on."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

Enter = Callable[..., Page]


def test_a_park_books_a_series_and_cancels_the_rest_of_it(enter: Enter) -> None:
    page = enter("park01", width=390)
    page.goto("/rent/shared-inspection")
    page.get_by_role("link", name="下一周").click()
    page.locator("label.slot").first.click()
    page.get_by_label("检测内容").fill("断口分析")
    with page.expect_navigation():
        page.get_by_role("button", name="重复预约…").click()
    expect(page.get_by_role("heading", name="重复预约")).to_be_visible()
    page.get_by_label("单位").select_option("day")
    page.get_by_label("共几次").fill("8")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    expect(page.get_by_text("休息日").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "fits a phone"
    button = page.get_by_role("button", name=re.compile(r"只预约可预约的 \d+ 次"))
    free = int(re.findall(r"\d+", button.inner_text())[0])
    assert 2 <= free < 8
    button.click()
    page.wait_for_url("**/quotes/*")
    page.get_by_role("button", name="确认下单").click()
    page.wait_for_url("**/orders/*")
    expect(page.locator("section.delivery")).to_have_count(free)
    page.get_by_role("link", name=re.compile("系列预约第 1 次")).click()
    page.wait_for_url("**/booking-series/*")
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(free)
    second = re.findall(r"\d{4}-\d{2}-\d{2}", rows.nth(1).inner_text())[0]
    page.get_by_label("从（含）").fill(second)
    page.on("dialog", lambda dialog: dialog.accept())
    with page.expect_navigation():
        page.get_by_role("button", name="取消这些预约").click()
    expect(rows.nth(1)).to_contain_text("已取消")
    expect(rows.nth(0)).not_to_contain_text("已取消")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "fits a phone"
    page.goto("/orders")
    page.get_by_role("link", name="系列预约").click()
    page.wait_for_url("**/booking-series")
    expect(page.locator("tbody tr")).to_have_count(1)
