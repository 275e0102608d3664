"""Sets up a cluster (initdb) in one step that either happened or did not."""

import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from infra.postgres.account import Account
from infra.postgres.binaries import Install
from infra.postgres.errors import PostgresError
from infra.postgres.layout import Layout

SUPERUSER = "postgres"
_BUILTIN_LOCALES_SINCE = 17


def ensure_cluster(layout: Layout, install: Install, account: Account, *, durable: bool) -> None:
    """Makes the cluster when there is none; refuses one made by another major version."""
    if (layout.data / "PG_VERSION").exists():
        made_by = (layout.data / "PG_VERSION").read_text(encoding="utf-8").strip()
        if made_by != str(install.major):
            raise PostgresError(
                f"The data in {layout.data} were written by PostgreSQL {made_by}, this is {install.version}: dump "
                "them with the old version and load them into a new folder (pg_dump, pg_restore)."
            )
        return
    write_secret(layout)
    making = layout.home / "data.new"
    shutil.rmtree(making, ignore_errors=True)  # a set-up that was killed half way
    making.mkdir(mode=0o700)
    account.give(making)
    _initdb(layout, install, account, making, durable=durable)
    making.rename(layout.data)


def write_secret(layout: Layout) -> None:
    """Writes a random password that only its owner can read."""
    descriptor = os.open(layout.secret, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(secrets.token_urlsafe(24))


def read_secret(layout: Layout) -> str:
    """The superuser's password."""
    try:
        return layout.secret.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise PostgresError(
            f"The password of the database cannot be read from {layout.secret} ({error.strerror}): restore the file "
            "from a backup, or start as the user who made the database."
        ) from error


def clean_environment() -> Mapping[str, str]:
    """The little a server needs of the environment: nothing of ours, nothing of libpq, no secrets."""
    return {"PATH": os.defpath, "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def _initdb(layout: Layout, install: Install, account: Account, target: Path, *, durable: bool) -> None:
    with tempfile.NamedTemporaryFile("w", dir=layout.run, encoding="utf-8") as password:
        password.write(read_secret(layout))
        password.flush()
        account.give(Path(password.name))
        command = [
            install.program("initdb"), f"--pgdata={target}", f"--username={SUPERUSER}", "--encoding=UTF8",
            "--auth=scram-sha-256", f"--pwfile={password.name}", "--data-checksums", *_locale(install),
        ]  # fmt: skip
        if not durable:
            command.append("--no-sync")
        try:
            answer = subprocess.run(
                command, capture_output=True, text=True, check=False, timeout=300, cwd="/", env=clean_environment(),
                **account.popen_arguments(),
            )  # fmt: skip
        except (OSError, subprocess.SubprocessError) as error:
            raise PostgresError(f"The database cannot be set up, initdb does not run: {error}.") from error
    if answer.returncode != 0:
        shutil.rmtree(target, ignore_errors=True)
        said = (answer.stderr or answer.stdout).strip().splitlines()[-8:]
        raise PostgresError("The database cannot be set up. initdb says:\n" + "\n".join(said))


def _locale(install: Install) -> list[str]:
    """C.UTF-8: sorts by code point, the same on every machine, and still knows that 园 is a letter (pg_trgm asks)."""
    if install.major >= _BUILTIN_LOCALES_SINCE:
        return ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C.UTF-8"]
    return ["--locale=C.UTF-8"]
