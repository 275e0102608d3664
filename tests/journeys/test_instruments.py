"""A provider keeps an instrument with the keyboard alone: added, changed, taken out of use; a park reads what it is."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

Enter = Callable[..., Page]


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until the element has the focus."""
    wanted = page.locator(selector)
    for _ in range(80):
        if wanted.evaluate("each => each === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"the keyboard does not reach {selector}")


def test_an_instrument_is_kept_with_the_keyboard(enter: Enter) -> None:
    page = enter("lab")
    page.goto("/instruments")
    page.get_by_role("link", name="登记仪器").press("Enter")
    for name, text in (
        ("name", "布氏硬度计"),
        ("facility", "力学实验室"),
        ("region_code", "410311"),
        ("standards", "GB/T 231.1"),
    ):
        tab_to(page, f"#f-{name}")
        page.keyboard.type(text)
    tab_to(page, "#f-slot_minutes")
    page.keyboard.type("45")
    page.keyboard.press("Enter")
    expect(page.locator("#refusal")).to_be_focused()
    expect(page.locator("#f-slot_minutes")).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#f-standards")).to_have_value("GB/T 231.1")
    tab_to(page, "#f-slot_minutes")
    page.keyboard.type("60")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/instruments/[0-9a-f-]{36}$"))
    address = page.url
    expect(page.get_by_role("cell", name="初次登记")).to_be_visible()
    tab_to(page, "#f-units")
    page.keyboard.type("2")
    page.keyboard.press("Enter")
    expect(page.get_by_role("cell", name="台数", exact=True)).to_be_visible()
    tab_to(page, "#f-starts_at")
    page.locator("#f-starts_at").fill("2030-03-04T09:00")
    page.locator("#f-ends_at").fill("2030-03-04T12:00")
    tab_to(page, "#f-unit")
    page.keyboard.type("2")
    tab_to(page, "#f-reason")
    page.keyboard.type("年度校准")
    page.keyboard.press("Enter")
    expect(page.get_by_role("cell", name="年度校准")).to_be_visible()
    park = enter("park01", width=390)
    park.goto(f"{address}/about")
    expect(park.get_by_text("力学实验室")).to_be_visible()
    expect(park.get_by_text("年度校准")).to_be_visible()
    assert park.evaluate("document.documentElement.scrollWidth") <= 390
    park.get_by_role("link", name="查看空闲时段").press("Enter")
    expect(park.get_by_role("link", name="仪器说明")).to_be_visible()
