"""Meter queries: the database's answer is the rules' answer, window by window and group by group."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import insert

from billing.formats.fields import parse_number
from billing.formats.usage import EventDocument, MeterDocument
from billing.rules import meters
from billing.rules.meters import Aggregation, WindowSize
from billing.rules.periods import Period
from billing.store.usage import Meter
from billing.usecases import metering
from tenants.kernel.context import Actor, system_actor
from tenants.kernel.errors import Invalid, NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.work import WorkShop
from tests.support import deliveries, subsidies

# In this hour New York sets its clocks back: 05:30 and 06:30 UTC are both half past one on the wall.
START = datetime(2025, 11, 2, 3, 30, tzinfo=UTC)
AGGREGATIONS = ("count", "sum", "max", "min", "avg", "unique_count", "latest")
VALUES: tuple[Any, ...] = (
    1, 2, 2.5, "2.50", "10.125", 1e-7, -3, 0, True, None, "many", "1e3", "12345678901234567890", {"a": 1}, [1], 7.0,
)  # fmt: skip


@pytest.fixture
def park() -> Actor:
    return system_actor("park", tenant_id=new_id())


def define(workshop: WorkShop, **changes: Any) -> MeterDocument:
    """Enter a meter and return its document."""
    document = {
        "slug": "energy",
        "event_type": "energy.read",
        "aggregation": "sum",
        "value_property": "$.reading.kwh",
        "group_by": {"floor": "$.floor"},
        "filters": {},
        **changes,
    }
    with workshop.work(system_actor("operator")) as work:
        work.session.execute(insert(Meter).values(name="能耗", **document))
    return MeterDocument.model_validate(document)


def random_events(seed: int, count: int = 150) -> list[dict[str, Any]]:
    pick = random.Random(seed)
    return [
        {
            "specversion": "1.0",
            "id": str(number),
            "source": "gateway",
            "type": "energy.read" if number % 9 else "other",
            "subject": f"building-{pick.randrange(3)}",
            "time": (START + timedelta(minutes=pick.randrange(-60, 60 * 40, 7))).isoformat(),
            "data": {
                "reading": {"kwh": pick.choice(VALUES)},
                "floor": pick.choice((1, 1.0, "1", "2", None, True)),
                "mode": pick.choice(("day", "night")),
            },
        }
        for number in range(count)
    ]


def ingest(workshop: WorkShop, park: Actor, events: list[dict[str, Any]]) -> None:
    with workshop.work(park) as work:
        metering.ingest_events(work, events=events)


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "America/New_York"])
@pytest.mark.parametrize("size", [None, *WindowSize])
def test_the_database_answers_what_the_rules_work_out(
    workshop: WorkShop, park: Actor, size: WindowSize | None, zone: str
) -> None:
    events = random_events(7)
    ingest(workshop, park, events)
    # Of two events at one moment the later one received is the latest; here all came at once, so in the order of ids.
    read = sorted((EventDocument.model_validate(event).to_rules() for event in events), key=lambda event: event.id)
    period = Period(START, START + timedelta(hours=36))
    for aggregation in AGGREGATIONS:
        document = define(workshop, slug=f"m-{aggregation}", aggregation=aggregation, filters={"$.mode": ["day"]})
        meter = document.to_rules()
        readings = [
            reading
            for event in read
            if meters.counts(meter, event) and event.time in period
            for reading in [meters.read_event(meter, event, parse_number)]
            if reading is not None
        ]
        expected = {
            (window.period.start, window.period.end, dict(window.group)["floor"]): window.quantity
            for window in meters.windows(meter, readings, period, zone, size)
        }
        with workshop.work(park) as work:
            answer = metering.query_meter(
                work, slug=meter.slug, from_=period.start, to=period.end, timezone=zone, group_by=["floor"],
                window_size=None if size is None else size.value,
            )  # fmt: skip
        found = {(row.window_start, row.window_end, row.group_by["floor"]): row.value for row in answer.rows}
        assert found == expected, aggregation


def weighed(
    readings: list[meters.Reading], period: Period, zone: str, size: WindowSize | None
) -> dict[tuple[datetime, datetime, Any], Decimal]:
    """Return what the rules work out, window by window: the level carried in is all that was read before."""
    found = {}
    for group in {reading.group for reading in readings}:
        own = [reading for reading in readings if reading.group == group]
        at = period.start
        while at < period.end:
            window = meters.window_of(at, period, zone, size)
            before = sum((reading.number for reading in own if reading.time < window.start), Decimal(0))
            inside = [reading for reading in own if reading.time in window]
            if before or inside:
                quantity = meters.aggregate(Aggregation.WEIGHTED_SUM, inside, window, before)
                found[window.start, window.end, dict(group)["floor"]] = quantity
            at = window.end
    return found


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "America/New_York"])
@pytest.mark.parametrize("size", [None, WindowSize.HOUR, WindowSize.DAY, WindowSize.MONTH])
def test_a_weighted_sum_is_answered_as_the_rules_weigh_it_also_where_nothing_came_in(
    workshop: WorkShop, park: Actor, size: WindowSize | None, zone: str
) -> None:
    events = random_events(11, 60)
    ingest(workshop, park, events)
    ingest(workshop, system_actor("other", tenant_id=new_id()), events)
    meter = define(workshop, aggregation="weighted_sum").to_rules()
    readings = [
        reading
        for event in (EventDocument.model_validate(event).to_rules() for event in events)
        if meters.counts(meter, event)
        for reading in [meters.read_event(meter, event, parse_number)]
        if reading is not None
    ]
    period = Period(START + timedelta(hours=5, minutes=7), START + timedelta(hours=60))
    readings = [reading for reading in readings if reading.time < period.end]
    assert any(reading.time < period.start for reading in readings)
    with workshop.work(park) as work:
        answer = metering.query_meter(
            work, slug=meter.slug, from_=period.start, to=period.end, timezone=zone, group_by=["floor"],
            window_size=None if size is None else size.value,
        )  # fmt: skip
    found = {(row.window_start, row.window_end, row.group_by["floor"]): row.value for row in answer.rows}
    assert found == weighed(readings, period, zone, size)
    quiet = [start for start, end, _ in found if not any(start <= reading.time < end for reading in readings)]
    assert quiet or size is not WindowSize.HOUR, "a level stands, though nothing came in"


def test_a_level_of_subjects_in_too_many_windows_is_refused_and_corrections_change_the_past(
    workshop: WorkShop, park: Actor
) -> None:
    define(workshop, aggregation="weighted_sum", group_by={})
    seats = {
        "specversion": "1.0", "id": "1", "source": "s", "type": "energy.read", "subject": "b-1",
        "time": "2025-01-01T00:00:00+08:00", "data": {"reading": {"kwh": 10}},
    }  # fmt: skip
    ingest(workshop, park, [seats, seats | {"id": "2", "subject": "b-2"}])
    span: dict[str, Any] = {"from_": datetime(2025, 3, 1, tzinfo=UTC), "to": datetime(2025, 3, 3, tzinfo=UTC)}
    with workshop.work(park) as work:
        both = metering.query_meter(work, slug="energy", **span)
        one = metering.query_meter(work, slug="energy", subject=["b-1"], **span)
        with pytest.raises(Invalid) as refused:
            metering.query_meter(
                work, slug="energy", window_size="MINUTE", **(span | {"to": datetime(2026, 1, 1, tzinfo=UTC)})
            )
        empty = metering.query_meter(
            work, slug="energy", window_size="MINUTE",
            from_=datetime(2000, 1, 1, tzinfo=UTC), to=datetime(2024, 12, 31, tzinfo=UTC),
        )  # fmt: skip
    assert refused.value.code == "meter.too_many_windows"
    assert [(int(row.value), row.subject) for row in both.rows + one.rows] == [(20, None), (10, "b-1")]
    assert empty.rows == ()
    ingest(workshop, park, [seats | {"id": "3", "correctsid": "2", "correction": "void", "data": {}}])
    with workshop.work(park) as work:
        assert [int(row.value) for row in metering.query_meter(work, slug="energy", **span).rows] == [10]


def test_an_answer_looks_as_the_public_client_expects(workshop: WorkShop, park: Actor) -> None:
    define(workshop)
    event = {
        "specversion": "1.0", "id": "1", "source": "s", "type": "energy.read", "subject": "b-1",
        "time": "2026-03-01T08:30:00+08:00", "data": {"reading": {"kwh": 12.5}, "floor": "2"},
    }  # fmt: skip
    ingest(workshop, park, [event, event | {"id": "2", "subject": "b-2"}])
    with workshop.work(park) as work:
        answer = metering.query_meter(
            work, slug="energy", from_=datetime(2026, 2, 28, 16, tzinfo=UTC), to=datetime(2026, 3, 31, 16, tzinfo=UTC),
            window_size="DAY", group_by=["floor"], subject=["b-1"],
        )  # fmt: skip
    assert answer.document() == {
        "from": "2026-02-28T16:00:00Z",
        "to": "2026-03-31T16:00:00Z",
        "windowSize": "DAY",
        "data": [
            {
                "value": 12.5,
                "windowStart": "2026-02-28T16:00:00Z",
                "windowEnd": "2026-03-01T16:00:00Z",
                "subject": "b-1",
                "groupBy": {"floor": "2"},
            }
        ],
    }


def test_a_park_is_answered_from_its_own_events(workshop: WorkShop, park: Actor) -> None:
    define(workshop, aggregation="count", value_property=None)
    other = system_actor("other", tenant_id=new_id())
    ingest(workshop, park, random_events(1, 20))
    ingest(workshop, other, random_events(2, 40))
    span: dict[str, Any] = {"from_": START - timedelta(days=2), "to": START + timedelta(days=4)}

    def counted(actor: Actor, **more: Any) -> int:
        with workshop.work(actor) as work:
            return sum(int(row.value) for row in metering.query_meter(work, slug="energy", **span, **more).rows)

    staff = system_actor("staff")
    assert counted(park) == counted(park, park_id=other.tenant_id) == 17
    assert counted(staff) == 17 + 35
    assert counted(staff, park_id=other.tenant_id) == 35


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"window_size": "WEEK"}, "windowSize"),
        ({"timezone": "Mars/Olympus"}, "windowTimeZone"),
        ({"group_by": ["wing"]}, "groupBy"),
        ({"to": START}, "from"),
        ({"from_": datetime(2026, 1, 1)}, "from"),  # noqa: DTZ001 - a naive moment is what is refused
    ],
)
def test_a_senseless_question_is_refused(workshop: WorkShop, park: Actor, changes: dict[str, Any], field: str) -> None:
    define(workshop)
    question = {"slug": "energy", "from_": START, "to": START + timedelta(days=1), **changes}
    with pytest.raises(Invalid) as refusal, workshop.work(park) as work:
        metering.query_meter(work, **question)
    assert [error.field for error in refusal.value.errors] == [field]


def test_an_unknown_meter_is_not_found(workshop: WorkShop, park: Actor) -> None:
    with pytest.raises(NotFound), workshop.work(park) as work:
        metering.query_meter(work, slug="none", from_=START, to=START + timedelta(days=1))


def test_usage_is_summed_by_offering_day_month_and_park(workshop: WorkShop) -> None:
    subsidies.fill_fund(workshop, "province", 10_000_000)
    subsidies.approve_programme(workshop, "tech", subsidies.policy())
    subsidies.price(workshop, "twin")
    subsidies.price(workshop, "leads", "100")
    one, other = subsidies.park(), subsidies.park()
    deliveries.deliver(workshop, one, "twin", "leads")
    deliveries.deliver(workshop, other, "leads", quantity=3)
    now = workshop.clock.now()
    with workshop.work(system_actor("staff")) as work:
        span: dict[str, Any] = {"from_": now, "to": now + timedelta(days=1)}
        by_offering = metering.list_usage(work, **span)
        assert [
            (row.key, row.deliveries, row.quantity_text, row.gross_fen, row.subsidy_fen) for row in by_offering
        ] == [
            ("leads", 2, "4", 40_000, 24_000),
            ("twin", 1, "1", 1_000_000, 600_000),
        ]
        for key, expected in (("day", ["2026-03-02"]), ("month", ["2026-03"])):
            assert [row.key for row in metering.list_usage(work, **span, group_by=key)] == expected
        by_park = metering.list_usage(work, **span, group_by="park")
        assert {row.key for row in by_park} == {str(one.tenant_id), str(other.tenant_id)}
        with pytest.raises(Invalid):
            metering.list_usage(work, **span, group_by="person")
    with workshop.work(one) as work:
        assert sum(row.deliveries for row in metering.list_usage(work, **span)) == 2
