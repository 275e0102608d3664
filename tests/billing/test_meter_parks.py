"""Many parks asked at once, by name or all between two, now or as a snapshot saw them: the same as park by park."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text

from billing.rules.meters import Aggregation, average
from billing.rules.periods import DEFAULT_ZONE, Period
from billing.store import meter_parks, usage
from billing.store.meter_queries import MeterQuestion, quantities
from billing.store.settlements import meter_of
from tenants.kernel.clock import ManualClock
from tenants.kernel.context import Actor, system_actor
from tenants.kernel.identifiers import new_id
from tenants.kernel.work import Work, WorkShop
from tests.support.metered import OPERATOR, make_meter, roll, use

AGGREGATIONS = ("count", "sum", "max", "min", "avg", "unique_count", "latest")
VALUES: tuple[Any, ...] = (1, 2.5, "2.50", "10.125", -3, 0, True, None, "many", {"a": 1}, 7.0, 12345678901234.5, "1e3")
START = datetime(2026, 3, 1, 16, tzinfo=UTC)
PERIOD = Period(START + timedelta(minutes=7), START + timedelta(days=3, minutes=20))


def asked(work: Work, meter: Any, park_id: UUID) -> Decimal | None:
    """Return what one park's own question is answered."""
    found = quantities(work.session, MeterQuestion(meter, PERIOD, DEFAULT_ZONE, None, (), (), park_id))
    if not found:
        return None
    return average(found[0].value, found[0].count) if meter.aggregation is Aggregation.AVG else found[0].value


@pytest.mark.parametrize("rolled", [False, True], ids=["events", "rolled"])
def test_many_parks_at_once_are_each_by_itself(
    workshop: WorkShop, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, rolled: bool
) -> None:
    clock.instant = START + timedelta(days=10)
    for each in AGGREGATIONS:
        make_meter(workshop, each, each)
    parks: list[Actor] = [system_actor("park", tenant_id=new_id(), on_behalf_of=new_id()) for _ in range(3)]
    for place, park in enumerate(parks):
        readings = [
            (str(number), START + timedelta(hours=5 * number + place), VALUES[(number + place) % len(VALUES)])
            for number in range(16 - place)
        ]
        use(workshop, park, readings)
    use(workshop, parks[0], [("0b", START + timedelta(hours=3), 40)], correctsid="1")
    use(workshop, parks[1], [("v", START + timedelta(hours=3), None)], correctsid="3", correction="void", data={})
    if rolled:
        for each in AGGREGATIONS:
            roll(workshop, each)
        use(workshop, parks[2], [("late", START + timedelta(hours=30), 5), ("x", START + timedelta(hours=31), 6)])
        use(workshop, parks[2], [("x2", START + timedelta(hours=31), 9)], correctsid="x")
    ids = sorted(park.require_tenant() for park in parks)
    snapshots: dict[str, str] = {}
    expected: dict[str, dict[UUID, Decimal]] = {}
    with workshop.work(OPERATOR) as work:
        for each in AGGREGATIONS:
            row = work.session.execute(select(usage.Meter).where(usage.Meter.slug == each)).scalar_one()
            meter = meter_of(row)
            single = {park_id: asked(work, meter, park_id) for park_id in ids}
            expected[each] = {park_id: value for park_id, value in single.items() if value is not None}
            assert len(expected[each]) == 3
            for many in (200, 1):
                monkeypatch.setattr(meter_parks, "MANY", many)
                found = meter_parks.quantities_by_park(work.session, meter, PERIOD, ids)
                assert found.by_park == expected[each], (each, many)
                assert found.snapshot is not None
                snapshots[each] = found.snapshot
    use(workshop, parks[0], [("after", START + timedelta(hours=4), 1000)])
    use(workshop, parks[1], [("after", START + timedelta(hours=4), -1000)], correctsid="0")
    with workshop.work(OPERATOR) as work:
        for each in AGGREGATIONS:
            row = work.session.execute(select(usage.Meter).where(usage.Meter.slug == each)).scalar_one()
            meter = meter_of(row)
            for many in (200, 1):
                monkeypatch.setattr(meter_parks, "MANY", many)
                seen = meter_parks.quantities_by_park(work.session, meter, PERIOD, ids, as_of=snapshots[each])
                assert seen.by_park == expected[each], "what came after the snapshot is not seen"
            now = meter_parks.quantities_by_park(work.session, meter, PERIOD, ids)
            assert each not in {"sum", "avg"} or now.by_park != expected[each]
        assert work.session.execute(text("SELECT count(*) FROM late_usage")).scalar_one() == 0, "nothing is charged yet"
