"""How long a month's invoice run takes beside one hand-written GROUP BY of the same sums over the raw events.

Each park has ``EVENTS`` readings in the month, which come in turn, as time goes; one meter counts them and one price
charges them, so a park's month makes one line: quantity, amount, event, rated usage, journal, invoice and line. ``cold``
is a month with nothing rolled up, which the run itself charges; ``warm`` the next one, with as many readings, everything
rolled up and, as the clock does once the month's grace is over, charged: what that takes is ``charging``, and a run that
waits for no grace takes both. The GROUP BY is of the latter month. In the month after, ``DELIVERIES`` services of each park are billed, a line each.
``PARKS``, ``EVENTS`` and ``DELIVERIES`` of the environment change the sizes; the province's are 2,000 parks and 5 million
events.
"""

from __future__ import annotations

import os
import resource
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine, create_engine, text
from sqlalchemy.pool import NullPool

from billing.usecases import invoice_runs, month_charging, rollups
from infra.postgres import Server
from marketplace.jobs import worker
from migrations.apply import provide_login, upgrade
from tenants.kernel.clock import ManualClock
from tenants.kernel.context import system_actor
from tenants.kernel.database import connect
from tenants.kernel.identifiers import new_id
from tenants.kernel.outbox import Silent
from tenants.kernel.work import WorkShop
from tests.benchmarks.figures import Figure
from tests.support.databases import application_url

PARKS, EVENTS, DELIVERIES = (
    int(os.environ.get(name, default)) for name, default in (("PARKS", "400"), ("EVENTS", "2500"), ("DELIVERIES", "25"))
)
MOMENTS = tuple(datetime(2026, month, 10, 1, 0, tzinfo=UTC) for month in (4, 5, 6))
TWICE = 2
"""The run is measured for half of the parks first, in another month: what memory grows by is what parks cost."""

_PARKS = """
INSERT INTO organisations (id, kind, name, uscc, region_code, payment_reference, created_at)
SELECT gen_random_uuid(), 'park', n, 'U' || n, '510104', 'R' || n, now() FROM generate_series(1, :parks) n
"""
_FIXED = (
    """
    INSERT INTO subscriptions (tenant_id, id, tier, starts_at, anchor_on, created_at)
    SELECT id, gen_random_uuid(), (ARRAY['basic', 'enhanced', 'leading'])[1 + mod(CAST(name AS integer), 3)],
           '2026-01-01', '2026-01-01', now() FROM organisations
    """,
    """
    INSERT INTO meters (slug, name, event_type, aggregation, value_property, group_by, filters)
    VALUES ('cold', '用电量', 'cold.read', 'sum', '$.kwh', '{}', '{}'),
           ('warm', '用电量', 'warm.read', 'sum', '$.kwh', '{}', '{}')
    """,
    """
    INSERT INTO prices (id, offering, charge, vat_bp, valid_from, valid_to)
    SELECT gen_random_uuid(), offering, jsonb_build_object('model', 'per_unit', 'unit_price', '0.5'), 600,
           CAST(since AS timestamptz), CAST(until AS timestamptz)
    FROM (VALUES ('meter:cold', '2026-01-31 16:00+00', '2026-03-31 16:00+00'),
                 ('meter:warm', '2026-03-31 16:00+00', '2026-04-30 16:00+00')) p (offering, since, until)
    """,
)
_READINGS = """
INSERT INTO usage_events (tenant_id, source, event_id, type, subject, time, data, body_hash, received_at)
SELECT o.id, 'bench', CAST(:month AS text) || '/' || e, CAST(:type AS text), 'm' || e % 4,
       CAST(CAST(:month AS text) || '-01 00:00+08' AS timestamptz) + e * (2400000.0 / :events) * interval '1 second',
       jsonb_build_object('kwh', round((e * 37 + CAST(o.name AS integer) * 7) % 400 / 8.0, 3)), repeat('0', 64), now()
FROM generate_series(1, :events) e, organisations o WHERE CAST(o.name AS integer) <= :parks
"""
_DELIVERED = """
INSERT INTO usage_events (tenant_id, source, event_id, type, subject, time, data, body_hash, received_at)
SELECT o.id, 'delivered', e, 'run.delivered', '', '2026-05-02 00:00+00', jsonb_build_object('quantity', 1),
       repeat('0', 64), now()
FROM generate_series(1, :deliveries) e, organisations o
"""
_RATED = """
INSERT INTO rated_usage (tenant_id, id, event_source, event_id, order_line_id, offering, title, price_id, quantity, vat_bp,
                         gross_fen, subsidy_fen, payable_fen, awards, payment_method, period, rated_at)
SELECT tenant_id, gen_random_uuid(), source, event_id, gen_random_uuid(), 'twin', '孪生推演', gen_random_uuid(),
       1, 600, 3333, 0, 3333, '[]', 'invoice', '2026-05', time
FROM usage_events WHERE type = 'run.delivered'
"""
# What counts is the same as to the meter: no event that was corrected, and no correction that only voids another.
_BY_HAND = """
SELECT tenant_id, count(*), sum(CAST(data ->> 'kwh' AS numeric)) FROM usage_events e
WHERE type = 'warm.read' AND time >= '2026-03-31 16:00+00' AND time < '2026-04-30 16:00+00'
  AND NOT EXISTS (SELECT FROM event_corrections c WHERE c.tenant_id = e.tenant_id
                  AND c.corrected_source = e.source AND c.corrected_id = e.event_id)
  AND NOT EXISTS (SELECT FROM event_corrections c WHERE c.tenant_id = e.tenant_id
                  AND c.source = e.source AND c.event_id = e.event_id AND c.void)
GROUP BY tenant_id
"""


