"""Meters: which events count, and how."""

import pytest

from billing.usecases.alone import rate_document
from tenants.kernel.errors import Invalid

FREE = {"model": "per_unit", "unit_price": "1"}
PERIOD = {"from": "2026-05-01", "to": "2026-06-01", "timezone": "Asia/Shanghai"}


def meter(aggregation="sum", **changes):
    return {"slug": "m", "event_type": "use", "aggregation": aggregation, "value_property": "$.v", **changes}


def event(number, value, time="2026-05-10T00:00:00Z", **changes):
    return {"specversion": "1.0", "id": f"e{number}", "source": "lab", "type": "use", "subject": "p", "time": time,
            "data": {"v": value}, **changes}  # fmt: skip


def ask(events, period=PERIOD, meter=meter(), **more):  # noqa: B008 - a test's default document
    return rate_document({"meter": meter, "charge": FREE, "events": events, "period": period, **more})


@pytest.mark.parametrize(
    ("aggregation", "quantity"),
    [
        ("count", "4"),
        ("sum", "12.5"),
        ("max", "7"),
        ("min", "1"),
        ("avg", "3.125"),
        ("unique_count", "4"),
        ("latest", "1"),
    ],
)
def test_each_aggregation(aggregation, quantity):
    events = [
        event(1, 7, "2026-05-02T00:00:00Z"), event(2, 1, "2026-05-09T00:00:00Z"),
        event(3, "2.5", "2026-05-01T00:00:00Z"), event(4, 2, "2026-05-03T00:00:00Z"),
    ]  # fmt: skip
    assert ask(events, meter=meter(aggregation))["quantity"] == quantity


@pytest.mark.parametrize("aggregation", ["count", "sum", "max", "min", "avg", "unique_count", "latest", "weighted_sum"])
def test_no_events_are_a_quantity_of_zero_and_cost_nothing(aggregation):
    answer = ask([], meter=meter(aggregation))
    assert (answer["quantity"], answer["amount_fen"], answer["windows"]) == ("0", 0, [])


def test_a_weighted_sum_weighs_the_level_after_each_change():
    day = {"from": "2026-05-01T00:00:00Z", "to": "2026-05-02T00:00:00Z", "timezone": "UTC"}
    events = [event(1, 4, "2026-05-01T06:00:00Z"), event(2, -2, "2026-05-01T18:00:00Z")]
    weighted = meter("weighted_sum")
    assert ask(events, day, weighted)["quantity"] == "2.5"  # 4 for half of the day, 2 for a quarter
    assert ask(events, day, weighted, carry_in="1")["quantity"] == "3.5"
    assert ask([], day, {**weighted, "carry_in": "3"})["quantity"] == "3"


def test_a_retry_counts_once_and_the_same_id_with_another_body_is_named():
    answer = ask([event(1, 5), event(1, 5, "2026-05-11T00:00:00Z"), event(1, 6), event(1, 1, source="other")])
    assert (answer["quantity"], answer["duplicates"]) == ("6", 2)
    assert [(r["index"], r["code"]) for r in answer["rejected"]] == [(2, "event.conflict")]


def test_a_period_is_half_open_in_its_zone():
    edge = [
        event(1, 1, "2026-04-30T15:59:59Z"),
        event(2, 2, "2026-04-30T16:00:00Z"),
        event(3, 4, "2026-05-31T16:00:00Z"),
    ]
    answer = ask(edge)
    assert (answer["quantity"], answer["ignored"]) == ("2", 2)


def test_filters_and_other_types_leave_events_out():
    events = [
        event(1, 1, data={"v": 1, "kind": {"name": "a"}}), event(2, 2, data={"v": 2, "kind": {"name": "b"}}),
        event(3, 4), event(4, 8, type="other"),
    ]  # fmt: skip
    answer = ask(events, meter=meter(filters={"$.kind.name": ["a", "c"]}))
    assert (answer["quantity"], answer["ignored"], answer["rejected"]) == ("1", 3, [])


def test_windows_follow_the_wall_clock_and_the_groups():
    events = [
        event(1, 1, "2026-05-01T15:59:00Z", data={"v": 1, "lab": "x"}),
        event(2, 2, "2026-05-01T16:00:00Z", data={"v": 2, "lab": "x"}),
        event(3, 4, "2026-05-01T16:30:00Z", data={"v": 4}),
    ]
    answer = ask(events, {**PERIOD, "windowSize": "DAY"}, meter(group_by={"lab": "$.lab"}))
    assert [(w["windowStart"], w["value"], w["groupBy"]) for w in answer["windows"]] == [
        ("2026-04-30T16:00:00Z", "1", {"lab": "x"}),
        ("2026-05-01T16:00:00Z", "2", {"lab": "x"}),
        ("2026-05-01T16:00:00Z", "4", {"lab": None}),
    ]
    whole = ask(events)["windows"]
    assert [(w["windowStart"], w["windowEnd"], w["value"]) for w in whole] == [
        ("2026-04-30T16:00:00Z", "2026-05-31T16:00:00Z", "7")
    ]


@pytest.mark.parametrize("size", ["MINUTE", "HOUR", "DAY", "MONTH"])
def test_a_month_with_a_changed_clock_is_cut_without_gaps(size):
    period = {"from": "2026-03-01", "to": "2026-04-01", "timezone": "Europe/Berlin", "windowSize": size}
    events = [event(i, 1, f"2026-03-29T0{i}:30:00Z") for i in range(4)]
    found = ask(events, period)["windows"]
    assert sum(int(w["value"]) for w in found) == 4
    assert all(w["windowStart"] < w["windowEnd"] for w in found)
    if size == "DAY":
        assert [(w["windowStart"], w["windowEnd"]) for w in found] == [("2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z")]


@pytest.mark.parametrize(
    "bad",
    [
        event(9, None), event(9, "x"), event(9, True), event(9, float("nan")), event(9, "1e999999999"), event(9, [1]),
        event(9, 10**40), event(9, 1, time="yesterday"), event(9, 1, time="2026-05-01T00:00:00"), event("", 1, id=""),
        event(9, 1, source=3), event(9, 1, data="x"), event(9, 1, specversion="0.3"), {}, None, 7, "event",
    ],
)  # fmt: skip
def test_a_bad_event_spoils_only_itself(bad):
    answer = ask([event(1, 5), bad])
    assert answer["quantity"] == "5"
    assert [r["index"] for r in answer["rejected"]] == [1]
    assert answer["rejected"][0]["reason"]


@pytest.mark.parametrize(
    "document",
    [
        {"period": {**PERIOD, "to": "2026-05-01"}}, {"period": {**PERIOD, "timezone": "../etc"}}, {"events": {}},
        {"meter": meter("median")}, {"meter": meter(value_property="v")}, {"meter": meter(value_property=None)},
        {"surprise": 1},
    ],
)  # fmt: skip
def test_a_bad_command_is_refused(document):
    with pytest.raises(Invalid):
        rate_document({"meter": meter(), "charge": FREE, "events": [], "period": PERIOD, **document})
