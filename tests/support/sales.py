"""A delivered and settled service behind the API, for tests of what comes after."""

from __future__ import annotations

from datetime import date, timedelta
from uuid import UUID

from billing.rules.meters import Aggregation
from billing.usecases.bulk import provide_meter
from marketplace.usecases import fulfilment
from tenants.kernel.context import system_actor
from tests.support.province import Province
from tests.support.web import Caller


def sold_inspection(
    province: Province, park: Caller, *, on: date = date(2026, 3, 3), payment_method: str = "invoice", **more: str
) -> tuple[str, str]:  # fmt: skip
    """Let a park book an inspection of 600 yuan, and have it reported and settled; return its order and line.

    ``more`` of the quote, such as ``contract_no``.
    """
    day = {"from": f"{on}T00:00:00+08:00", "to": f"{on + timedelta(days=1)}T00:00:00+08:00"}
    slot = park.post("/slots/search", {"offering": "shared-inspection"} | day).get_json()["items"][0]
    request = {"instrument_id": slot["instrument_id"], "starts_at": slot["starts_at"], "purpose": "断口分析"}
    wished = {"lines": [{"offering": "shared-inspection", "request": request}], **more}
    quote = park.post("/quotes", wished).get_json()
    order = park.post("/orders", {"quote_id": quote["id"], "payment_method": payment_method}).get_json()
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
    return order["id"], order["lines"][0]["id"]
