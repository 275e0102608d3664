"""A million meter readings through the API's door, and beside it a bare COPY of the same rows into a bare table."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import make_url

from marketplace.rules.orders import PaymentMethod
from marketplace.usecases import checkout
from marketplace.wsgi import create_app
from services.usecases import site_meters, sites
from tests.benchmarks.figures import Figure
from tests.benchmarks.installation import Installation
from tests.support.web import Caller

METERS, BATCH, BATCHES = 40, 100_000, 10
_COPY = "COPY bare_readings (tenant_id, meter_id, at, value, estimated, version, received_at) FROM STDIN"


def bench_readings(made: Installation) -> list[Figure]:
    """Measure wall time of a million readings sent to one web process (about a minute)."""
    app = create_app(made.market)
    caller = Caller(app.test_client(), made.tokens[0])
    ids = _site(made)
    bodies = [_body(number) for number in range(BATCHES)]
    start = time.perf_counter()
    for body in bodies:
        answer = caller.post("/readings", data=body, content_type="application/json")
        if answer.status_code != 200 or answer.get_json()["accepted"] != BATCH:
            raise RuntimeError(answer.text)
    ours = time.perf_counter() - start
    bare = _bare(made, ids)
    detail = f"{bare:.1f} s of bare COPY ÷ {ours:.1f} s for 1,000,000 readings (target: under 60 s on one core)"
    return [Figure("readings, through API", f"{bare / ours:.2f}", "≥ 0.15", detail)]


def _site(made: Installation) -> list[UUID]:
    """Let the first park rent monitoring for a site with meters; return the park and the meters."""
    park = made.people[0]
    with made.market.workshop.work(park) as work:
        site = sites.add_site(work, wish=sites.SiteWish("一号厂房"))
        found = [
            site_meters.add_meter(work, site_id=site.id, wish=site_meters.MeterWish(f"m-{number}", "表", unit="kWh")).id
            for number in range(METERS)
        ]
        wish = checkout.LineWish("energy-monitoring", {"site_id": str(site.id)})
        quote = checkout.ask_quote(work, lines=[wish])
        checkout.place_order(work, quote_id=quote.id, payment_method=PaymentMethod.INVOICE)
    return [park.require_tenant(), *found]


def _points(batch: int) -> list[tuple[int, datetime, float]]:
    first = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=300)
    each = BATCH // METERS
    return [
        (meter, first + timedelta(minutes=15 * (batch * each + step)), step % 977 / 8)
        for meter in range(METERS)
        for step in range(each)
    ]


def _body(batch: int) -> bytes:
    values: dict[int, list[Any]] = {}
    for meter, at, value in _points(batch):
        values.setdefault(meter, []).append([at.isoformat(), value])
    return json.dumps({"series": [{"meter": f"m-{key}", "values": each} for key, each in values.items()]}).encode()


def _bare(made: Installation, ids: list[UUID]) -> float:
    dsn = make_url(made.market.settings.database_owner_url).set(drivername="postgresql")
    tenant, *meters = ids
    now, seconds = datetime.now(UTC), 0.0
    with psycopg.connect(dsn.render_as_string(hide_password=False)) as connection:
        connection.execute("CREATE TABLE bare_readings (LIKE readings INCLUDING ALL)")
        connection.commit()
        for batch in range(BATCHES):
            rows = [(tenant, meters[meter], at, value, False, 1, now) for meter, at, value in _points(batch)]
            start = time.perf_counter()
            with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
                for row in rows:
                    copy.write_row(row)
            connection.commit()
            seconds += time.perf_counter() - start
    return seconds
