"""The page of working days: a year as it is known, and what an operator records and takes back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest

from marketplace.web.workdays import announced_days
from tenants.kernel.errors import Invalid
from tests.support.visitor import Visitor

Enter = Callable[[str], Visitor]
YEAR = """2099-01-01 休 元旦
2099-01-20 至 2099-01-27 休 春节
2099-01-18 班 春节调休

2099-05-01 休 劳动节
2099-10-01 ~ 2099-10-07 off National Day"""


def test_an_operator_records_a_day_and_takes_it_back(signed_in: Enter) -> None:
    operator = signed_in("operator")
    assert "取自平台随附的节假日数据" in operator.get("/workdays?year=2026").text
    day = {"day": "2026-03-03", "worked": "0", "name": "停电检修"}
    assert operator.post("/workdays?year=2026", day | {"name": ""}).status_code == 422
    assert operator.post("/workdays?year=2026", day).headers["Location"] == "/workdays?year=2026"
    page = operator.get("/workdays?year=2026").text
    assert "2026-03-03 休息 已登记：停电检修" in page
    assert operator.post("/workdays?year=2026", day | {"do": "remove", "name": "检修取消"}).status_code == 303
    page = operator.get("/workdays?year=2026").text
    assert ("已登记：停电检修" in page, "检修取消" in page) == (False, True)
    none = operator.post("/workdays?year=2026", day | {"do": "remove"})
    assert (none.status_code, "请选择日历中有登记标记的日期" in none.text) == (409, True)


def test_a_year_without_data_says_so_until_it_is_complete(signed_in: Enter) -> None:
    operator = signed_in("operator")
    page = operator.get("/workdays?year=2099").text
    assert "2099 年没有工作日数据" in page
    assert "2099-03-03 没有数据" in page
    year = {"source": "国办发明电〔2098〕7 号", "days": YEAR}
    wrong = operator.post("/workdays/years?year=2099", year | {"days": f"{YEAR}\n下周一 休 过节"})
    assert (wrong.status_code, "第 7 行无法识别" in wrong.text) == (422, True)
    lacking = operator.post("/workdays/years?year=2099", year | {"days": "2099-01-01 休 元旦"})
    assert "缺少法定节假日" in lacking.text
    assert operator.post("/workdays/years?year=2099", year).status_code == 303
    page = operator.get("/workdays?year=2099").text
    assert "国办发明电〔2098〕7 号" in page
    assert "没有工作日数据" not in page


def test_others_read_it_and_record_nothing(signed_in: Enter) -> None:
    lab = signed_in("lab")
    page = lab.get("/workdays").text
    assert "撤销该日的登记" not in page
    assert lab.post("/workdays", {"day": "2026-03-03", "worked": "0", "name": "x"}).status_code == 403
    assert lab.get("/workdays?year=nonsense").status_code == 200


def test_an_announcement_is_read_line_by_line() -> None:
    found = list(announced_days("2099-02-27 至 2099-03-02 休 假期 一\n 2099-03-08 班 调休 "))
    assert [each[0] for each in found] == [
        date(2099, 2, 27),
        date(2099, 2, 28),
        date(2099, 3, 1),
        date(2099, 3, 2),
        date(2099, 3, 8),
    ]
    assert (found[0][1:], found[-1][1:]) == ((False, "假期 一"), (True, "调休"))
    for line in (
        "2099-02-30 休 假",
        "2099-03-02 至 2099-03-01 休 假",
        "2099-01-01 至 2099-12-31 休 假",
        "2099-01-01 休",
    ):
        with pytest.raises(Invalid):
            list(announced_days(line))
