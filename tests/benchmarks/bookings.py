"""How fast slots are fought for and found: 64 clients that want the same week, and a search over 1,000 instruments.

Both sides of the fight run in the same number of processes and threads on one durable server, under the same exclusion
constraint, and each try is a transaction of its own under row security. Every slot of ten instruments' week is wanted
by as many clients as the 64 are over the ten instruments, in the same order, so that they meet at each. Our side holds
the slot, as a park does that starts to book: the instrument and the time have been looked up, as on the page before.
The bare side sends nothing but the INSERT. The slots that were taken are counted, and a slot that is taken twice, or
never, is an error. A third side goes through the whole use case, which looks the instrument and its days up again.
"""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from multiprocessing.synchronize import Barrier
from pathlib import Path
from statistics import quantiles
from typing import Any

import psycopg
from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.pool import NullPool

from infra.postgres import Server
from migrations.apply import provide_login, upgrade
from services.rules.slots import Hours, Span
from services.usecases import instruments, slot_holds
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
WEEKS = tuple(
    datetime(2026, month, day, 9, 0, tzinfo=CHINA)
    for month, day in ((3, 9), (3, 16), (3, 23), (3, 30), (4, 13), (4, 20), (5, 11), (5, 18), (5, 25))
)
"""Without a holiday."""
WARM = timedelta(weeks=12)
"""How far from its week a side's clients warm up."""
HOURS = Hours(9, 17, 60)
SLOTS = INSTRUMENTS * 5 * (HOURS.closes - HOURS.opens)
PROCESSES = 4
LONGEST_WAIT = 120.0
"""Seconds that a process waits for the others to be ready."""
MANY = 1000
SEARCHES = 60
SEARCH_DAYS = 90
NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)

Take = Callable[[int, Span], bool]
"""Try to take a span as client number n of a process; whether it was got."""
Side = Callable[[str, Sequence[Actor], Sequence[InstrumentView]], AbstractContextManager[Take]]
"""Opens the connections of a process and gives what its clients try."""

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


_gate: Barrier | None = None
"""What the processes of a fight wait at before they begin."""


