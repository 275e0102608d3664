"""How fast slots are fought for and found: 64 clients that want the same week, and a search over 1,000 instruments.

Both sides of the fight reserve on one durable server under the same exclusion constraint, and each reservation is a
transaction of its own under row security. Every slot of ten instruments' week is wanted by as many clients as the 64
are over the ten instruments, in the same order, so that they meet at each; the bare side sends nothing but the INSERT.
The slots that were taken are counted, and a slot that is taken twice, or never, is an error.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import quantiles
from typing import Any

import psycopg
from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.pool import NullPool

from infra.postgres import Server
from migrations.apply import provide_login, upgrade
from services.rules.slots import Hours, Span
from services.usecases import instruments, slots
from services.usecases.instruments import InstrumentView
from services.usecases.slot_search import search_instruments, search_slots
from tenants.kernel.clock import CHINA, ManualClock
from tenants.kernel.context import Actor, system_actor
from tenants.kernel.database import TENANT_ROLE
from tenants.kernel.errors import Conflict
from tenants.kernel.identifiers import new_id
from tenants.kernel.outbox import Silent
from tenants.kernel.work import WorkShop
from tests.benchmarks.figures import Figure
from tests.support.databases import application_url
from tests.support.services import build_world, park_person

CLIENTS = 64
INSTRUMENTS = 10
ROUNDS = 3
WEEKS = tuple(datetime(2026, 3, 9, 9, 0, tzinfo=CHINA) + timedelta(days=7 * number) for number in range(2 * ROUNDS))
HOURS = Hours(9, 17, 60)
MANY = 1000
SEARCHES = 60
SEARCH_DAYS = 90
NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)

Take = Callable[[int, Span], bool]
"""Try to reserve a span as client number n; whether it was got."""

_BUSY = """
INSERT INTO reservations (provider_id, id, instrument_id, unit, during, active, created_at)
SELECT i.provider_id, gen_random_uuid(), i.id, 1, tstzrange(t, t + interval '1 hour'), true, now()
FROM instruments i, generate_series(CAST('2026-03-02 01:00+00' AS timestamptz), '2026-05-31 08:00+00', '1 hour') t
WHERE i.name LIKE 'search%' AND extract(hour FROM t) BETWEEN 1 AND 8 AND hashtext(i.id::text || t::text) % 2 = 0
"""
_BARE = """
INSERT INTO reservations (provider_id, id, instrument_id, unit, during, active, created_at)
VALUES (%s, %s, %s, 1, tstzrange(%s, %s), true, %s) ON CONFLICT DO NOTHING RETURNING id
"""


def bench_bookings() -> list[Figure]:
    """Measure on a throw-away durable server (about a minute)."""
    with tempfile.TemporaryDirectory(prefix="mkt-bench-") as folder:
        server = Server.start(Path(folder), options={"max_connections": "200"})
        try:
            return _measure(server.create_database("bench"))
        finally:
            server.stop(remove=True)


def _measure(owner_url: str) -> list[Figure]:
    owner = create_engine(owner_url, poolclass=NullPool)
    upgrade(owner)
    url = application_url(owner_url)
    provide_login(owner, url)
    engine = create_engine(url, pool_size=CLIENTS, max_overflow=0, connect_args={"prepare_threshold": None})
    shop = WorkShop(engine, ManualClock(NOW), Silent())
    build_world(shop)
    fought = [_add(shop, f"fight {number}") for number in range(INSTRUMENTS)]
    ours, bare = _fights(shop, url, fought)
    for number in range(MANY):
        _add(shop, f"search {number}")
    _fill(owner)
    found = _searches(shop)
    engine.dispose()
    owner.dispose()
    won = INSTRUMENTS * 5 * (HOURS.closes - HOURS.opens)
    detail = (
        f"{won / ours:,.0f} slots/s ÷ {won / bare:,.0f}/s of the bare INSERT, {CLIENTS} clients, each slot won once"
    )
    return [
        Figure("bookings", f"{bare / ours:.2f}", "≥ 0.7", detail),
        *(
            Figure(
                name, f"{p95 * 1000:.0f} ms", "< 50 ms", f"p95, {MANY:,} instruments half booked, {SEARCH_DAYS} days"
            )
            for name, p95 in found.items()
        ),
    ]


def _add(shop: WorkShop, name: str) -> InstrumentView:
    with shop.work(system_actor("bench")) as work:
        return instruments.add_instrument(
            work, offering="lab", name=name, region_code="510104", methods=["GB/T 5750.4"], hours=HOURS
        )


def _fill(owner: Engine) -> None:
    with owner.begin() as connection:
        connection.execute(text("SET LOCAL ROLE marketplace_staff"))
        connection.execute(text(_BUSY))
    with owner.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))


def _fights(shop: WorkShop, url: str, fought: Sequence[InstrumentView]) -> tuple[float, float]:
    """Return the seconds of our fights and of the bare ones, in turns, so that what else runs meets both alike."""
    people = [park_person(new_id()) for _ in range(CLIENTS)]
    took = [0.0, 0.0]
    with _bare_clients(url, people) as bare:
        for number, monday in enumerate(WEEKS):
            take = _ours(shop, people, fought) if number % 2 == 0 else bare(fought)
            took[number % 2] += _fight(take, fought, monday)
    return took[0] / ROUNDS, took[1] / ROUNDS


def _fight(take: Take, fought: Sequence[InstrumentView], monday: datetime) -> float:
    hours = range(HOURS.closes - HOURS.opens)
    starts = [monday + timedelta(days=day, hours=hour) for day in range(5) for hour in hours]

    def client(number: int) -> int:
        instrument = fought[number % INSTRUMENTS]
        return sum(take(number, Span(instrument.id, start, start + HOURS.shortest)) for start in starts)

    begun = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        won = sum(pool.map(client, range(CLIENTS)))
    seconds = time.perf_counter() - begun
    if won != len(starts) * len(fought):
        raise RuntimeError(f"{won} winners of {len(starts) * len(fought)} slots")
    return seconds


def _ours(shop: WorkShop, people: Sequence[Actor], fought: Sequence[InstrumentView]) -> Take:
    by_id = {each.id: each for each in fought}

    def take(number: int, span: Span) -> bool:
        try:
            with shop.work(people[number]) as work:
                slots.reserve(work, by_id[span.instrument_id], span)
        except Conflict:
            return False
        return True

    return take


@contextmanager
def _bare_clients(url: str, people: Sequence[Actor]) -> Iterator[Callable[[Sequence[InstrumentView]], Take]]:
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    connections: list[psycopg.Connection[Any]] = [psycopg.connect(plain, prepare_threshold=None) for _ in people]

    def prepared(fought: Sequence[InstrumentView]) -> Take:
        by_id = {each.id: each for each in fought}

        def take(number: int, span: Span) -> bool:
            connection, tenant = connections[number], people[number].tenant_id
            provider = by_id[span.instrument_id].provider_id
            with connection.transaction():
                connection.execute(f"SET LOCAL ROLE {TENANT_ROLE}; SET LOCAL app.tenant_id = '{tenant}'")
                row = (provider, new_id(), span.instrument_id, span.starts_at, span.ends_at, NOW)
                return connection.execute(_BARE, row).fetchone() is not None

        return take

    try:
        yield prepared
    finally:
        for connection in connections:
            connection.close()


def _searches(shop: WorkShop) -> dict[str, float]:
    """Return the 95th percentile in seconds of a search for slots, and of one for instruments."""
    person, to = park_person(new_id()), NOW + timedelta(days=SEARCH_DAYS)

    def slots_of() -> None:
        with shop.work(person) as work:
            assert len(search_slots(work, offering="lab", from_=NOW, to=to, method="GB/T 5750")) == 100

    def instruments_of() -> None:
        with shop.work(person) as work:
            assert len(search_instruments(work, offerings=["lab"], from_=NOW, to=to, method="GB/T 5750")) == 50

    return {"slot search": _p95(slots_of), "instrument search": _p95(instruments_of)}


def _p95(search: Callable[[], None]) -> float:
    search()
    took = []
    for _ in range(SEARCHES):
        begun = time.perf_counter()
        search()
        took.append(time.perf_counter() - begun)
    return quantiles(took, n=20)[-1]
