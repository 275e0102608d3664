"""A provider sets a rule of attendance; a park reads it before it books, and sees the fee before it cancels late."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

Enter = Callable[..., Page]


def set_rules(lab: Page) -> None:
    """Set one rule for every instrument, with the keyboard."""
    lab.goto("/instruments")
    addresses = lab.evaluate("[...document.querySelectorAll('main a')].map(a => a.pathname)")
    for address in [each for each in addresses if re.fullmatch(r"/instruments/[0-9a-f-]{36}", each)]:
        lab.goto(address)
        lab.get_by_role("link", name="签到与费用规则").click()
        lab.get_by_label("免费取消（开始前分钟）").fill("86400")
        lab.get_by_label("临时取消费（价款的 %）").fill("25")
        expect(lab.get_by_label("几次爽约暂停预约（0 为不暂停）")).to_have_value("3")
        lab.keyboard.press("Enter")
        expect(lab.get_by_text(re.compile("第 1 版，自"))).to_be_visible()


def test_a_park_sees_what_cancelling_late_costs_and_pays_that_alone(enter: Enter) -> None:
    set_rules(enter("lab"))
    page = enter("park01")
    page.goto("/catalogue/shared-inspection")
    page.get_by_role("link", name=re.compile("租用")).first.click()
    page.get_by_role("link", name="下一周").click()
    page.get_by_text("签到与费用规则").first.click()
    expect(page.get_by_text("开始后 15 分钟仍未签到按爽约处理").first).to_be_visible()
    expect(page.get_by_text("90 天内在同一服务机构爽约 3 次，暂停新预约 30 天").first).to_be_visible()
    page.locator("label.slot").first.click()
    page.get_by_label("检测内容").fill("断口分析")
    page.get_by_role("button", name="查看价格").click()
    page.wait_for_url("**/quotes/*")
    page.get_by_role("button", name="确认下单").click()
    page.wait_for_url("**/orders/*")
    expect(page.get_by_text("逾期按爽约处理")).to_be_visible()
    expect(page.get_by_role("button", name="签到", exact=True)).to_be_visible()
    expect(page.get_by_text(re.compile("现在取消将收取临时取消费"))).to_be_visible()
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="取消订单").click()
    expect(page.get_by_text("只按预约规则收取下列费用")).to_be_visible()
    expect(page.locator("dt", has_text="临时取消费")).to_be_visible()
