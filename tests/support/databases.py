"""A database for every test that wants one: cloned from a template that the migrations made once per test run."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from uuid import UUID

from sqlalchemy import Connection, Engine, create_engine, make_url
from sqlalchemy.pool import NullPool

from infra.postgres import Server
from migrations.apply import provide_login, upgrade
from tenants.kernel.outbox import Event

FOLDER = "MARKETPLACE_TEST_SERVER"
"""Names the folder of the run's server to the processes that the run starts."""
TEMPLATE = "marketplace_template"
LOGIN = "marketplace_test"
_MEMORY = Path("/dev/shm")  # noqa: S108 - mkdtemp makes a folder of its own in it
_ROOM = 4 * 1024**3
"""Bytes; a run needs a third of it."""

_numbers = count(1)


def start_server() -> Server:
    """Start this test run's own server, without durability, and make the template database on it."""
    folder = Path(tempfile.mkdtemp(prefix="mkt-test-", dir=_quickest_place()))
    folder.chmod(0o711)  # the server's account passes through
    server = Server.start(folder, durable=False, options={"max_connections": "300", "shared_buffers": "128MB"})
    os.environ[FOLDER] = str(folder)
    migrate_template(server)
    return server


def _quickest_place() -> Path | None:
    """Return where files are made soonest: memory where there is room, None for where temporary files go.

    A database is some thousand files, and ext4 looks at each that was deleted in the last seconds before it makes one:
    dropping and making databases in turn took 0.8 s of its time for each.
    """
    if _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free >= _ROOM:
        return _MEMORY
    return None


def migrate_template(server: Server) -> None:
    """Make the template database, with the newest schema and the application's login."""
    url = server.create_database(TEMPLATE)
    owner = create_engine(url, poolclass=NullPool)
    upgrade(owner)
    provide_login(owner, application_url(url))
    owner.dispose()


def running_server() -> Server:
    """Return the run's server as a worker process of the run sees it."""
    return Server.start(Path(os.environ[FOLDER]), durable=False)


def application_url(owner_url: str) -> str:
    """Return the URL of the application's login for the database of ``owner_url``."""
    url = make_url(owner_url).set(username=LOGIN, password="test-only")
    return url.render_as_string(hide_password=False)


@dataclass(frozen=True)
class Database:
    """A fresh database: the owner's URL and the application's."""

    owner_url: str
    url: str

    def engine(self, **options: object) -> Engine:
        """Return an engine of the application's login; as in the application, a unit of work begins its transaction itself."""
        level = {"isolation_level": "AUTOCOMMIT"} | options
        return create_engine(self.url, connect_args={"prepare_threshold": None}, **level)

    def owner(self) -> Engine:
        """Return an engine of the owner, who is no user of the system: for looking behind row security."""
        return create_engine(self.owner_url, poolclass=NullPool)


@contextmanager
def fresh_database(server: Server, template: str = TEMPLATE) -> Iterator[Database]:
    """Give a database cloned from a template, and drop it afterwards."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    owner_url = server.create_database(name, template=template)
    try:
        yield Database(owner_url, application_url(owner_url))
    finally:
        server.drop_database(name)


@dataclass
class RecordingOutbox:
    """Keeps the events of works, committed or not, for a test to look at."""

    events: list[Event] = field(default_factory=list)

    def put(self, connection: Connection, event: Event, *, actor_id: UUID | None) -> None:  # noqa: ARG002 - a protocol
        """Keep ``event``."""
        self.events.append(event)

    def named(self, name: str) -> list[Event]:
        """Return the kept events of one name."""
        return [event for event in self.events if event.name == name]
