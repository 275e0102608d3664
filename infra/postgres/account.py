"""Which account of the machine runs the server: PostgreSQL refuses to run as root.

Started by an ordinary person, the server runs as that person. Started by root (a container, a CI machine), it runs as
an existing account without rights; it needs an entry in the machine's list of accounts, because initdb looks it up.
"""

import os
import pwd
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.postgres.errors import PostgresError

_UNPRIVILEGED = ("postgres", "nobody")


@dataclass(frozen=True)
class Account:
    """The user and group the server runs as; `switches` is true when that is not the one who starts it."""

    uid: int
    gid: int
    switches: bool

    def popen_arguments(self) -> dict[str, Any]:
        """Arguments of `subprocess` that start a program under this account, in a session of its own.

        The own session keeps Ctrl-C of the terminal away from the server: whoever started it decides when it stops.
        """
        plain: dict[str, Any] = {"start_new_session": True, "stdin": subprocess.DEVNULL}
        if self.switches:
            plain |= {"user": self.uid, "group": self.gid, "extra_groups": []}
        return plain

    def give(self, path: Path) -> None:
        """Makes the account the owner of a file or folder of ours."""
        if self.switches:
            os.chown(path, self.uid, self.gid)

    def can_enter(self, folder: Path) -> bool:
        """Whether the account may pass through every folder down to this one."""
        if not self.switches:
            return True
        path = folder.resolve()
        return all(self._allows(part, 0o1) for part in (path, *path.parents))

    def can_read_all(self, folder: Path) -> bool:
        """Whether the account reaches and reads everything beneath a folder."""
        if not self.switches:
            return True
        return self.can_enter(folder) and all(
            self._allows(path, 0o5 if path.is_dir() else 0o4) for path in folder.rglob("*") if not path.is_symlink()
        )

    def _allows(self, path: Path, bits: int) -> bool:
        info = path.stat()
        mode = stat.S_IMODE(info.st_mode)
        if info.st_uid == self.uid:
            mode >>= 6
        elif info.st_gid == self.gid:
            mode >>= 3
        return mode & bits == bits


def choose_account(existing: Path | None = None) -> Account:
    """The account for a server: the owner of `existing` data, else the caller, else one without rights."""
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid(), switches=False)
    if existing is not None and existing.exists():
        info = existing.stat()
        if info.st_uid != 0:
            return Account(info.st_uid, info.st_gid, switches=True)
    for name in _UNPRIVILEGED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid, switches=True)
    raise PostgresError(
        "PostgreSQL does not run as root and this machine has neither an account 'postgres' nor 'nobody': add one, "
        "start as an ordinary user, or set DATABASE_URL to a server that runs already."
    )
