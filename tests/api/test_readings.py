"""Readings through the API: each once, late ones too, replaced ones kept, wrong ones named."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from tenants.kernel.clock import ManualClock
from tests.support.databases import Database
from tests.support.monitored import add_meter, monitored_park, quarters, rent
from tests.support.province import Province
from tests.support.web import Caller

SPAN = "from=2026-03-01T00:00:00%2B08:00&to=2026-03-01T02:00:00%2B08:00"


@pytest.fixture
def site(province: Province) -> tuple[Caller, str]:
    """A park's caller and its monitored site."""
    return monitored_park(province)


def send(caller: Caller, code: str, values: list[list[Any]], **query: str) -> Any:
    asked = "&".join(f"{name}={value}" for name, value in query.items())
    return caller.post(f"/readings?{asked}", {"series": [{"meter": code, "values": values}]})


def taken(answer: Any) -> tuple[int, int, int]:
    assert answer.status_code == 200, answer.text
    found = answer.get_json()
    return found["accepted"], found["replaced"], found["unchanged"]


def test_a_reading_counts_once_and_what_it_replaces_is_kept(site: tuple[Caller, str]) -> None:
    caller, site_id = site
    meter = add_meter(caller, site_id, "e1")
    assert taken(send(caller, "e1", quarters(1, 2, 3))) == (3, 0, 0)
    assert taken(send(caller, "e1", quarters(1, 2, 3))) == (0, 0, 3)
    assert taken(send(caller, "e1", quarters(1, 20, 3, 4))) == (1, 1, 2)
    assert taken(send(caller, "e1", quarters(7, first=5) + quarters(8, first=5))) == (1, 0, 1), "the last one counts"
    at = quarters(0, first=1)[0][0].replace("+", "%2B")
    versions = caller.get(f"/site-meters/{meter['id']}/versions?at={at}").get_json()["items"]
    assert [(each["version"], each["value"], each["replaced_at"] is None) for each in versions] == [
        (1, 2.0, False),
        (2, 20.0, True),
    ]
    (replaced,) = caller.get(f"/site-meters/{meter['id']}/versions").get_json()["items"]
    assert replaced["value"] == 2.0
    series = caller.get(f"/site-meters/{meter['id']}/series?{SPAN}").get_json()
    assert series["values"] == [1, 20, 3, 4, 6, 8, None, None], "a short gap is bridged, what is not there is missing"
    assert series["flags"] == [0, 0, 0, 0, series["flag_bits"]["bridged"], 0, 1, 1]
    hours = caller.get(f"/site-meters/{meter['id']}/series?{SPAN}&step=1h").get_json()
    assert hours["values"] == [28, None]


def test_one_wrong_reading_refuses_the_batch_unless_partial(site: tuple[Caller, str]) -> None:
    caller, site_id = site
    add_meter(caller, site_id, "e1")
    wrong = [*quarters(1), ["2026-03-01T00:15:00", 2], ["2020-01-01T00:00:00+08:00", 3], ["2027-01-01T00:00:00Z", 3]]
    refused = send(caller, "e1", wrong)
    assert (refused.status_code, refused.get_json()["code"]) == (422, "reading.refused")
    assert len(refused.get_json()["errors"]) == 3
    some = send(caller, "e1", wrong, partial="true")
    assert taken(some) == (1, 0, 0)
    assert [each["code"] for each in some.get_json()["refused"]] == ["reading.invalid"] + ["reading.time"] * 2
    unknown = send(caller, "e9", quarters(1))
    assert unknown.get_json()["errors"][0]["code"] == "meter.unknown"


def test_csv_and_a_brokers_webhook_are_other_doors_to_the_same_readings(site: tuple[Caller, str]) -> None:
    caller, site_id = site
    add_meter(caller, site_id, "e1")
    file = b"time,e1\n2026-03-01T00:00,1\n2026-03-01T00:15,2\n"
    assert taken(caller.post("/readings/csv", data=file, content_type="text/csv")) == (2, 0, 0)
    message = {"topic": "park/1/e1", "payload": {"value": 2, "at": "2026-03-01T00:15:00+08:00"}}
    assert taken(caller.post("/readings/mqtt", [message, message])) == (0, 0, 2)
    bad = caller.post("/readings/csv", data=b"time,e1\nx,1\n", content_type="text/csv")
    assert (bad.status_code, bad.get_json()["errors"][0]["field"]) == (422, "file[2].time")


