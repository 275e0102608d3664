"""Moving and handing over through the API."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from services.usecases import rebooking
from tenants.kernel.context import system_actor
from tenants.kernel.errors import NotAllowed
from tenants.kernel.identifiers import new_id
from tenants.kernel.vocabulary import Role
from tenants.usecases import onboarding
from tests.api.test_slot_refusals import change
from tests.support.calendars import components
from tests.support.parks import PASSWORD, credit_code, person, verified_park
from tests.support.province import Province
from tests.support.visitor import Visitor
from tests.support.web import Caller

DAY = {"from": "2026-03-03T00:00:00+08:00", "to": "2026-03-04T00:00:00+08:00"}


@pytest.fixture
def park(province: Province) -> Caller:
    province.fund()
    return province.park(1)


def free(park: Caller) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = park.post("/slots/search", {"offering": "shared-inspection"} | DAY).get_json()[
        "items"
    ]
    return found


def booked(park: Caller) -> str:
    slot = free(park)[0]
    request = {"instrument_id": slot["instrument_id"], "starts_at": slot["starts_at"], "purpose": "断口分析"}
    quote = park.post("/quotes", {"lines": [{"offering": "shared-inspection", "request": request}]}).get_json()
    order = park.post("/orders", {"quote_id": quote["id"]}).get_json()
    return str(order["lines"][0]["booking"]["id"])


def colleague(province: Province, park: Caller, login: str, role: Role) -> UUID:
    park_id = UUID(park.get("/me").get_json()["park"]["id"])
    with province.workshop.work(system_actor("test")) as work:
        made = onboarding.add_person(
            work, organisation_id=park_id, login=login, password=PASSWORD, name=login, roles=[role]
        )
    return UUID(str(getattr(made, "id", made)))


def signed_in(province: Province, login: str) -> Visitor:
    """A member has no API key: the pages are the member's door."""
    visitor = Visitor(province.app)
    assert visitor.sign_in(login).status_code == 200
    return visitor


def test_a_booking_moves_and_its_calendar_follows(province: Province, park: Caller) -> None:
    booking = booked(park)
    to = free(park)[2]["starts_at"]
    (before,) = components(park.get(f"/bookings/{booking}.ics").data)
    moved = park.post(f"/bookings/{booking}/reschedule", {"starts_at": to}, key="k")
    assert (moved.status_code, moved.get_json()["starts_at"], moved.get_json()["revision"]) == (200, to, 1), moved.text
    assert park.post(f"/bookings/{booking}/reschedule", {"starts_at": to}, key="k").get_json() == moved.get_json()
    (event,) = components(park.get(f"/bookings/{booking}.ics").data)
    assert (event["UID"], event["SEQUENCE"]) == (before["UID"], before["SEQUENCE"] + 1)
    (change,) = park.get(f"/bookings/{booking}/changes").get_json()["items"]
    assert (change["kind"], change["new_starts_at"]) == ("moved", to)
    longer = park.post(f"/bookings/{booking}/reschedule", {"starts_at": to, "slots": 2})
    assert (longer.status_code, longer.get_json()["code"]) == (409, "booking.longer")
    assert province.park(2).post(f"/bookings/{booking}/reschedule", {"starts_at": to}).status_code == 404


def test_a_booking_is_handed_over_to_an_active_colleague_with_the_role(province: Province, park: Caller) -> None:
    booking = booked(park)
    member = colleague(province, park, "member1", Role.PARK_MEMBER)
    money = colleague(province, park, "money1", Role.PARK_FINANCE)
    offered = {each["id"] for each in park.get(f"/bookings/{booking}/colleagues").get_json()["items"]}
    assert str(member) in offered
    assert str(money) not in offered
    for stranger in (money, new_id()):
        refused = park.post(f"/bookings/{booking}/hand-over", {"to": str(stranger)})
        assert (refused.status_code, refused.get_json()["errors"][0]["field"]) == (422, "to")
    with pytest.raises(NotAllowed) as not_hers, province.workshop.work(person(province.workshop, "member1")) as work:
        rebooking.hand_over(work, booking_id=UUID(booking), to=member)
    assert not_hers.value.code == "booking.not_responsible"
    handed = park.post(f"/bookings/{booking}/hand-over", {"to": str(member)})
    assert handed.get_json()["responsible_id"] == str(member), handed.text
    (event,) = components(park.get(f"/bookings/{booking}.ics").data)
    assert event["ATTENDEE"].params["CN"] == "member1"
    admin = next(each for each in offered if each != str(member))
    page = signed_in(province, "member1")
    assert admin in page.get(f"/bookings/{booking}/change").text
    assert page.post(f"/bookings/{booking}/hand-over", {"to": admin}).status_code == 303
    assert page.post(f"/bookings/{booking}/hand-over", {"to": str(member)}).status_code == 403, "it is hers no more"
    kinds = [each["kind"] for each in park.get(f"/bookings/{booking}/changes").get_json()["items"]]
    assert kinds == ["handed_over", "handed_over"]


def test_what_was_closed_to_the_park_since_is_handed_over_and_not_moved(province: Province, park: Caller) -> None:
    booking, slot = booked(park), free(park)[2]
    member = colleague(province, park, "member1", Role.PARK_MEMBER)
    verified_park(province.workshop, 2)
    change(province, [credit_code(2)])
    moved = park.post(f"/bookings/{booking}/reschedule", {"starts_at": slot["starts_at"]})
    assert (moved.status_code, moved.get_json()["code"]) == (404, "instrument.not_found")
    page = signed_in(province, "admin1")
    shown = page.get(f"/bookings/{booking}/change")
    assert (shown.status_code, "不能改期" in shown.text, "改到所选时段" in shown.text) == (200, True, False)
    assert page.post(f"/bookings/{booking}/hand-over", {"to": str(member)}).status_code == 303
    assert park.get(f"/bookings/{booking}").get_json()["responsible_id"] == str(member)
    assert "member1" in page.get(f"/bookings/{booking}/change").text
    assert province.instrument not in [UUID(each["id"]) for each in park.get("/instruments").get_json()["items"]]
