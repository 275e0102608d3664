"""A park whose inspection of March was reported, settled, invoiced and paid; it is the middle of April now."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from billing.rules.meters import Aggregation
from billing.usecases.bulk import provide_meter
from marketplace.usecases import fulfilment
from tenants.kernel.clock import ManualClock
from tenants.kernel.context import system_actor
from tests.support.province import Province
from tests.support.web import Caller


@dataclass
class ClaimMonth:
    """The province in April, and the park that bought in March."""

    province: Province
    park: Caller


def claim_month(province: Province, clock: ManualClock) -> ClaimMonth:
    """Let a park live through March and pay in April."""
    province.fund()
    park = province.park()
    day = {"from": "2026-03-03T00:00:00+08:00", "to": "2026-03-04T00:00:00+08:00"}
    slot = park.post("/slots/search", {"offering": "shared-inspection"} | day).get_json()["items"][0]
    request = {"instrument_id": slot["instrument_id"], "starts_at": slot["starts_at"], "purpose": "断口分析"}
    quote = park.post("/quotes", {"lines": [{"offering": "shared-inspection", "request": request}]}).get_json()
    order = park.post("/orders", {"quote_id": quote["id"]}).get_json()
    booking = order["lines"][0]["booking"]["id"]
    with province.workshop.work(system_actor("meters")) as work:
        provide_meter(
            work,
            slug="inspection-hours",
            name="检测机时",
            event_type="inspection.report",
            aggregation=Aggregation.SUM,
            value_property="$.quantity",
            group_by={"instrument": "$.instrument_id"},
        )
    province.lab.post(f"/bookings/{booking}/report?name=r.pdf", data=b"%PDF", content_type="application/pdf")
    tenant = UUID(park.get("/me").get_json()["park"]["id"])
    with province.workshop.work(system_actor("job", tenant_id=tenant)) as work:
        fulfilment.complete_inspection(work, booking_id=UUID(booking))
    clock.instant = clock.instant.replace(month=4, day=3)
    province.finance.post("/invoices", {"period": "2026-03"})
    (row,) = park.get("/invoices?period=2026-03").get_json()["items"]
    owed = row["payable_fen"]
    content = (
        "交易日期,交易流水号,贷方金额,对方户名,摘要\n"
        f"2026-04-03,B1,{owed // 100}.{owed % 100:02},园区,{row['payment_reference']}\n"
    ).encode()
    taken = province.finance.post("/bank-statements?name=april.csv", data=content, content_type="text/csv")
    assert taken.status_code == 201, taken.text
    clock.instant = clock.instant.replace(day=16)
    return ClaimMonth(province, park)
