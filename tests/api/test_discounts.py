"""Discounts and included units through HTTP: on the quote, the order, the invoice, its page and its files, to the fen."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import openpyxl
import pytest

from marketplace.usecases import invariants
from tenants.kernel.context import system_actor
from tenants.kernel.vocabulary import Role, Tier
from tests.support.parks import colleague
from tests.support.province import LEADS, Province
from tests.support.sales import sold_inspection
from tests.support.visitor import Visitor
from tests.web.conftest import signed_in

__all__ = ["signed_in"]

Enter = Callable[[str], Visitor]
WINDOW = {"valid_from": "2026-03-01T00:00:00+08:00", "valid_to": "2026-06-01T00:00:00+08:00"}
INSPECTION = "shared-inspection"


def wish(**given: Any) -> dict[str, Any]:
    return WINDOW | {"offering": INSPECTION, "rate_bp": 1_000, "reason": "首年优惠"} | given


@pytest.fixture
def included(province: Province) -> None:
    """The leading plan includes one inspection a month."""
    entitlements = {"offering_tiers": ["basic", "enhanced", "leading"], "included": {INSPECTION: 1}}
    fees = {"monthly_fee_fen": 0, "yearly_fee_fen": 0}
    made = province.operator.post(
        "/plans", {"tier": "leading", "name": "引领层", "name_en": "Leading", **fees, "entitlements": entitlements}
    )
    assert made.status_code == 201, made.text


def test_what_was_taken_off_stands_on_the_invoice_and_its_files(
    province: Province, included: None, signed_in: Enter
) -> None:
    province.fund()
    park = province.park(1)
    park_id = park.get("/me").get_json()["park"]["id"]
    for refused in (park, province.officer, province.operator, province.lab):
        assert refused.post("/discounts", wish(park_id=park_id)).status_code == 403
    made = province.finance.post("/discounts", wish(park_id=park_id), key="one")
    assert (made.status_code, made.get_json()["status"], made.get_json()["counts"]) == (201, "in_force", True)
    whole = province.finance.post("/discounts", wish(park_id=park_id, offering="", rate_bp=500)).get_json()
    assert sorted(each["id"] for each in park.get("/discounts").get_json()["items"]) == sorted(
        [made.get_json()["id"], whole["id"]]
    )
    assert province.park(2).get("/discounts").get_json()["items"] == []
    assert province.finance.post("/discounts", wish(park_id=park_id, offering="none")).status_code == 422

    first, second = (sold_inspection(province, park)[0] for _ in range(2))
    (free,), (paid,) = (park.get(f"/orders/{each}").get_json()["lines"] for each in (first, second))
    assert (free["included"], free["list_fen"], free["discount_fen"], free["gross_fen"]) == (1, 60_000, 60_000, 0)
    assert (paid["list_fen"], paid["agreed_discount_fen"], paid["gross_fen"]) == (60_000, 6_000, 54_000)
    assert sum(award["amount_fen"] for award in paid["awards"]) == paid["subsidy_fen"] == 54_000 * 6 // 10

    drafted = province.finance.get(f"/invoice-drafts/2026-03/{park_id}").get_json()
    (listed,) = province.finance.get("/invoice-drafts?period=2026-03").get_json()["items"]
    (row,) = province.finance.post("/invoices", {"period": "2026-03"}).get_json()["items"]
    invoice = park.get(f"/invoices/{row['id']}").get_json()
    for name in ("gross_fen", "subsidy_fen", "discount_fen", "payable_fen", "vat_fen"):
        assert drafted[name] == listed[name] == row[name] == sum(line[name] for line in invoice["lines"]), name
    own = 54_000 - paid["subsidy_fen"]
    assert (invoice["discount_fen"], invoice["payable_fen"]) == (own // 20, own - own // 20)
    assert invoice["discount_id"] == whole["id"]
    assert (invoice["list_fen"], invoice["included_fen"], invoice["agreed_discount_fen"]) == (120_000, 60_000, 6_000)
    for line in (invoice, *invoice["lines"]):
        taken = line["included_fen"] + line["agreed_discount_fen"]
        assert line["list_fen"] - taken == line["gross_fen"]
        assert line["gross_fen"] == line["subsidy_fen"] + line["discount_fen"] + line["payable_fen"]

    book = openpyxl.load_workbook(io.BytesIO(park.get(f"/invoices/{row['id']}.xlsx").data))
    header, *lines, sums = list(book["明细"].iter_rows(values_only=True))
    column = {str(name): index for index, name in enumerate(header)}
    for name, fen in (("标价（元）", 120_000), ("订阅包含（元）", 60_000), ("协议折扣（元）", 6_000),
                      ("账单折扣（元）", own // 20), ("应付（元）", own - own // 20)):  # fmt: skip
        assert sums[column[name]] == fen / 100, name
        assert sum(float(str(line[column[name]])) for line in lines) == pytest.approx(fen / 100), name
    assert park.get(f"/invoices/{row['id']}.pdf").data.startswith(b"%PDF")
    page = signed_in("admin1").get(f"/invoices/{row['id']}").text
    for said in ("订阅包含 1 个单位，减免 ¥600.00", "协议折扣 ¥60.00", "减：账单折扣", "¥1,200.00"):
        assert said in page, said
    with province.workshop.work(system_actor("test")) as work:
        assert invariants.check(work) == ()


def test_a_discount_for_a_tier_takes_two_and_a_quote_is_refused_when_it_ended(province: Province) -> None:
    province.fund()
    park = province.park(1)
    asked = province.finance.post("/discounts", wish(tier="leading", offering="ai-leads")).get_json()
    assert (asked["status"], asked["by_two"]) == ("asked", True)
    assert province.finance.post(f"/discounts/{asked['id']}/approval").get_json()["code"] == "discount.same_person"
    before = park.post("/quotes", {"lines": [LEADS]}).get_json()["lines"][0]
    assert before["agreed_discount_fen"] == 0
    second = province.caller(colleague(province.workshop, "finance", Role.FINANCE))
    assert second.post(f"/discounts/{asked['id']}/approval").get_json()["status"] == "in_force"
    quote = park.post("/quotes", {"lines": [LEADS]}).get_json()
    (line,) = quote["lines"]
    assert (line["agreed_discount_fen"], line["list_fen"]) == (before["gross_fen"] // 10, before["gross_fen"])
    assert province.finance.post(f"/discounts/{asked['id']}/end").get_json()["status"] == "ended"
    refused = park.post("/orders", {"quote_id": quote["id"]})
    assert (refused.status_code, refused.get_json()["code"]) == (409, "quote.discount_changed")
    assert second.post(f"/discounts/{asked['id']}/refusal").status_code == 409


def test_finance_grants_a_discount_on_its_page(province: Province, signed_in: Enter) -> None:
    park_id = province.park(1).get("/me").get_json()["park"]["id"]
    finance = signed_in("finance")
    assert f"/discounts?park={park_id}" in finance.get(f"/parks/{park_id}").text
    page = finance.get(f"/discounts?park={park_id}").text
    assert "新的折扣" in page
    form = {
        "whose": park_id, "park": park_id, "offering": "", "rate": "12.5", "amount": "", "first_day": "2026-03-01",
        "last_day": "2026-05-31", "reason": "首年优惠",
    }  # fmt: skip
    wrong = finance.post("/discounts", form | {"rate": "", "reason": "", "whose": "nobody"})
    assert wrong.status_code == 422
    for name in ("rate", "reason", "whose"):
        assert f'id="e-{name}"' in wrong.text, name
    shown = finance.follow(finance.post("/discounts", form)).text
    assert "待确认" in shown, "above what one person may grant"
    address = shown.partition('action="/discounts/')[2].partition('"')[0]
    refused = finance.post(f"/discounts/{address}", {"decision": "approve"})
    assert (refused.status_code, "申请人以外的人" in refused.text) == (409, True)
    second = signed_in(colleague(province.workshop, "finance", Role.FINANCE))
    second.get("/discounts")
    assert "现在有效" in second.follow(second.post(f"/discounts/{address}", {"decision": "approve"})).text
    park = signed_in("admin1")
    seen = park.get("/discounts").text
    assert "12.5%" in seen
    assert "新的折扣" not in seen
    park.get("/language/en")
    assert "Counts now" in park.get("/discounts").text
    assert "已终止" in finance.follow(finance.post(f"/discounts/{address}", {"decision": "end"})).text


def test_a_tiers_discount_of_invoices_is_that_of_the_parks_that_have_it(province: Province) -> None:
    province.fund()
    leading, basic = province.park(1), province.park(2, Tier.ENHANCED)
    for park in (leading, basic):
        sold_inspection(province, park)
    asked = province.finance.post(
        "/discounts", wish(tier="leading", offering="", rate_bp=None, amount_fen=1_234)
    ).get_json()  # fmt: skip
    second = province.caller(colleague(province.workshop, "finance", Role.FINANCE))
    assert second.post(f"/discounts/{asked['id']}/approval").status_code == 200
    issued = province.finance.post("/invoices", {"period": "2026-03"}).get_json()["items"]
    names = {park.get("/me").get_json()["park"]["id"]: fen for park, fen in ((leading, 1_234), (basic, 0))}
    assert {row["park_id"]: row["discount_fen"] for row in issued} == names
    assert [each["id"] for each in leading.get("/discounts").get_json()["items"]] == [asked["id"]]
    assert basic.get("/discounts").get_json()["items"] == []
    with province.workshop.work(system_actor("test")) as work:
        assert invariants.check(work) == ()
