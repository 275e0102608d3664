"""A check-out was noted too late: the park says when it left, the provider accepts, and both payers get their share back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.test_actual_use import book_two_hours, charge_by_use, come_and_go, hand_in, reload_until
from tests.support.town import Town

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

Enter = Callable[..., Page]


def test_noted_times_are_disputed_with_the_keyboard_and_put_right(enter: Enter, town: Town) -> None:
    lab = enter("lab")
    charge_by_use(lab)
    page = enter("park01", width=390)
    order = book_two_hours(page)
    come_and_go(town, order, minutes=110)
    hand_in(lab)
    link = page.get_by_role("link", name="对使用时间有异议？")
    reload_until(page, link)
    link.press("Enter")
    expect(page.get_by_text("异议只能缩短计费的使用时间").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "fits a phone"
    left = page.get_by_label("离场时间")
    noted = datetime.fromisoformat(left.input_value())
    left.fill((noted - timedelta(minutes=60)).strftime("%Y-%m-%dT%H:%M"))
    page.get_by_label("异议理由").fill("离场时前台无人，未能签退")
    page.keyboard.press("Enter")
    page.wait_for_url("**/conduct")
    card = page.locator("section.card", has_text="离场时前台无人")
    for shown in ("园区主张", "¥600.00", "待服务机构答复"):
        expect(card).to_contain_text(shown)

    lab.goto("/conduct")
    lab.get_by_label("处理意见（园区会看到）").fill("门禁记录为准")
    lab.get_by_role("button", name="异议成立，更正时间并冲回").click()
    expect(lab.locator("section.card", has_text="门禁记录为准")).to_contain_text("异议成立")

    page.reload()
    expect(card).to_contain_text("已冲回")
    page.goto(f"/orders/{order}")
    expect(page.get_by_text("经异议更正为")).to_be_visible()
    expect(page.get_by_role("heading", name="退回与追回")).to_be_visible()
    expect(link).to_have_count(0)
