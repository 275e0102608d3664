"""A whole installation for a browser: a demo province, a web server and a worker, on a fresh database."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import make_url

from billing.rules.joint_agreements import PartyRole
from infra.postgres import Server
from marketplace.composition import build
from marketplace.demo import joint, province, world
from marketplace.demo.seeder import Seeder
from marketplace.settings import DEMO_SECRET, Settings, home
from tenants.kernel.outbox import Silent
from tests.support.databases import Database, fresh_database
from tests.support.served import serving
from tests.support.web import kept_app

PARKS = ("park01", "park05", "park08", "park12")
FUNDING = (("park01", PartyRole.LEAD, 4_000), ("park05", PartyRole.PARTICIPANT, 6_000))
"""Who funded the centre whose last year is over and not closed yet."""


@dataclass(frozen=True)
class Town:
    """A running installation and its address."""

    address: str
    database: Database


@contextmanager
def founded_town(server: Server) -> Iterator[str]:
    """Enter a demo province, once for many towns; give the name of its database, which nobody is connected to."""
    with fresh_database(server) as database:
        with build(_settings(database)) as market:
            start = province.first_of_history(market.clock.now())
            seeder = Seeder(market.engine, Silent(), start)
            province.enter_institutions(seeder)
            province.open_fund(seeder, world.FUND_SLUG, start.year, world.FUND_FEN)
            province.enact(seeder, world.PROGRAMME, world.policy(), start)
            parks = {park.login: province.enter_park(seeder, park) for park in world.PARKS if park.login in PARKS}
            last_year = start.year - 1
            centre = joint.found_centre(seeder, parks, FUNDING, joint.terms_of(last_year))
            joint.record_uses(seeder, centre, parks, last_year)
        yield str(make_url(database.url).database)


@contextmanager
def running_town(server: Server, founded: str) -> Iterator[Town]:
    """Run an installation on a copy of a founded town until the block ends."""
    with fresh_database(server, founded) as database:
        settings = _settings(database)
        with build(settings) as market, serving(kept_app(market)) as address, _worker(settings):
            yield Town(address, database)


def _settings(database: Database) -> Settings:
    return Settings(
        database_url=database.url, database_owner_url=database.owner_url, secret_key=DEMO_SECRET, mode="demo"
    )


@contextmanager
def _worker(settings: Settings) -> Iterator[None]:
    """Run a worker process as `make run` does, and stop it in order."""
    environment = os.environ | {"DATABASE_URL": settings.database_url, "MARKETPLACE_MODE": "demo"}
    worker = subprocess.Popen(
        [sys.executable, "-m", "marketplace.cli", "worker"],
        env=environment,
        cwd=home(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        worker.send_signal(signal.SIGTERM)
        try:
            worker.wait(timeout=30)
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait()
