"""The operator has the ranking model fitted twice, reads the cards and goes back to the first, in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from services.rules.demo_companies import write_companies

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

Enter = Callable[..., Page]


def bring(page: Page, file: Path, kind: str) -> None:
    """Import a file and wait until it counts."""
    page.goto("/company-imports")
    page.get_by_label("种类").select_option(kind)
    page.get_by_label("来源").fill(f"演示 {kind}")
    page.get_by_label("许可").fill("自有")
    page.get_by_label("数据日期").fill(date.today().isoformat())  # noqa: DTZ011 - the browser's own day
    page.locator("#f-file").set_input_files(file)
    page.get_by_role("button", name="导入").click()
    expect(page.locator("#live[data-status=done]")).to_be_visible(timeout=90_000)


def fitted(page: Page) -> str:
    """Have the model fitted, and return the address of the edition that is in force then."""
    page.goto("/lead-models")
    page.get_by_role("button", name="重新拟合").press("Enter")
    expect(page.locator("#live[data-status=in_force]")).to_be_visible(timeout=120_000)
    return page.url


def test_an_operator_reads_the_cards_and_goes_back_to_the_edition_before(enter: Enter, tmp_path: Path) -> None:
    page = enter("operator")
    registry, moves = tmp_path / "r.csv", tmp_path / "m.csv"
    with registry.open("w", encoding="utf-8", newline="") as stream, moves.open("w", newline="") as told:
        write_companies(stream, told, as_of=date.today(), count=3000, seed=1)  # noqa: DTZ011 - as above
    bring(page, registry, "companies")
    bring(page, moves, "expansions")
    first = fitted(page)
    page.reload()
    expect(page.get_by_role("heading", name="留出期的排序质量")).to_be_visible()
    new, plain = (
        page.get_by_role("row", name=name).get_by_role("cell").first for name in ("本次拟合", "只看扩张次数与距离")
    )
    assert float(new.inner_text()) > float(plain.inner_text())
    expect(page.get_by_text("选择方法所用时段")).to_be_visible()
    second = fitted(page)
    assert second != first
    page.goto(first)
    expect(page.locator("#live")).to_have_attribute("data-status", "superseded")
    page.get_by_label("原因").fill("新版名单偏远")
    page.get_by_role("button", name="恢复采用此版").press("Enter")
    expect(page.locator("#live")).to_have_attribute("data-status", "in_force")
    expect(page.get_by_role("cell", name="新版名单偏远")).to_be_visible()
    page.get_by_role("link", name="排序模型").first.click()
    expect(page.get_by_role("row", name="采用中")).to_have_count(1)
    page.goto(second)
    expect(page.locator("#live")).to_have_attribute("data-status", "superseded")
    page.set_viewport_size({"width": 390, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
