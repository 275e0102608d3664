"""An operator records a working day with the keyboard alone; a year without data is no year one can guess."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

Enter = Callable[..., Page]


def test_a_day_is_recorded_and_taken_back_with_the_keyboard(enter: Enter) -> None:
    page = enter("operator")
    page.locator("summary", has_text="设置").press("Enter")
    page.locator("nav").get_by_role("link", name="工作日历").press("Enter")
    page.wait_for_url("**/workdays")
    page.goto("/workdays?year=2025")
    page.locator("input[name=day]:checked").focus()
    for _ in range(7):
        page.keyboard.press("ArrowRight")
    expect(page.locator("input[value='2025-01-08']")).to_be_checked()
    page.keyboard.press("Tab")
    expect(page.locator("#f-worked")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.type("园区停电")
    page.keyboard.press("Enter")
    expect(page.get_by_role("cell", name="园区停电", exact=True)).to_be_visible()
    expect(page.get_by_role("radio", name="2025-01-08 休息 已登记：园区停电")).to_be_attached()
    page.get_by_role("radio", name="2025-01-08").focus()
    page.keyboard.press("Space")
    page.locator("#f-name").fill("恢复供电")
    page.get_by_role("button", name="撤销该日的登记").press("Enter")
    expect(page.get_by_role("cell", name="恢复供电")).to_be_visible()
    expect(page.get_by_role("radio", name="2025-01-08 上班")).to_be_attached()


def test_a_year_without_data_says_so_on_a_phone(enter: Enter) -> None:
    page = enter("operator", "zh-CN", 390)
    page.goto("/workdays?year=2099")
    expect(page.locator("#no-data")).to_contain_text("2099 年没有工作日数据")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
