"""A park gives its calendar an address in the browser; the address alone opens it, until it is revoked."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Browser, Page

from tests.support.calendars import components
from tests.support.town import Town

Enter = Callable[..., Page]


def test_a_park_makes_an_address_and_revokes_it(enter: Enter, browser: Browser, town: Town) -> None:
    page = enter("park01")
    page.goto("/calendar-feeds")
    page.get_by_label("用途").fill("检测负责人手机")
    page.keyboard.press("Enter")
    address = page.locator("#new-address").inner_text()
    assert address.startswith(f"{town.address}/calendars/")
    program = browser.new_context()  # no session, as a calendar program has none
    try:
        answer = program.request.get(address)
        assert answer.ok
        (calendar,) = components(answer.body(), "VCALENDAR")
        assert str(calendar["NAME"]) == "检测负责人手机"
        page.goto("/calendar-feeds")
        assert page.locator("#new-address").count() == 0, "it is shown once"
        assert address.rpartition("/")[2] not in page.content()
        page.on("dialog", lambda dialog: dialog.accept())
        page.get_by_role("button", name="撤销日历地址“检测负责人手机”").click()
        page.get_by_text("已撤销").wait_for()
        assert program.request.get(address).status == 404
    finally:
        program.close()


def test_a_provider_chooses_one_of_its_instruments_in_english(enter: Enter) -> None:
    page = enter("lab", width=390)
    page.goto("/language/en")
    page.goto("/calendar-feeds")
    page.get_by_label("Used by").fill("Reception")
    choice = page.get_by_label("Instrument")
    name = choice.locator("option").nth(1).inner_text()
    choice.select_option(index=1)
    page.locator("main form.card button.btn-primary").click()
    page.locator("#new-address").wait_for()
    assert page.get_by_role("cell", name=name).count() == 1
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "fits a phone"
