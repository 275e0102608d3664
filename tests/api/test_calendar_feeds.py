"""Calendar addresses: whoever has one reads the bookings, nobody else; revoked, it is gone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest

from tenants.kernel.clock import ManualClock
from tenants.kernel.identifiers import new_id
from tests.support.calendars import components
from tests.support.province import Province
from tests.support.web import Caller

DAY = {"from": "2026-03-03T00:00:00+08:00", "to": "2026-03-04T00:00:00+08:00"}


@pytest.fixture
def park(province: Province) -> Caller:
    province.fund()
    return province.park(1)


def book(park: Caller, at: int = 0, slots: int = 1) -> dict[str, Any]:
    """Book the ``at``-th free slot of a day, and those after it, and return the order."""
    found = park.post("/slots/search", {"offering": "shared-inspection"} | DAY).get_json()["items"][at]
    slot = {"instrument_id": found["instrument_id"], "starts_at": found["starts_at"], "purpose": "断口分析"}
    slot |= {"slots": slots}
    quote = park.post("/quotes", {"lines": [{"offering": "shared-inspection", "request": slot}]}).get_json()
    order: dict[str, Any] = park.post("/orders", {"quote_id": quote["id"]}).get_json()
    return order


def feed(owner: Caller, **wish: Any) -> dict[str, Any]:
    answer = owner.post("/calendar-feeds", {"name": "前台日历"} | wish)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.get_json()
    return made


def fetch(province: Province, address: str, **headers: str) -> Any:
    """Ask as a calendar program does: with the address and nothing else."""
    return province.app.test_client().get(urlsplit(address).path, headers=headers)


def test_bookings_appear_and_are_cancelled_in_a_parks_calendar(province: Province, park: Caller) -> None:
    address = feed(park)["address"]
    empty = fetch(province, address)
    assert (empty.status_code, components(empty.data)) == (200, [])
    order = book(park)
    answer = fetch(province, address)
    assert answer.headers["Content-Type"] == "text/calendar; charset=utf-8"
    (calendar,) = components(answer.data, "VCALENDAR")
    assert str(calendar["NAME"]) == "前台日历"
    assert calendar["REFRESH-INTERVAL"].dt == timedelta(hours=1)
    (event,) = components(answer.data)
    assert event["UID"].startswith(order["lines"][0]["booking"]["id"])
    assert event["DTSTART"].params["TZID"] == "Asia/Shanghai"
    same = fetch(province, address, **{"If-None-Match": answer.headers["ETag"]})
    assert (same.status_code, same.data) == (304, b"")
    assert park.post(f"/orders/{order['id']}/cancel").status_code == 200
    (gone,) = components(fetch(province, address).data)
    assert (gone["UID"], gone["STATUS"]) == (event["UID"], "CANCELLED")
    assert gone["SEQUENCE"] > event["SEQUENCE"]


def test_an_instruments_calendar_has_every_parks_bookings_and_no_other_instruments(
    province: Province, park: Caller
) -> None:
    other = province.park(2)
    book(park)
    book(other, 1)
    made = feed(province.lab, instrument_id=str(province.instrument))
    assert len(components(fetch(province, made["address"]).data)) == 2
    assert len(components(fetch(province, feed(park)["address"]).data)) == 1, "a park's own has its own only"
    (listed,) = province.lab.get("/calendar-feeds").get_json()["items"]
    assert listed["instrument_name"]


def test_a_revoked_or_made_up_address_is_not_found(province: Province, park: Caller) -> None:
    made = feed(park)
    owner_id = park.get("/me").get_json()["park"]["id"]
    before, _, _ = made["address"].rpartition("/")
    for wrong in (
        f"{before}/x.ics",
        made["address"].replace(owner_id, str(new_id())),
        made["address"].replace(made["id"], str(new_id())),
        made["address"].replace(made["id"], "nothing"),
    ):
        assert fetch(province, wrong).status_code == 404, wrong
    assert park.delete(f"/calendar-feeds/{made['id']}").status_code == 204
    assert park.delete(f"/calendar-feeds/{made['id']}").status_code == 204, "again is no error"
    assert fetch(province, made["address"]).status_code == 404
    (listed,) = park.get("/calendar-feeds").get_json()["items"]
    assert listed["revoked_at"] is not None
    assert "secret" not in str(listed)


def test_that_somebody_reads_it_shows_to_the_hour(province: Province, park: Caller, clock: ManualClock) -> None:
    made = feed(park)

    def last_read() -> str | None:
        found: str | None = park.get("/calendar-feeds").get_json()["items"][0]["last_read_at"]
        return found

    assert last_read() is None
    fetch(province, made["address"])
    first = last_read()
    clock.instant += timedelta(minutes=30)
    fetch(province, made["address"])
    assert last_read() == first is not None
    clock.instant += timedelta(hours=1)
    fetch(province, made["address"])
    assert last_read() != first


@pytest.mark.parametrize(
    ("who", "wish", "status", "field"),
    [
        ("park", {"name": " "}, 422, "name"),
        ("park", {"name": "x", "instrument_id": str(new_id())}, 422, "instrument_id"),
        ("lab", {"name": "x"}, 422, "instrument_id"),
        ("lab", {"name": "x", "instrument_id": str(new_id())}, 422, "instrument_id"),
        ("finance", {"name": "x"}, 403, None),
    ],
)
def test_what_cannot_be_made_is_refused_by_its_field(
    province: Province, park: Caller, who: str, wish: dict[str, Any], status: int, field: str | None
) -> None:
    caller = park if who == "park" else getattr(province, who)
    answer = caller.post("/calendar-feeds", wish)
    assert answer.status_code == status, answer.text
    assert field is None or answer.get_json()["errors"][0]["field"] == field


def test_the_secret_stands_in_no_log(province: Province, park: Caller, capfd: pytest.CaptureFixture[str]) -> None:
    made = feed(park)
    secret = made["address"].rpartition("/")[2].removesuffix(".ics")
    assert fetch(province, made["address"]).status_code == 200
    assert fetch(province, made["address"].replace(made["id"], str(new_id()))).status_code == 404
    logged = "".join(capfd.readouterr())
    assert "/calendars/<owner_id>/" in logged
    assert secret not in logged
