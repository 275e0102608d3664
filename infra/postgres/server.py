"""Starts, attaches to and stops one embedded PostgreSQL server.

The first to start it is its owner: the server is the owner's child process and is reaped by it. Everybody else who
starts on the same folder attaches and leaves the server running on `stop`. An owner that was killed leaves the server
running; the next one to start adopts it. Two locks (released by the kernel with their process) keep this in order:
`lock` while starting, `owner` for as long as the owner lives.
"""

import atexit
import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self
from urllib.parse import quote, urlencode

import psycopg
from psycopg import sql

from infra.postgres.account import choose_account
from infra.postgres.binaries import find_install, readable_install
from infra.postgres.cluster import SUPERUSER, clean_environment, ensure_cluster, read_secret
from infra.postgres.errors import PostgresError
from infra.postgres.layout import Layout, existing_layout, prepare_layout, remove_layout, socket_folder
from infra.postgres.processes import Postmaster, forget_stale_pid_file, is_alive, running_postmaster

_PORT = 5432  # only names the socket: the server listens on no network address
_START_SECONDS = 60.0
_STOP_SECONDS = 30.0
_LARGEST_LOG = 20 * 1024 * 1024
_DEFAULTS = {"listen_addresses": "", "max_connections": "150", "timezone": "UTC", "log_timezone": "UTC"}
_NOT_DURABLE = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}


