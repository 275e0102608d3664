"""A fund's year through HTTP: split, moved, foreseen, warned of, carried over, closed; and its register as a file."""

from __future__ import annotations

import csv
import io
from typing import Any

import openpyxl

from billing.usecases import fund_outlook
from tenants.kernel.context import system_actor
from tests.support.province import LEADS, YUAN, Province


def ok(answer: Any, status: int = 200) -> Any:
    """The answer's document; the call must have succeeded."""
    assert answer.status_code == status, answer.text
    return answer.get_json()


def test_a_funds_year(province: Province) -> None:
    officer, approver = province.officer, province.approver
    fund = f"/funds/{province.fund(amount_fen=10_000 * YUAN)}"
    more = {
        "amount_fen": 1_000 * YUAN,
        "document_no": "豫财〔2026〕2号",
        "split": [{"envelope": "central", "share_bp": 4000}, {"envelope": "411200", "share_bp": 2000}],
    }
    asked = ok(officer.post(f"{fund}/appropriations", more, key="a"), 201)
    assert ok(officer.post(f"{fund}/appropriations", more, key="a"), 201) == asked
    assert [part["amount_fen"] for part in asked["split"]] == [200 * YUAN, 400 * YUAN]
    filled = ok(approver.post(f"{fund}/appropriations/{asked['id']}/approval"))
    assert {each["envelope"]: each["available_fen"] // YUAN for each in filled["envelopes"]} == {
        "": 10_400,
        "411200": 200,
        "central": 400,
    }
    bad = officer.post(f"{fund}/appropriations", {**more, "split": [{"envelope": "moon", "share_bp": 1}]})
    assert (bad.status_code, bad.get_json()["errors"][0]["field"]) == (422, "split[0].envelope")
    for step, caller in (("rejection", approver), ("withdrawal", officer)):
        third = ok(officer.post(f"{fund}/appropriations", more), 201)
        ended = ok(caller.post(f"{fund}/appropriations/{third['id']}/{step}", {"reason": "文号有误"}))
        assert ended["ended_reason"] == "文号有误"

    wanted = {"envelope": "central", "to_envelope": "411224", "amount_fen": 400 * YUAN, "reason": "调剂"}
    moved = ok(officer.post(f"{fund}/transfers", wanted), 201)
    assert officer.post(f"{fund}/transfers/{moved['id']}/approval").status_code == 403
    assert ok(approver.post(f"{fund}/transfers/{moved['id']}/approval"))["status"] == "approved"
    for step, caller in (("rejection", approver), ("withdrawal", officer)):
        another = ok(officer.post(f"{fund}/transfers", {**wanted, "envelope": ""}), 201)
        assert (
            ok(caller.post(f"{fund}/transfers/{another['id']}/{step}", {"reason": "不需要"}))["status"][:2] == step[:2]
        )
    assert ok(officer.get(f"{fund}/rebalancing"))["items"] == []


def ordered(province: Province) -> int:
    """Let a park order leads; return what is held for it."""
    park = province.park()
    quote = ok(park.post("/quotes", {"lines": [LEADS]}), 201)
    ok(park.post("/orders", {"quote_id": quote["id"]}), 201)
    return int(quote["subsidy_fen"])


def test_a_fund_is_foreseen_and_warns(province: Province) -> None:
    officer = province.officer
    fund = f"/funds/{province.fund(amount_fen=10_000 * YUAN)}"
    held = ordered(province)
    outlook = ok(officer.get(f"{fund}/outlook"))
    assert outlook["daily_fen"] == held
    assert outlook["history"][-1]["available_fen"] == outlook["available_fen"] == 10_000 * YUAN - held
    assert ok(officer.post(f"{fund}/thresholds", {"low_share_bp": 9_999, "low_days": None}))["low_days"] is None
    with province.workshop.work(system_actor("clockwork")) as work:
        fund_outlook.watch_funds(work)
    (alert,) = ok(province.finance.get(f"{fund}/alerts"))["items"]
    noted = ok(officer.post(f"{fund}/alerts/{alert['id']}/acknowledgement", {"note": "已知悉"}))
    assert (noted["kind"], noted["note"]) == ("low_balance", "已知悉")


