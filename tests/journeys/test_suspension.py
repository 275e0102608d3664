"""A park that does not come is kept out of a provider's new bookings, until the provider lifts that with a reason."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from playwright.sync_api import Page, expect

from marketplace.composition import build
from marketplace.demo.world import PASSWORD
from marketplace.jobs import clockwork
from marketplace.settings import DEMO_SECRET, Settings
from marketplace.usecases import orders
from tenants.kernel.clock import ManualClock
from tests.support.parks import person
from tests.support.town import Town

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

Enter = Callable[..., Page]


def suspend_after_one(lab: Page) -> None:
    """Set a rule for every instrument, with the keyboard: one no-show suspends."""
    lab.goto("/instruments")
    addresses = lab.evaluate("[...document.querySelectorAll('main a')].map(a => a.pathname)")
    for address in [each for each in addresses if re.fullmatch(r"/instruments/[0-9a-f-]{36}", each)]:
        lab.goto(f"{address}/attendance")
        lab.get_by_label("几次爽约暂停预约（0 为不暂停）").fill("1")
        lab.keyboard.press("Enter")
        expect(lab.get_by_text(re.compile("第 1 版，自"))).to_be_visible()


def choose(page: Page) -> None:
    """Choose the first free slot of next week and ask its price."""
    page.goto("/rent/shared-inspection")
    page.get_by_role("link", name="下一周").click()
    page.locator("label.slot").first.click()
    page.get_by_label("检测内容").fill("断口分析")
    page.get_by_role("button", name="查看价格").click()


def book(page: Page) -> str:
    """Book it; return the order."""
    choose(page)
    page.wait_for_url("**/quotes/*")
    page.get_by_role("button", name="确认下单").click()
    page.wait_for_url("**/orders/*")
    return page.url.rsplit("/", 1)[1]


def stay_away(town: Town, order_id: str) -> None:
    """Let the time of a booking go by without anybody coming, and the clock note it."""
    settings = Settings(
        database_url=town.database.url, database_owner_url=town.database.owner_url, secret_key=DEMO_SECRET, mode="demo"
    )
    clock = ManualClock(datetime.now(UTC))
    with build(settings, clock=clock) as market:
        with market.workshop.work(person(market.workshop, "park01", PASSWORD)) as work:
            booking = orders.read_order(work, order_id=UUID(order_id)).lines[0].booking
        assert booking is not None
        clock.instant = booking.starts_at + timedelta(minutes=16)
        clockwork.settle_no_shows(market)


def test_a_park_is_suspended_for_a_no_show_and_books_again_once_that_is_lifted(enter: Enter, town: Town) -> None:
    lab = enter("lab")
    suspend_after_one(lab)
    page = enter("park01", width=390)
    stay_away(town, book(page))
    page.goto("/conduct")
    expect(page.get_by_text("暂停中")).to_be_visible()
    expect(page.get_by_text("90 天内爽约 1 次")).to_be_visible()
    expect(page.get_by_text("请联系服务机构或平台运营方申请解除")).to_be_visible()
    expect(page.get_by_role("button", name="解除暂停")).to_have_count(0)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "fits a phone"
    shut = page.context.new_page()  # a window of its own: the browser notes the refusal as an error of the page
    choose(shut)
    expect(shut.get_by_role("alert").first).to_contain_text(re.compile("1 次爽约.*暂停接受本园区的新预约"))

    lab.goto("/conduct")
    lab.get_by_label("解除原因（园区会看到）").fill("设备交接失误，非园区原因")
    lab.keyboard.press("Enter")
    expect(lab.get_by_text("已解除")).to_be_visible()

    page.reload()
    expect(page.get_by_text("设备交接失误，非园区原因")).to_be_visible()
    expect(page.get_by_text("暂停中")).to_have_count(0)
    book(page)
    expect(page.get_by_role("heading", level=1)).to_contain_text("订单")