class Server:
    """A running embedded server; use as a context manager, or call `stop`."""

    def __init__(self, layout: Layout, postmaster: Postmaster, *, owner: IO[bytes] | None) -> None:
        self._layout = layout
        self._postmaster = postmaster
        self._owner = owner
        self._child: subprocess.Popen[bytes] | None = None
        self._process = os.getpid()
        self._password = read_secret(layout)

    @classmethod
    def start(cls, data_dir: Path, *, options: Mapping[str, str] | None = None, durable: bool = True) -> Self:
        """Starts the server of a folder, or attaches to it when it runs already.

        `options` are settings of postgresql.conf (they matter only to the one who starts). `durable=False` gives up
        the safety of the data for speed, for tests. Raises PostgresError with the cause and a remedy.
        """
        folder = Path(data_dir).absolute()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with _locked(folder / "lock"):
                return cls._start_locked(folder, dict(options or {}), durable=durable)
        except OSError as error:
            raise PostgresError(
                f"The database cannot be started in {folder} ({error.strerror}: {error.filename}): check that the "
                "folder can be written and that the disk has space."
            ) from error

    @classmethod
    def _start_locked(cls, folder: Path, options: Mapping[str, str], *, durable: bool) -> Self:
        owner = _try_lock(folder / "owner")
        try:
            layout = existing_layout(folder)
            running = running_postmaster(layout.data)
            if running is not None:
                server = cls(layout, running, owner=owner)
                server._await_ready()
            else:
                server = cls._launch(folder, options, owner, durable=durable)
        except BaseException:
            if owner is not None:
                owner.close()
            raise
        if owner is not None:
            atexit.register(server.stop)
        return server

    @classmethod
    def _launch(cls, folder: Path, options: Mapping[str, str], owner: IO[bytes] | None, *, durable: bool) -> Self:
        account = choose_account(existing_layout(folder).data)
        layout = prepare_layout(folder, account, durable=durable)
        install = readable_install(find_install(), account, layout.home)
        ensure_cluster(layout, install, account, durable=durable)
        forget_stale_pid_file(layout.data)
        socket_dir = socket_folder(layout, account, _PORT)
        settings = {
            **_DEFAULTS,
            **({} if durable else _NOT_DURABLE),
            **options,
            "port": str(_PORT),
            "unix_socket_directories": str(socket_dir),
        }
        command = [install.program("postgres"), "-D", str(layout.data)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        server = cls(layout, Postmaster(0, _PORT, socket_dir, ready=False), owner=owner)
        deadline = time.monotonic() + _START_SECONDS
        while not server._try_child(command, account.popen_arguments(), deadline):
            time.sleep(0.3)  # back ends of a killed server take a moment to notice and leave
        return server

    def _try_child(self, command: list[str], arguments: dict[str, object], deadline: float) -> bool:
        """Runs the server once. False: back ends of a killed server are still leaving, try again."""
        if self._layout.log.exists() and self._layout.log.stat().st_size > _LARGEST_LOG:
            self._layout.log.replace(self._layout.log.with_suffix(".log.1"))
        with self._layout.log.open("ab") as log:
            begins = log.tell()
            self._child = subprocess.Popen(  # type: ignore[call-overload]  # the account's arguments are plain ones
                command, cwd="/", env=clean_environment(), stdout=log, stderr=log, **arguments
            )
        try:
            self._await_ready(deadline)
        except PostgresError:
            said = self._layout.log.read_bytes()[begins:].decode("utf-8", "replace")
            self._kill_child()
            if "pre-existing shared memory" in said and time.monotonic() < deadline:
                return False
            raise PostgresError("The database does not start. Its log says:\n" + said.strip()[-2000:]) from None
        except BaseException:
            self._kill_child()
            raise
        return True

    def _await_ready(self, deadline: float | None = None) -> None:
        deadline = deadline or time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if self._child is not None and self._child.poll() is not None:
                raise PostgresError("The database ended while starting.")
            seen = running_postmaster(self._layout.data)
            if seen is not None:
                self._postmaster = seen
                if seen.ready and self._answers():
                    return
            elif self._child is None:
                raise PostgresError(f"The database in {self._layout.data} ended just now: start again.")
            time.sleep(0.02)
        raise PostgresError(f"The database did not take connections within {_START_SECONDS:.0f} seconds.")

    def _answers(self) -> bool:
        try:
            with self._connect():
                return True
        except psycopg.OperationalError as error:
            if "password authentication failed" in str(error):
                raise PostgresError(
                    f"The database refuses the password in {self._layout.secret}: restore that file from a backup."
                ) from error
            return False

    @property
    def owns(self) -> bool:
        """Whether this object stops the server; false when it only attached."""
        return self._owner is not None

    @property
    def pid(self) -> int:
        """The server's process."""
        return self._postmaster.pid

    @property
    def socket_dir(self) -> Path:
        """The folder of mode 0700 that holds the socket."""
        return self._postmaster.socket_dir

    @property
    def url(self) -> str:
        """SQLAlchemy URL of the database `postgres` as superuser."""
        return self.url_of("postgres")

    def url_of(self, database: str, *, user: str = SUPERUSER, password: str | None = None) -> str:
        """SQLAlchemy URL of a database, as superuser or as another role."""
        where = urlencode({"host": str(self.socket_dir), "port": str(self._postmaster.port)})
        secret = quote(self._password if password is None else password, safe="")
        return f"postgresql+psycopg://{quote(user, safe='')}:{secret}@/{quote(database, safe='')}?{where}"

    def create_database(self, name: str, template: str | None = None) -> str:
        """Makes a database, as a copy of `template` if given (nobody may be connected to it); gives its URL."""
        # Copying the files costs half of what sending every page through the log does.
        source = sql.SQL(" TEMPLATE {} STRATEGY file_copy")
        copy = sql.SQL("") if template is None else source.format(sql.Identifier(template))
        self.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)) + copy)
        return self.url_of(name)

    def ensure_database(self, name: str) -> str:
        """The URL of a database, made when it is missing."""
        with suppress(psycopg.errors.DuplicateDatabase):
            self.create_database(name)
        return self.url_of(name)

    def drop_database(self, name: str) -> None:
        """Deletes a database with everything in it, ending its connections; no error when it is missing."""
        self.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def execute(self, statement: sql.SQL | sql.Composed) -> None:
        """Runs one statement as superuser outside a transaction (roles, databases)."""
        with self._connect() as connection:
            connection.execute(statement)

    def is_running(self) -> bool:
        """Whether the server's process lives."""
        if self._child is not None and self._child.poll() is not None:
            return False
        return is_alive(self.pid)

    def stop(self, *, remove: bool = False) -> None:
        """Stops the server if this object owns it: connections end, committed work is kept. May be called twice.

        `remove=True` deletes the data as well (tests).
        """
        if self._owner is None or os.getpid() != self._process:  # attached, or a fork of the owner
            return
        atexit.unregister(self.stop)
        try:
            for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):  # fast, immediate, at any price
                if self._ended_after(number):
                    break
            if self.socket_dir != self._layout.run:
                with suppress(OSError):
                    self.socket_dir.rmdir()
            if remove:
                remove_layout(self._layout)
        finally:
            self._owner.close()
            self._owner = None

    def _ended_after(self, number: signal.Signals) -> bool:
        """Sends a signal and waits; a child is reaped, an adopted server is only watched."""
        with suppress(ProcessLookupError):
            if self.is_running():
                os.kill(self.pid, number)
        if self._child is not None:
            try:
                self._child.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                return False
            return True
        deadline = time.monotonic() + _STOP_SECONDS
        while is_alive(self.pid) and time.monotonic() < deadline:
            time.sleep(0.02)
        return not is_alive(self.pid)

    def _kill_child(self) -> None:
        if self._child is not None:
            if self._child.poll() is None:
                self._child.send_signal(signal.SIGQUIT)
            self._child.wait()
            self._child = None

    def _connect(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(
            host=str(self.socket_dir), port=self._postmaster.port, user=SUPERUSER, password=self._password,
            dbname="postgres", autocommit=True, connect_timeout=10,
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Holds a lock file, waiting for whoever starts at this moment."""
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _try_lock(path: Path) -> IO[bytes] | None:
    """The open lock file, or None when a living process holds it."""
    file = path.open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file
