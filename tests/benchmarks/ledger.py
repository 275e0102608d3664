"""How close posting a journal of five lines comes to the same SQL sent by bare psycopg, both committed one by one."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import create_engine, make_url
from sqlalchemy.pool import NullPool

from billing.rules import ledger as rules
from billing.store import books
from billing.usecases import ledger
from infra.postgres import Server
from migrations.apply import provide_login, upgrade
from tenants.kernel.clock import ManualClock
from tenants.kernel.context import system_actor
from tenants.kernel.database import STAFF_ROLE, connect
from tenants.kernel.identifiers import new_id
from tenants.kernel.outbox import Silent
from tenants.kernel.work import WorkShop
from tests.benchmarks.figures import Figure
from tests.support.databases import application_url

ROUNDS = 6
JOURNALS = 250
AT = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
PARK, FUND, OTHER_FUND = new_id(), new_id(), new_id()


def draft() -> rules.JournalDraft:
    """Return a delivery paid by a park and two funds: five lines."""
    made = rules.delivery(
        park_id=PARK,
        source_id=str(new_id()),
        occurred_at=AT,
        payable_fen=400_000,
        by_fund={FUND: 300_000, OTHER_FUND: 300_000},
        vat_bp=600,
    )
    assert made is not None
    assert len(made.postings) == 5
    return made


def bench_ledger() -> list[Figure]:
    """Measure on a throw-away durable server (about ten seconds), both sides in turn."""
    with tempfile.TemporaryDirectory(prefix="mkt-bench-") as folder:
        server = Server.start(Path(folder) / "db")
        try:
            ours, bare = _measure(server.create_database("bench"))
        finally:
            server.stop(remove=True)
    detail = f"{ours:,.0f} journals/s ÷ {bare:,.0f}/s of the same SQL by hand"
    return [Figure("ledger, five lines", f"{ours / bare:.2f}", "≥ 0.7", detail)]


def _measure(owner_url: str) -> tuple[float, float]:
    owner = create_engine(owner_url, poolclass=NullPool)
    upgrade(owner)
    url = application_url(owner_url)
    provide_login(owner, url)
    owner.dispose()
    engine = connect(url, pool_size=1)
    shop = WorkShop(engine, ManualClock(AT), Silent())
    actor = system_actor("bench", on_behalf_of=new_id())
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    seconds = [0.0, 0.0]

    def post() -> None:
        with shop.work(actor) as work:
            ledger.post(work, draft())

    with psycopg.connect(plain, prepare_threshold=None, autocommit=True) as connection:
        sides = (post, lambda: _by_hand(connection))
        for side in sides:  # connections, accounts and plans stand before the clock starts
            side()
        for _ in range(ROUNDS):
            for number, side in enumerate(sides):
                seconds[number] += _time(side)
    engine.dispose()
    return JOURNALS * ROUNDS / seconds[0], JOURNALS * ROUNDS / seconds[1]


def _time(side: Callable[[], None]) -> float:
    began = time.perf_counter()
    for _ in range(JOURNALS):
        side()
    return time.perf_counter() - began


def _by_hand(connection: psycopg.Connection[Any]) -> None:
    made = draft()
    with connection.transaction():
        connection.execute(f"SET LOCAL ROLE {STAFF_ROLE}")
        connection.execute(books.POST.encode(), books.values_of(made, None))
