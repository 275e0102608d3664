"""How close taking in usage events comes to a bare COPY of the same rows, which checks, hashes and compares nothing.

Both sides write the same batches into tables of the same shape on one server, each batch in a transaction. The bare
side gets its rows ready-made; the use case gets parsed CloudEvents.
"""

from __future__ import annotations

import json
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import create_engine, make_url
from sqlalchemy.pool import NullPool

from billing.usecases import metering
from infra.postgres import Server
from migrations.apply import provide_login, upgrade
from tenants.kernel.clock import ManualClock
from tenants.kernel.context import system_actor
from tenants.kernel.database import connect
from tenants.kernel.identifiers import new_id
from tenants.kernel.outbox import Silent
from tenants.kernel.work import WorkShop
from tests.support.databases import application_url

BATCH = 10_000
BATCHES = 8
NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
_COPY = "COPY bare_events (tenant_id, source, event_id, type, subject, time, data, body_hash, received_at) FROM STDIN"


@dataclass(frozen=True)
class IngestFigures:
    """Events per second through the use case, and rows per second of the bare COPY."""

    events_a_second: float
    bare_a_second: float

    @property
    def ratio(self) -> float:
        """Return the use case's part of the bare throughput (target: at least 0.45)."""
        return self.events_a_second / self.bare_a_second


def bench_ingest() -> IngestFigures:
    """Measure on a throw-away durable server (about 10 seconds), batches of both sides in turn."""
    with tempfile.TemporaryDirectory(prefix="mkt-bench-") as folder:
        server = Server.start(Path(folder) / "db")
        try:
            url = server.create_database("bench")
            owner = create_engine(url, poolclass=NullPool)
            upgrade(owner)
            provide_login(owner, application_url(url))
            owner.dispose()
            return _measure(url)
        finally:
            server.stop(remove=True)


def _measure(url: str) -> IngestFigures:
    engine = connect(application_url(url), pool_size=1)
    shop = WorkShop(engine, ManualClock(NOW), Silent())
    park = system_actor("bench", tenant_id=new_id())
    dsn = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    ours, bare = [], []
    with psycopg.connect(dsn) as connection:
        connection.execute("CREATE TABLE bare_events (LIKE usage_events INCLUDING ALL)")
        connection.commit()
        for number in range(BATCHES):
            events = [_event(number * BATCH + place) for place in range(BATCH)]
            rows = [_row(park.require_tenant(), event) for event in events]
            start = time.perf_counter()
            with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
                for row in rows:
                    copy.write_row(row)
            connection.commit()
            bare.append(time.perf_counter() - start)
            start = time.perf_counter()
            with shop.work(park) as work:
                result = metering.ingest_events(work, events=events)
            ours.append(time.perf_counter() - start)
            if result.accepted != BATCH:
                raise RuntimeError("events were lost")
    engine.dispose()
    return IngestFigures(BATCH / sorted(ours)[BATCHES // 2], BATCH / sorted(bare)[BATCHES // 2])


def _event(number: int) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": f"reading-{number:09}",
        "source": "gateway/1",
        "type": "energy.read",
        "subject": f"building-{number % 40}",
        "time": (NOW - timedelta(seconds=number)).isoformat(),
        "data": {"kwh": number % 977 / 8, "phase": number % 3, "meter": f"m-{number % 40}"},
    }


def _row(tenant: object, event: dict[str, Any]) -> tuple[Any, ...]:
    data = json.dumps(event["data"])
    return (
        tenant, event["source"], event["id"], event["type"], event["subject"], datetime.fromisoformat(event["time"]),
        data, "0" * 64, NOW,
    )  # fmt: skip
