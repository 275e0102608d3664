"""Roll-ups: whatever comes late, is corrected or is still open, an answer is what the rules work out from the events."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, text

from billing.formats.fields import parse_number
from billing.formats.usage import EventDocument
from billing.rules import meters
from billing.rules.meters import Aggregation, WindowSize
from billing.rules.periods import Period
from billing.rules.rollups import QUARTER, ROLLED_FROM, cut
from billing.store import meter_queries
from billing.store.usage import Meter
from billing.usecases import metering, rollups
from billing.usecases.invariants_usage import INVARIANTS_USAGE
from marketplace.usecases import invariants
from tenants.kernel.context import Actor, system_actor
from tenants.kernel.errors import Invalid
from tenants.kernel.identifiers import new_id
from tenants.kernel.work import WorkShop
from tests.support.databases import Database
from tests.support.invariants import broken

# A day and a half around the hour in which New York sets its clocks back.
START = datetime(2025, 11, 1, 20, 0, tzinfo=UTC)
AGGREGATIONS = ("count", "sum", "max", "min", "avg", "unique_count", "latest")
VALUES: tuple[Any, ...] = (1, 2.5, "2.50", "10.125", -3, 0, True, None, "many", {"a": 1}, 7.0)
ZONES = ("Asia/Shanghai", "America/New_York", "Asia/Kathmandu")
OPERATOR = system_actor("operator")


@pytest.fixture
def metered(workshop: WorkShop) -> WorkShop:
    """The same events under meters of every kind."""
    with workshop.work(OPERATOR) as work:
        for each in AGGREGATIONS:
            work.session.execute(insert(Meter).values(name=each, **definition(each)))
        assert rollups.meters_to_roll(work) == tuple(sorted(AGGREGATIONS))
    return workshop


def definition(aggregation: str) -> dict[str, Any]:
    return {
        "slug": aggregation,
        "event_type": "energy.read",
        "aggregation": aggregation,
        "value_property": None if aggregation == "count" else "$.kwh",
        "group_by": {"floor": "$.floor", "a": "$.mode"},
        "filters": {"$.mode": ["day", "dusk"]},
        "allow_negative": True,
    }


def rule_of(aggregation: str) -> meters.Meter:
    made = definition(aggregation)
    return meters.Meter(
        slug=made["slug"],
        event_type=made["event_type"],
        aggregation=Aggregation(aggregation),
        value_path=made["value_property"],
        group_by=made["group_by"],
        filters={"$.mode": ("day", "dusk")},
        allow_negative=made["allow_negative"],
    )


def event(name: str, minute: int, **data: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": name,
        "source": "gateway",
        "type": "energy.read",
        "subject": f"building-{minute % 3}",
        "time": (START + timedelta(minutes=minute)).isoformat(),
        "data": {"mode": "day", **data},
    }


def roll_up(workshop: WorkShop, most: int = 50_000, slugs: tuple[str, ...] = ("sum",)) -> None:
    """Roll meters up, in pieces."""
    for slug in slugs:
        more = True
        while more:
            with workshop.work(OPERATOR) as work:
                more = rollups.roll_up(work, slug=slug, most=most)


def roll_up_fully(workshop: WorkShop) -> None:
    """Roll the sum up until all that was written before is in.

    A step stops before what the oldest open transaction may still write, and that may be one of another database on the
    same server, such as another test's: it is waited for.
    """
    with workshop.work(OPERATOR) as work:
        written = work.session.execute(
            text("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
        ).scalar_one()
    reached = text("SELECT upto::text::bigint FROM meter_progress WHERE meter = 'sum'")
    for _ in range(600):
        roll_up(workshop)
        with workshop.work(OPERATOR) as work:
            if work.session.execute(reached).scalar_one() >= written:
                return
        time.sleep(0.05)
    raise AssertionError("some transaction stayed open")


def ingest(workshop: WorkShop, park: Actor, *events: dict[str, Any]) -> None:
    with workshop.work(park) as work:
        metering.ingest_events(work, events=events)


def a_park() -> Actor:
    return system_actor("park", tenant_id=new_id())


def worked_out(raw: list[dict[str, Any]], aggregation: str, period: Period, zone: str, size: WindowSize | None) -> Any:
    """What the rules say of the events that nothing corrects and that void nothing."""
    gone = {each["correctsid"] for each in raw if "correctsid" in each}
    standing = [each for each in raw if each["id"] not in gone and each.get("correction") != "void"]
    meter = rule_of(aggregation)
    read = (EventDocument.model_validate(each).to_rules() for each in sorted(standing, key=lambda each: each["id"]))
    readings = [
        reading
        for each in read
        if meters.counts(meter, each) and each.time in period
        for reading in [meters.read_event(meter, each, parse_number)]
        if reading is not None
    ]
    found = meters.windows(meter, readings, period, zone, size)
    return {
        (one.period.start, one.period.end, dict(one.group)["floor"], dict(one.group)["a"]): one.quantity
        for one in found
    }


def answered(
    workshop: WorkShop, actor: Actor, aggregation: str, period: Period, zone: str, size: WindowSize | None
) -> Any:
    with workshop.work(actor) as work:
        answer = metering.query_meter(
            work, slug=aggregation, from_=period.start, to=period.end, timezone=zone, group_by=["floor", "a"],
            window_size=None if size is None else size.value,
        )  # fmt: skip
    return {
        (row.window_start, row.window_end, row.group_by["floor"], row.group_by["a"]): row.value for row in answer.rows
    }


SENT = st.tuples(
    st.integers(0, 60 * 36), st.sampled_from(VALUES), st.sampled_from((1, "1", None)), st.sampled_from(("day", "dusk", "night"))
)  # fmt: skip
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.lists(SENT, min_size=1, max_size=12)),
        st.tuples(st.just("correct"), st.integers(0, 10**6), SENT, st.booleans()),
        st.tuples(st.just("roll"), st.integers(1, 6)),
    ),
    min_size=2,
    max_size=10,
)
EDGES = st.integers(0, 60 * 36)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    steps=STEPS, edges=st.tuples(EDGES, EDGES), zone=st.sampled_from(ZONES),
    size=st.sampled_from((None, *WindowSize)), whole=st.booleans(),
    kinds=st.sampled_from((("count", "sum", "latest"), ("max", "unique_count"), ("min", "avg"))),
)  # fmt: skip
def test_an_answer_is_exact_at_every_moment(
    metered: WorkShop,
    steps: Any,
    edges: tuple[int, int],
    zone: str,
    size: WindowSize | None,
    whole: bool,
    kinds: tuple[str, ...],
) -> None:
    """Events, late ones and corrections of any kind between the steps of the roll-ups, whose pieces are small."""
    park, sent = a_park(), [event("000", 30, kwh=1)]
    ingest(metered, park, *sent)
    for step in steps:
        if step[0] == "roll":
            roll_up(metered, step[1], kinds)
            continue
        batch = [step[2]] if step[0] == "correct" else step[1]
        made = [
            event(f"{len(sent) + place:03}", minute, kwh=kwh, floor=floor, mode=mode)
            for place, (minute, kwh, floor, mode) in enumerate(batch)
        ]
        if step[0] == "correct":
            corrected = {each["correctsid"] for each in sent if "correctsid" in each}
            free = [each["id"] for each in sent if each["id"] not in corrected]
            made[0]["correctsid"] = free[step[1] % len(free)]
            if step[3]:
                made[0] |= {"correction": "void", "data": {}}
        ingest(metered, park, *made)
        sent += made
    first, last = sorted(edges)
    period = Period(START + timedelta(minutes=first), START + timedelta(minutes=last + 1))
    if whole:  # the days of Shanghai are rolled up, too
        period = Period(datetime(2025, 10, 31, 16, tzinfo=UTC), datetime(2025, 11, 30, 16, tzinfo=UTC))
    for _ in ("as it is", "rolled up"):
        for kind in kinds:
            assert answered(metered, park, kind, period, zone, size) == worked_out(sent, kind, period, zone, size), kind
        roll_up(metered, slugs=kinds)
    assert broken(metered, INVARIANTS_USAGE) == {}


MARCH = Period(datetime(2025, 10, 31, 16, tzinfo=UTC), datetime(2025, 11, 30, 16, tzinfo=UTC))


def total(workshop: WorkShop, actor: Actor, aggregation: str = "sum") -> Any:
    with workshop.work(actor) as work:
        answer = metering.query_meter(work, slug=aggregation, from_=MARCH.start, to=MARCH.end, window_size="DAY")
    return sum(row.value for row in answer.rows)


def test_an_open_transaction_is_waited_for_and_not_forgotten(metered: WorkShop) -> None:
    park, other = a_park(), a_park()
    with metered.work(park) as slow:
        metering.ingest_events(slow, events=[event("1", 0, kwh=5)])
        ingest(metered, other, event("1", 0, kwh=7))
        roll_up(metered)
        assert total(metered, other) == 7
        assert total(metered, OPERATOR) == 7
    assert total(metered, park) == 5
    roll_up(metered)
    assert (total(metered, park), total(metered, OPERATOR)) == (5, 12)
    assert broken(metered, INVARIANTS_USAGE) == {}


def test_a_killed_step_leaves_nothing_and_two_workers_do_it_once(metered: WorkShop) -> None:
    park = a_park()
    ingest(metered, park, *[event(str(number), number, kwh=1) for number in range(40)])

    def killed() -> None:
        with metered.work(OPERATOR) as work:
            rollups.roll_up(work, slug="sum")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        killed()
    with metered.work(OPERATOR) as work:
        assert work.session.execute(text("SELECT count(*) FROM meter_rollups")).scalar_one() == 0
        assert rollups.roll_up(work, slug="sum") is False
        with metered.work(OPERATOR) as second:
            assert rollups.roll_up(second, slug="sum") is False, "the first one has it"
    threads = [threading.Thread(target=roll_up, args=(metered, 5)) for _ in range(3)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert total(metered, park) == 40, "an answer is exact while workers roll up"
    for thread in threads:
        thread.join()
    roll_up(metered)
    assert total(metered, park) == 40
    assert broken(metered, INVARIANTS_USAGE) == {}


def recently_broken(workshop: WorkShop) -> set[str]:
    """Look where something has come since the last look, as the clockwork does every hour."""
    with workshop.work(OPERATOR) as work:
        return {each.name for each in invariants.check_recent(work)}


def tamper(workshop: WorkShop, grain: int, day: int, by: int) -> None:
    start = START.replace(hour=16) + timedelta(days=day - (START.hour < 16))
    change = (
        "UPDATE meter_rollups SET total = total + :by, greatest = greatest + :by"
        " WHERE meter = 'sum' AND grain = :grain AND bucket >= :start AND bucket < :end"
    )
    with workshop.work(OPERATOR) as work:
        values = {"by": by, "grain": grain, "start": start, "end": start + timedelta(days=1)}
        work.session.execute(text(change), values)


def test_the_hourly_check_looks_at_the_days_that_were_touched_and_no_others(metered: WorkShop) -> None:
    park = a_park()
    ingest(metered, park, event("1", 60, kwh=1), event("2", 24 * 60 + 60, kwh=1))
    roll_up_fully(metered)
    assert recently_broken(metered) == set()
    tamper(metered, 15, 0, 5)
    tamper(metered, 1440, 0, 5)
    assert recently_broken(metered) == set(), "nobody has touched the day since"
    assert set(broken(metered, INVARIANTS_USAGE)) == {"rollups-are-events"}, "the nightly check reads all"
    ingest(metered, park, event("3", 24 * 60 + 120, kwh=1))
    roll_up_fully(metered)
    assert recently_broken(metered) == set(), "the touched day is in order"
    ingest(metered, park, event("4", 120, kwh=1))
    roll_up_fully(metered)
    assert recently_broken(metered) == {"rollups-are-events"}
    assert recently_broken(metered) == {"rollups-are-events"}, "what is broken is not noted as checked"
    tamper(metered, 1440, 0, 1)
    assert recently_broken(metered) == {"rollups-are-events", "rollup-days-are-quarters"}


def test_a_day_that_was_corrected_is_looked_at_again(metered: WorkShop) -> None:
    park = a_park()
    ingest(metered, park, event("1", 60, kwh=1), event("2", 70, kwh=2))
    roll_up_fully(metered)
    assert recently_broken(metered) == set()
    ingest(metered, park, event("3", 24 * 60, kwh=1) | {"correctsid": "1"})
    roll_up_fully(metered)
    tamper(metered, 15, 0, 1)
    assert "rollups-are-events" in recently_broken(metered)


def test_answers_come_from_roll_ups_and_their_breaks_are_found(metered: WorkShop, database: Database) -> None:
    park = a_park()
    ingest(metered, park, *[event(str(number), number, kwh=1) for number in range(4)])
    roll_up_fully(metered)
    with metered.work(OPERATOR) as work:
        work.session.execute(text("UPDATE meter_rollups SET total = total + 100 WHERE meter = 'sum' AND grain = 1440"))
    assert total(metered, park) == 304, "three subjects of a day, each with a hundred too many"
    assert set(broken(metered, INVARIANTS_USAGE)) == {"rollup-days-are-quarters"}
    with metered.work(OPERATOR) as work:
        work.session.execute(text("UPDATE meter_rollups SET total = total + 100 WHERE meter = 'sum' AND grain = 15"))
    assert "rollups-are-events" in broken(metered, INVARIANTS_USAGE)
    ingest(metered, park, event("9", 1, kwh=1) | {"correctsid": "1"})
    assert total(metered, park) == 4, "a day that was corrected is read from its events"
    roll_up_fully(metered)
    assert total(metered, park) == 4, "and worked out anew"
    with metered.work(park) as work, pytest.raises(Exception, match="permission denied"):
        work.session.execute(text("UPDATE meter_rollups SET total = 0"))
    with metered.work(park) as work:
        work.session.execute(
            text(
                "INSERT INTO event_corrections (tenant_id, source, event_id, corrected_source, corrected_id)"
                " SELECT tenant_id, source, '2', source, '3' FROM usage_events WHERE event_id = '2'"
            )
        )
        work.session.execute(
            text(
                "INSERT INTO usage_events SELECT tenant_id, source, 'x', 'other', subject, time, data, body_hash, received_at FROM usage_events WHERE event_id = '2'"
            )
        )
        work.session.execute(
            text(
                "INSERT INTO event_corrections (tenant_id, source, event_id, corrected_source, corrected_id)"
                " SELECT tenant_id, source, 'x', source, '2' FROM usage_events WHERE event_id = '2'"
            )
        )
    assert "corrections-fit" in broken(metered, INVARIANTS_USAGE)


def test_a_restored_database_begins_a_new_epoch(metered: WorkShop) -> None:
    park = a_park()
    ingest(metered, park, event("1", 0, kwh=5))
    roll_up(metered)
    with metered.work(OPERATOR) as work:  # as if the roll-ups came from a server that had seen more transactions
        work.session.execute(text("UPDATE meter_progress SET upto = '9000000000000'"))
    ingest(metered, park, event("2", 0, kwh=6))
    assert total(metered, park) == 11
    roll_up(metered, slugs=AGGREGATIONS)
    assert total(metered, park) == 11
    with metered.work(OPERATOR) as work:
        assert work.session.execute(text("SELECT DISTINCT epoch FROM meter_progress")).scalars().all() == [1]
    assert broken(metered, INVARIANTS_USAGE) == {}


@pytest.mark.parametrize("size", [None, *WindowSize])
@pytest.mark.parametrize("zone", ZONES)
def test_the_parts_of_a_period_are_all_of_it_once(size: WindowSize | None, zone: str) -> None:
    moments = [
        ROLLED_FROM - timedelta(days=400),
        START,
        START + timedelta(minutes=7),
        START + timedelta(hours=30, seconds=1),
    ]
    moments += [START + timedelta(days=50), datetime(2025, 10, 31, 16, tzinfo=UTC)]
    for start in moments:
        for end in (moment for moment in moments if moment > start):
            found = cut(Period(start, end), zone, size)
            parts = sorted((*found.days, *found.quarters, *found.edges), key=lambda part: part.start)
            assert (parts[0].start, parts[-1].end) == (start, end)
            assert all(one.end == other.start for one, other in pairwise(parts))
            assert all((part.start - ROLLED_FROM) % QUARTER == timedelta() for part in found.quarters)
            assert all((part.start - ROLLED_FROM) % timedelta(days=1) == timedelta() for part in found.days)


def test_every_zone_can_be_cut_by_quarters_of_an_hour() -> None:
    def offsets() -> Iterator[Any]:
        for name in sorted(available_timezones()):
            zone = ZoneInfo(name)
            for month in range(0, 12 * 45, 3):
                yield name, (ROLLED_FROM + timedelta(days=30 * month)).astimezone(zone).utcoffset()

    assert [found for found in offsets() if found[1] % QUARTER] == []


def test_a_question_of_raw_events_gives_the_same(metered: WorkShop) -> None:
    park = a_park()
    ingest(metered, park, *[event(str(number), 5 * number, kwh=Decimal("0.1")) for number in range(50)])
    roll_up(metered)
    question = meter_queries.MeterQuestion(
        rule_of("sum"), MARCH, "Asia/Shanghai", WindowSize.DAY, ["subject"], (), None
    )
    with metered.work(OPERATOR) as work:
        rolled, raw = (
            meter_queries.quantities(work.session, question),
            meter_queries.raw_quantities(work.session, question),
        )
    assert rolled == raw
    assert sum(each.count for each in raw) == 50


@pytest.mark.parametrize("rolled", [False, True])
def test_a_filter_answers_what_the_groups_of_its_values_answer(metered: WorkShop, rolled: bool) -> None:
    park = a_park()
    made = [
        event(str(number), 7 * number, kwh=number % 13, floor=str(number % 4), mode=("day", "dusk")[number % 3 > 1])
        for number in range(120)
    ]
    ingest(metered, park, *made[:100])
    if rolled:
        roll_up(metered, slugs=AGGREGATIONS)
    ingest(metered, park, *made[100:])
    span: dict[str, Any] = {"from_": MARCH.start, "to": MARCH.end, "window_size": "DAY"}
    with metered.work(OPERATOR) as work:
        for slug in AGGREGATIONS:
            groups = metering.query_meter(work, slug=slug, group_by=["floor", "a"], **span).rows
            wanted = metering.query_meter(
                work, slug=slug, group_by=["floor", "a"], filter_group_by={"a": ["day"], "floor": ["1", "3"]}, **span
            ).rows
            assert wanted
            assert wanted == tuple(
                row for row in groups if row.group_by["a"] == "day" and row.group_by["floor"] in {"1", "3"}
            ), slug
            with pytest.raises(Invalid, match=r"meter\.group_unknown"):
                metering.query_meter(work, slug=slug, filter_group_by={"wing": ["x"]}, **span)
        counted = metering.query_meter(work, slug="count", filter_group_by={"a": ["day"]}, **span).rows
    assert sum(int(row.value) for row in counted) == sum(number % 3 <= 1 for number in range(120))
