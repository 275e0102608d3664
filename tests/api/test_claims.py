"""Claims through HTTP: submitted, reviewed by two, shown to everybody, paid; the pack checked by hand."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from datetime import timedelta
from typing import Any

import pytest
from openpyxl import load_workbook

from tenants.kernel.clock import ManualClock
from tests.support.claim_month import ClaimMonth, claim_month
from tests.support.province import Province
from tests.support.web import Caller


@pytest.fixture
def month(province: Province, clock: ManualClock) -> ClaimMonth:
    return claim_month(province, clock)


def ok(answer: Any, status: int = 200) -> Any:
    assert answer.status_code == status, answer.text
    return answer.get_json()


def code(answer: Any, status: int) -> str:
    assert answer.status_code == status, answer.text
    return str(answer.get_json()["code"])


def to_notice(month: ClaimMonth) -> str:
    """Submit and review March's batch; return its id."""
    province = month.province
    (batch,) = ok(province.finance.get("/claim-batches?status=open"))["items"]
    ok(province.finance.post(f"/claim-batches/{batch['id']}/submission", {}))
    ok(province.reviewer.post(f"/claim-batches/{batch['id']}/reviews", {"stage": "first"}))
    ok(province.approver.post(f"/claim-batches/{batch['id']}/reviews", {"stage": "second"}))
    return str(batch["id"])


def test_a_batch_goes_from_delivery_to_payment(month: ClaimMonth, clock: ManualClock) -> None:
    province = month.province
    (batch,) = ok(province.finance.get("/claim-batches"))["items"]
    path = f"/claim-batches/{batch['id']}"
    assert (batch["status"], batch["lines"], batch["amount_fen"]) == ("open", 1, 36_000)
    (line,) = ok(province.finance.get(f"{path}/lines"))["items"]
    assert (line["payee_kind"], line["missing"]) == ("provider", ["acceptance"])
    assert line["order"].startswith("D") or line["order"]
    used = line["use"]
    assert used["booked_from"].startswith("2026-03-03T")
    assert (used["booked_minutes"], used["checked_in_at"], used["used_minutes"]) == (60, None, None)
    assert [each["id"] for each in ok(province.finance.get(f"{path}/incomplete"))["items"]] == [line["id"]]
    said = ok(month.park.post(f"/order-lines/{line['order_line_id']}/acceptance", {"kind": "accepted"}))
    assert said["kind"] == "accepted"
    assert ok(province.finance.get(f"{path}/incomplete"))["items"] == []
    for caller in (month.park, province.operator, province.lab, province.reviewer, province.officer):
        assert code(caller.post(f"{path}/submission", {}), 403) == "auth.not_allowed"
    submitted = ok(province.finance.post(f"{path}/submission", {}, key="submit"))
    assert ok(province.finance.post(f"{path}/submission", {}, key="submit")) == submitted
    assert code(province.finance.post(f"{path}/reviews", {"stage": "first"}), 403) == "auth.not_allowed"
    ok(province.reviewer.post(f"{path}/reviews", {"stage": "first"}))
    assert code(province.reviewer.post(f"{path}/reviews", {"stage": "second"}), 409) == "claim.same_person"
    noticed = ok(province.approver.post(f"{path}/reviews", {"stage": "second", "notice_days": 10}))
    assert noticed["status"] == "notice"

    (shown,) = ok(province.nobody.get("/claim-notices"))["items"]
    public = province.nobody.get(f"/claim-notices/{shown['batch_id']}")
    assert ok(public)["lines"][0]["amount_fen"] == 36_000
    for secret in ("admin", "@", "invoice", line["order"], line["id"]):
        assert secret not in public.text
    assert code(province.finance.post(f"{path}/payouts"), 409) == "claim.under_notice"
    clock.advance(timedelta(days=11))
    assert code(province.nobody.get(f"/claim-notices/{shown['batch_id']}"), 404) == "claim.no_notice"
    for caller in (province.operator, province.approver, province.reviewer, month.park):
        assert code(caller.post(f"{path}/payouts"), 403) == "auth.not_allowed"
    (payout,) = ok(province.finance.post(f"{path}/payouts"), 201)["items"]
    day = clock.now().date().isoformat()
    paid = {"payment_reference": "国库-2026-001", "paid_on": day}
    first = ok(province.finance.post(f"/payouts/{payout['id']}/payment", paid, key="pay"))
    assert ok(province.finance.post(f"/payouts/{payout['id']}/payment", paid, key="pay")) == first
    done = ok(province.finance.get(path))
    assert (done["status"], done["paid_fen"], done["unpaid_fen"]) == ("done", 36_000, 0)
    fund = ok(province.finance.get(f"/funds/{batch['fund_id']}"))
    assert (fund["captured_fen"], fund["disbursed_fen"]) == (0, 36_000)
    assert ok(province.finance.get("/reconciliation?period=2026-03"))["breaks"] == []


