"""What a park sees before it signs up, and what the province sees, in a real browser and both languages."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.support.town import Town

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

Enter = Callable[..., Page]


def test_a_visitor_finds_out_by_keyboard_what_would_give_more(contexts: Callable[..., BrowserContext]) -> None:
    page = contexts().new_page()
    page.goto("/sign-in")
    page.get_by_role("link", name="看看您的园区能得到多少补贴").click()
    expect(page.get_by_label("省份")).to_have_value("41")
    page.get_by_label("所在区县").select_option("411224")
    page.get_by_label("小型园区").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_label("增强层")).to_be_checked()
    page.keyboard.press("Enter")
    expect(page.get_by_text("预估，不作为承诺")).to_be_visible()
    twin = page.locator("article", has=page.get_by_role("heading", name="数字孪生推演"))
    expect(twin.get_by_text("需订阅引领层")).to_be_visible()
    twin.get_by_text("为什么是这个数").click()
    expect(
        twin.get_by_text("为什么不是 60%：订阅层级须为“引领层”（目前：增强层）。调整订阅层级即可达到。")
    ).to_be_visible()
    page.get_by_role("link", name="English").click()
    expect(page.get_by_text("An estimate, not a promise")).to_be_visible()
    page.get_by_role("link", name="Sign up a park").click()
    expect(page.locator("#f-region_code")).to_have_value("411224")


def test_the_pre_check_needs_no_script(browser: Browser, town: Town) -> None:
    context = browser.new_context(base_url=town.address, locale="zh-CN", java_script_enabled=False)
    page = context.new_page()
    page.goto("/pre-check")
    page.get_by_label("省份").select_option("51")
    page.get_by_role("button", name="列出区县").click()
    page.get_by_label("所在区县").select_option("510104")
    page.get_by_role("button", name="查看补贴").click()
    expect(page.get_by_role("heading", name="四川省成都市锦江区")).to_be_visible()
    context.close()


@pytest.mark.parametrize(("language", "title"), [("zh-CN", "技术赋能率"), ("en-GB", "Enablement rate of parks")])
def test_the_province_reads_its_dashboard(enter: Enter, language: str, title: str) -> None:
    page = enter("policy", language)
    if language == "en-GB":
        page.get_by_role("link", name="English").click()
    page.goto("/dashboard?by=tier")
    expect(page.get_by_text(title, exact=True).first).to_be_visible()
    expect(page.locator(".tilemap")).to_be_visible()
    assert page.locator(".tilemap rect").count() >= 17
    page.locator("#f-region").select_option("411200")
    page.locator(".filters button").click()
    page.wait_for_url("**region=411200**")
    expect(page.locator("#f-region")).to_have_value("411200")
    with page.expect_download() as download:
        page.locator(".sums .card-footer a").first.click()
    assert download.value.path().read_bytes().startswith(b"\xef\xbb\xbf")


def test_partners_of_a_joint_facility_move_sliders_by_keyboard_and_see_who_pays_what(enter: Enter) -> None:
    page = enter("park01")
    page.goto("/joint/table")
    answer = page.locator("#answer")
    expect(answer.get_by_text("¥8,320,000.00").first).to_be_visible()
    slider = page.locator("#f-use-0")
    slider.focus()
    page.keyboard.press("ArrowLeft")
    expect(page.locator("output[for=f-use-0]")).to_have_text("2990")
    expect(answer.get_by_text("¥8,320,000.00")).to_have_count(0)
    assert "use=2990" in page.url, "the address holds the proposal"
    page.locator("#f-share-0").focus()
    page.keyboard.press("ArrowRight")
    expect(answer.get_by_text("合计 100.5%")).to_be_visible()
    page.get_by_role("button", name="移除 丙园区").click()
    expect(page.locator("fieldset")).to_have_count(2)
    page.reload()
    expect(page.locator("fieldset")).to_have_count(2)
