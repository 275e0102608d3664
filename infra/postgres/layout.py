"""Where the server's files lie: usually in the folder asked for, elsewhere when its account cannot get there."""

import os
import secrets
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from infra.postgres.account import Account
from infra.postgres.errors import PostgresError

_LONGEST_SOCKET = 100  # the kernel allows 107 bytes
_SYSTEM_BASE = Path("/var/lib/park-marketplace")
NEEDED_BYTES = 150 * 1024 * 1024
"""A new cluster takes about 40 MB, its first write-ahead log 16 MB, and the demo some more."""


@dataclass(frozen=True)
class Layout:
    """The folders of one server: `home` holds all; `data` the cluster; `run` the socket; `secret` the password."""

    asked: Path
    home: Path

    @property
    def data(self) -> Path:
        """The cluster itself."""
        return self.home / "data"

    @property
    def run(self) -> Path:
        """A folder of mode 0700 for the socket."""
        return self.home / "run"

    @property
    def secret(self) -> Path:
        """The superuser's password, mode 0600, readable by whoever starts the server."""
        return self.asked / "secret"

    @property
    def log(self) -> Path:
        """The server's log."""
        return self.asked / "server.log"


def existing_layout(asked: Path) -> Layout:
    """The layout as an earlier start left it."""
    pointer = asked / "location"
    return Layout(asked, Path(pointer.read_text(encoding="utf-8").strip()) if pointer.exists() else asked)


def prepare_layout(asked: Path, account: Account, *, durable: bool) -> Layout:
    """Makes the folders. A private parent folder stays private: then the data lie elsewhere and `location` says where."""
    layout = existing_layout(asked)
    if layout.home == asked and not account.can_enter(asked):
        home = _reachable_home(durable=durable)
        if not account.can_enter(home):
            raise PostgresError(
                f"The database's account cannot reach {asked} (a folder above it is private to root), nor {home}: "
                "move the project, start it as an ordinary user, or set DATABASE_URL."
            )
        (asked / "location").write_text(f"{home}\n", encoding="utf-8")
        layout = Layout(asked, home)
    layout.home.mkdir(parents=True, exist_ok=True)
    layout.run.mkdir(mode=0o700, exist_ok=True)
    account.give(layout.run)
    layout.run.chmod(0o700)
    free = shutil.disk_usage(layout.home).free
    if not layout.data.exists() and free < NEEDED_BYTES:
        raise PostgresError(
            f"Only {free // 1024**2} MB are free in {layout.home}, a new database needs {NEEDED_BYTES // 1024**2} MB: "
            "free some space or choose another folder."
        )
    return layout


def socket_folder(layout: Layout, account: Account, port: int) -> Path:
    """The folder for the socket: `run`, or a short private one where the path would be too long for the kernel."""
    if len(os.fsencode(layout.run / f".s.PGSQL.{port}.lock")) <= _LONGEST_SOCKET:
        return layout.run
    short = Path(tempfile.mkdtemp(prefix="pg-", dir=_short_base()))
    account.give(short)
    return short


def remove_layout(layout: Layout) -> None:
    """Deletes everything of a stopped server."""
    for folder in {layout.home, layout.asked}:
        shutil.rmtree(folder, ignore_errors=True)


def _reachable_home(*, durable: bool) -> Path:
    if not durable:
        home = Path(tempfile.mkdtemp(prefix="pg-", dir=_short_base()))
    else:
        home = _SYSTEM_BASE / secrets.token_hex(6)
        home.mkdir(parents=True)
    home.chmod(0o711)  # ours, just made: the account may pass, nobody may list
    return home


def _short_base() -> str:
    return "/tmp" if Path("/tmp").is_dir() else tempfile.gettempdir()  # noqa: S108 (mkdtemp makes a private folder)