def test_a_park_and_a_provider_see_their_own_lines_only(month: ClaimMonth) -> None:
    province = month.province
    stranger = province.park(2)
    (mine,) = ok(month.park.get("/claim-lines"))["items"]
    (theirs,) = ok(province.lab.get("/claim-lines"))["items"]
    assert mine["id"] == theirs["id"]
    assert ok(stranger.get("/claim-lines"))["items"] == []
    assert ok(province.operator.get("/claim-lines"), 403)["code"] == "auth.not_allowed"
    assert code(stranger.get(f"/claim-lines/{mine['id']}"), 404) == "claim.line_not_found"
    for path in ("/claim-batches", f"/claim-batches/{mine['batch_id']}", f"/claim-batches/{mine['batch_id']}/pack"):
        for caller in (month.park, province.lab, stranger):
            assert code(caller.get(path), 403) == "auth.not_allowed"
    assert code(stranger.post(f"/order-lines/{mine['order_line_id']}/acceptance", {"kind": "accepted"}), 404)


def test_a_line_goes_back_with_its_reason_and_is_completed(month: ClaimMonth) -> None:
    province = month.province
    (batch,) = ok(province.finance.get("/claim-batches"))["items"]
    path = f"/claim-batches/{batch['id']}"
    (line,) = ok(province.finance.get(f"{path}/lines"))["items"]
    ok(province.finance.post(f"{path}/submission", {}))
    returned = {"stage": "first", "returns": [{"line_id": line["id"], "reason": "请补合同"}]}
    assert ok(province.reviewer.post(f"{path}/returns", returned))["status"] == "done"
    assert ok(month.park.get("/claim-lines?status=returned"))["items"][0]["reason"] == "请补合同"
    sent = province.finance.post(
        f"/claim-lines/{line['id']}/evidence?kind=contract&name=合同.pdf",
        data=b"%PDF contract", content_type="application/octet-stream", key="attach",
    )  # fmt: skip
    assert ok(sent, 201)["sha256"] == hashlib.sha256(b"%PDF contract").hexdigest()
    again = ok(province.finance.post(f"/claim-lines/{line['id']}/completion", {"reason": "已补"}))
    assert (again["status"], again["period"]) == ("claimed", "2026-04")
    kinds = [step["kind"] for step in ok(month.park.get(f"/claim-lines/{line['id']}/steps"))["items"]]
    assert kinds == ["submitted", "returned", "attached", "resubmitted"]
    assert code(province.finance.post(f"/claim-lines/{line['id']}/withdrawal", {"reason": "x"}), 409) == (
        "claim.not_returned"
    )


def test_an_objection_is_recorded_and_decided(month: ClaimMonth) -> None:
    province = month.province
    batch_id = to_notice(month)
    (line,) = ok(province.finance.get(f"/claim-batches/{batch_id}/lines"))["items"]
    path = f"/claim-lines/{line['id']}/objections"
    objection = {"objector": "某企业", "reason": "未使用"}
    assert code(province.reviewer.post(path, objection), 403) == "auth.not_allowed"
    said = ok(province.finance.post(path, objection), 201)
    decided = {"uphold": True, "decision": "异议成立"}
    assert code(province.finance.post(f"{path}/{said['id']}/decision", decided), 403) == "auth.not_allowed"
    assert ok(province.reviewer.post(f"{path}/{said['id']}/decision", decided))["status"] == "upheld"
    (kept,) = ok(province.approver.get(f"/claim-batches/{batch_id}/objections"))["items"]
    assert kept["decision"] == "异议成立"
    assert ok(province.finance.get(f"/claim-batches/{batch_id}"))["status"] == "done"


