"""A provider charges by actual use; a park reads it before it books, uses less, and sees what both payers got back."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from playwright.sync_api import Locator, Page, expect

from marketplace.composition import build
from marketplace.demo.world import PASSWORD
from marketplace.settings import DEMO_SECRET, Settings
from marketplace.usecases import orders
from services.usecases import attendance
from tenants.kernel.clock import ManualClock
from tests.support.parks import person
from tests.support.town import Town

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

Enter = Callable[..., Page]


def charge_by_use(lab: Page) -> None:
    """Set the rule for every instrument."""
    lab.goto("/instruments")
    addresses = lab.evaluate("[...document.querySelectorAll('main a')].map(a => a.pathname)")
    for address in [each for each in addresses if re.fullmatch(r"/instruments/[0-9a-f-]{36}", each)]:
        lab.goto(f"{address}/attendance")
        lab.get_by_label("计量").select_option("actual")
        lab.get_by_label("几次爽约暂停预约（0 为不暂停）").press("Enter")
        expect(lab.get_by_text(re.compile("第 1 版，自"))).to_be_visible()


def come_and_go(town: Town, order_id: str, minutes: int = 50) -> None:
    """Let the park check in at the start of its booking and out so many minutes later, when that time has come."""
    settings = Settings(
        database_url=town.database.url, database_owner_url=town.database.owner_url, secret_key=DEMO_SECRET, mode="demo"
    )
    clock = ManualClock(datetime.now(UTC))
    with build(settings, clock=clock) as market:
        park = person(market.workshop, "park01", PASSWORD)
        with market.workshop.work(park) as work:
            booking = orders.read_order(work, order_id=UUID(order_id)).lines[0].booking
        assert booking is not None
        clock.instant = booking.starts_at
        with market.workshop.work(park) as work:
            attendance.check_in(work, booking_id=booking.id)
        clock.instant += timedelta(minutes=minutes)
        with market.workshop.work(park) as work:
            attendance.check_out(work, booking_id=booking.id)


def book_two_hours(page: Page) -> str:
    """Book the first two free hours of next week; return the order."""
    page.goto("/rent/shared-inspection")
    page.get_by_role("link", name="下一周").click()
    page.get_by_text("签到与费用规则").first.click()
    expect(page.get_by_text("按实际使用时长，不满一小时按一小时计，未用部分退回").first).to_be_visible()
    page.locator("label.slot").first.click()
    page.get_by_label("连续时段数").fill("2")
    page.get_by_label("检测内容").fill("断口分析")
    page.get_by_role("button", name="查看价格").click()
    page.wait_for_url("**/quotes/*")
    expect(page.get_by_text("¥1,200.00", exact=True).first).to_be_visible()
    page.get_by_role("button", name="确认下单").click()
    page.wait_for_url("**/orders/*")
    return page.url.rsplit("/", 1)[1]


def hand_in(lab: Page) -> None:
    """Hand in the result of the one booking that waits for it."""
    lab.goto("/bookings")
    lab.get_by_label("检测结果文件").set_input_files(
        {"name": "report.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.7 report"}
    )
    lab.get_by_role("button", name="提交结果").click()
    expect(lab.get_by_text("没有待出结果的预约")).to_be_visible()


def reload_until(page: Page, sign: Locator) -> None:
    """Look at a page again until a worker has done what shows there."""
    for _ in range(30):
        page.reload()
        if sign.is_visible():
            return
        page.wait_for_timeout(1_000)


def test_a_park_pays_for_the_hour_that_it_used(enter: Enter, town: Town) -> None:
    lab = enter("lab")
    charge_by_use(lab)
    page = enter("park01")
    come_and_go(town, book_two_hours(page))
    hand_in(lab)
    reload_until(page, page.get_by_role("heading", name="按实际使用计费"))
    facts = page.locator("dl", has=page.get_by_text("已退回"))
    for shown in ("2 小时 · ¥1,200.00", "1 小时 · ¥600.00", "¥600.00，其中补贴"):
        expect(facts).to_contain_text(shown)
