"""How close holding a subsidy comes to the same statements sent by bare psycopg, on one hot fund.

Both sides run in the same number of processes and threads on one durable server, take money of one fund under one yearly ceiling, and
commit each hold by itself. The bare side sends literal SQL on its own connections; the figure is a ratio, so the
machine's speed is in neither.
"""

from __future__ import annotations

import json
import multiprocessing
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import create_engine, make_url
from sqlalchemy.pool import NullPool

from billing.usecases import holds, invariants
from billing.usecases.quotes import QuoteView
from infra.postgres import Server
from migrations.apply import provide_login, upgrade
from tenants.kernel.clock import ManualClock
from tenants.kernel.context import Actor
from tenants.kernel.database import TENANT_ROLE
from tenants.kernel.identifiers import new_id
from tenants.kernel.outbox import Silent
from tenants.kernel.work import WorkShop
from tenants.rules.regions import Level, regions
from tests.support.databases import application_url
from tests.support.invariants import broken
from tests.support.subsidies import YUAN, approve_programme, ask, fill_fund, park, policy, price

CONNECTIONS = 32
PROCESSES = 4
SECONDS = 1.0
ROUNDS = 5
YEAR = "2026-01-01"
AMOUNT = 6_000 * YUAN
COUNTIES = tuple(code for code, region in sorted(regions().items()) if region.level is Level.COUNTY)[:CONNECTIONS]
"""Each client's park lies in a county of its own."""


Client = Callable[[str, Sequence[Any]], int]
"""What a process does with its share of the tasks; it returns how many were done in ``SECONDS``."""


@dataclass(frozen=True)
class HoldFigures:
    """Holds per second through the use case and bare, and what an own county allotment gains over the one row."""

    holds_a_second: float
    bare_a_second: float
    allotted_a_second: float

    @property
    def ratio(self) -> float:
        """Return the use case's part of the bare throughput (target: at least 0.8)."""
        return self.holds_a_second / self.bare_a_second


def bench_holds() -> HoldFigures:
    """Measure on a throw-away durable server (about 20 seconds); the books are checked afterwards."""
    with tempfile.TemporaryDirectory(prefix="mkt-bench-") as folder:
        server = Server.start(Path(folder), options={"max_connections": "100"})
        try:
            return _measure(server.create_database("bench"))
        finally:
            server.stop(remove=True)


def _measure(owner_url: str) -> HoldFigures:
    owner = create_engine(owner_url, poolclass=NullPool)
    upgrade(owner)
    url = application_url(owner_url)
    provide_login(owner, url)
    owner.dispose()
    engine = create_engine(url, pool_size=CONNECTIONS, max_overflow=0, connect_args={"prepare_threshold": None})
    shop = WorkShop(engine, ManualClock(datetime(2026, 3, 2, 1, 0, tzinfo=UTC)), Silent())
    fund = fill_fund(shop, "province", 10**15, **{f"r{county}": 10**12 for county in COUNTIES})
    ceiling = {"scope": "entity_year", "amount_fen": 10**15}
    approve_programme(shop, "tech", policy(caps=[ceiling]))
    price(shop, "twin")
    parks = [park() for _ in range(CONNECTIONS)]
    outside = [(actor, ask(shop, actor, "twin", facts={"region": "320114"})) for actor in parks]
    county = [
        (actor, ask(shop, actor, "twin", facts={"region": county}))
        for actor, county in zip(parks, COUNTIES, strict=True)
    ]
    sides: tuple[tuple[Client, Sequence[Any]], ...] = (
        (_use_case_client, outside),
        (_bare_client, [(actor, fund) for actor in parks]),
        (_use_case_client, county),
    )
    done = [0.0, 0.0, 0.0]
    with ProcessPoolExecutor(PROCESSES, mp_context=multiprocessing.get_context("spawn")) as pool:
        list(pool.map(_warm, range(PROCESSES)))
        for _ in range(ROUNDS):  # in turns, so that what else the machine does meets all sides alike
            for index, (client, tasks) in enumerate(sides):
                shares = [tasks[number::PROCESSES] for number in range(PROCESSES)]
                done[index] += sum(pool.map(client, [url] * PROCESSES, shares))
    ours, bare, allotted = (each / ROUNDS / SECONDS for each in done)
    wrong = broken(shop, invariants.INVARIANTS)
    engine.dispose()
    if wrong:
        raise RuntimeError(f"the books are wrong after the benchmark: {wrong}")
    return HoldFigures(ours, bare, allotted)


