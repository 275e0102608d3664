"""What a meter's use costs, through pages and HTTP: the operator sets it, the park sees it grow and on its invoice."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime

from billing.usecases import invoicing
from tenants.kernel.clock import ManualClock
from tests.api.test_tokens import ask, credentials
from tests.support.billing_world import FINANCE
from tests.support.province import Province
from tests.support.visitor import Visitor
from tests.support.web import Caller
from tests.web.test_meter_pages import row_with, send

Enter = Callable[[str], Visitor]
METER = {
    "slug": "water", "name": "用水", "event_type": "water", "aggregation": "sum", "value_property": "$.m3",
    "group_by": "", "filters": "", "allow_negative": "no",
}  # fmt: skip


def event(number: int, m3: float, time: str) -> dict[str, object]:
    return {
        "specversion": "1.0", "id": f"w-{number}", "source": "gauge", "type": "water", "time": time, "data": {"m3": m3},
    }  # fmt: skip


def plain(text: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", text).split())


def test_from_the_charge_to_the_invoice_and_its_trace(province: Province, clock: ManualClock, signed_in: Enter) -> None:
    park = province.park()
    operator = signed_in("operator")
    operator.follow(operator.post("/meters", METER))
    page = operator.get("/meters/water").text
    assert "这个计量还不收费" in page
    wrong = operator.post("/meters/water/charges", {"unit_price": "", "vat": "x"})
    assert wrong.status_code == 422
    assert "税率须为数字" in wrong.text
    operator.get("/meters/water")
    made = operator.follow(operator.post("/meters/water/charges", {"unit_price": "2.5", "vat": "9"}))
    assert "所有园区" in made.text
    assert "2.5" in plain(made.text)
    clock.instant = datetime(2026, 3, 30, 2, tzinfo=UTC)
    batch = [event(1, 10, "2026-03-10T08:00:00+08:00"), event(2, 1.5, "2026-03-20T08:00:00+08:00")]
    assert park.post("/events", data=json.dumps(batch), content_type="application/json").status_code in {200, 204}
    visitor = signed_in("admin1")
    usage = plain(visitor.get("/usage").text)
    assert "用水 2026-03-02 – 2026-03-31" in usage
    assert "28.75" in usage
    visitor.get("/language/en")
    assert "Metered, not invoiced yet" in visitor.get("/usage").text
    visitor.get("/language/zh")
    drafts = park.get("/invoice-drafts?period=2026-03").get_json()["items"]
    assert [(each["payable_fen"], each["line_count"]) for each in drafts] == [(2875, 1)]
    draft = park.get(f"/invoice-drafts/2026-03/{drafts[0]['park_id']}").get_json()
    assert [(line["offering"], line["event_id"]) for line in draft["lines"]] == [("meter:water", "")]
    shown = plain(visitor.get(f"/invoices/drafts/2026-03/{drafts[0]['park_id']}").text)
    assert "用水 2026-03-02 – 2026-03-31 计至目前" in shown
    clock.instant = datetime(2026, 4, 3, 2, tzinfo=UTC)
    with province.workshop.work(FINANCE) as work:
        (row,) = invoicing.issue_invoices(work, period="2026-03")
    assert row.payable_fen == 2875
    trace = park.get(f"/invoices/{row.id}/lines/1/trace").get_json()
    metered = trace["charge"]["metered"]
    assert (metered["meter"], metered["quantity"], metered["events"]) == ("water", "11.5", 2)
    back = park.get("/events/trace?source=gauge&id=w-1").get_json()
    assert (back["standing"], back["counted_by"][0]["invoice_line"]) == ("invoiced", 1)
    page = plain(visitor.get(f"/invoices/{row.id}").text)
    assert "用水 2026-03-02 – 2026-03-31" in page
    page = plain(visitor.get(f"/invoices/{row.id}/lines/1").text)
    assert "二、计量快照" in page
    assert "2 个事件" in page
    reading = visitor.get("/usage/event?source=gauge&id=w-1")
    assert "二、计入的用量" in reading.text
    assert row.number in reading.text
    pdf = visitor.get(f"/invoices/{row.id}.pdf")
    assert pdf.data.startswith(b"%PDF")


def told(caller: Caller, event_id: str) -> tuple[str, str | None, int | None, bool]:
    """Return what the API says of an event's bill."""
    found = caller.get("/events", query_string={"source": "gauge", "id": event_id}).get_json()
    return found["billing"], found["invoice_number"], found["invoice_line"], found["late"]


