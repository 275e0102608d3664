"""Every page of every person: in both languages, on a desk and on a phone, without a page that is wider than its window."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from billing.usecases import metering
from marketplace.composition import build
from marketplace.demo.world import PASSWORD
from marketplace.settings import DEMO_SECRET, Settings
from tests.support.parks import person
from tests.support.town import Town

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

Enter = Callable[..., Page]
PAGES = {
    "park01": (
        "/", "/catalogue", "/catalogue/digital-twin-run", "/rent/digital-twin-run", "/rent/ai-leads", "/rent/energy-optimisation",
        "/rent/shared-inspection", "/rent/sample-testing", "/samples", "/orders", "/invoices", "/usage", "/subscription", "/keys", "/programmes",
        "/subsidies", "/entitlements", "/exemptions", "/claim-lines", "/clawbacks", "/aid", "/notices", "/budgets",
        "/usage/events", "/carbon", "/factors", "/joint/agreements", "/joint/agreements/new", "/leads", "/lead-contacts", "/calendar-feeds", "/slots", "/slots/holds", "/waiting", "/conduct",
        "/booking-series", "/qualifications",
    ),
    "park08": ("/catalogue",),
    "policy": (
        "/", "/dashboard", "/parks", "/control-groups", "/dishonesty-list", "/funds", "/programmes", "/exemptions",
        "/exemptions/new", "/entitlements", "/joint/agreements", "/joint/agreements/new",
    ),
    "finance": ("/", "/books", "/invoices", "/claims", "/ledger", "/clawbacks"),
    "reviewer": ("/", "/claims", "/notices"),
    "approver": ("/", "/funds", "/exemptions", "/aid", "/claims", "/notices", "/ledger", "/clawbacks"),
    "operator": (
        "/", "/catalogue", "/orders", "/prices", "/prices/ai-leads", "/plans", "/meters", "/parks",
        "/control-groups", "/dishonesty-list", "/programmes", "/exemptions", "/entitlements", "/notices", "/issuer", "/keys",
        "/reference-tables", "/company-imports", "/lead-contacts", "/lead-suppressions", "/lead-models", "/slots/hold-terms", "/workdays", "/workdays?year=2099",
    ),
    "lab": ("/", "/catalogue", "/catalogue/shared-inspection", "/claim-lines", "/bookings", "/instruments", "/instruments/new", "/samples", "/notices", "/keys",
        "/calendar-feeds", "/conduct", "/qualifications"),
}  # fmt: skip
WIDE = 1280
CHINESE = re.compile(r"[\u4e00-\u9fff]")
TEXTS = """() => [...document.querySelectorAll('main h2, main h3, main th, main legend, main label, main button, nav a')]
    .filter(e => !e.closest('tbody, .week legend, select, .card.mb-3 h2, .demo') && e.lang !== 'zh-CN')
    .map(e => e.innerText.trim()).filter(Boolean)"""


@pytest.mark.parametrize("login", PAGES)
def test_pages_fit_a_phone(enter: Enter, login: str) -> None:
    page = enter(login, "zh-CN", 390)
    menu = page.evaluate("[...document.querySelectorAll('nav a.nav-link')].map(a => a.pathname)")
    for path in dict.fromkeys((*PAGES[login], *menu)):
        answer = page.goto(path)
        assert answer is not None
        assert answer.status == 200, path
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path


@pytest.mark.parametrize("login", PAGES)
def test_english_pages_are_english(enter: Enter, login: str) -> None:
    page = enter(login, "en-GB", WIDE)
    page.get_by_role("link", name="English").click()
    for path in PAGES[login]:
        page.goto(path)
        assert page.locator("html").get_attribute("lang") == "en"
        assert page.evaluate("document.documentElement.scrollWidth") <= WIDE, path
        assert not CHINESE.search(page.title().replace("园", "")), path
        assert not [text for text in page.evaluate(TEXTS) if CHINESE.search(text)], path


def test_the_menu_stands_in_one_line_and_unfolds_with_the_keyboard(enter: Enter) -> None:
    page = enter("policy", "en-GB", WIDE)
    page.get_by_role("link", name="English").click()
    assert page.locator(".masthead").evaluate("head => head.offsetHeight") < 80
    funds = page.locator("nav").get_by_role("link", name="Funds", exact=True)
    assert not funds.is_visible()
    page.locator("summary", has_text="Subsidies").press("Enter")
    assert funds.is_visible()
    page.keyboard.press("Escape")
    assert not funds.is_visible()
    page.locator("summary", has_text="Subsidies").press("Enter")
    funds.click()
    page.wait_for_url("**/funds")
    assert "active" in (page.locator("summary", has_text="Subsidies").get_attribute("class") or "")


def test_a_meter_is_made_with_the_keyboard_on_a_phone(enter: Enter, town: Town) -> None:
    long = "w" * 90
    settings = Settings(
        database_url=town.database.url, database_owner_url=town.database.owner_url, secret_key=DEMO_SECRET, mode="demo"
    )
    with build(settings) as market, market.workshop.work(person(market.workshop, "park01", PASSWORD)) as work:
        event = {"specversion": "1.0", "source": long, "type": "water", "data": {"m3": 2.5}, "subject": long}
        metering.ingest_events(
            work,
            events=[event | {"id": "1"}, event | {"id": long, "type": long}, event | {"id": "2", "data": [long]}],
            partial=True,
        )
    page = enter("operator", "zh-CN", 390)
    page.goto("/meters")
    assert page.get_by_text(long).count() >= 2, "a type without a meter, and what was refused"
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for name, text in (("slug", "water"), ("name", "用水"), ("event_type", "water"), ("value_property", "$.m3")):
        page.locator(f"#f-{name}").fill(text)
    page.locator("#f-aggregation").focus()
    page.keyboard.press("ArrowDown")
    page.locator("#f-value_property").press("Enter")
    page.wait_for_url("**/meters/water")
    assert page.get_by_text("求和").is_visible()
    page.locator("[data-chart] canvas, [data-chart] svg").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    park = enter("park01", "zh-CN", 390)
    park.goto("/usage/events")
    assert park.get_by_role("link", name=long).is_visible()
    assert park.evaluate("document.documentElement.scrollWidth") <= 390
