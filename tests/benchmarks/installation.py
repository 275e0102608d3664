"""A throw-away installation to measure: a durable server, the demo's province without its history, and some parks."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Engine, create_engine
from sqlalchemy.pool import NullPool

from infra.postgres import Server
from marketplace.composition import Marketplace, build
from marketplace.demo import province, world
from marketplace.demo.seeder import Seeder
from marketplace.settings import DEMO_SECRET, Settings
from migrations.apply import provide_login, upgrade
from tenants.kernel.context import Actor
from tenants.kernel.outbox import Silent
from tenants.kernel.vocabulary import ParkSize, Tier
from tenants.usecases import api_keys
from tests.support.databases import application_url

PARKS = tuple(
    world.DemoPark(f"bench{number:02}", f"测量 {number} 号产业园", "411224", ParkSize.SMALL, Tier.LEADING)
    for number in range(8)
)


@dataclass(frozen=True)
class Installation:
    """A running installation, its parks' administrators and their API tokens."""

    market: Marketplace
    people: tuple[Actor, ...]
    tokens: tuple[str, ...]
    operator_token: str
    """Of a program that may send usage events for any park."""

    @contextmanager
    def owner(self) -> Iterator[Engine]:
        """Give an engine of the schema's owner, who stands above row security."""
        engine = create_engine(self.market.settings.database_owner_url, poolclass=NullPool)
        yield engine
        engine.dispose()


@contextmanager
def installation() -> Iterator[Installation]:
    """Set an installation up and remove every trace of it afterwards (about five seconds)."""
    folder = Path(tempfile.mkdtemp(prefix="mkt-bench-"))
    server = Server.start(folder, options={"max_connections": "100"})
    try:
        owner_url = server.create_database("bench")
        url = application_url(owner_url)
        owner = create_engine(owner_url, poolclass=NullPool)
        upgrade(owner)
        provide_login(owner, url)
        owner.dispose()
        settings = Settings(
            database_url=url, database_owner_url=owner_url, secret_key=DEMO_SECRET, mode="demo", log_format="json"
        )
        with build(settings) as market:
            yield _furnished(market)
    finally:
        server.stop(remove=True)
        shutil.rmtree(folder, ignore_errors=True)


def _furnished(market: Marketplace) -> Installation:
    start = market.clock.now() - timedelta(days=1)
    seeder = Seeder(market.engine, Silent(), start)
    province.enter_institutions(seeder)
    province.open_fund(seeder, world.FUND_SLUG, start.year, world.FUND_FEN)
    terms = world.policy(park_year_cap_fen=world.FUND_FEN)
    province.enact(seeder, world.PROGRAMME, terms, start)
    for park in PARKS:
        province.enter_park(seeder, park)
    people = tuple(seeder.person(park.login, world.PASSWORD) for park in PARKS)
    tokens = tuple(_token(market, person) for person in people)
    return Installation(market, people, tokens, _token(market, seeder.person("operator", world.PASSWORD)))


def _token(market: Marketplace, person: Actor) -> str:
    with market.workshop.work(person) as work:
        return api_keys.create_api_key(work, name="bench", scopes=sorted(person.permissions)).token
