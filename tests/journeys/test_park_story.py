"""A park rents a digital-twin run, in a real browser with a real worker."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import FilePayload, Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

Enter = Callable[..., Page]


def ask_price(page: Page) -> None:
    """Go from the catalogue to the price of a run on the demo's data."""
    page.goto("/catalogue")
    page.get_by_role("link", name=re.compile("租用 数字孪生推演|Rent: Digital-twin run")).click()
    page.get_by_role("button", name=re.compile("查看价格|Show the price")).click()
    page.wait_for_url("**/quotes/*")


@pytest.mark.slow
def test_a_park_rents_a_run_watches_it_reads_the_report_and_finds_its_hash(enter: Enter) -> None:
    page = enter("park01")
    expect(page.get_by_role("heading", level=1)).to_have_text("卢氏县绿色食品产业园")
    ask_price(page)
    for amount in ("¥10,000.00", "¥6,000.00", "¥4,000.00"):
        expect(page.get_by_text(amount, exact=True).first).to_be_visible()
    expect(page.get_by_text("订阅引领层的小型园区")).to_be_visible()
    page.get_by_role("button", name="确认下单").click()
    page.wait_for_url("**/orders/*")

    progress = page.get_by_role("progressbar")
    expect(progress).to_be_visible()
    expect(page.locator(".run-progress:not([value='0'])")).to_be_visible(timeout=120_000)
    seal = page.locator("#result-hash")
    expect(seal).to_be_visible(timeout=180_000)
    expect(page.locator("[data-chart-drawn]")).to_be_visible()
    expect(page.locator("#live")).not_to_have_attribute("hx-trigger", re.compile("."))

    with page.expect_download() as download:
        page.get_by_role("link", name="manifest.json").click()
    content = download.value.path().read_bytes()
    assert hashlib.sha256(content).hexdigest() == seal.text_content()

    with page.expect_popup() as opened:
        page.get_by_role("link", name="打开报告").click()
    report = opened.value
    report.wait_for_load_state()
    expect(report.get_by_text("关键指标").first).to_be_visible()
    assert report.evaluate("self.origin") == "null", "a report has no way into the marketplace"

    page.goto("/")
    expect(page.locator("[data-chart-drawn]")).to_be_visible()
    expect(page.get_by_text("今年专项资金已为您支付")).to_be_visible()


def test_a_double_click_and_a_reload_place_one_order(enter: Enter) -> None:
    page = enter("park05")
    ask_price(page)
    address = page.url
    page.get_by_role("button", name="确认下单").dblclick()
    page.wait_for_url("**/orders/*")
    order = page.url
    page.goto(address)
    page.get_by_role("button", name="确认下单").click()
    page.wait_for_url("**/orders/*")
    assert page.url == order
    page.goto("/orders")
    expect(page.locator("tbody tr")).to_have_count(1)


def test_the_price_is_confirmed_with_the_keyboard_alone(enter: Enter) -> None:
    page = enter("park01")
    ask_price(page)
    page.keyboard.press("Tab")
    expect(page.locator(".skip-link")).to_be_focused()
    page.keyboard.press("Enter")
    reached = ""
    for _ in range(20):
        page.keyboard.press("Tab")
        focused = page.evaluate_handle("document.activeElement")
        shown = page.evaluate("e => getComputedStyle(e.closest('.choice') ?? e).outlineStyle !== 'none'", focused)
        assert shown, "the focus can be seen"
        reached = page.evaluate("e => e.textContent", focused)
        if "确认下单" in reached:
            break
    assert "确认下单" in reached
    page.keyboard.press("Enter")
    page.wait_for_url("**/orders/*")
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="取消订单").press("Enter")
    expect(page.get_by_text("本项已取消")).to_be_visible()


def test_a_slot_is_chosen_with_the_arrow_keys(enter: Enter) -> None:
    page = enter("park01")
    page.goto("/rent/shared-inspection")
    page.get_by_role("link", name="下一周").click()
    first = page.locator("input[name=slot]").first
    first.focus()
    page.keyboard.press("ArrowRight")
    chosen = page.locator("input[name=slot]:checked")
    expect(chosen).to_have_count(1)
    page.get_by_label("检测内容").fill("钢材断口")
    page.get_by_label("检测内容").press("Enter")
    page.wait_for_url("**/quotes/*")
    expect(page.get_by_text("¥600.00", exact=True).first).to_be_visible()


def test_what_is_wrong_with_a_file_is_told_at_once(enter: Enter) -> None:
    page = enter("park01")
    page.goto("/rent/digital-twin-run")
    page.get_by_label("本园区的负荷数据").check()
    broken: FilePayload = {"name": "load.csv", "mimeType": "text/csv", "buffer": b"time,kw\n2025-01-01T00:00,much\n"}
    page.locator("#f-load").set_input_files(broken)
    with page.expect_response(re.compile("/rent/")) as answered:
        page.get_by_role("button", name="查看价格").click()
    assert answered.value.status == 422
    expect(page.locator("#refusal")).to_be_focused()
