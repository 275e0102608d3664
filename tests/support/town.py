"""A whole installation for a browser: a demo province, a web server and a worker, on a fresh database."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from werkzeug.serving import make_server

from infra.postgres import Server
from marketplace.composition import build
from marketplace.demo import province, world
from marketplace.demo.seeder import Seeder
from marketplace.settings import DEMO_SECRET, Settings, home
from marketplace.wsgi import create_app
from tenants.kernel.outbox import Silent
from tests.support.databases import Database, fresh_database

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

PARKS = ("park01", "park05", "park08", "park12")


@dataclass(frozen=True)
class Town:
    """A running installation and its address."""

    address: str
    database: Database


@contextmanager
def running_town(server: Server) -> Iterator[Town]:
    """Run an installation until the block ends."""
    with fresh_database(server) as database:
        settings = Settings(
            database_url=database.url, database_owner_url=database.owner_url, secret_key=DEMO_SECRET, mode="demo"
        )
        with build(settings) as market:
            start = province.first_of_history(market.clock.now())
            seeder = Seeder(market.engine, Silent(), start)
            province.enter_institutions(seeder)
            province.open_fund(seeder, world.FUND_SLUG, start.year, world.FUND_FEN)
            province.enact(seeder, world.PROGRAMME, world.policy(), start)
            for park in world.PARKS:
                if park.login in PARKS:
                    province.enter_park(seeder, park)
            logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line a request, after the test's output is closed
            web = make_server("127.0.0.1", 0, _closing(create_app(market)), threaded=True)
            thread = threading.Thread(target=web.serve_forever, daemon=True)
            thread.start()
            with _worker(settings):
                yield Town(f"http://127.0.0.1:{web.server_port}", database)
            web.shutdown()
            thread.join()
            web.server_close()


def _closing(app: WSGIApplication) -> WSGIApplication:
    """Close every answer, also one that a browser leaves half read: the server forgets it then, with its file open."""

    def read(answer: Iterable[bytes]) -> Iterator[bytes]:
        try:
            yield from answer
        finally:
            if isinstance(answer, Closable):
                answer.close()

    return lambda environ, start: read(app(environ, start))


@runtime_checkable
class Closable(Protocol):
    """What a server has to close when it is done with it (PEP 3333)."""

    def close(self) -> None:
        """Let go of what it holds."""


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
