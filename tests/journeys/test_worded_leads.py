"""A park orders a list whose pitches a language model words, at a real endpoint, and reads in its files who wrote them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import docx
import pytest
from playwright.sync_api import Browser, Page, expect

from infra.postgres import Server
from tests.support import chat
from tests.support.town import Town, running_town

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

Enter = Callable[..., Page]
INVENTED = "去年产值达 98765 万元"


def by_turns(body: dict[str, Any], handler: BaseHTTPRequestHandler) -> None:
    """Word every second pitch well, and add to the others what nobody knows."""
    first = chat.sentences(body)[0]
    (chat.good if len(first) % 2 else chat.inventing)(body, handler)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[chat.Endpoint]:
    with chat.chat(by_turns) as running:
        yield running


@pytest.fixture(scope="module")
def town(server: Server, browser: Browser, founded: str, endpoint: chat.Endpoint) -> Iterator[Town]:
    """An installation whose operator has switched a model on."""
    del browser
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PITCH_MODEL_URL", endpoint.url)
        patched.setenv("PITCH_MODEL_NAME", "test-model")
        with running_town(server, founded) as running:
            yield running


def test_a_list_says_which_pitches_a_model_worded_and_repeats_nothing_that_it_invented(
    enter: Enter, endpoint: chat.Endpoint
) -> None:
    page = enter("park05")
    page.goto("/rent/ai-leads")
    page.locator("#f-industries").select_option(["13", "17"])
    page.locator("#f-area_mu").fill("120")
    page.locator("#f-count").fill("20")
    page.locator("#f-area_mu").press("Enter")
    page.wait_for_url("**/quotes/*")
    page.get_by_role("button", name="确认下单").click()
    page.wait_for_url("**/orders/*")
    expect(page.locator("#result-hash")).to_be_visible(timeout=180_000)
    assert len(endpoint.asked) == 20
    with page.expect_download() as download:
        page.get_by_role("link", name="report.json").click()
    leads = json.loads(download.value.path().read_text(encoding="utf-8"))["leads"]
    wrote = [lead["pitch"]["by"] for lead in leads]
    assert set(wrote) == {"language_model", "template"}
    with page.expect_download() as download:
        page.get_by_role("link", name="letters.docx").click()
    letters = "\n".join(each.text for each in docx.Document(str(download.value.path())).paragraphs)
    assert letters.count("本段推介语由语言模型改写") == wrote.count("language_model")
    assert "期待进一步合作" in letters
    assert INVENTED not in letters
    page.goto("/language/en")
    page.goto("/leads")
    expect(page.locator("tbody tr")).to_have_count(20)
