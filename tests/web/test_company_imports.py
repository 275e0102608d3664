"""The registry's page: what is wrong is said at its field, and only the operator opens it."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest

from services.rules.demo_companies import demo_companies
from tenants.kernel.clock import ManualClock
from tests.support.province import Province
from tests.support.visitor import Visitor

Enter = Callable[[str], Visitor]
GOOD = {"kind": "companies", "name": "名录", "licence": "自有", "as_of": "2026-03-01"}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"as_of": "昨天"}, "请填写日期"),
        ({"as_of": "2026-12-01"}, "数据日期不能晚于今天"),
        ({"name": " "}, "须为 1 至 200 个字符"),
        ({"file": None}, "请选择要上传的文件"),
    ],
)
def test_a_wrong_field_is_named(signed_in: Enter, clock: ManualClock, wrong: dict[str, str | None], said: str) -> None:
    operator = signed_in("operator")
    operator.get("/company-imports")
    content = demo_companies(as_of=clock.now().date(), count=5)
    sent = GOOD | {"file": (io.BytesIO(content), "名录.csv")} | wrong
    answer = operator.post("/company-imports", {name: each for name, each in sent.items() if each is not None})
    assert answer.status_code == 422, answer.text
    assert said in answer.text


def test_a_cancelled_import_stays_cancelled_and_is_shown(signed_in: Enter, clock: ManualClock) -> None:
    operator = signed_in("operator")
    operator.get("/company-imports")
    content = demo_companies(as_of=clock.now().date(), count=5)
    answer = operator.post("/company-imports", GOOD | {"file": (io.BytesIO(content), "名录.csv")})
    assert answer.status_code == 303, answer.text
    address = answer.headers["Location"]
    assert "等待导入" in operator.get(address).text
    known = operator.post("/company-imports", GOOD | {"file": (io.BytesIO(content), "名录.csv")})
    assert known.status_code == 409
    assert "这份文件已经导入过" in known.text
    for _ in range(2):
        assert operator.post(f"{address}/cancel", {}).status_code == 303
    assert "已取消" in operator.get(address).text


@pytest.mark.parametrize("login", ["officer", "finance", "lab"])
def test_others_do_not_open_it(province: Province, signed_in: Enter, login: str) -> None:
    del province
    assert signed_in(login).get("/company-imports").status_code == 403