def test_a_fund_is_carried_over_and_closed(province: Province) -> None:
    officer, approver = province.officer, province.approver
    fund = f"/funds/{province.fund(amount_fen=10_000 * YUAN)}"
    held = ordered(province)
    assert ok(approver.post(f"{fund}/freeze", {"reason": "年终封账"}))["status_reason"] == "年终封账"
    refused = approver.post(f"{fund}/closure", {"reason": "年度结束"})
    assert (refused.status_code, refused.get_json()["code"]) == (409, "fund.not_settled")
    named = {error["code"] for error in refused.get_json()["errors"]}
    assert named == {"fund.hold", "fund.available"}
    listed = ok(approver.get(f"{fund}/closure"))["items"]
    assert len(listed) == len(refused.get_json()["errors"])
    body = {"slug": "next-2027", "name": "专项资金", "name_en": "Fund", "year": 2027}
    following = ok(officer.post("/funds", body), 201)
    carried = ok(officer.post(f"{fund}/carry-overs", {"to_fund_id": following["id"], "reason": "年终结转"}), 201)
    assert carried["amount_fen"] is None
    done = ok(approver.post(f"{fund}/transfers/{carried['id']}/approval"))
    assert done["amount_fen"] == 10_000 * YUAN - held
    returned = ok(officer.post(f"/funds/{following['id']}/returns", {"amount_fen": 1, "reason": "收回"}), 201)
    ok(approver.post(f"/funds/{following['id']}/transfers/{returned['id']}/approval"))
    now = ok(officer.get(f"/funds/{following['id']}"))
    assert (now["carried_fen"] - 1, now["appropriated_fen"]) == (now["available_fen"], -1)
    assert [each["kind"] for each in ok(officer.get(f"/funds/{following['id']}/transfers"))["items"]] == [
        "return",
        "carry_over",
    ]
    assert ok(approver.post(f"{fund}/unfreeze", {"reason": "核查完毕"}))["status"] == "open"


def test_the_register_is_filtered_and_saved_as_a_file(province: Province) -> None:
    fund = f"/funds/{province.fund(amount_fen=10_000 * YUAN)}"
    wanted = {"envelope": "", "to_envelope": "411224", "amount_fen": 5 * YUAN, "reason": "=1+1"}
    moved = ok(province.officer.post(f"{fund}/transfers", wanted), 201)
    ok(province.approver.post(f"{fund}/transfers/{moved['id']}/approval"))
    finance = province.finance
    assert len(ok(finance.get(f"{fund}/entries"))["items"]) == 3
    (into,) = ok(finance.get(f"{fund}/entries?envelope=411224&place=transferred"))["items"]
    (out,) = ok(finance.get(f"{fund}/entries?envelope=&place=transferred"))["items"]
    assert (into["counterpart_id"], out["counterpart_id"]) == (out["id"], into["id"])
    assert ok(finance.get(f"{fund}/entries?from=2026-03-03"))["items"] == []
    assert len(ok(finance.get(f"{fund}/entries?from=2026-03-02&to=2026-03-02"))["items"]) == 3
    assert finance.get(f"{fund}/entries?place=moon").status_code == 422
    saved = finance.get(f"{fund}/entries.csv?place=transferred&lang=en")
    assert saved.mimetype == "text/csv"
    rows = list(csv.DictReader(io.StringIO(saved.data.decode("utf-8-sig"))))
    assert [row["Amount (yuan)"] for row in rows] == ["5.00", "5.00"]
    assert {row["Scope"] for row in rows} == {"All parks", "河南省三门峡市卢氏县"}
    book = openpyxl.load_workbook(io.BytesIO(finance.get(f"{fund}/entries.xlsx").data))
    sheet = list(book.active.iter_rows(values_only=True)) if book.active else []
    assert sheet[0][:3] == ("时间", "范围代码", "范围")
    assert sheet[1][5] == 5
    assert province.park().get(f"{fund}/entries.csv").status_code == 403
