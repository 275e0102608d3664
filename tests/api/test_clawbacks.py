"""Returns and clawbacks through HTTP: who may do what, and what the park reads of it."""

from __future__ import annotations

from base64 import b64encode
from typing import Any
from uuid import UUID

import pytest

from billing.usecases import uncapture
from marketplace.usecases import invariants
from tenants.kernel.context import system_actor
from tests.support.province import Province
from tests.support.sales import sold_inspection
from tests.support.web import Caller

FILE = {"name": "决定书.pdf", "media_type": "application/pdf", "content": b64encode(b"%PDF").decode()}
WHY = {"cause": "returned", "reason": "报告无法使用", "agreement": "实验室来函 3 号"}


@pytest.fixture
def park(province: Province) -> Caller:
    """A park whose inspection was reported and settled: 600 yuan, of which the fund has captured a part."""
    province.fund()
    return province.park()


def pay_out(province: Province, line: str) -> None:
    """Let the funds pay what a line captured."""
    with province.workshop.work(system_actor("claims")) as work:
        spent = uncapture.lock_spent(work, order_line_ids=[UUID(line)])
        uncapture.disburse(work, hold_ids=[each.hold_id for each in spent], reason="claim.paid")


def case(line: str, **changes: Any) -> dict[str, Any]:
    return {
        "order_line_id": line,
        "cause": "ineligible",
        "reason": "注册地不在本省",
        "due_on": "2026-06-01",
        "evidence": FILE,
        **changes,
    }


def slot_of(park: Caller) -> dict[str, Any]:
    days = {"from": "2026-03-05T00:00:00+08:00", "to": "2026-03-06T00:00:00+08:00"}
    free = park.post("/slots/search", {"offering": "shared-inspection"} | days).get_json()["items"][0]
    return {"instrument_id": free["instrument_id"], "starts_at": free["starts_at"], "purpose": "断口分析"}


def test_a_line_is_returned_once_for_a_key_and_the_park_reads_what_came_back(province: Province, park: Caller) -> None:
    order, line = sold_inspection(province, park)
    address = f"/orders/{order}/lines/{line}/return"
    for refused in (park, province.officer, province.approver, province.operator, province.lab):
        assert refused.post(address, WHY).status_code == 403
    assert province.finance.post(f"/orders/{order}/lines/{order}/return", WHY).status_code == 404
    wrong = province.finance.post(address, WHY | {"amount_fen": 60_001})
    assert (wrong.status_code, wrong.get_json()["errors"][0]["field"]) == (422, "amount_fen")
    first = province.finance.post(address, WHY | {"amount_fen": 10_000, "evidence": FILE}, key="one")
    assert first.status_code == 201, first.text
    again = province.finance.post(address, WHY | {"amount_fen": 10_000, "evidence": FILE}, key="one")
    assert again.get_json() == first.get_json()
    made = first.get_json()
    assert made["park_fen"] + made["public_fen"] == 10_000
    assert made["withdrawn_fen"] == made["public_fen"] > 0
    rest = province.finance.post(address, WHY)
    assert rest.get_json()["amount_fen"] == 50_000
    assert province.finance.post(address, WHY).get_json()["code"] == "return.nothing_left"
    (shown,) = park.get(f"/orders/{order}").get_json()["lines"]
    assert [each["amount_fen"] for each in shown["returns"]] == [10_000, 50_000]
    assert shown["clawbacks"] == []
    with province.workshop.work(system_actor("check")) as work:
        assert invariants.check(work) == ()


def test_a_returned_service_keeps_its_contract_used(province: Province, park: Caller) -> None:
    order, line = sold_inspection(province, park, contract_no="HT-9")
    assert province.finance.post(f"/orders/{order}/lines/{line}/return", WHY).status_code == 201
    wished = {"lines": [{"offering": "shared-inspection", "request": slot_of(park)}], "contract_no": "HT-9"}
    (award,) = park.post("/quotes", wished).get_json()["lines"][0]["awards"]
    assert (award["amount_fen"], award["reasons"]) == (0, ["ALREADY_SUBSIDISED"])


def test_a_case_goes_from_the_officer_to_the_approver_to_finance(province: Province, park: Caller) -> None:
    order, line = sold_inspection(province, park)
    for refused in (park, province.approver, province.finance, province.lab):
        assert refused.post("/clawbacks", case(line)).status_code == 403
    elsewhere = province.officer.post("/clawbacks", case(line, programme="another-programme"))
    assert elsewhere.get_json()["code"] == "clawback.nothing_spent"
    wrong = province.officer.post("/clawbacks", case(line, due_on="2026-03-02", cause="fraud"))
    assert {each["field"] for each in wrong.get_json()["errors"]} == {"bearer", "due_on"}
    opened = province.officer.post("/clawbacks", case(line), key="case")
    assert opened.status_code == 201, opened.text
    assert province.officer.post("/clawbacks", case(line), key="case").get_json() == opened.get_json()
    address = f"/clawbacks/{opened.get_json()['id']}"
    pay_out(province, line)
    for refused in (park, province.officer, province.finance):
        assert refused.post(f"{address}/decision", {"decision": "uphold"}).status_code == 403
    decided = province.approver.post(f"{address}/decision", {"decision": "uphold", "note": "属实"}).get_json()
    assert (decided["status"], decided["bearer"]) == ("upheld", "park")
    due = decided["outstanding_fen"]
    assert due == decided["to_fund_fen"] > 0
    again = province.approver.post(f"{address}/decision", {"decision": "dismiss"})
    assert (again.status_code, again.get_json()["code"]) == (409, "clawback.decided")
    assert province.officer.post(f"{address}/repayments", {"amount_fen": 1}).status_code == 403
    part = province.finance.post(f"{address}/repayments", {"amount_fen": 100, "reference": "T1"})
    assert (part.status_code, part.get_json()["outstanding_fen"]) == (201, due - 100)
    asked = province.officer.post(f"{address}/write-off", {"reason": "园区已注销"})
    assert asked.get_json()["write_off_reason"] == "园区已注销"
    given_up = province.approver.post(f"{address}/write-off/approval").get_json()
    assert (given_up["status"], given_up["written_off_fen"]) == ("written_off", due - 100)
    assert [each["id"] for each in park.get("/clawbacks").get_json()["items"]] == [given_up["id"]]
    assert park.get(address).get_json()["repayments"][0]["reference"] == "T1"
    (shown,) = park.get(f"/orders/{order}").get_json()["lines"]
    assert shown["clawbacks"][0]["number"] == given_up["number"]
    assert province.park(2).get(address).status_code == 404
    assert province.officer.get("/clawbacks?status=opened").get_json()["items"] == []