def test_an_event_says_how_its_meter_bills_it(province: Province, clock: ManualClock, signed_in: Enter) -> None:
    park = province.park()
    operator, visitor = signed_in("operator"), signed_in("admin1")
    operator.get("/meters")
    operator.post("/meters", METER)
    operator.post("/meters/water/charges", {"unit_price": "2.5", "vat": "9"})
    clock.instant = datetime(2026, 3, 30, 2, tzinfo=UTC)
    send(park, event(1, 10, "2026-03-10T08:00:00+08:00"), event(2, 9, "2026-02-20T08:00:00+08:00"))
    assert told(park, "w-1") == ("next_invoice", None, None, False)
    assert told(park, "w-2")[0] == "not_billed", "no price held then"
    assert park.get("/events/trace?source=gauge&id=w-1").get_json()["standing"] == "not_invoiced"
    client, secret = credentials(str(park.token))
    token = ask(province.app, client_id=client, client_secret=secret, scope="usage:read").get_json()["access_token"]
    assert told(Caller(province.app.test_client(), token), "w-1")[0] == "next_invoice", "that right is enough"
    listed = visitor.get("/usage/events").text
    assert "按计量计费，列入下一张账单" in row_with(listed, "gauge w-1 ")
    assert "只计数，未计费" in row_with(listed, "gauge w-2 ")

    clock.instant = datetime(2026, 4, 3, 2, tzinfo=UTC)
    (row,) = province.finance.post("/invoices", {"period": "2026-03"}).get_json()["items"]
    send(park, event(3, 2, "2026-03-21T08:00:00+08:00"))
    assert told(park, "w-1") == ("billed", row["number"], 1, False)
    assert told(park, "w-3") == ("next_invoice", None, None, True), "it came after the snapshot of its month"
    assert told(province.operator, "w-1")[0] == "billed"
    listed = visitor.get("/usage/events").text
    assert f"账单 {row['number']} 第 1 行" in row_with(listed, "gauge w-1 ")
    assert f'href="/invoices/{row["id"]}/lines/1"' in listed
    assert "按计量计费，列入下一张账单" in row_with(listed, "gauge w-3 ")
    visitor.get("/language/en")
    assert "Charged by meter, on the next invoice" in visitor.get("/usage/events").text


def test_charges_through_http(province: Province) -> None:
    park = province.park()
    operator = province.operator
    assert operator.post("/meters", {"slug": "calls", "eventType": "call", "aggregation": "COUNT"}).status_code == 201
    wish = {"charge": {"model": "package", "package_size": "100", "package_price": "5"}, "vat_bp": 600, "tier": "basic"}
    made = operator.post("/meters/calls/charges", wish, key="charge")
    assert made.status_code == 201, made.text
    assert operator.post("/meters/calls/charges", wish, key="charge").get_json() == made.get_json()
    assert (made.get_json()["offering"], made.get_json()["tier"]) == ("meter:calls", "basic")
    assert park.post("/meters/calls/charges", wish).status_code == 403
    assert operator.post("/meters/none/charges", wish).status_code == 404
    wrong = operator.post("/meters/calls/charges", wish | {"tier": "golden", "vat_bp": -1})
    assert {error["field"] for error in wrong.get_json()["errors"]} == {"tier", "vat_bp"}
    by_event = {"model": "percentage", "rate_percent": "1", "fixed_fee": "1"}
    odd = operator.post("/meters/calls/charges", wish | {"charge": by_event})
    assert (odd.status_code, odd.get_json()["code"]) == (422, "charge.per_event")
    (listed,) = park.get("/meters/calls/charges").get_json()["items"]
    assert listed["id"] == made.get_json()["id"]
    other = operator.post("/meters/energy-readings/charges/00000000-0000-0000-0000-000000000000/end", {})
    assert other.status_code == 404
    ended = operator.post(f"/meters/calls/charges/{listed['id']}/end", {"at": "2030-01-01T00:00:00+08:00"})
    assert ended.get_json()["valid_to"].startswith("2029-12-31") or ended.get_json()["valid_to"].startswith(
        "2030-01-01"
    )
