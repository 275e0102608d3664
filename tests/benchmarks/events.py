"""Taking in usage events, checked and each once for good, beside a bare COPY of the same rows into the same table."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg
from sqlalchemy import make_url

from billing.formats.events import read_event
from billing.usecases import metering
from tenants.kernel.context import system_actor
from tenants.kernel.identifiers import new_id
from tests.benchmarks.figures import Figure
from tests.benchmarks.installation import Installation
from tests.benchmarks.served import Client, served

ROUNDS = 3
ROWS = 20_000
BATCH = 500
"""Events in a request, in a transaction in process, and in a COPY."""
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
    """Measure (about 15 seconds), the ways taking turns, each on one connection."""
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
    seconds = dict.fromkeys((way.name for way in ways), 0.0)
    with served(place.market.settings) as port, psycopg.connect(url.render_as_string(hide_password=False)) as owner:
        client = Client(port)
        for way in ways:
            way.send(way.prepare(_events(BATCH)))
        for _ in range(ROUNDS):
            for way in ways:
                seconds[way.name] += _time(way)
    rows = {name: ROUNDS * ROWS / spent for name, spent in seconds.items()}
    return [
        Figure(
            f"events, {name}",
            f"{rows[name] / rows['bare']:.2f}",
            target,
            f"{rows[name]:,.0f} events/s ÷ {rows['bare']:,.0f}/s of bare COPY, batches of {BATCH}, one connection",
        )
        for name, target in (("in process", "–"), ("through HTTP", "≥ 0.25"))
    ]


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
            "time": "2026-03-01T08:00:00+08:00",
            "data": {"kwh": f"{number % 97 / 8}", "phase": number % 3},
        }
        for number in range(many)
    ]
