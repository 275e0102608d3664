"""A provider sets a quota; a park sees what is left, is refused more with the day from which it fits, and books then."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

Enter = Callable[..., Page]


def set_quotas(lab: Page) -> None:
    """Allow each park one booking a week of every instrument, with the keyboard."""
    lab.goto("/instruments")
    addresses = lab.evaluate("[...document.querySelectorAll('main a')].map(a => a.pathname)")
    for address in [each for each in addresses if re.fullmatch(r"/instruments/[0-9a-f-]{36}", each)]:
        lab.goto(address)
        lab.get_by_role("link", name="园区限额").click()
        lab.get_by_label("每周最多预约次数").fill("1")
        lab.keyboard.press("Enter")
        expect(lab.get_by_text(re.compile("第 1 版，自"))).to_be_visible()


def choose(page: Page) -> None:
    """Choose the first free slot of the shown week and ask its price."""
    page.locator("label.slot").first.click()
    page.get_by_label("检测内容").fill("断口分析")
    page.get_by_role("button", name="查看价格").click()


def test_a_park_books_what_its_quota_has_left(enter: Enter) -> None:
    set_quotas(enter("lab"))
    page = enter("park01", width=390)
    page.goto("/rent/shared-inspection")
    page.get_by_role("link", name="下一周").click()
    week = page.url
    expect(page.get_by_text(re.compile("剩余 1 次（限额 1，已用 0）")).first).to_be_visible()
    choose(page)
    page.wait_for_url("**/quotes/*")
    page.get_by_role("button", name="确认下单").click()
    page.wait_for_url("**/orders/*")
    page.goto(week)
    expect(page.get_by_text(re.compile("剩余 0 次（限额 1，已用 1）"))).to_have_count(1)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "fits a phone"
    again = page.context.new_page()  # a window of its own: the browser notes each refusal as an error of the page
    again.goto(week)
    choose(again)
    expect(again.get_by_role("alert").first).to_contain_text(re.compile("最多预约 1 次.*起可再预约"))
    page.get_by_role("link", name="下一周").click()
    choose(page)
    page.wait_for_url("**/quotes/*")
