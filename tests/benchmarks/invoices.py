"""How long a month's invoice run takes beside one hand-written GROUP BY of the same sums over the raw events.

Each park has ``EVENTS`` events in the month, of which ``DELIVERIES`` are delivered services: those are billed, a line
each, with VAT, numbers, journals and progress. ``PARKS``, ``EVENTS`` and ``DELIVERIES`` of the environment change the
sizes; the province's are 2,000 parks and 5 million events.
"""

from __future__ import annotations

import os
import resource
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine, create_engine, text
from sqlalchemy.pool import NullPool

from billing.usecases import invoice_runs
from infra.postgres import Server
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
    int(os.environ.get(name, default)) for name, default in (("PARKS", "200"), ("EVENTS", "1000"), ("DELIVERIES", "50"))
)
AT = datetime(2026, 4, 10, 1, 0, tzinfo=UTC)
TWICE = 2
"""The run is measured for half of the parks first, in another month: what memory grows by is what parks cost."""

_PARKS = "CREATE TEMPORARY TABLE bench_parks AS SELECT gen_random_uuid() AS id, n FROM generate_series(1, :parks) n"
_EVENTS = """
INSERT INTO usage_events (tenant_id, source, event_id, type, subject, time, data, body_hash, received_at)
SELECT p.id, 'bench/' || CAST(:month AS text), e::text, CASE WHEN e <= :deliveries THEN 'run.delivered' ELSE 'reading' END, '',
       CAST(CAST(:month AS text) || '-02T00:00Z' AS timestamptz) + e * interval '1 second',
       jsonb_build_object('quantity', 1 + e % 3, 'price_fen', 3333), repeat('0', 64), now()
FROM bench_parks p, generate_series(1, :events) e WHERE p.n <= :parks
"""
_RATED = """
INSERT INTO rated_usage (tenant_id, id, event_source, event_id, order_line_id, offering, title, price_id, quantity, vat_bp,
                         gross_fen, subsidy_fen, payable_fen, awards, payment_method, period, rated_at)
SELECT tenant_id, gen_random_uuid(), source, event_id, gen_random_uuid(), 'twin', '孪生推演', gen_random_uuid(),
       CAST(data ->> 'quantity' AS numeric), 600, 3333 * CAST(data ->> 'quantity' AS integer), 0,
       3333 * CAST(data ->> 'quantity' AS integer), '[]', 'invoice', CAST(:month AS text), time
FROM usage_events WHERE type = 'run.delivered' AND source = 'bench/' || CAST(:month AS text)
"""
_BY_HAND = """
SELECT tenant_id, type, count(*), sum(CAST(data ->> 'quantity' AS numeric) * CAST(data ->> 'price_fen' AS numeric))
FROM usage_events WHERE time >= '2026-03-01' AND time < '2026-04-01' GROUP BY tenant_id, type
"""


def bench_invoices() -> list[Figure]:
    """Measure on a throw-away durable server."""
    with tempfile.TemporaryDirectory(prefix="mkt-bench-") as folder:
        server = Server.start(Path(folder) / "db")
        try:
            ours, bare, grown = _measure(server.create_database("bench"))
        finally:
            server.stop(remove=True)
    lines = PARKS * DELIVERIES
    sizes = f"{PARKS:,} parks, {lines:,} lines among {PARKS * EVENTS:,} events"
    return [
        Figure("invoice run", f"{ours / bare:.1f}", "≤ 1.5", f"{ours:.1f} s of {sizes} ÷ {bare:.2f} s of one GROUP BY"),
        Figure("invoice lines", f"{lines / ours:,.0f}/s", "", "lines issued a second, each with its own key and VAT"),
        Figure("invoice memory", f"{grown:.0f} MiB", "flat", "what the peak grows by when a run has twice the parks"),
    ]


def _measure(owner_url: str) -> tuple[float, float, float]:
    owner = create_engine(owner_url, poolclass=NullPool)
    upgrade(owner)
    url = application_url(owner_url)
    provide_login(owner, url)
    _fill(owner)
    engine = connect(url, pool_size=1)
    shop = WorkShop(engine, ManualClock(AT), Silent())
    _run(shop, "2026-02")
    before = _peak()
    ours = _run(shop, "2026-03")
    grown = _peak() - before
    with engine.connect() as connection:
        connection.execute(text("SET ROLE marketplace_staff"))
        begun = time.perf_counter()
        connection.execute(text(_BY_HAND)).all()
        bare = time.perf_counter() - begun
    engine.dispose()
    owner.dispose()
    return ours, bare, grown


def _fill(owner: Engine) -> None:
    with owner.begin() as connection:
        connection.execute(text(_PARKS), {"parks": PARKS})
        connection.execute(text("GRANT SELECT ON bench_parks TO marketplace_staff"))
        connection.execute(text("SET LOCAL ROLE marketplace_staff"))
        for month, parks in (("2026-02", PARKS // TWICE), ("2026-03", PARKS)):
            sizes = {"month": month, "parks": parks, "events": EVENTS, "deliveries": DELIVERIES}
            connection.execute(text(_EVENTS), sizes)
            connection.execute(text(_RATED), {"month": month})
    with owner.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE usage_events, rated_usage"))


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