@dataclass(frozen=True)
class Seconds:
    """What was measured, in seconds; ``grown`` in MiB."""

    by_hand: float
    cold: float
    charging: float
    warm: float
    rolling: float
    deliveries: float
    grown: float


def bench_invoices() -> list[Figure]:
    """Measure on a throw-away durable server."""
    with tempfile.TemporaryDirectory(prefix="mkt-bench-") as folder:
        server = Server.start(Path(folder) / "db")
        try:
            found = _measure(server.create_database("bench"))
        finally:
            server.stop(remove=True)
    events, lines = PARKS * EVENTS, PARKS * DELIVERIES
    of = f"÷ {found.by_hand:.2f} s of one GROUP BY"
    sizes = f"{PARKS:,} parks, {events:,} events"
    cold, warm = found.cold / found.by_hand, found.warm / found.by_hand
    return [
        Figure("invoice run, cold", f"{cold:.2f}", "≤ 1.5", f"{found.cold:.2f} s of {sizes} {of}"),
        Figure("invoice run, warm", f"{warm:.2f}", "≤ 0.15", f"{found.warm:.2f} s of {sizes}, rolled up, {of}"),
        Figure(
            "charging, warm",
            f"{found.charging / found.by_hand:.2f}",
            "",
            f"{found.charging:.2f} s when the month's grace is over, {of}",
        ),
        Figure(
            "rolling up", f"{found.rolling / found.by_hand:.0f}", "", f"{events / found.rolling:,.0f} events a second"
        ),
        Figure("invoice lines", f"{lines / found.deliveries:,.0f}/s", "", f"of {lines:,} deliveries, a line each"),
        Figure(
            "invoice memory", f"{found.grown:.0f} MiB", "flat", "what the peak grows by when a run has twice the parks"
        ),
    ]


def _measure(owner_url: str) -> Seconds:
    owner = create_engine(owner_url, poolclass=NullPool)
    upgrade(owner)
    url = application_url(owner_url)
    provide_login(owner, url)
    _fill(owner)
    engine = connect(url, pool_size=1)
    clock = ManualClock(MOMENTS[0])
    shop = WorkShop(engine, clock, Silent())
    worker.settle()
    _run(shop, "2026-02")
    _vacuum(owner)
    before = _peak()
    cold = _run(shop, "2026-03")
    grown = _peak() - before
    rolling = _roll_up(shop, "warm")
    _vacuum(owner)
    by_hand = min(_by_hand(engine) for _ in range(3))
    clock.instant = MOMENTS[1]
    charging = _charge(shop)
    warm = _run(shop, "2026-04")
    clock.instant = MOMENTS[2]
    deliveries = _run(shop, "2026-05")
    engine.dispose()
    owner.dispose()
    return Seconds(by_hand, cold, charging, warm, rolling, deliveries, grown)


def _fill(owner: Engine) -> None:
    sizes = {"parks": PARKS, "events": EVENTS, "deliveries": DELIVERIES}
    with owner.begin() as connection:
        connection.execute(text("SET LOCAL ROLE marketplace_staff"))
        connection.execute(text(_PARKS), sizes)
        for statement in _FIXED:
            connection.exec_driver_sql(statement)
        for month, kind, parks, events in (
            ("2026-02", "cold.read", PARKS // TWICE, max(EVENTS // 50, 1)),
            ("2026-03", "cold.read", PARKS, EVENTS),
            ("2026-04", "warm.read", PARKS, EVENTS),
        ):
            month_of = {"month": month, "type": kind, "parks": parks, "events": events}
            connection.execute(text(_READINGS), month_of)
        connection.execute(text(_DELIVERED), sizes)
        connection.execute(text(_RATED))
    _vacuum(owner)


def _vacuum(owner: Engine) -> None:
    with owner.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))


def _by_hand(engine: Engine) -> float:
    with engine.connect() as connection:
        connection.execute(text("SET ROLE marketplace_staff"))
        begun = time.perf_counter()
        assert len(connection.execute(text(_BY_HAND)).all()) == PARKS
        return time.perf_counter() - begun


def _roll_up(shop: WorkShop, slug: str) -> float:
    actor = system_actor("bench")
    begun = time.perf_counter()
    with shop.work(actor) as work:
        rollups.meters_to_roll(work)
    more = True
    while more:
        with shop.work(actor) as work:
            more = rollups.roll_up(work, slug=slug)
    return time.perf_counter() - begun


def _charge(shop: WorkShop) -> float:
    begun = time.perf_counter()
    assert month_charging.charge_ended_month(shop, system_actor("bench")) == PARKS
    return time.perf_counter() - begun


def _run(shop: WorkShop, period: str) -> float:
    """Carry out a month's run and return its seconds."""
    actor = system_actor("bench", on_behalf_of=new_id())
    with shop.work(actor) as work:
        run = invoice_runs.start_run(work, period=period)
    begun = time.perf_counter()
    invoice_runs.carry_out_run(shop, actor, run_id=run.id)
    return time.perf_counter() - begun


def _peak() -> float:
    """Return the most memory that this process has had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
