"""Taking in usage events, checked and each once for good, beside a bare COPY of the same rows into the same table.

Of their type there is a meter, which looks at each value on its way in and is rolled up afterwards. On one connection the
client waits for each request; within one, the next events are read while the database stores the last ones.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from statistics import median
from typing import Any

import psycopg
from sqlalchemy import make_url

from billing.formats.events import read_event
from billing.rules.meters import Aggregation
from billing.usecases import bulk, metering
from tenants.kernel.context import system_actor
from tenants.kernel.identifiers import new_id
from tests.benchmarks.figures import Figure
from tests.benchmarks.installation import Installation
from tests.benchmarks.meters import roll_up
from tests.benchmarks.served import Client, served

ROUNDS = 5
ROWS = 20_000
BATCH = 500
"""Events in a request, in a transaction in process, and in a COPY."""
LAGO = 10_000
"""Events a second that Lago states for one PostgreSQL."""
SLUG = "bench-readings"
BEGIN = datetime(2026, 3, 1, 8, tzinfo=timezone(timedelta(hours=8)))
_COPY = (
    "COPY usage_events (tenant_id, source, event_id, type, subject, time, data, body_hash, received_at, written_in)"
    " FROM STDIN"
)

Batch = list[dict[str, Any]]


@dataclass(frozen=True)
class Way:
    """One way in: what its client prepares from a batch, and how that is sent."""

    name: str
    prepare: Callable[[Batch], Any]
    send: Callable[[Any], None]


def bench_events(place: Installation) -> list[Figure]:
    """Measure (about half a minute), the ways taking turns, each on one connection."""
    tenant = place.people[0].require_tenant()
    park = system_actor("bench", tenant_id=tenant)
    now = place.market.clock.now()
    url = make_url(place.market.settings.database_owner_url).set(drivername="postgresql")

    def in_process(batch: Batch) -> None:
        with place.market.workshop.work(park) as work:
            metering.ingest_events(work, events=batch)

    def through_http(body: str) -> None:
        headers = {
            "Authorization": f"Bearer {place.operator_token}",
            "Content-Type": "application/cloudevents-batch+json",
        }
        client.post(f"/api/v1/events?park_id={tenant}", body, headers, 204)

    def rows_of(batch: Batch) -> list[tuple[Any, ...]]:
        events = (read_event(raw, now=now, subject=str(tenant)) for raw in batch)
        return [(tenant, e.source, e.id, e.type, e.subject, e.time, e.data, e.body_hash, now, "3") for e in events]

    def bare(rows: list[tuple[Any, ...]]) -> None:
        with owner.transaction(), owner.cursor() as cursor, cursor.copy(_COPY) as copy:
            for row in rows:
                copy.write_row(row)

    ways = (
        Way("bare", rows_of, bare),
        Way("in process", lambda batch: batch, in_process),
        Way("through HTTP", json.dumps, through_http),
    )
    seconds: dict[str, list[float]] = {way.name: [] for way in ways}
    rolling = []
    _provide_meter(place)
    with served(place.market.settings) as port, psycopg.connect(url.render_as_string(hide_password=False)) as owner:
        client = Client(port)
        for way in ways:
            way.send(way.prepare(_events(BATCH)))
        for _ in range(ROUNDS):
            for way in ways:
                seconds[way.name].append(_time(way))
            began = time.perf_counter()
            roll_up(place, SLUG)
            rolling.append((time.perf_counter() - began) / 2)  # of the ways in process and through HTTP
    seconds["rolled up"] = [sum(pair) for pair in zip(seconds["through HTTP"], rolling, strict=True)]
    return [
        _figure(name, target, seconds[name], seconds["bare"])
        for name, target in (("in process", "≥ 0.45"), ("through HTTP", "≥ 0.25"), ("rolled up", "≥ 0.25"))
    ]


def _figure(name: str, target: str, ours: list[float], bare: list[float]) -> Figure:
    """Return the median of the rounds' ratios, for each round met the machine as it was then."""
    ratio = median(one / other for one, other in zip(bare, ours, strict=True))
    speed, best = ROWS / median(ours), ROWS / median(bare)
    detail = f"{speed:,.0f} events/s ÷ {best:,.0f}/s of bare COPY, batches of {BATCH}, one connection"
    if name == "rolled up":
        detail = f"through HTTP and into its meter's roll-ups: {speed:,.0f} events/s on one connection; Lago states {LAGO:,}/s"
    return Figure(f"events, {name}", f"{ratio:.2f}", target, detail)


def _provide_meter(place: Installation) -> None:
    with place.market.workshop.work(system_actor("bench")) as work:
        bulk.provide_meter(
            work, slug=SLUG, name="bench", event_type="energy.reading", aggregation=Aggregation.SUM,
            value_property="$.kwh", group_by={"phase": "$.phase"},
        )  # fmt: skip


def _time(way: Way) -> float:
    """Return the seconds that sending takes; what a client prepares is prepared before."""
    events = _events(ROWS)
    batches = [way.prepare(events[first : first + BATCH]) for first in range(0, ROWS, BATCH)]
    began = time.perf_counter()
    for batch in batches:
        way.send(batch)
    return time.perf_counter() - began


def _events(many: int) -> Batch:
    run = new_id().hex
    return [
        {
            "specversion": "1.0",
            "source": f"gateway/{run}",
            "id": str(number),
            "type": "energy.reading",
            "subject": f"meter-{number % 40}",
            "time": (BEGIN + timedelta(seconds=15 * (number // 40))).isoformat(),
            "data": {"kwh": f"{number % 97 / 8}", "phase": number % 3},
        }
        for number in range(many)
    ]
