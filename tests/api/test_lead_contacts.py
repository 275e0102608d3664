"""A lead's number through the API: masked, shown to who has claimed it, limited by the day, on record."""

from __future__ import annotations

from uuid import UUID

import pytest
from sqlalchemy import text

from services.rules.demo_companies import CITIES, demo_switchboard, demo_uscc
from services.rules.switchboards import masked
from tenants.kernel.context import system_actor
from tests.support.province import Province
from tests.support.services import import_demo_companies
from tests.support.web import Caller

CODES = [demo_uscc(CITIES[number], number) for number in range(3)]


@pytest.fixture
def owner(province: Province) -> Caller:
    """A park to which three companies were listed."""
    import_demo_companies(province.workshop, province.workshop.clock.now().date())
    caller = province.park(1)
    park = UUID(caller.get("/me").get_json()["park"]["id"])
    with province.workshop.work(system_actor("test")) as work:
        for code in CODES:
            row = {"code": code, "park": park, "now": work.now}
            work.session.execute(text("INSERT INTO lead_places VALUES (:code, 1, :park, :now)"), row)
    return caller


def test_a_number_is_masked_shown_counted_and_noted(province: Province, owner: Caller) -> None:
    stranger = province.park(2)
    number = demo_switchboard(0)
    assert {each["uscc"]: each["contact"] for each in owner.get("/leads").get_json()["items"]}[CODES[0]] == masked(
        number
    )
    assert owner.post(f"/leads/{CODES[0]}/contact").get_json()["code"] == "leads.not_claimed"
    assert owner.get("/lead-contact-limit").get_json() == {"per_day": 20, "set_by": None, "set_at": None}
    assert owner.post("/lead-contact-limit", {"per_day": 2}).status_code == 403
    assert province.operator.post("/lead-contact-limit", {"per_day": 1001}).status_code == 422
    assert province.operator.post("/lead-contact-limit", {"per_day": 2}).get_json()["per_day"] == 2
    for code in CODES:
        owner.post(f"/leads/{code}/claim")
    first = owner.post(f"/leads/{CODES[0]}/contact")
    assert (first.status_code, first.headers["Cache-Control"]) == (200, "no-store")
    assert (first.get_json()["number"], first.get_json()["shown_today"]) == (number, 1)
    assert owner.post(f"/leads/{CODES[0]}/contact").get_json() == first.get_json()
    assert owner.post(f"/leads/{CODES[1]}/contact").status_code == 200
    over = owner.post(f"/leads/{CODES[2]}/contact")
    assert (over.status_code, over.get_json()["code"]) == (409, "leads.contact_limit")
    assert stranger.post(f"/leads/{CODES[0]}/contact").status_code == 404
    assert number not in owner.get("/leads").text
    noted = owner.get("/lead-contacts?limit=1").get_json()
    assert [each["uscc"] for each in noted["items"]] == [CODES[1]]
    more = owner.get(f"/lead-contacts?cursor={noted['next_cursor']}").get_json()
    assert [each["uscc"] for each in more["items"]] == [CODES[0]]
    assert stranger.get("/lead-contacts").get_json()["items"] == []
    seen = province.operator.get("/lead-contacts")
    assert {each["park_id"] for each in seen.get_json()["items"]} == {owner.get("/me").get_json()["park"]["id"]}
    assert number not in seen.text
    assert province.lab.get("/lead-contacts").status_code == 403