@dataclass(frozen=True)
class _Share:
    """How many slots a process's clients won, and when they began and ended, by the machine's clock."""

    won: int
    begun: float
    ended: float


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
    with shop.work(system_actor("bench", on_behalf_of=new_id())) as work:
        slot_holds.set_hold_terms(work, minutes=60, per_park=100)
    engine.dispose()
    ours, bare, whole = _fights(url, fought)
    for number in range(MANY):
        _add(shop, f"search {number}")
    _fill(owner)
    found = _searches(shop)
    engine.dispose()
    owner.dispose()
    of = f"slots/s ÷ {SLOTS / bare:,.0f}/s of the bare INSERT, {CLIENTS} clients, each slot won once"
    return [
        Figure("bookings", f"{bare / ours:.2f}", "≥ 0.7", f"{SLOTS / ours:,.0f} {of}"),
        Figure("bookings, whole call", f"{bare / whole:.2f}", "–", f"{SLOTS / whole:,.0f} {of}"),
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


def _fights(url: str, fought: Sequence[InstrumentView]) -> list[float]:
    """Return the seconds of a fight of each side, in turns, so that what else runs meets all alike."""
    people = [park_person(new_id()) for _ in range(CLIENTS)]
    shares = [range(CLIENTS)[number::PROCESSES] for number in range(PROCESSES)]
    sides: tuple[Side, ...] = (_holding, _bare, _whole)
    took = [0.0] * len(sides)
    spawn = multiprocessing.get_context("spawn")
    gate = (spawn.Barrier(PROCESSES),)
    with ProcessPoolExecutor(PROCESSES, mp_context=spawn, initializer=_remember, initargs=gate) as pool:
        for number in range(ROUNDS * len(sides)):
            side, monday = sides[number % len(sides)], WEEKS[number]
            share = partial(_fight, side, url, people, fought, monday)
            found = list(pool.map(share, shares))
            if sum(each.won for each in found) != SLOTS:
                raise RuntimeError(f"{found} winners of {SLOTS} slots")
            took[number % len(sides)] += max(each.ended for each in found) - min(each.begun for each in found)
    return [each / ROUNDS for each in took]


def _remember(gate: Barrier) -> None:
    """Keep what the processes start together by."""
    global _gate  # noqa: PLW0603 - a process of the pool is given it once
    _gate = gate


def _fight(
    side: Side,
    url: str,
    people: Sequence[Actor],
    fought: Sequence[InstrumentView],
    monday: datetime,
    share: Sequence[int],
) -> _Share:
    """Let a process's clients try every slot of the week on an instrument each, once all processes are ready."""
    hours = range(HOURS.closes - HOURS.opens)
    starts = [monday + timedelta(days=day, hours=hour) for day in range(5) for hour in hours]

    def client(take: Take, number: int, wanted: Sequence[datetime]) -> int:
        instrument = fought[number % INSTRUMENTS]
        return sum(take(number, Span(instrument.id, start, start + HOURS.shortest)) for start in wanted)

    with side(url, people, fought) as take, ThreadPoolExecutor(len(share)) as pool:
        # Connections and plans stand before the clock starts: some of these are won and some are not.
        assert _gate is not None
        try:
            list(pool.map(lambda number: client(take, number, [monday + WARM + timedelta(hours=number // 10)]), share))
        except BaseException:
            _gate.abort()  # the other processes would wait for ever
            raise
        _gate.wait(timeout=LONGEST_WAIT)
        begun = time.monotonic()
        won = sum(pool.map(lambda number: client(take, number, starts), share))
        return _Share(won, begun, time.monotonic())


@contextmanager
def _shop(url: str) -> Iterator[WorkShop]:
    # As the application connects, but for its look whether a pooled connection still stands.
    options: dict[str, Any] = {"isolation_level": "AUTOCOMMIT", "connect_args": {"prepare_threshold": None}}
    engine = create_engine(url, pool_size=CLIENTS, max_overflow=0, **options)
    yield WorkShop(engine, ManualClock(NOW), Silent())
    engine.dispose()


@contextmanager
def _holding(url: str, people: Sequence[Actor], fought: Sequence[InstrumentView]) -> Iterator[Take]:
    by_id = {each.id: each for each in fought}

    def take(number: int, span: Span) -> bool:
        try:
            with shop.work(people[number]) as work:
                slot_holds.take_hold(work, by_id[span.instrument_id], span)
        except Conflict:
            return False
        return True

    with _shop(url) as shop:
        yield take


@contextmanager
def _whole(url: str, people: Sequence[Actor], _: Sequence[InstrumentView]) -> Iterator[Take]:
    def take(number: int, span: Span) -> bool:
        try:
            with shop.work(people[number]) as work:
                slot_holds.hold_slot(work, instrument_id=span.instrument_id, starts_at=span.starts_at, slots=1)
        except Conflict:
            return False
        return True

    with _shop(url) as shop:
        yield take


@contextmanager
def _bare(url: str, people: Sequence[Actor], fought: Sequence[InstrumentView]) -> Iterator[Take]:
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    by_id = {each.id: each for each in fought}
    connections: dict[int, psycopg.Connection[Any]] = {}

    def take(number: int, span: Span) -> bool:
        if number not in connections:
            connections[number] = psycopg.connect(plain, prepare_threshold=None)
        connection, tenant = connections[number], people[number].tenant_id
        provider = by_id[span.instrument_id].provider_id
        with connection.transaction():
            connection.execute(f"SET LOCAL ROLE {TENANT_ROLE}; SET LOCAL app.tenant_id = '{tenant}'")
            row = (provider, new_id(), span.instrument_id, span.starts_at, span.ends_at, NOW)
            return connection.execute(_BARE, row).fetchone() is not None

    yield take
    for connection in connections.values():
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
