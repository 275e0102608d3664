"""A park waits for a slot that another one holds, is offered it when that one lets go, and orders it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

Enter = Callable[..., Page]
ROUNDS = 40


def test_who_waits_is_offered_what_another_lets_go(enter: Enter) -> None:
    holder = enter("park01")
    holder.goto("/rent/shared-inspection")
    holder.get_by_role("link", name="下一周").click()
    week = holder.url
    holder.locator("label.slot").first.click()
    holder.get_by_label("检测内容").fill("断口分析")
    holder.get_by_role("button", name="查看价格").click()
    holder.wait_for_url("**/quotes/*")
    page = enter("park05", width=390)
    page.goto(week)
    page.locator("a.taken").first.press("Enter")
    page.wait_for_url("**/waiting/join/*")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "fits a phone"
    page.get_by_role("button", name="加入排队").press("Enter")
    page.wait_for_url("**/waiting")
    expect(page.get_by_text("排队中")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "fits a phone"
    holder.goto("/slots/holds")
    holder.get_by_role("button", name=re.compile("释放")).first.click()
    expect(holder.get_by_text("目前没有暂留的时段。")).to_be_visible()
    offered = page.get_by_role("heading", name=re.compile("为您保留"))
    for _ in range(ROUNDS):  # the clock goes round once a minute
        page.reload()
        if offered.count():
            break
        page.wait_for_timeout(3_000)
    expect(offered).to_be_visible()
    page.goto("/")
    expect(page.get_by_text(re.compile("您排队等候的"))).to_be_visible()
    page.goto("/waiting")
    page.get_by_label("检测内容").fill("水样检测")
    page.get_by_role("button", name="接受，查看价格").press("Enter")
    page.wait_for_url("**/quotes/*")
    expect(page.get_by_role("timer")).to_have_text(re.compile(r"^3:5\d:\d\d$"))
    page.get_by_role("button", name="确认下单").click()
    page.wait_for_url("**/orders/*")
    page.goto("/waiting")
    expect(page.get_by_text("已预约")).to_be_visible()
