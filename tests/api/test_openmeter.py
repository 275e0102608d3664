"""The public OpenMeter client, unchanged, against the served API: events in, meters listed, made and queried."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from marketplace.settings import home
from tests.support.province import Province, api_key
from tests.support.served import serving

FRONTEND = home() / "marketplace" / "web" / "frontend"
CLIENT = Path(__file__).parents[1] / "support" / "openmeter.mjs"
METER = {
    "slug": "tokens",
    "eventType": "prompt",
    "aggregation": "SUM",
    "valueProperty": "$.tokens",
    "groupBy": {"model": "$.model", "type": "$.type"},
    "description": "AI tokens",
}
MARCH = {"from": "2026-03-01T00:00:00.000Z", "to": "2026-04-01T00:00:00.000Z"}

Ask = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def sdk(province: Province) -> Iterator[dict[str, Ask]]:
    """The client as a park and as the operator use it: each call is [noun, verb, arguments]."""
    province.park()
    keys = {login: api_key(province.workshop, login) for login in ("admin1", "operator")}
    with serving(province.app) as address:

        def asking(login: str) -> Ask:
            def ask(*calls: list[Any]) -> list[dict[str, Any]]:
                done = subprocess.run(
                    ["node", str(CLIENT), str(FRONTEND), address, keys[login]],
                    input=json.dumps(calls), capture_output=True, text=True, timeout=60, check=False,
                    env=os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"},
                )  # fmt: skip
                assert done.returncode == 0, done.stderr
                found: list[dict[str, Any]] = json.loads(done.stdout)
                return found

            return ask

        yield {login: asking(login) for login in keys}


def prompt(number: int, model: str, kind: str, tokens: int, time: str, subject: str = "a") -> dict[str, Any]:
    return {
        "id": str(number), "source": "gateway", "type": "prompt", "subject": subject, "time": time,
        "data": {"model": model, "type": kind, "tokens": tokens},
    }  # fmt: skip


EVENTS = [
    prompt(1, "large", "input", 100, "2026-03-01T15:30:00.000Z"),
    prompt(2, "large", "output", 20, "2026-03-01T16:30:00.000Z"),  # the next day in Shanghai
    prompt(3, "small", "input", 7, "2026-03-01T17:00:00.000Z", "b"),
    prompt(4, "tiny", "input", 1, "2026-03-02T01:00:00.000Z", "c"),
]


def test_it_sends_events_and_reads_meters_unchanged(sdk: dict[str, Ask]) -> None:
    made, listed, fetched = sdk["operator"](
        ["meters", "create", [METER]], ["meters", "list", []], ["meters", "get", ["tokens"]]
    )
    assert made["answer"] == fetched["answer"] in listed["answer"]
    assert {name: made["answer"][name] for name in METER if name != "description"} == {
        name: value for name, value in METER.items() if name != "description"
    }
    sent = sdk["admin1"](
        ["events", "ingest", [EVENTS]],
        ["events", "ingest", [EVENTS[0]]],
        # Without id and source the client makes its own.
        ["events", "ingest", [{name: value for name, value in EVENTS[3].items() if name not in {"id", "source"}}]],
        ["events", "ingest", [EVENTS[0] | {"data": {"tokens": 101}}]],
    )
    assert [each.get("answer", "refused") for each in sent] == [None, None, None, "refused"]
    assert sent[3]["error"]["status"] == 409
    whole, by_day, in_zone, two, grouped = (
        each["answer"]
        for each in sdk["admin1"](
            ["meters", "query", ["tokens", MARCH]],
            ["meters", "query", ["tokens", MARCH | {"windowSize": "DAY", "clientId": "f74e58ed"}]],
            ["meters", "query", ["tokens", MARCH | {"windowSize": "DAY", "windowTimeZone": "Asia/Shanghai"}]],
            ["meters", "query", ["tokens", MARCH | {"subject": ["a", "b"]}]],
            ["meters", "query", ["tokens", MARCH | {"groupBy": ["model", "type"], "subject": ["a"]}]],
        )
    )
    assert (whole["from"], whole["to"]) == (MARCH["from"], MARCH["to"])
    assert [row["value"] for row in whole["data"]] == [129]
    assert (by_day["windowSize"], days(by_day)[:2]) == (
        "DAY", [("2026-03-01T00:00:00.000Z", "2026-03-02T00:00:00.000Z", 127),
                ("2026-03-02T00:00:00.000Z", "2026-03-03T00:00:00.000Z", 2)],
    )  # fmt: skip
    assert days(in_zone)[:2] == [
        ("2026-03-01T00:00:00.000Z", "2026-03-01T16:00:00.000Z", 100),
        ("2026-03-01T16:00:00.000Z", "2026-03-02T16:00:00.000Z", 29),
    ]
    assert {row["subject"]: row["value"] for row in two["data"]} == {"a": 120, "b": 7}
    assert [(row["groupBy"], row["subject"], row["value"]) for row in grouped["data"]] == [
        ({"model": "large", "type": "input"}, "a", 100),
        ({"model": "large", "type": "output"}, "a", 20),
    ]


def test_it_filters_by_group_and_shows_what_is_refused(sdk: dict[str, Ask]) -> None:
    sdk["operator"](["meters", "create", [METER]])
    sdk["admin1"](["events", "ingest", [EVENTS]])

    def query(verb: str = "query", **asked: Any) -> list[Any]:
        return ["meters", verb, ["tokens", MARCH | asked]]

    found = sdk["admin1"](
        query(filterGroupBy={"model": "large"}),
        query(filterGroupBy={"model": "large", "type": "output"}),
        query(filterGroupBy={"type": "input"}, groupBy=["model"], subject=["a", "b"]),
        query(filterGroupBy={"model": "none"}),
        query("queryPost", filterGroupBy={"model": ["small", "tiny"]}, groupBy=["model"]),
        query("queryPost", filterGroupBy={"model": ["small", "tiny"], "type": ["output"]}),
    )
    values = [[(row["groupBy"], row["subject"], row["value"]) for row in each["answer"]["data"]] for each in found]
    assert values == [
        [({}, None, 120)],
        [({}, None, 20)],
        [({"model": "large"}, "a", 100), ({"model": "small"}, "b", 7)],
        [],
        [({"model": "small"}, None, 7), ({"model": "tiny"}, None, 1)],
        [],
    ]
    refused = sdk["admin1"](
        query(groupBy=["colour"]),
        query(filterGroupBy={"colour": "red"}),
        query("queryPost", filterGroupBy={"colour": ["red"]}),
        query(windowSize="WEEK"),
        query(windowTimeZone="Mars/Olympus"),
        query(filterCustomerId=["c-1"]),
        ["meters", "query", ["nothing", MARCH]],
    )
    assert [each["error"]["status"] for each in refused] == [422] * 6 + [404]
    assert all(each["error"]["name"] == "HTTPError" for each in refused)
    assert all("colour" in each["error"]["message"] for each in refused[:3])


def days(answer: dict[str, Any]) -> list[tuple[str, str, int]]:
    return [(row["windowStart"], row["windowEnd"], row["value"]) for row in answer["data"]]
