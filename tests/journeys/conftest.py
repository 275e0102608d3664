"""A real browser in front of a whole installation."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from infra.postgres import Server
from marketplace.demo.world import PASSWORD
from tests.support.town import Town, founded_town, running_town

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A Chromium; the test is skipped where there is none."""
    program = next((found for name in NAMES if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip("no Chromium on this machine: install the package chromium to run the browser tests")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=list(ARGUMENTS))
        yield started
        started.close()


@pytest.fixture(scope="session")
def founded(server: Server) -> Iterator[str]:
    """The database of a demo province, to copy."""
    with founded_town(server) as made:
        yield made


@pytest.fixture(scope="module")
def town(server: Server, browser: Browser, founded: str) -> Iterator[Town]:
    """A running installation with a demo province."""
    with running_town(server, founded) as running:
        yield running


@pytest.fixture
def contexts(browser: Browser, town: Town) -> Iterator[Callable[..., BrowserContext]]:
    """Open browser windows that know the installation's address."""
    opened: list[BrowserContext] = []

    def open_one(language: str = "zh-CN", width: int = 1280) -> BrowserContext:
        context = browser.new_context(
            base_url=town.address, locale=language, viewport={"width": width, "height": 900}, accept_downloads=True
        )
        context.set_default_timeout(30_000)
        opened.append(context)
        return context

    yield open_one
    for context in opened:
        context.close()


@pytest.fixture
def enter(contexts: Callable[..., BrowserContext]) -> Iterator[Callable[..., Page]]:
    """Sign somebody in and return their page; a page that complains to its console fails the test."""
    complaints: list[str] = []

    def sign_in(login: str, language: str = "zh-CN", width: int = 1280) -> Page:
        page = contexts(language, width).new_page()
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto("/sign-in")
        page.locator("#f-login").fill(login)
        page.locator("#f-password").fill(PASSWORD)
        page.locator("#f-password").press("Enter")
        page.wait_for_url("**/")
        return page

    yield sign_in
    refused = "the server responded with a status of 422"  # a form with an error: the page shows it
    assert not [complaint for complaint in complaints if refused not in complaint]
