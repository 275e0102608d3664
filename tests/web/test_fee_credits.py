"""A subscription's fee on an invoice: traced to its period, plan and days, and credited by the day, by API and on pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from marketplace.usecases import invariants, subscription_fees
from tenants.kernel.context import system_actor
from tests.support.province import Province
from tests.support.visitor import Visitor, form_value
from tests.support.web import Caller

Enter = Callable[[str], Visitor]
WHY = {"cause": "undelivered", "reason": "平台停机", "agreement": "运营方说明 1 号"}


def billed_fee(province: Province) -> tuple[Caller, dict[str, Any]]:
    """Charge a park a fee of 310 yuan a month from 2 March on, and invoice it."""
    plan = {
        "tier": "leading", "name": "引领层", "name_en": "Leading", "monthly_fee_fen": 31_000, "yearly_fee_fen": 310_000,
        "entitlements": {"offering_tiers": ["basic", "enhanced", "leading"]},
    }  # fmt: skip
    assert province.operator.post("/plans", plan).status_code == 201
    park = province.park()
    tenant = UUID(park.get("/me").get_json()["park"]["id"])
    with province.workshop.work(system_actor("worker", tenant_id=tenant)) as work:
        assert subscription_fees.charge_park(work) == 30_000
    (row,) = province.finance.post("/invoices", {"period": "2026-03"}).get_json()["items"]
    return park, row


def test_a_fee_traces_both_ways_and_is_credited_by_the_day(province: Province) -> None:
    park, row = billed_fee(province)
    found = park.get(f"/invoices/{row['id']}/lines/1/trace").get_json()
    asked = {"source": found["event"]["source"], "id": found["event"]["event_id"]}
    assert park.get("/events/trace", query_string=asked).get_json() == found
    fee = found["charge"]["fee"]
    assert found["event"]["late"] is False
    assert (found["delivery"], found["charge"]["price"]["charge"]["model"]) == (None, "plan")
    assert (fee["plan_version"], fee["tier"]) == (2, "leading")
    assert (fee["first_day"], fee["last_day"], fee["days"], fee["whole_days"]) == ("2026-03-02", "2026-03-31", 30, 31)
    assert (fee["fee_fen"], fee["due_fen"], fee["charged_fen"], fee["returned_fen"]) == (31_000, 30_000, 30_000, 0)

    line = {"line": 1, "first_day": "2026-03-10", "last_day": "2026-03-12"}
    wish = WHY | {"invoice_id": row["id"], "lines": [line]}
    for wrong in ({"last_day": None}, {"amount_fen": 1}, {"last_day": "2026-03-09"}, {"first_day": "2026-03-01"}):
        answer = province.finance.post("/credit-notes", wish | {"lines": [line | wrong]})
        assert (answer.status_code, answer.get_json()["errors"][0]["field"]) == (422, "lines[1].first_day")
    issued = province.finance.post("/credit-notes", wish)
    assert issued.status_code == 201, issued.text
    note = issued.get_json()
    assert (note["status"], note["amount_fen"], note["public_fen"]) == ("issued", 3_000, 0)
    assert [(each["first_day"], each["last_day"]) for each in note["lines"]] == [("2026-03-10", "2026-03-12")]
    again = province.finance.post("/credit-notes", wish)
    assert (again.status_code, again.get_json()["code"]) == (409, "credit_note.days_back")
    assert park.get(f"/credit-notes/{note['id']}.pdf").data.startswith(b"%PDF")
    assert park.get("/events/trace", query_string=asked).get_json()["charge"]["fee"]["returned_fen"] == 3_000
    with province.workshop.work(system_actor("test")) as work:
        assert invariants.check(work) == ()


def test_finance_credits_days_on_a_page_and_the_park_sees_which(province: Province, signed_in: Enter) -> None:
    _, row = billed_fee(province)
    finance = signed_in("finance")
    address = f"/invoices/{row['id']}/credit-note"
    form = finance.get(address)
    assert "2026-03-02 – 2026-03-31" in form.text
    typed = WHY | {"key": form_value(form, "key"), "first_day_1": "2026-03-10"}
    wrong = finance.post(address, typed | {"last_day_1": "x"})
    assert (wrong.status_code, "e-first_day_1" in wrong.text) == (422, True)
    made = finance.follow(finance.post(address, typed | {"last_day_1": "2026-03-12"}))
    assert "2026-03-10 至 2026-03-12，3 天" in made.text
    park = signed_in("admin1")
    page = park.get(f"/invoices/{row['id']}/lines/1")
    for said in ("二、订阅周期", "2026-03-02 至 2026-03-31，30 天", "引领层 · v2", "红字账单已冲减"):
        assert said in page.text
    park.get("/language/en")
    assert "2026-03-02 to 2026-03-31, 30 days" in park.get(f"/invoices/{row['id']}/lines/1").text
