"""A joint facility's last year is closed in a real browser: proposed by one, approved by another, seen by its parks."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

Enter = Callable[..., Page]


def test_two_people_close_a_year_and_a_park_reads_and_saves_it(enter: Enter) -> None:
    officer = enter("policy")
    officer.goto("/joint/agreements")
    officer.get_by_role("link", name=re.compile("豫西材料检测中心")).first.click()
    officer.get_by_role("link", name="年度结算").first.click()
    expect(officer.get_by_role("heading", level=1)).to_contain_text("年度结算")
    expect(officer.get_by_text("可以结算", exact=True)).to_be_visible()
    officer.get_by_role("button", name="提出结算").click()
    expect(officer.get_by_role("button", name="撤回")).to_be_visible()
    expect(officer.get_by_role("button", name="批准")).to_have_count(0)

    approver = enter("approver")
    approver.goto(officer.url)
    approver.get_by_role("button", name="批准").click()
    expect(approver.get_by_text("已关账", exact=True)).to_be_visible()

    lead = enter("park01", width=390)
    lead.goto(officer.url)
    expect(lead.get_by_text("待开账单").first).to_be_visible()
    expect(lead.get_by_role("heading", name="协作报告")).to_be_visible()
    expect(lead.get_by_role("button", name="提出结算")).to_have_count(0)
    assert lead.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "it fits a phone"
    with lead.expect_download() as saved:
        lead.get_by_role("link", name="下载结算表").click()
    content = saved.value.path().read_text(encoding="utf-8-sig")
    assert len(content.splitlines()) == 3

    reader = enter("park05")
    reader.goto("/language/en")
    reader.goto(officer.url)
    expect(reader.get_by_role("heading", level=1)).to_contain_text("True-up of")
