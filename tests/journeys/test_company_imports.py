"""The operator brings a registry in, watches it, reads what was refused and takes the quarantine, in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from services.rules.demo_companies import demo_companies

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

Enter = Callable[..., Page]


def registry(folder: Path, count: int, seed: int) -> Path:
    """A registry whose second row names a place that is none and whose others are good."""
    rows = demo_companies(as_of=date(2026, 1, 1), count=count, seed=seed).split(b"\r\n")
    cells = rows[2].split(b",")
    cells[2] = "火星".encode()
    rows[2] = b",".join(cells)
    path = folder / "名录.csv"
    path.write_bytes(b"\r\n".join(rows))
    return path


def fill(page: Page, file: Path) -> None:
    """Fill the form in and send it."""
    page.get_by_label("来源").fill("某市企业名录")
    page.get_by_label("许可").fill("自有")
    page.get_by_label("数据日期").fill("2026-01-01")
    page.locator("#f-file").set_input_files(file)
    page.get_by_role("button", name="导入").click()


def test_an_operator_brings_a_registry_in_and_takes_what_was_refused(enter: Enter, tmp_path: Path) -> None:
    page = enter("operator")
    page.goto("/company-imports")
    expect(page.get_by_role("heading", name="来源与版本")).to_be_visible()
    fill(page, registry(tmp_path, 3_000, 21))
    expect(page.get_by_role("heading", name="某市企业名录")).to_be_visible()
    expect(page.locator("#live[data-status=done]")).to_be_visible(timeout=60_000)
    expect(page.locator("#accepted")).to_have_text("2999")
    expect(page.locator("#refused-rows")).to_have_text("1")
    expect(page.get_by_text("不认识的行政区划：1 行")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="下载拒收的行（CSV）").click()
    kept = download.value.path().read_text(encoding="utf-8-sig").splitlines()
    assert len(kept) == 2
    assert kept[1].startswith("3,unknown_region,不认识的行政区划")
    page.get_by_role("link", name="企业名录").first.click()
    expect(page.get_by_role("row", name="某市企业名录")).to_contain_text("已完成")


def test_an_import_is_cancelled_from_its_page_or_is_done(enter: Enter, tmp_path: Path) -> None:
    page = enter("operator")
    page.goto("/company-imports")
    fill(page, registry(tmp_path, 60_000, 22))
    expect(page.locator("progress")).to_be_visible()
    page.get_by_role("button", name="取消导入").click()
    expect(page.locator("#live[data-status=cancelled]")).to_be_visible(timeout=60_000)
    expect(page.get_by_text("名录未作改动")).to_be_visible()


def test_an_operator_withdraws_a_source_and_watches_its_rows_leave(enter: Enter, tmp_path: Path) -> None:
    page = enter("operator", width=390)
    page.goto("/company-imports")
    fill(page, registry(tmp_path, 2_000, 23))
    expect(page.locator("#live[data-status=done]")).to_be_visible(timeout=60_000)
    page.reload()
    page.get_by_label("撤回原因").fill(" ")
    page.get_by_role("button", name="撤回此来源").press("Enter")
    expect(page.locator("#e-reason")).to_have_text("须为 1 至 500 个字符。")
    page.get_by_label("撤回原因").fill("许可已到期")
    page.get_by_role("button", name="撤回此来源").click()
    expect(page.locator("#withdrawal[data-ended=yes]")).to_be_visible(timeout=60_000)
    expect(page.get_by_text("该来源的数据已全部移出名录")).to_be_visible()
    expect(page.get_by_role("button", name="撤回此来源")).to_have_count(0)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_role("link", name="企业名录").first.click()
    expect(page.get_by_role("row", name="已撤回")).to_have_count(1)
