"""Meters, usage, invoices, statements and reconciliation through HTTP, after a park's inspection was delivered."""

from __future__ import annotations

from uuid import UUID

import pytest

from billing.rules.meters import Aggregation
from billing.usecases.bulk import provide_meter
from marketplace.usecases import fulfilment
from tenants.kernel.clock import ManualClock
from tenants.kernel.context import system_actor
from tests.support.province import Province
from tests.support.web import Caller

WHOLE = "from=2026-03-01T00:00:00%2B08:00&to=2026-05-01T00:00:00%2B08:00"


@pytest.fixture
def park(province: Province, clock: ManualClock) -> Caller:
    """A park whose inspection was reported and settled; it is April now."""
    province.fund()
    caller = province.park()
    day = {"from": "2026-03-03T00:00:00+08:00", "to": "2026-03-04T00:00:00+08:00"}
    slot = caller.post("/slots/search", {"offering": "shared-inspection"} | day).get_json()["items"][0]
    request = {"instrument_id": slot["instrument_id"], "starts_at": slot["starts_at"], "purpose": "断口分析"}
    quote = caller.post("/quotes", {"lines": [{"offering": "shared-inspection", "request": request}]}).get_json()
    order = caller.post("/orders", {"quote_id": quote["id"]}).get_json()
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
    tenant = UUID(caller.get("/me").get_json()["park"]["id"])
    with province.workshop.work(system_actor("job", tenant_id=tenant)) as work:
        fulfilment.complete_inspection(work, booking_id=UUID(booking))
    clock.instant = clock.instant.replace(month=4)
    return caller


def test_usage_is_invoiced_paid_and_reconciled(province: Province, park: Caller) -> None:
    (used,) = park.get(f"/usage?{WHOLE}").get_json()["items"]
    assert (used["key"], used["quantity"], used["gross_fen"]) == ("shared-inspection", "1", 60_000)
    issued = province.finance.post("/invoices", {"period": "2026-03"}, key="march")
    assert issued.status_code == 200, issued.text
    again = province.finance.post("/invoices", {"period": "2026-03"}, key="march")
    assert again.get_json() == issued.get_json()
    (row,) = park.get("/invoices?period=2026-03").get_json()["items"]
    invoice = park.get(f"/invoices/{row['id']}").get_json()
    assert invoice["gross_fen"] == invoice["subsidy_fen"] + invoice["payable_fen"] == 60_000
    assert invoice["lines"][0]["awards"][0]["programme"] == "small-park-tech"
    page = park.get(f"/invoices/{row['id']}.pdf")
    assert page.data.startswith(b"%PDF")

    unpaid = province.finance.get("/reconciliation?period=2026-03").get_json()
    assert (unpaid["metered_fen"], unpaid["rated_fen"], unpaid["invoiced_fen"]) == (60_000, 60_000, 60_000)
    assert unpaid["open_fen"] == invoice["payable_fen"]
    assert unpaid["captured_fen"] == unpaid["claimed_fen"] == invoice["subsidy_fen"]
    assert unpaid["breaks"] == []
    assert unpaid["trial_balance"] == {"difference_fen": 0}
    assert park.get("/reconciliation?period=2026-03").status_code == 403

    paid = f"{invoice['payable_fen'] // 100}.{invoice['payable_fen'] % 100:02}"
    statement = (
        f"交易日期,交易流水号,贷方金额,对方户名,摘要\n2026-04-01,B1,{paid},园区,{row['payment_reference']}\n".encode()
    )
    for _ in range(2):
        taken = province.finance.post("/bank-statements?name=april.csv", data=statement, content_type="text/csv")
        assert (taken.status_code, taken.get_json()["matched"]) == (201, 1), taken.text
    settled = province.finance.get("/reconciliation?period=2026-03").get_json()
    assert (settled["open_fen"], settled["paid_fen"]) == (0, invoice["payable_fen"])
    assert settled["breaks"] == []
    assert park.get(f"/invoices/{row['id']}").get_json()["status"] == "paid"


