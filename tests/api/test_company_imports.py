"""The registry's imports through the API: a file comes in, a worker takes it, the report and the quarantine come out."""

from __future__ import annotations

import csv
import io
from uuid import UUID

import pytest

from services.rules.demo_companies import demo_uscc
from services.usecases import company_imports, company_withdrawals
from tenants.kernel.context import system_actor
from tests.support.province import Province

HEADER = "企业名称,统一社会信用代码,行政区划代码,注册资本,经营状态,经营范围,法定代表人"
QUERY = "/company-imports?name=名录&licence=自有&as_of=2026-03-01"


def row(number: int, capital: str = "100万元") -> str:
    return f"第{number}食品有限公司,{demo_uscc('411200', number)},411200,{capital},存续,=食品,王小明"


CONTENT = "\n".join([HEADER, row(1), row(2), row(3, "-5万元"), f"王小明,{row(4)}", ""]).encode("gb18030")


def carry_out(province: Province, made: str) -> None:
    company_imports.carry_out_import(province.workshop, system_actor("worker"), source_id=UUID(made))


def test_a_file_is_imported_and_its_quarantine_may_be_mended_and_brought_in(province: Province) -> None:
    operator = province.operator
    answer = operator.post(f"{QUERY}&file_name=名录.csv", data=CONTENT, content_type="text/csv")
    assert answer.status_code == 201, answer.text
    made = answer.get_json()
    assert (made["status"], made["rows_total"], made["file_name"]) == ("queued", 4, "名录.csv")
    assert made["imported_by"] is not None
    assert made["dropped_columns"] == ["法定代表人"]
    carry_out(province, made["id"])
    found = operator.get(f"/company-imports/{made['id']}").get_json()
    assert (found["source"]["status"], found["source"]["rows_accepted"]) == ("done", 2)
    assert found["source"]["reasons"] == {"bad_capital": 1, "slipped": 1}
    assert [each["row"] for each in found["refused"]] == [4, 5]
    assert operator.get("/company-imports?kind=companies").get_json()["items"] == [found["source"]]
    with operator.get(f"/company-imports/{made['id']}/quarantine") as file:
        assert file.status_code == 200
        content = file.data.decode("utf-8-sig")
    assert "王小明" not in content
    rows = list(csv.reader(io.StringIO(content)))
    assert rows[0][:4] == ["行号", "原因代码", "原因", "企业名称"]
    assert rows[1][:3] == ["4", "bad_capital", "注册资本有误"]
    assert "'=食品" in rows[1], "a cell is no formula"
    mended = content.replace("-5万元", "5万元").replace("'5", "5").encode()
    again = operator.post(QUERY, data={"file": (io.BytesIO(mended), "改正.csv")}, content_type="multipart/form-data")
    assert again.status_code == 201, again.text
    carry_out(province, again.get_json()["id"])
    found = operator.get(f"/company-imports/{again.get_json()['id']}").get_json()["source"]
    assert (found["rows_accepted"], found["file_name"]) == (1, "改正.csv")


def test_an_import_is_cancelled_once(province: Province) -> None:
    made = province.operator.post(QUERY, data=CONTENT, content_type="text/csv").get_json()
    path = f"/company-imports/{made['id']}/cancellation"
    for _ in range(2):
        answer = province.operator.post(path, key="stop")
        assert (answer.status_code, answer.get_json()["status"]) == (200, "cancelled")
    assert province.operator.post(path).status_code == 409
    carry_out(province, made["id"])
    assert province.operator.get(f"/company-imports/{made['id']}").get_json()["source"]["rows_done"] == 0


def test_a_source_is_withdrawn_once_and_says_how_far_it_is(province: Province) -> None:
    operator = province.operator
    made = operator.post(QUERY, data=CONTENT, content_type="text/csv").get_json()
    path = f"/company-imports/{made['id']}/withdrawal"
    assert operator.post(path, {"reason": "误传"}).get_json()["code"] == "companies.not_done"
    carry_out(province, made["id"])
    assert operator.post(path, {"reason": " "}).get_json()["errors"][0]["field"] == "reason"
    answers = [operator.post(path, {"reason": "误传"}, key="gone") for _ in range(2)]
    assert [each.status_code for each in answers] == [200, 200]
    assert [(each.get_json()["rows_total"], each.get_json()["finished_at"]) for each in answers] == [(4, None)] * 2
    assert operator.post(path, {"reason": "误传"}).status_code == 409
    company_withdrawals.carry_out_withdrawal(province.workshop, system_actor("worker"), source_id=UUID(made["id"]))
    found = operator.get(f"/company-imports/{made['id']}").get_json()
    assert (found["source"]["status"], found["refused"]) == ("withdrawn", [])
    assert (found["withdrawal"]["rows_done"], found["withdrawal"]["reason"]) == (4, "误传")
    assert province.park().post(path, {"reason": "误传"}).status_code == 403


def test_what_is_wrong_is_said_before_anything_is_kept(province: Province) -> None:
    operator = province.operator
    future = operator.post(QUERY.replace("2026-03-01", "2026-09-01"), data=CONTENT, content_type="text/csv")
    assert [each["field"] for each in future.get_json()["errors"]] == ["as_of"]
    assert operator.post(QUERY, data=b"", content_type="text/csv").get_json()["code"] == "artefact.missing"
    assert operator.post(QUERY, data=b"a,b\n1,2\n", content_type="text/csv").get_json()["code"] == "companies.no_header"
    large = operator.post(QUERY, data=bytes(9 << 20), content_type="text/csv")
    assert large.status_code == 413
    piecemeal = operator.post(
        QUERY,
        input_stream=io.BytesIO(bytes(9 << 20)),
        content_type="text/csv",
        environ_overrides={"wsgi.input_terminated": True},
    )
    assert piecemeal.status_code == 413, piecemeal.text
    assert operator.get("/company-imports").get_json()["items"] == []


@pytest.mark.parametrize("who", ["park", "finance", "nobody"])
def test_only_the_operator_imports(province: Province, who: str) -> None:
    caller = province.park() if who == "park" else getattr(province, who)
    expected = 401 if who == "nobody" else 403
    assert caller.post(QUERY, data=CONTENT, content_type="text/csv").status_code == expected
    assert caller.get("/company-imports").status_code == expected
    strange = "/company-imports/0195a000-0000-7000-8000-000000000000"
    assert caller.get(strange).status_code == expected
    assert caller.get(f"{strange}/quarantine").status_code == expected
