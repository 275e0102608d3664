"""Throw-away databases for the story: a server of its own (or the given one), and a fresh province for each scene."""

from __future__ import annotations

import asyncio
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import create_engine, make_url
from sqlalchemy.pool import NullPool

from billing.usecases import funds, programmes, quotes
from infra.postgres import Server
from marketplace.composition import Marketplace, build
from marketplace.demo import province, world
from marketplace.demo.seeder import Seeder
from marketplace.jobs.worker import Pace, work
from marketplace.rules.orders import PaymentMethod
from marketplace.settings import DEMO_SECRET, Settings, home
from marketplace.usecases import checkout
from migrations.apply import provide_login, upgrade
from services.usecases import runs
from tenants.kernel.clock import CHINA, ManualClock
from tenants.kernel.context import Actor
from tenants.kernel.idempotency import once
from tenants.kernel.identifiers import new_id
from tenants.kernel.work import Work

START = datetime(2026, 3, 2, 9, 0, tzinfo=CHINA)
TEMPLATE = "story_template"
MOST_SECONDS_TO_START = 120
QUICK = Pace(heartbeat=0.3, stalled_after=1.5, polling=0.3, graceful=5.0)
T = TypeVar("T")


@dataclass
class Play:
    """One province of the story, its people, and the moment it is at."""

    market: Marketplace
    seeder: Seeder
    clock: ManualClock

    @property
    def system(self) -> Actor:
        """The platform itself."""
        return self.seeder.system()

    @property
    def officer(self) -> Actor:
        """Who writes policies and asks for money."""
        return self.person("policy")

    @property
    def approver(self) -> Actor:
        """Who approves them."""
        return self.person("approver")

    @property
    def finance(self) -> Actor:
        """Who invoices and reconciles."""
        return self.person("finance")

    @property
    def reviewer(self) -> Actor:
        """Who reviews claims first."""
        return self.person("reviewer")

    @property
    def lab(self) -> Actor:
        """The provider of the instruments."""
        return self.person("lab")

    def person(self, login: str) -> Actor:
        """Return a person of the demo."""
        return self.seeder.person(login, world.PASSWORD)

    def do(self, actor: Actor, do: Callable[[Work], T]) -> T:
        """Do one thing as ``actor`` in a transaction."""
        with self.market.workshop.work(actor) as unit:
            return do(unit)

    def write_policy(self, policy: dict[str, Any]) -> dict[str, Any]:
        """Write and submit the story's policy; return its programme's id and its version."""
        start = self.clock.now()
        return self.do(
            self.officer,
            lambda unit: province.write_programme(unit, slug=world.PROGRAMME, policy=policy, start=start),
        )

    def approve_policy(self, written: dict[str, Any], actor: Actor | None = None) -> None:
        """Approve it, as the other person unless told who."""
        self.do(
            actor or self.approver,
            lambda unit: programmes.approve_version(unit, programme_id=written["id"], version=written["version"]),
        )

    def join(self, park: world.DemoPark) -> Actor:
        """Sign a park up, verify it and let it subscribe; return its administrator."""
        province.enter_park(self.seeder, replace(park, verified=True))
        return self.person(park.login)

    def quote(self, admin: Actor, offering: str, request: dict[str, Any]) -> quotes.QuoteView:
        """Ask a price."""
        return self.do(admin, lambda unit: checkout.ask_quote(unit, lines=[checkout.LineWish(offering, request)]))

    def place(self, admin: Actor, quote_id: UUID, key: str | None = None) -> dict[str, Any]:
        """Place an order, once per ``key``."""

        def place(unit: Work) -> dict[str, Any]:
            order = checkout.place_order(unit, quote_id=quote_id, payment_method=PaymentMethod.INVOICE)
            lines = [
                {
                    "run": str(line.run.id) if line.run else None,
                    "booking": str(line.booking.id) if line.booking else None,
                }
                for line in order.lines
            ]
            return {"id": str(order.id), "number": order.number, "lines": lines}

        body = {"quote_id": str(quote_id), "payment_method": PaymentMethod.INVOICE}
        return self.do(admin, lambda unit: once(unit, key or str(new_id()), "order.place", body, lambda: place(unit)))

    def fund(self) -> funds.FundView:
        """Return the story's fund as it stands."""
        return next(fund for fund in self.do(self.officer, funds.list_funds) if fund.slug == world.FUND_SLUG)

    def work_queue(self, *, after_kill: bool = False) -> None:
        """Let a worker do everything that waits."""
        if after_kill:
            time.sleep(QUICK.stalled_after + QUICK.heartbeat)
        with build(self.market.settings, clock=self.clock) as market, ThreadPoolExecutor(1) as own_thread:
            # A thread of its own, so that the story can be told where an event loop already runs.
            own_thread.submit(asyncio.run, work(market, pace=QUICK, until_idle=True)).result()

    def kill_worker_during(self, run_id: UUID, admin: Actor) -> None:
        """Start a worker process and kill it outright as soon as it is amid ``run_id``."""
        environment = {"DATABASE_URL": self.market.settings.database_url, "MARKETPLACE_MODE": "demo"}
        command = [sys.executable, "-m", "marketplace.demo.doomed_worker", self.clock.now().isoformat()]
        with subprocess.Popen(command, env=environment, cwd=home(), stdout=subprocess.DEVNULL) as doomed:  # noqa: S603 - our own interpreter and module
            deadline = time.monotonic() + MOST_SECONDS_TO_START
            while time.monotonic() < deadline and doomed.poll() is None:
                run = self.do(admin, lambda unit: runs.read_run(unit, run_id=run_id))
                if run.status == "running" and run.progress > 0:
                    break
                time.sleep(0.05)
            doomed.send_signal(signal.SIGKILL)


@dataclass
class Theatre:
    """Makes a fresh province for each scene."""

    new_database: Callable[[], Settings]
    opened: ExitStack
    """Closes each province's connections at the end."""

    def province(self, *, fund_fen: int | None = world.FUND_FEN, shortfall: str = "partial") -> Play:
        """Return a fresh province; with ``fund_fen`` its fund is open and its policy approved."""
        clock = ManualClock(START)
        market = self.opened.enter_context(build(self.new_database(), clock=clock))
        seeder = Seeder(market.engine, market.workshop.outbox, START)
        seeder.clock = clock
        seeder.workshop = market.workshop
        province.enter_institutions(seeder)
        play = Play(market, seeder, clock)
        if fund_fen is not None:
            province.open_fund(seeder, world.FUND_SLUG, START.year, fund_fen)
            play.approve_policy(play.write_policy(world.policy(shortfall=shortfall)))
        return play


@contextmanager
def open_theatre() -> Iterator[Theatre]:
    """Open a theatre on a server of its own in a temporary folder; all of it is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="story-"))
    try:
        with Server.start(folder, durable=False) as server, ExitStack() as opened:
            yield Theatre(_databases_of(server), opened)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _databases_of(server: Server) -> Callable[[], Settings]:
    password = new_id().hex

    def application(owner_url: str) -> str:
        return make_url(owner_url).set(username="story", password=password).render_as_string(hide_password=False)

    template = server.create_database(TEMPLATE)
    owner = create_engine(template, poolclass=NullPool)
    upgrade(owner)
    provide_login(owner, application(template))
    owner.dispose()
    numbers = iter(range(1, 1000))

    def new_database() -> Settings:
        url = server.create_database(f"story_{next(numbers)}", template=TEMPLATE)
        return Settings(
            database_url=application(url), database_owner_url=url, secret_key=DEMO_SECRET, mode="demo", database_pool=4
        )

    return new_database
