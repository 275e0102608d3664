"""Drafts, runs and voids through HTTP: who may do what, and what the park reads of it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from billing.usecases import invoice_runs
from tenants.kernel.clock import ManualClock
from tenants.kernel.context import system_actor
from tenants.kernel.vocabulary import Role
from tests.support.parks import colleague
from tests.support.province import Province
from tests.support.sales import sold_inspection
from tests.support.web import Caller


@pytest.fixture
def park(province: Province) -> Caller:
    """A park whose inspection of 600 yuan was settled in March."""
    province.fund()
    park = province.park()
    sold_inspection(province, park)
    return park


def test_a_draft_is_read_and_a_run_issues_it_after_the_grace(
    province: Province, park: Caller, clock: ManualClock
) -> None:
    asked = {"period": "2026-03"}
    (draft,) = park.get("/invoice-drafts", query_string=asked).get_json()["items"]
    lines = park.get(f"/invoice-drafts/2026-03/{draft['park_id']}").get_json()["lines"]
    assert [line["gross_fen"] for line in lines] == [draft["gross_fen"]] == [60_000]
    assert draft["grace_ends_at"] == "2026-04-03T16:00:00Z"
    other = province.park(2)
    assert other.get("/invoice-drafts", query_string=asked).get_json()["items"] == []
    assert other.get(f"/invoice-drafts/2026-03/{draft['park_id']}").status_code == 404
    assert province.lab.get("/invoice-drafts", query_string=asked).status_code == 403
    assert park.post("/invoice-runs", asked).status_code == 403
    early = province.finance.post("/invoice-runs", asked)
    assert (early.status_code, early.get_json()["code"]) == (409, "invoice.grace")
    wanted = {"grace_days": 0, "alone_up_to_fen": 1_000_000}
    assert province.finance.post("/invoice-settings", wanted).status_code == 403
    assert province.operator.post("/invoice-settings", wanted).get_json()["grace_days"] == 0
    assert province.operator.get("/invoice-settings").get_json()["alone_up_to_fen"] == 1_000_000
    assert province.operator.post("/invoice-settings", wanted | {"grace_days": 99}).status_code == 422
    clock.advance(timedelta(days=31))
    run = province.finance.post("/invoice-runs", asked, key="run")
    assert (run.status_code, run.get_json()["parks_total"]) == (202, 1)
    assert province.finance.post("/invoice-runs", asked, key="run").get_json() == run.get_json()
    with province.workshop.work(system_actor("test")) as work:
        (known,) = invoice_runs.list_runs(work)
    invoice_runs.carry_out_run(province.workshop, system_actor("invoices.run"), run_id=known.id)
    done = province.finance.get(f"/invoice-runs/{known.id}").get_json()
    assert (done["status"], done["parks_done"]) == ("done", 1)
    assert [each["id"] for each in province.finance.get("/invoice-runs").get_json()["items"]] == [str(known.id)]
    (row,) = park.get("/invoices").get_json()["items"]
    assert (row["period"], row["status"], row["gross_fen"]) == ("2026-03", "finalized", 60_000)


def test_an_invoice_is_voided_by_two_people(province: Province, park: Caller) -> None:
    (row,) = province.finance.post("/invoices", {"period": "2026-03"}).get_json()["items"]
    address = f"/invoices/{row['id']}/void"
    assert park.post(address, {"reason": "x"}).status_code == 403
    asked = province.finance.post(address, {"reason": "抬头有误"}).get_json()
    assert (asked["status"], asked["void_reason"]) == ("finalized", "抬头有误")
    same = province.finance.post(f"{address}/approval")
    assert (same.status_code, same.get_json()["code"]) == (409, "invoice.same_person")
    second = province.caller(colleague(province.workshop, "finance", Role.FINANCE))
    assert second.post(f"{address}/refusal").get_json()["void_reason"] is None
    province.finance.post(address, {"reason": "抬头有误"})
    assert second.post(f"{address}/approval").get_json()["status"] == "void"
    shown = park.get(f"/invoices/{row['id']}").get_json()
    assert (shown["status"], shown["void_reason"], len(shown["lines"])) == ("void", "抬头有误", 1)
    items = province.finance.post("/invoices", {"period": "2026-03", "park_id": row["park_id"]}).get_json()["items"]
    assert [each["number"] for each in items] == ["PTM-2026-000002", "PTM-2026-000001"]
