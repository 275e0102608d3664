"""A provider's debt is kept back from its next payout: by API and on the pages of payouts and clawbacks, and in the pack."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from datetime import date
from typing import Any

from marketplace.usecases import invariants
from tenants.kernel.clock import CHINA, ManualClock
from tenants.kernel.context import system_actor
from tests.support.claim_month import claim_month
from tests.support.province import Province
from tests.support.sales import sold_inspection
from tests.support.visitor import Visitor

Enter = Callable[[str], Visitor]
WHY = {"cause": "returned", "reason": "报告无法使用", "agreement": "实验室来函 3 号"}


def ok(answer: Any, status: int = 200) -> Any:
    assert answer.status_code == status, answer.text
    return answer.get_json()


def drawn(province: Province, clock: ManualClock, period: str) -> tuple[str, dict[str, Any]]:
    """Lead a month's batch to its payout; return the batch's id and the payout."""
    (batch,) = [each for each in ok(province.finance.get("/claim-batches"))["items"] if each["period"] == period]
    path = f"/claim-batches/{batch['id']}"
    ok(province.finance.post(f"{path}/submission", {}))
    ok(province.reviewer.post(f"{path}/reviews", {"stage": "first"}))
    ok(province.approver.post(f"{path}/reviews", {"stage": "second"}))
    clock.instant = clock.instant.replace(day=28)
    (payout,) = ok(province.finance.post(f"{path}/payouts"), 201)["items"]
    return str(batch["id"]), payout


def pay(province: Province, clock: ManualClock, payout: dict[str, Any], reference: str) -> dict[str, Any]:
    day = clock.now().astimezone(CHINA).date().isoformat()
    wish = {"payment_reference": reference, "paid_on": day}
    found: dict[str, Any] = ok(province.finance.post(f"/payouts/{payout['id']}/payment", wish))
    return found


def test_what_a_provider_owes_is_kept_back_and_shown(province: Province, signed_in: Enter, clock: ManualClock) -> None:
    park = claim_month(province, clock).park
    _, payout = drawn(province, clock, "2026-03")
    assert (payout["set_off_fen"], payout["transfer_fen"], payout["set_offs"]) == (0, 36_000, [])
    pay(province, clock, payout, "国库-1")
    (sold,) = ok(province.finance.get("/claim-lines"))["items"]
    order = ok(park.get("/orders"))["items"][0]["id"]
    ok(
        province.finance.post(f"/orders/{order}/lines/{sold['order_line_id']}/return", WHY | {"amount_fen": 30_000}),
        201,
    )
    (row,) = ok(province.finance.get("/clawbacks"))["items"]
    debt = ok(province.approver.post(f"/clawbacks/{row['id']}/decision", {"decision": "uphold"}))
    assert (debt["bearer"], debt["outstanding_fen"], debt["set_offs"]) == ("provider", 18_000, [])

    sold_inspection(province, park, on=date(2026, 4, 29))
    clock.instant = clock.instant.replace(month=5, day=3)
    (invoice,) = ok(province.finance.post("/invoices", {"period": "2026-04"}))["items"]
    owed = invoice["payable_fen"] - invoice["paid_fen"]
    content = (
        "交易日期,交易流水号,贷方金额,对方户名,摘要\n"
        f"2026-05-03,B2,{owed // 100}.{owed % 100:02},园区,{invoice['payment_reference']}\n"
    ).encode()
    ok(province.finance.post("/bank-statements?name=may.csv", data=content, content_type="text/csv"), 201)
    clock.instant = clock.instant.replace(day=16)
    batch, payout = drawn(province, clock, "2026-04")
    assert (payout["amount_fen"], payout["set_off_fen"], payout["transfer_fen"]) == (36_000, 18_000, 18_000)
    (kept,) = payout["set_offs"]
    assert (kept["number"], kept["amount_fen"]) == (debt["number"], 18_000)
    finance = signed_in("finance")
    page = finance.get(f"/claims/{batch}").text
    assert "抵扣 ¥180.00，汇付 ¥180.00" in page
    assert f'href="/clawbacks/{debt["id"]}"' in page
    case = finance.get(f"/clawbacks/{debt['id']}").text
    assert "拨付单将抵扣 ¥180.00" in case
    assert f'href="/claims/{batch}"' in case
    by_hand = {"amount_fen": 1, "method": "set_off", "reference": "x"}
    assert province.finance.post(f"/clawbacks/{debt['id']}/repayments", by_hand).status_code == 422

    pay(province, clock, payout, "国库-2")
    closed = ok(park.get(f"/clawbacks/{debt['id']}"))
    assert (closed["status"], closed["outstanding_fen"]) == ("closed", 0)
    assert [each["method"] for each in closed["repayments"]] == ["set_off"]
    (own, _) = ok(province.lab.get("/payouts"))["items"]
    assert (own["id"], own["set_off_fen"], own["transfer_fen"]) == (payout["id"], 18_000, 18_000)
    assert ok(park.get("/payouts"))["items"] == []
    assert f"{debt['number']} ¥180.00" in signed_in("lab").get("/claim-lines").text
    assert "从拨付款抵扣" in signed_in("admin1").get(f"/clawbacks/{debt['id']}").text
    finance.get("/language/en")
    assert "Set off ¥180.00" in finance.get(f"/claims/{batch}").text
    pack = zipfile.ZipFile(io.BytesIO(finance.get(f"/claims/{batch}/pack.zip", buffered=True).data))
    (told,) = json.loads(pack.read("manifest.json"))["payouts"]
    assert (told["set_off_fen"], told["transfer_fen"]) == (18_000, 18_000)
    assert told["set_offs"] == [{"case": debt["number"], "amount_fen": 18_000}]
    assert f"{debt['number']} 180" in pack.read("payouts.csv").decode("utf-8-sig")
    with province.workshop.work(system_actor("test")) as work:
        assert invariants.check(work) == ()
