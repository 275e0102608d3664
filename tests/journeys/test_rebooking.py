"""A park books an inspection in the browser, moves it, and finds the change on the page."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

Enter = Callable[..., Page]


def test_a_park_moves_a_booking(enter: Enter) -> None:
    page = enter("park01", width=390)
    page.goto("/rent/shared-inspection")
    page.get_by_role("link", name="下一周").click()
    page.locator("label.slot").first.click()
    page.get_by_label("检测内容").fill("断口分析")
    page.get_by_role("button", name="查看价格").click()
    page.wait_for_url("**/quotes/*")
    page.get_by_role("button", name="确认下单").click()
    page.wait_for_url("**/orders/*")
    title = page.locator("section.delivery h2").inner_text()
    page.get_by_role("link", name="改期或转交").click()
    page.wait_for_url("**/change")
    page.get_by_role("link", name="下一周").click()
    page.get_by_role("link", name="下一周").click()
    page.locator("label.slot").nth(1).click()
    page.get_by_role("button", name="改到所选时段").click()
    page.wait_for_url("**/orders/*")
    expect(page.locator("section.delivery h2")).not_to_have_text(title)
    page.get_by_role("link", name="改期或转交").click()
    expect(page.get_by_role("cell", name=re.compile("改到"))).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "fits a phone"
