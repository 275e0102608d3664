"""Leads through the API: a delivered list, a claim that keeps others out, and companies that want no contact."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from services.gateways.sandbox import Limits
from services.usecases import execution
from tenants.kernel.context import system_actor
from tests.support.province import Province
from tests.support.services import import_demo_companies
from tests.support.web import Caller

LEADS: dict[str, Any] = {
    "offering": "ai-leads",
    "request": {"region_code": "510104", "industries": ["39", "38"], "area_mu": 120},
}


@pytest.fixture
def parks(province: Province) -> tuple[Caller, Caller]:
    """Two parks that may order lists from a registry."""
    province.fund()
    import_demo_companies(province.workshop, province.workshop.clock.now().date())
    return province.park(1), province.park(2)


def delivered(province: Province, park: Caller) -> tuple[str, list[dict[str, Any]]]:
    """Order a list, let a worker carry it out, and return its run and what is listed."""
    quote = park.post("/quotes", {"lines": [LEADS]}).get_json()
    run = park.post("/orders", {"quote_id": quote["id"]}).get_json()["lines"][0]["run"]
    worker = system_actor("worker", tenant_id=UUID(park.get("/me").get_json()["park"]["id"]))
    execution.execute_run(province.workshop, worker, run_id=UUID(run["id"]), limits=Limits(wall_seconds=120))
    ended = park.get(f"/runs/{run['id']}").get_json()
    assert ended["status"] == "succeeded", ended
    return run["id"], park.get(f"/leads?run_id={run['id']}").get_json()["items"]


def test_one_park_claims_a_company_and_another_meets_it_again_when_it_is_freed(
    province: Province, parks: tuple[Caller, Caller]
) -> None:
    one, other = parks
    run, mine = delivered(province, one)
    assert len(mine) == 50
    assert {each["status"] for each in mine} == {"suggested"}
    assert other.get(f"/leads?run_id={run}").get_json()["items"] == [], "another park's list is nobody else's"
    _, theirs = delivered(province, other)
    code = next(each["uscc"] for each in mine if each["uscc"] in {lead["uscc"] for lead in theirs})
    claimed = one.post(f"/leads/{code}/claim")
    assert (claimed.status_code, claimed.get_json()["status"]) == (200, "claimed")
    assert one.post(f"/leads/{code}/claim").get_json() == claimed.get_json(), "again changes nothing"
    refused = other.post(f"/leads/{code}/claim")
    assert (refused.status_code, refused.get_json()["code"]) == (409, "leads.claimed")
    assert other.post(f"/leads/{code}/stage", {"stage": "contacted"}).get_json()["code"] == "leads.not_claimed"
    assert one.post(f"/leads/{code}/stage", {"stage": "visited"}).get_json()["code"] == "leads.stage"
    assert one.post(f"/leads/{code}/stage", {"stage": "contacted"}).get_json()["status"] == "contacted"
    assert one.post(f"/leads/{code}/stage", {"stage": "released"}).get_json()["lease_ends_at"] is None
    assert other.post(f"/leads/{code}/claim").status_code == 200
    assert one.post("/leads/91330100MA00000000/claim").status_code == 404, "not listed to the park"


def test_the_same_brief_again_costs_nothing_and_another_parks_does(
    province: Province, parks: tuple[Caller, Caller]
) -> None:
    one, other = parks
    run, mine = delivered(province, one)
    assert other.post("/quotes", {"lines": [LEADS]}).get_json()["lines"][0]["repeats"] is None
    again = {"offering": "ai-leads", "request": LEADS["request"] | {"industries": ["38", "C39"]}}
    (line,) = one.post("/quotes", {"lines": [again]}).get_json()["lines"]
    assert (line["repeats"], line["payable_fen"], line["subsidy_fen"]) == (run, 0, 0)
    assert line["list_fen"] == line["discount_fen"] > 0
    second, theirs = delivered(province, one)
    assert second != run
    assert theirs == mine
    files = [one.get(f"/runs/{each}").get_json()["manifest_sha256"] for each in (run, second)]
    assert files[0] == files[1]


def test_all_leads_are_found_page_by_page(province: Province, parks: tuple[Caller, Caller]) -> None:
    one, _ = parks
    run, mine = delivered(province, one)
    whole = one.get("/leads").get_json()
    assert (len(whole["items"]), whole["next_cursor"]) == (50, None)
    pages: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        page = one.get(f"/leads?limit=20{cursor and '&cursor=' + cursor}").get_json()
        pages += page["items"]
        cursor = page["next_cursor"]
    assert pages == whole["items"]
    assert one.get(f"/leads?run_id={run}&limit=20").get_json()["items"] == mine, "a list is whole"
    assert one.get("/leads?cursor=nonsense").get_json()["code"] == "page.bad_cursor"


def test_what_came_of_a_company_is_recorded_with_what_was_shown(
    province: Province, parks: tuple[Caller, Caller]
) -> None:
    one, other = parks
    run, mine = delivered(province, one)
    code = mine[2]["uscc"]
    assert mine[2]["outcome"] is None
    wrong = one.post(f"/leads/{code}/outcomes", {"outcome": "lost"})
    assert (wrong.status_code, wrong.get_json()["errors"][0]["field"]) == (422, "reason")
    signed = one.post(f"/leads/{code}/outcomes", {"outcome": "signed"})
    assert (signed.status_code, signed.get_json()["outcome"]) == (200, "signed")
    lost = one.post(f"/leads/{code}/outcomes", {"outcome": "lost", "reason": "price"}).get_json()
    assert (lost["outcome"], lost["lost_reason"]) == ("lost", "price")
    last, first = one.get(f"/leads/{code}/outcomes").get_json()["items"]
    assert (last["number"], first["outcome"], first["run_id"], first["position"]) == (2, "signed", run, 3)
    assert float(first["score"]) > 0
    assert first["recorded_by"]
    assert other.get(f"/leads/{code}/outcomes").get_json()["items"] == []
    assert other.post(f"/leads/{code}/outcomes", {"outcome": "signed"}).status_code == 404


def test_who_wants_no_contact_is_on_no_list(province: Province, parks: tuple[Caller, Caller]) -> None:
    one, other = parks
    _, mine = delivered(province, one)
    code = mine[0]["uscc"]
    one.post(f"/leads/{code}/claim")
    wish = {"uscc": code, "asked_on": "2026-03-01", "reason": "来电要求"}
    assert one.post("/lead-suppressions", wish).status_code == 403
    noted = province.operator.post("/lead-suppressions", wish)
    assert noted.status_code == 201, noted.text
    assert province.operator.post("/lead-suppressions", wish | {"reason": "再次来电"}).status_code == 409
    bad = province.operator.post("/lead-suppressions", wish | {"uscc": "1" * 18, "asked_on": "2030-01-01"})
    assert {each["field"] for each in bad.get_json()["errors"]} == {"uscc", "asked_on"}
    (stands,) = (each for each in one.get("/leads").get_json()["items"] if each["uscc"] == code)
    assert (stands["status"], stands["lease_ends_at"]) == ("suppressed", None)
    assert one.post(f"/leads/{code}/claim").get_json()["code"] == "leads.suppressed"
    _, theirs = delivered(province, other)
    assert code not in {each["uscc"] for each in theirs}
    lifted = province.operator.post(f"/lead-suppressions/{noted.get_json()['id']}/lift")
    assert lifted.get_json()["lifted_at"] is not None
    assert one.post(f"/leads/{code}/claim").status_code == 200
    (listed,) = province.operator.get("/lead-suppressions").get_json()["items"]
    assert listed["name"]