def test_meters_answer_as_the_public_client_expects(park: Caller) -> None:
    slugs = {meter["slug"] for meter in park.get("/meters").get_json()}
    assert "inspection-hours" in slugs
    answer = park.get(f"/meters/inspection-hours/query?{WHOLE}&windowSize=MONTH&groupBy=instrument")
    assert answer.status_code == 200, answer.text
    shown = answer.get_json()
    assert set(shown) == {"from", "to", "windowSize", "data"}
    assert shown["data"][0]["value"] == 1
    assert set(shown["data"][0]) == {"value", "windowStart", "windowEnd", "subject", "groupBy"}
    assert park.get("/meters/inspection-hours/query").get_json()["data"][0]["value"] == 1
    assert park.get("/meters/nothing/query").status_code == 404
    (row,) = shown["data"]
    instrument = row["groupBy"]["instrument"]
    for query, values in (
        (f"filterGroupBy[instrument]={instrument}", [1]),
        (f"filterGroupBy%5Binstrument%5D={instrument}&windowSize=DAY", [1]),
        (f"filterGroupBy[instrument]=x&filterGroupBy[instrument]={instrument}", [1]),
        ("filterGroupBy[instrument]=x", []),
    ):
        told = park.get(f"/meters/inspection-hours/query?{query}")
        assert [each["value"] for each in told.get_json()["data"]] == values, query
    for wrong, field in (
        ("filterGroupBy[colour]=x", "filterGroupBy"),
        ("filter=x", "filter"),
        ("groupBy=colour", "groupBy"),
    ):
        refused = park.get(f"/meters/inspection-hours/query?{wrong}")
        assert refused.status_code == 422, "a filter that is not applied would give wrong numbers"
        assert [each["field"] for each in refused.get_json()["errors"]] == [field]


@pytest.mark.parametrize("content", [b"\x00\xff", "日期,金额\n2026-04-01,abc\n".encode(), b"a" * 1000])
def test_a_malformed_statement_is_refused_with_words(province: Province, content: bytes) -> None:
    answer = province.finance.post("/bank-statements?name=bank.csv", data=content, content_type="text/csv")
    assert answer.status_code == 422, answer.text
    assert answer.get_json()["detail"]


@pytest.mark.parametrize("envelope", ["41122x", "410000", "Western", "x" * 40])
def test_public_money_is_not_put_where_no_park_can_draw_on_it(province: Province, envelope: str) -> None:
    fund = province.fund()
    wanted = {"amount_fen": 100, "document_no": "豫财〔2026〕2号", "envelope": envelope}
    refused = province.officer.post(f"/funds/{fund}/appropriations", wanted)
    assert (refused.status_code, refused.get_json()["errors"][0]["field"]) == (422, "envelope"), refused.text
    for drawn_on in ("", "411224", "411200", "central"):
        asked = province.officer.post(f"/funds/{fund}/appropriations", wanted | {"envelope": drawn_on})
        assert asked.status_code == 201, asked.text


def test_a_park_reads_policies_that_are_approved_and_no_drafts(province: Province) -> None:
    province.fund()
    (programme,) = province.officer.get("/programmes").get_json()["items"]
    document = programme["versions"][0]["policy"] | {"window": {"from": "2026-03-02", "to": "2029-01-01"}}
    document = {name: part for name, part in document.items() if name not in {"programme", "version"}}
    draft = province.officer.post(f"/programmes/{programme['id']}/versions", {"policy": document})
    assert draft.status_code == 201, draft.text
    (seen,) = province.park().get("/programmes").get_json()["items"]
    assert [version["status"] for version in seen["versions"]] == ["approved"]
    (whole,) = province.officer.get("/programmes").get_json()["items"]
    assert [version["status"] for version in whole["versions"]] == ["approved", "draft"]


def test_a_month_of_the_books_is_closed_and_downloaded(province: Province, park: Caller, clock: ManualClock) -> None:
    finance = province.finance
    early = finance.post("/periods/2026-03/close", key="close")
    assert (early.status_code, early.get_json()["code"]) == (409, "period.has_breaks")
    finance.post("/invoices", {"period": "2026-03"}, key="march")
    assert province.officer.post("/periods/2026-03/close").status_code == 403
    assert park.post("/periods/2026-03/close").status_code == 403
    closed = finance.post("/periods/2026-03/close", key="close")
    assert closed.status_code == 200, closed.text
    assert finance.post("/periods/2026-03/close", key="close").get_json() == closed.get_json()
    assert finance.get("/periods").get_json()["items"] == [closed.get_json()]
    journals = finance.get("/journals?period=2026-03").get_json()["items"]
    assert closed.get_json()["journals"] == len(journals) > 0
    for kind, beginning in (("csv", b"\xef\xbb\xbf"), ("xlsx", b"PK"), ("beancount", b"option")):
        file = finance.get(f"/exports/ledger?period=2026-03&format={kind}")
        assert (file.status_code, file.data[: len(beginning)]) == (200, beginning)
    assert "应收园区款" in finance.get("/exports/ledger?period=2026-03").data.decode("utf-8-sig")
    assert finance.get("/exports/ledger?period=march").status_code == 422
    assert park.get("/exports/ledger?period=2026-03").status_code == 403
