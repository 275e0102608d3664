"""Fixtures of every test: one PostgreSQL server a run, one fresh migrated database a test that asks for it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from flask import Flask
from hypothesis import HealthCheck, settings
from sqlalchemy import Engine

from infra.postgres import Server
from tenants.kernel.clock import ManualClock
from tenants.kernel.work import WorkShop
from tests.support import databases, web
from tests.support.web import AppMaker

if TYPE_CHECKING:  # the whole marketplace is imported by the tests that need it
    from marketplace.demo.theatre import Play
    from tests.support.plays import Scenery

# How fast a machine is says nothing about the program: no example is judged by its time.
settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")

_servers: list[Server] = []


def pytest_sessionstart(session: pytest.Session) -> None:
    """Start the run's server in the process that outlives all others of the run."""
    if not hasattr(session.config, "workerinput") and not session.config.option.collectonly:
        _servers.append(databases.start_server())


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Stop the run's server and remove its folder."""
    while _servers:
        _servers.pop().stop(remove=True)
        shutil.rmtree(Path(os.environ.pop(databases.FOLDER)), ignore_errors=True)


@pytest.fixture(scope="session")
def server() -> Server:
    """The run's server."""
    return databases.running_server()


@pytest.fixture
def database(server: Server) -> Iterator[databases.Database]:
    """A fresh migrated database."""
    with databases.fresh_database(server) as made:
        yield made


@pytest.fixture
def engine(database: databases.Database) -> Iterator[Engine]:
    """An engine of the application's login on the fresh database."""
    made = database.engine(pool_size=5)
    yield made
    made.dispose()


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands on Monday 2 March 2026, 09:00 in Shanghai, until told to move."""
    return ManualClock(datetime(2026, 3, 2, 1, 0, tzinfo=UTC))


@pytest.fixture
def outbox() -> databases.RecordingOutbox:
    """An outbox that keeps events for the test to look at."""
    return databases.RecordingOutbox()


@pytest.fixture
def workshop(engine: Engine, clock: ManualClock, outbox: databases.RecordingOutbox) -> WorkShop:
    """Units of work on the fresh database, with the manual clock and the recording outbox."""
    return WorkShop(engine, clock, outbox)


@pytest.fixture
def make_app(database: databases.Database, workshop: WorkShop) -> AppMaker:
    """Makes web applications on the fresh database."""
    return partial(web.make_app, database, workshop)


@pytest.fixture
def app(make_app: AppMaker) -> Flask:
    """The web application on the fresh database, with the manual clock and the recording outbox."""
    return make_app()


@pytest.fixture(scope="session")
def scenery(server: Server) -> Iterator[Scenery]:
    """The demo's province, seeded once, to be cloned."""
    from tests.support import plays

    with plays.build_scenery(server) as made:
        yield made


@pytest.fixture
def play(scenery: Scenery) -> Iterator[Play]:
    """A province of the test's own, without public money yet; in the end every invariant holds."""
    with scenery.play() as play:
        yield play
