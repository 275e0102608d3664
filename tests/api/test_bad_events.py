"""Bad events through HTTP: a clear answer for each, and the good ones of the batch kept or refused as the caller chose."""

from __future__ import annotations

import json
from typing import Any

from werkzeug.test import TestResponse

from tests.support.province import Province
from tests.support.web import Caller

BATCH = "application/cloudevents-batch+json"
METER = {"slug": "water", "eventType": "water", "aggregation": "SUM", "valueProperty": "$.m3", "allowNegative": False}


def event(name: str, **fields: Any) -> dict[str, Any]:
    """Return an event of the park's water gauge."""
    return {
        "specversion": "1.0", "id": name, "source": "gauge", "type": "water", "time": "2026-03-01T08:00:00+08:00",
        "data": {"m3": 1}, **fields,
    }  # fmt: skip


def send(caller: Caller, events: list[Any], query: str = "") -> TestResponse:
    """Send a batch; a number that JSON cannot say goes out as Python writes it."""
    return caller.post(f"/events{query}", data=json.dumps(events), content_type=BATCH)


def test_each_bad_event_is_named_and_the_others_kept_or_refused_as_the_caller_chose(province: Province) -> None:
    park, other = province.park(1), province.park(2)
    theirs = other.get("/me").get_json()["park"]["id"]
    assert province.operator.post("/meters", METER).status_code == 201
    bad: list[tuple[Any, str, str]] = [
        ("no event", "", "field.not_object"),
        (event("b1", specversion="0.3"), ".specversion", "event.specversion"),
        (event("b2", time="yesterday"), ".time", "field.moment"),
        ({"specversion": "1.0", "id": "b3", "source": "gauge", "data": {}}, ".type", "field.text"),
        (event("b4", data={"m3": -1}), ".data.m3", "event.negative"),
        (event("b5", data={"m3": "Infinity"}), ".data.m3", "event.not_finite"),
        (event("b6", data={"m3": "NaN"}), ".data.m3", "event.not_finite"),
        (event("b7", data={"m3": 1, "text": "x" * 2**20}), ".data", "event.too_large"),
        (event("b8", subject=theirs), ".subject", "event.foreign_subject"),
    ]
    for number, (wrong, field, code) in enumerate(bad):
        good = event(f"good-{number}")
        refused = send(park, [good, wrong])
        assert refused.status_code == 422, (code, refused.text)
        (fault,) = refused.get_json()["errors"]
        assert (fault["field"], fault["code"], bool(fault["detail"])) == (f"events[1]{field}", code, True)
        assert park.get(f"/events?source=gauge&id={good['id']}").status_code == 404, "the whole batch is refused"
        taken = send(park, [good, wrong], "?partial=true").get_json()
        assert taken["accepted"] == 1
        told = [(each["index"], each["field"], each["code"]) for each in taken["rejected"]]
        assert told == [(1, f"events[1]{field}", code)]
        assert park.get(f"/events?source=gauge&id={good['id']}").status_code == 200, "the good one is kept"
    assert len(park.get("/rejected-events").get_json()["items"]) == len(bad), "and what was refused can be read later"
    assert other.get("/rejected-events").get_json()["items"] == []
    water = park.get("/meters/water/query?windowSize=MONTH").get_json()["data"]
    assert [each["value"] for each in water] == [len(bad)]


def test_a_number_that_json_cannot_say_and_too_many_events_are_refused_as_a_whole(province: Province) -> None:
    park = province.park()
    endless = send(park, [event("1"), event("2", data={"m3": float("nan")})], "?partial=true")
    assert (endless.status_code, endless.get_json()["code"]) == (422, "request.not_json"), "that is no JSON at all"
    for query in ("", "?partial=true"):
        many = send(park, [{"id": str(number)} for number in range(100_000)], query)
        assert (many.status_code, many.get_json()["code"]) == (413, "event.too_many")
        assert "10000" in many.get_json()["detail"].replace(",", "")
        whole = send(park, [event(str(number)) for number in range(100_000)], query)
        assert (whole.status_code, whole.get_json()["code"]) == (413, "request.too_large")
    assert park.get("/rejected-events").get_json()["items"] == []
