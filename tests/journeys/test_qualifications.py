"""A person sees that an instrument needs a qualification, asks for it, is granted it and books; on a phone."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

Enter = Callable[..., Page]


def open_week(page: Page, address: str) -> None:
    """Show what of an instrument is free next week, and what it asks for."""
    page.goto(f"{address}/about")
    page.get_by_role("link", name="查看空闲时段").click()
    page.get_by_role("link", name="下一周").click()
    expect(page.get_by_text("需要资质：上机培训证").first).to_be_visible()


def test_a_person_comes_by_the_qualification_and_books(enter: Enter) -> None:
    lab = enter("lab")
    lab.goto("/instruments")
    lab.locator("main table a").first.click()
    lab.wait_for_url(re.compile(r"/instruments/[0-9a-f-]{36}$"))
    address = lab.url
    lab.get_by_label("所需资质").fill("上机培训证")
    lab.get_by_label("培训方式").fill("每月第一个周一 9 点，中心 201 室。")
    lab.keyboard.press("Enter")
    expect(lab.get_by_role("cell", name=re.compile("所需资质"))).to_be_visible()
    park = enter("park01", width=390)
    open_week(park, address)
    park.locator("main").get_by_role("link", name=re.compile("申请")).first.press("Enter")
    park.wait_for_url(re.compile("/qualifications#i-"))
    expect(park.get_by_text("每月第一个周一 9 点，中心 201 室。").first).to_be_visible()
    park.locator("main section summary").first.press("Enter")
    park.get_by_label("培训情况和佐证").first.fill("三月已培训，证号 0012")
    assert park.evaluate("document.documentElement.scrollWidth") <= 390
    park.get_by_role("button", name="提交申请").first.press("Enter")
    expect(park.get_by_text("审核中").first).to_be_visible()
    lab.goto("/qualifications")
    expect(lab.get_by_text("三月已培训，证号 0012")).to_be_visible()
    lab.get_by_role("button", name="授予").press("Enter")
    expect(lab.get_by_text("撤销资质")).to_be_visible()
    open_week(park, address)
    park.locator("label.slot").first.click()
    park.get_by_label("检测内容").fill("断口分析")
    park.get_by_role("button", name="查看价格").click()
    park.wait_for_url("**/quotes/*")
    expect(park.get_by_role("button", name="确认下单")).to_be_visible()
