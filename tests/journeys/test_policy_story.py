"""A policy's way, in a real browser: an officer fills the form, an approver reads what changes, tries it and approves."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

Enter = Callable[..., Page]


def test_an_officer_writes_a_version_and_an_approver_reads_tries_and_approves_it(enter: Enter) -> None:
    officer = enter("policy")
    officer.goto("/programmes")
    officer.locator("main h2 a").first.click()
    officer.get_by_role("link", name="编写下一版").first.click()
    officer.wait_for_url("**/draft")
    rates = officer.locator("input[name$='.rate']")
    before = rates.count()
    officer.get_by_role("button", name="增加一档").click()
    expect(rates).to_have_count(before + 1)
    officer.get_by_role("button", name=f"删除第 {before + 1} 档").click()
    expect(rates).to_have_count(before)
    today = officer.evaluate("new Date(Date.now() + 8 * 3600e3).toISOString().slice(0, 10)")
    officer.locator("#f-from").fill(today)
    officer.locator("#f-to").fill("2099-01-01")
    rates.first.fill("99")
    officer.get_by_role("button", name="保存为草稿").click()
    expect(officer.locator("[id='e-rates.0.rate']")).to_contain_text("请改正比例")
    rates.first.fill("65")
    officer.get_by_role("button", name="按当前内容计算").click()
    expect(officer.locator("#trial")).to_contain_text("可得补贴")
    officer.get_by_role("button", name="保存为草稿").click()
    officer.wait_for_url(re.compile(r"/versions/\d+$"))
    expect(officer.locator("#changes")).to_contain_text("65%")
    officer.on("dialog", lambda dialog: dialog.accept())
    officer.get_by_role("button", name="提交审批").click()
    expect(officer.locator("h1")).to_contain_text("待审批")

    approver = enter("approver")
    approver.on("dialog", lambda dialog: dialog.accept())
    approver.goto(officer.url)
    expect(approver.locator("#changes")).to_contain_text("65%")
    approver.locator("#f-from").fill("2020-01-01")
    approver.get_by_role("button", name="试算").click()
    approver.wait_for_url("**/simulations/*")
    expect(approver.locator("h1")).to_contain_text("试算")
    expect(approver.locator("#after")).to_be_visible(timeout=60_000)
    approver.go_back()
    approver.get_by_role("button", name="批准").click()
    expect(approver.locator("h1")).to_contain_text("已生效")