def _warm(_number: int) -> None:
    """Let a process import everything before the clock starts; a moment's rest gives each process one of these."""
    time.sleep(0.5)


def _use_case_client(url: str, tasks: Sequence[tuple[Actor, QuoteView]]) -> int:
    engine = create_engine(url, pool_size=len(tasks), max_overflow=0, connect_args={"prepare_threshold": None})
    shop = WorkShop(engine, ManualClock(datetime(2026, 3, 2, 1, 0, tzinfo=UTC)), Silent())
    try:
        return _done([partial(_hold, shop, actor, quote) for actor, quote in tasks])
    finally:
        engine.dispose()


def _bare_client(url: str, tasks: Sequence[tuple[Actor, UUID]]) -> int:
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    connections = [psycopg.connect(plain, prepare_threshold=None) for _ in tasks]
    try:
        pairs = zip(connections, tasks, strict=True)
        return _done([partial(_bare_hold, connection, fund, actor) for connection, (actor, fund) in pairs])
    finally:
        for connection in connections:
            connection.close()


def _done(tasks: Sequence[Callable[[], None]]) -> int:
    """Run every task again and again in a thread of its own; return how many were done in ``SECONDS``."""
    for task in tasks:  # connections and plans stand before the clock starts
        task()
    end = time.monotonic() + SECONDS

    def run(task: Callable[[], None]) -> int:
        done = 0
        while time.monotonic() < end:
            task()
            done += 1
        return done

    with ThreadPoolExecutor(len(tasks)) as pool:
        return sum(pool.map(run, tasks))


def _hold(shop: WorkShop, actor: Actor, quote: QuoteView) -> None:
    with shop.work(actor) as work:
        holds.hold_subsidies(work, quote=quote, line_ids=[new_id()], expires_at=work.now + timedelta(days=30))


def _bare_hold(connection: psycopg.Connection[Any], fund: UUID, actor: Actor) -> None:
    """Send the statements of one hold as the use case sends them, one by one, without anything around them."""
    at = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
    counter = {"owner_id": str(actor.tenant_id), "scope": "entity_year", "key": "", "period": YEAR}
    take = {**counter, "programme": "tech", "amount_fen": AMOUNT, "limit_fen": 10**15}
    need = {
        "position": 0,
        "order_line_id": str(new_id()),
        "fund_id": str(fund),
        "programme": "tech",
        "version": 1,
        "amount_fen": AMOUNT,
        "ceilings": [counter],
    }
    values = {
        "tenant": actor.tenant_id,
        "user": actor.user_id,
        "at": at,
        "expires": at + timedelta(days=30),
        "takes": json.dumps([take]),
        "needs": json.dumps([need]),
        "holds": [new_id() for _ in range(3)],
        "entries": [new_id() for _ in range(3)],
    }
    with connection.transaction():
        connection.execute(f"SET LOCAL ROLE {TENANT_ROLE}; SET LOCAL app.tenant_id = '{actor.tenant_id}'")
        for statement in BARE:
            connection.execute(statement, values)


BARE = (
    "SELECT slug, id FROM funds WHERE slug = ANY('{province}')",
    """
    SELECT need_position, hold_id, fund_id, envelope, amount_fen FROM hold_public_money(
        %(tenant)s, %(user)s, %(at)s, %(expires)s, %(takes)s, %(needs)s, '{320114,320100}'::text[], %(holds)s,
        %(entries)s)
    """,
)
