"""A park holds a slot by asking its price, sees the time run, and gives it back."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

Enter = Callable[..., Page]


def test_a_held_slot_counts_down_and_is_given_back(enter: Enter) -> None:
    page = enter("park01", width=390)
    page.goto("/rent/shared-inspection")
    page.get_by_role("link", name="下一周").click()
    page.locator("label.slot").first.click()
    page.get_by_label("检测内容").fill("断口分析")
    page.get_by_role("button", name="查看价格").click()
    page.wait_for_url("**/quotes/*")
    timer = page.get_by_role("timer")
    expect(timer).to_have_text(re.compile(r"^(10:00|9:\d\d)$"))
    before = timer.inner_text()
    expect(timer).not_to_have_text(before)
    page.get_by_role("link", name="暂留的时段").click()
    page.wait_for_url("**/slots/holds")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "fits a phone"
    page.get_by_role("button", name=re.compile("释放")).press("Enter")
    expect(page.get_by_text("目前没有暂留的时段。")).to_be_visible()