def test_the_pack_is_checked_without_the_platform(month: ClaimMonth) -> None:
    province = month.province
    (line,) = ok(month.park.get("/claim-lines"))["items"]
    ok(province.finance.post(
        f"/claim-lines/{line['id']}/evidence?kind=contract&name=c.pdf",
        data=b"%PDF contract", content_type="application/octet-stream",
    ), 201)  # fmt: skip
    batch_id = to_notice(month)
    answer = province.finance.get(f"/claim-batches/{batch_id}/pack", buffered=True)
    assert (answer.status_code, answer.mimetype) == (200, "application/zip")
    assert province.finance.get(f"/claim-batches/{batch_id}/pack", buffered=True).data == answer.data, (
        "the same bytes twice"
    )
    with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        manifest = json.loads(archive.read("manifest.json"))
        assert sorted(names) == sorted([each["name"] for each in manifest["members"]] + ["manifest.json"])
        for member in manifest["members"]:
            content = archive.read(member["name"])
            assert hashlib.sha256(content).hexdigest() == member["sha256"], member
            assert len(content) == member["size_bytes"]
        document = json.loads(archive.read(manifest["lines"][0]["document"]))
        evidence = next(name for name in names if name.startswith("evidence/"))
        assert archive.read(evidence) == b"%PDF contract"
    said = manifest.pop("manifest_sha256")
    spelled = json.dumps(manifest, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
    assert hashlib.sha256(spelled).hexdigest() == said
    assert manifest["batch"]["amount_fen"] == sum(each["amount_fen"] for each in manifest["lines"]) == 36_000
    assert manifest["programmes"] == [{"programme": "small-park-tech", "version": 1, "lines": 1, "amount_fen": 36_000}]
    assert [manifest["people"][step]["name"] for step in ("submitted", "first_review", "second_review")] == [
        "finance", "reviewer", "approver",
    ]  # fmt: skip
    assert document["proofs"]["report_sha256"] == line["report_sha256"]
    delivered = [each for each in manifest["members"] if each["name"].startswith("reports/00001/")]
    assert [each["sha256"] for each in delivered] == [line["report_sha256"]], "the report itself is in the pack"
    assert document["proofs"]["payments"]


def test_the_list_of_a_batch_holds_no_formula(month: ClaimMonth) -> None:
    province = month.province
    (batch,) = ok(province.finance.get("/claim-batches"))["items"]
    plain = province.finance.get(f"/claim-batches/{batch['id']}/list")
    assert (plain.status_code, plain.mimetype) == (200, "text/csv")
    assert len(plain.data.decode("utf-8-sig").splitlines()) == 2
    sheet = province.finance.get(f"/claim-batches/{batch['id']}/list?format=xlsx")
    table = load_workbook(io.BytesIO(sheet.data)).active
    assert table is not None
    assert (table.max_row, table["H2"].value) == (2, 360)
    assert {cell.data_type for row in table.iter_rows() for cell in row} <= {"s", "n"}
    assert province.finance.get(f"/claim-batches/{batch['id']}/list?format=pdf").status_code == 422
    month_of_all = province.finance.get("/exports/claims?period=2026-03")
    assert month_of_all.data == plain.data
    assert province.operator.get("/exports/claims?period=2026-03").status_code == 403


def test_what_is_not_there_is_not_found(province: Province) -> None:
    nothing = "01923b6e-0000-7000-8000-000000000000"
    for path in (f"/claim-batches/{nothing}", f"/claim-batches/{nothing}/lines", f"/claim-batches/{nothing}/pack"):
        assert province.finance.get(path).status_code == 404, path
    for path, body in (
        (f"/claim-batches/{nothing}/submission", {}),
        (f"/payouts/{nothing}/payment", {"payment_reference": "x", "paid_on": "2026-03-02"}),
        (f"/claim-lines/{nothing}/completion", {"reason": "x"}),
    ):
        assert province.finance.post(path, body).status_code == 404, path
    assert isinstance(province.nobody, Caller)
    assert province.nobody.get("/claim-batches").status_code == 401
