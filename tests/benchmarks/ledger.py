"""How close posting a journal of five lines comes to the same SQL sent by bare psycopg, and to python-accounting.

All commit each journal by itself. The peer runs in an environment of its own (``make peers``) on the same server.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import psycopg
from sqlalchemy import create_engine, make_url
from sqlalchemy.pool import NullPool

from billing.rules import ledger as rules
from billing.store import books
from billing.usecases import ledger
from infra.postgres import Server
from marketplace.settings import home
from migrations.apply import provide_login, upgrade
from tenants.kernel.clock import ManualClock
from tenants.kernel.context import system_actor
from tenants.kernel.database import STAFF_ROLE, connect
from tenants.kernel.identifiers import new_id
from tenants.kernel.outbox import Silent
from tenants.kernel.work import WorkShop
from tests.benchmarks.figures import Figure
from tests.support.databases import application_url

ROUNDS = 7
JOURNALS = 250
PEERS_JOURNALS = 100
PEER = home() / "build/accounting/bin/python"
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
            peer = _peer(server.create_database("peer"))
        finally:
            server.stop(remove=True)
    ratio = median(one / other for one, other in zip(bare, ours, strict=True))
    a_second = JOURNALS / median(ours)
    detail = f"{a_second:,.0f} journals/s ÷ {JOURNALS / median(bare):,.0f}/s of the same SQL by hand"
    figures = [Figure("ledger, five lines", f"{ratio:.2f}", "≥ 0.7", detail)]
    if peer is None:
        return [
            *figures,
            Figure("ledger, beside a peer", "–", "–", "skipped: make peers could not install python-accounting"),
        ]
    detail = f"{a_second:,.0f} journals/s ÷ {1 / peer:,.1f}/s of python-accounting on the same server"
    return [*figures, Figure("ledger, beside a peer", f"{a_second * peer:,.0f} ×", "–", detail)]


def _peer(owner_url: str) -> float | None:
    """Return the seconds that the peer takes for a journal; None where it is not installed."""
    if not PEER.exists():
        return None
    url = make_url(owner_url).set(drivername="postgresql+psycopg2").render_as_string(hide_password=False)
    program = Path(__file__).with_name("accounting_peer.py")
    done = subprocess.run([PEER, program, url, str(PEERS_JOURNALS)], check=True, capture_output=True, text=True)
    return float(done.stdout)


def _measure(owner_url: str) -> tuple[list[float], list[float]]:
    """Return the seconds of each round, ours and by hand."""
    owner = create_engine(owner_url, poolclass=NullPool)
    upgrade(owner)
    url = application_url(owner_url)
    provide_login(owner, url)
    owner.dispose()
    engine = connect(url, pool_size=1)
    shop = WorkShop(engine, ManualClock(AT), Silent())
    actor = system_actor("bench", on_behalf_of=new_id())
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    seconds: tuple[list[float], list[float]] = ([], [])

    def post() -> None:
        with shop.work(actor) as work:
            ledger.post(work, draft())

    with psycopg.connect(plain, prepare_threshold=None, autocommit=True) as connection:
        sides = (post, lambda: _by_hand(connection))
        for side in sides:  # connections, accounts and plans stand before the clock starts
            side()
        for _ in range(ROUNDS):
            for number, side in enumerate(sides):
                seconds[number].append(_time(side))
    engine.dispose()
    return seconds


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
