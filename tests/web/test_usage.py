"""A park's use by service, day and person, as page, file and API: its own alone, and people only to whom they concern."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import openpyxl
import pytest

from billing.usecases import budgets
from marketplace.usecases import usage_reports
from tenants.kernel.clock import ManualClock
from tenants.kernel.vocabulary import Role
from tenants.usecases import onboarding
from tests.support.parks import PASSWORD, person
from tests.support.province import Province
from tests.support.sales import sold_inspection
from tests.support.visitor import Visitor
from tests.support.web import Caller

Enter = Callable[[str], Visitor]
MARCH = "from=2026-03-01T00:00:00%2B08:00&to=2026-04-01T00:00:00%2B08:00"


@pytest.fixture
def park(province: Province, clock: ManualClock) -> Caller:
    """A park whose administrator had an inspection of 600 yuan on Monday; a member and a finance person, too."""
    province.fund()
    park = province.park(1)
    sold_inspection(province, park)
    with province.workshop.work(person(province.workshop, "admin1")) as work:
        for login, role in (("member", Role.PARK_MEMBER), ("books", Role.PARK_FINANCE)):
            onboarding.add_person(
                work, organisation_id=work.actor.require_tenant(), login=login, password=PASSWORD, name=login,
                roles=[role],
            )  # fmt: skip
        budgets.set_budget(work, limit=1_000_00)
    clock.advance(timedelta(days=1))
    return park


def by_person(province: Province, login: str) -> list[tuple[str, str | None, int]]:
    """Return who ordered for how much, as somebody without an API key of their own is told."""
    with province.workshop.work(person(province.workshop, login)) as work:
        found = usage_reports.list_usage(
            work, from_=work.now - timedelta(days=9), to=work.now + timedelta(days=9), group_by="person"
        )
    return [(each.key, each.name, each.gross_fen) for each in found]


def test_the_page_says_by_whom_what_it_cost_and_what_building_would(
    province: Province, park: Caller, signed_in: Enter
) -> None:
    page = signed_in("books").get("/usage")
    day = park.get(f"/usage?{MARCH}&group_by=day").get_json()["items"]
    assert [(each["gross_fen"], each["name"]) for each in day] == [(60_000, None)]
    assert page.status_code == 200
    for told in (
        "¥600.00",
        "如自建需投入",
        "管理员",
        "共享",
        "上期同段没有用量",
        "无法估算",
        day[0]["key"],
        "预算限额",
    ):
        assert told in page.text, told
    english = signed_in("admin1").get("/usage?lang=en").text
    for told in ("Cost of building it", "By person", "Expected by the end of the period", "Budgets"):
        assert told in english, told
    assert "¥600.00" not in signed_in("admin1").get("/usage?from=2026-01&to=2026-02").text.partition("最近交付")[0]
    wrong = signed_in("admin1").get("/usage?from=2026-05&to=2026-03")
    assert (wrong.status_code, "refusal" in wrong.text) == (422, True)
    assert signed_in("admin1").get("/usage?from=nonsense").status_code == 422
    none = signed_in("admin1").get("/usage?service=ai-leads")
    assert "本期还没有交付的服务" in none.text
    assert province.park(2).get(f"/usage?{MARCH}&group_by=person").get_json()["items"] == []


def test_files_hold_what_the_page_shows(park: Caller, signed_in: Enter) -> None:
    assert park.token
    books = signed_in("books")
    sent = books.get("/usage/file?by=person&format=csv")
    assert "usage-person-2026-03-2026-03.csv" in sent.headers["Content-Disposition"]
    rows = list(csv.reader(io.StringIO(sent.data.decode("utf-8-sig"))))
    assert [[*row[:2], row[3]] for row in rows[1:]] == [["管理员", "1", "600.00"], ["合计", "1", "600.00"]]
    book = openpyxl.load_workbook(io.BytesIO(books.get("/usage/file?by=offering&format=xlsx").data))
    cells = list(book.active.iter_rows(min_row=2, values_only=True))  # type: ignore[union-attr]
    assert cells[0][3] == 600
    assert cells[-1][0] == "合计"


def test_who_ordered_what_is_told_to_those_who_read_invoices(
    province: Province, park: Caller, signed_in: Enter
) -> None:
    ((key, name, fen),) = by_person(province, "books")
    assert (name, fen) == ("管理员", 60_000)
    assert str(UUID(key)) == key
    assert by_person(province, "member") == [("others", None, 60_000)]
    (told,) = park.get(f"/usage?{MARCH}&group_by=person").get_json()["items"]
    assert (told["key"], told["name"], told["gross_fen"]) == (key, "管理员", 60_000)
    member = signed_in("member")
    shown = member.get("/usage").text
    assert "其他人员" in shown
    assert "管理员" not in shown.partition("<main")[2]
    hidden = member.get(f"/usage?person={key}").text
    assert "本期还没有交付的服务" in hidden, "a member cannot ask for another person's orders"
    assert member.get(f"/usage/file?by=person&person={key}").text.count("600.00") == 0
    strangers = province.park(2)
    assert strangers.get(f"/usage?{MARCH}&group_by=person").get_json()["items"] == []
    everybody = province.finance.get(f"/usage?{MARCH}&group_by=person").get_json()["items"]
    assert [each["name"] for each in everybody] == ["管理员"]
    assert province.lab.get(f"/usage?{MARCH}&group_by=person").status_code == 403


def test_what_was_returned_is_taken_off(province: Province, park: Caller, signed_in: Enter) -> None:
    (order,) = park.get("/orders").get_json()["items"]
    line = park.get(f"/orders/{order['id']}").get_json()["lines"][0]["id"]
    wish = {"cause": "returned", "reason": "报告无法使用", "agreement": "来函 3 号", "amount_fen": 15_000}
    back = province.finance.post(f"/orders/{order['id']}/lines/{line}/return", wish).get_json()
    groups = ("offering", "day", "month", "person")
    (row, *_) = found = [park.get(f"/usage?{MARCH}&group_by={each}").get_json()["items"][0] for each in groups]
    for row in found:
        assert (row["gross_fen"], row["returned_fen"], row["deliveries"]) == (45_000, 15_000, 1)
        assert row["gross_fen"] == row["subsidy_fen"] + row["payable_fen"]
        assert row["payable_fen"] == order["payable_fen"] - back["park_fen"]
    books = signed_in("books")
    assert "已扣除退回的 ¥150.00" in books.get("/usage").text
    rows = list(csv.reader(io.StringIO(books.get("/usage/file?by=offering&format=csv").data.decode("utf-8-sig"))))
    assert rows[-1][3:7] == ["450.00", f"{row['subsidy_fen'] / 100:.2f}", f"{row['payable_fen'] / 100:.2f}", "150.00"]