def test_a_virtual_meter_is_a_formula_that_cannot_come_back_to_itself(site: tuple[Caller, str]) -> None:
    caller, site_id = site
    total, part = add_meter(caller, site_id, "e1"), add_meter(caller, site_id, "e2")
    terms = [{"meter_id": total["id"]}, {"meter_id": part["id"], "factor": -1}]
    rest = add_meter(caller, site_id, "v1", terms=terms)
    double = add_meter(caller, site_id, "v2", terms=[{"meter_id": rest["id"], "factor": 2}])
    send(caller, "e1", quarters(10, 10))
    send(caller, "e2", quarters(4))
    for meter, first in ((rest, 6), (double, 12)):
        values = caller.get(f"/site-meters/{meter['id']}/series?{SPAN}").get_json()["values"]
        assert values[:2] == [first, None]
    assert send(caller, "v1", quarters(1)).get_json()["errors"][0]["code"] == "meter.closed"
    for wrong in ([{"meter_id": site_id}], [{"meter_id": total["id"]}] * 2, [{"meter_id": total["id"], "factor": 0}]):
        answer = caller.post(f"/sites/{site_id}/meters", {"code": "v3", "name": "v", "terms": wrong})
        assert answer.status_code == 422, answer.text
    mixed = {"code": "v3", "name": "v", "unit": "kW", "readings": "instant", "terms": [{"meter_id": total["id"]}]}
    assert caller.post(f"/sites/{site_id}/meters", mixed).status_code == 422


def test_readings_are_taken_only_while_something_is_rented_and_count_as_its_work(
    province: Province, clock: ManualClock, database: Database
) -> None:
    caller = province.park(1)
    site_id = caller.post("/sites", {"name": "甲"}).get_json()["id"]
    add_meter(caller, site_id, "e1")
    refused = send(caller, "e1", quarters(1))
    assert (refused.status_code, refused.get_json()["code"]) == (409, "site.not_rented")
    rent(caller, site_id, "simple-alarms")
    assert taken(send(caller, "e1", quarters(1))) == (1, 0, 0)
    with database.owner().connect() as connection:
        query = text("SELECT delivery, sum(count) FROM site_activities GROUP BY 1")
        assert connection.execute(query).all() == [], "alarms work by looking, not by taking in"
        rent(caller, site_id, "energy-monitoring")
        send(caller, "e1", quarters(1, 2))
        assert connection.execute(query).all() == [("monitoring", 1)]
    clock.instant = clock.instant.replace(month=5)
    assert send(caller, "e1", quarters(3)).status_code == 409


def test_meters_say_what_is_wrong_and_close(site: tuple[Caller, str]) -> None:
    caller, site_id = site
    for field, value in (
        ("unit", "kV"), ("readings", "weekly"), ("interval_minutes", 7), ("multiplier", 0), ("code", "a/b"),
    ):  # fmt: skip
        answer = caller.post(f"/sites/{site_id}/meters", {"code": "x", "name": "x"} | {field: value})
        assert answer.status_code == 422, field
        assert [error["field"] for error in answer.get_json()["errors"]] == [field]
    meter = add_meter(caller, site_id, "e1", is_main=True)
    again = caller.post(f"/sites/{site_id}/meters", {"code": "e1", "name": "x"})
    assert (again.status_code, again.get_json()["code"]) == (409, "meter.code_taken")
    closed = caller.post(f"/site-meters/{meter['id']}/closing").get_json()
    assert (closed["is_main"], closed["closed_at"] is not None) == (False, True)
    assert send(caller, "e1", quarters(1)).status_code == 422


def test_another_parks_meters_are_not_there(province: Province, site: tuple[Caller, str]) -> None:
    caller, site_id = site
    meter = add_meter(caller, site_id, "e1")
    stranger, _ = monitored_park(province, number=2)
    for path in (
        f"/sites/{site_id}/meters",
        f"/site-meters/{meter['id']}",
        f"/site-meters/{meter['id']}/series?{SPAN}",
    ):
        assert stranger.get(path).status_code == 404, path
    assert send(stranger, "e1", quarters(1)).status_code == 422
    assert stranger.post(f"/sites/{site_id}/meters", {"code": "y", "name": "y"}).status_code == 404
