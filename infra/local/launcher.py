"""`make run`: the whole marketplace on this machine, until Ctrl-C.

Starts (or attaches to) the embedded database unless DATABASE_URL names another, migrates, fills an empty database with
the demo province, starts the web processes and a worker, and prints the address and the demo's logins. SIGINT and
SIGTERM stop everything in order. A worker that ends is replaced; when another part ends by itself, or workers keep
ending, the others are stopped and the launcher ends with 1.
"""

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import FrameType

import psycopg

from infra.local.children import Child, stop_all
from infra.local.database import kept_secret, prepare
from infra.postgres import PostgresError, Server

_PROJECT = Path(__file__).resolve().parents[2]
_CONSOLE = str(Path(sys.executable).with_name("marketplace"))
_READY_SECONDS = 90.0
_MOST_FALLS = 3  # workers that may end within _FALLS_SECONDS before everything is stopped
_FALLS_SECONDS = 60.0


class Stopped(BaseException):
    """Someone asked the launcher to stop."""


class LaunchError(Exception):
    """A part does not start, or ended by itself; the text says which and what helps."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until stopped. Exit code 0 after a stop that was asked for, 1 after a failure."""
    parser = argparse.ArgumentParser(prog="make run", description=__doc__)
    parser.add_argument("--var", type=Path, default=_PROJECT / "var", help="folder of the data (default: var/)")
    options = parser.parse_args(arguments)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    try:
        with ExitStack() as stack:
            try:
                _run(options.var, stack)
            finally:
                for number in (signal.SIGINT, signal.SIGTERM):  # stopping is not interrupted half way
                    signal.signal(number, signal.SIG_IGN)
    except Stopped:
        print("Stopped. The data are kept; `make run` finds them again.")
        return 0
    except (LaunchError, PostgresError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    return 0


def _run(var: Path, stack: ExitStack) -> None:
    var.mkdir(parents=True, exist_ok=True)
    environment = _environment(var)
    host, port = environment["HOST"], environment["PORT"]
    _check_port(host, port)
    server = None
    if not environment.get("DATABASE_URL"):
        _say("Starting the database ...")
        server = stack.enter_context(Server.start(var / "postgres"))
        environment |= prepare(server, var)
    _say("Bringing the schema up to date ...")
    _console(environment, "migrate")
    _seed(environment, var, embedded=server is not None)
    children: list[Child] = []
    stack.callback(stop_all, children)
    stack.callback(_say, "\nStopping ...")
    children.append(Child("web", [_CONSOLE, "serve"], environment))
    children.append(Child("worker", [_CONSOLE, "worker"], environment))
    address = f"http://{host}:{port}"
    _wait_until_ready(address, children)
    _greet(address, var / "demo.json")
    fallen: list[float] = []
    while True:
        _replace_worker(children, environment, fallen)
        _check(children, server)
        time.sleep(0.5)


def _replace_worker(children: list[Child], environment: dict[str, str], fallen: list[float]) -> None:
    """Start a new worker for one that ended: it goes on with what the old one left. Not for ever: see _MOST_FALLS."""
    worker = children[-1]
    if worker.ended is None:
        return
    now = time.monotonic()
    fallen[:] = [*(moment for moment in fallen if now - moment < _FALLS_SECONDS), now]
    if len(fallen) <= _MOST_FALLS:
        _say(f"The worker ended by itself ({worker.ended}); a new one takes over.")
        children[-1] = Child(worker.name, [_CONSOLE, "worker"], environment)


def _environment(var: Path) -> dict[str, str]:
    """What the parts are told: everything the caller set, and defaults for a machine of one's own."""
    given = {name: value for name, value in os.environ.items() if value}
    metrics = var / "metrics"  # the web processes share their counters here
    shutil.rmtree(metrics, ignore_errors=True)
    metrics.mkdir()
    defaults = {
        "MARKETPLACE_MODE": "demo",
        "HOST": "127.0.0.1",
        "PORT": "8000",
        "LOG_FORMAT": "console" if sys.stdout.isatty() else "json",
        "PROMETHEUS_MULTIPROC_DIR": str(metrics),
    }
    environment = {**defaults, **given}
    if environment["MARKETPLACE_MODE"] == "demo" and "SECRET_KEY" not in environment:
        environment["SECRET_KEY"] = kept_secret(var / "secret_key")
    return environment


def _check_port(host: str, port: str) -> None:
    try:
        with socket.create_server((host, int(port))):
            pass
    except (OSError, ValueError, OverflowError) as error:
        raise LaunchError(
            f"{host}:{port} cannot be used ({error}): stop what runs there, or choose another port with "
            "`PORT=8001 make run`."
        ) from error


def _console(environment: dict[str, str], *arguments: str, keep: bool = False) -> str:
    """Runs one command of the console to its end; its output is shown, or kept and given back."""
    answer = subprocess.run(
        [_CONSOLE, *arguments], env=environment, stdout=subprocess.PIPE if keep else None, text=True, check=False,
        cwd=_PROJECT,
    )  # fmt: skip
    if answer.returncode != 0:
        raise LaunchError(f"`marketplace {' '.join(arguments)}` failed with {answer.returncode}; see its words above.")
    return answer.stdout or ""


def _seed(environment: dict[str, str], var: Path, *, embedded: bool) -> None:
    """Fills an empty database of a demo; its logins stay in `demo.json` (mode 0600) for the next start."""
    target = var / "demo.json"
    if environment["MARKETPLACE_MODE"] != "demo":
        return
    if not _is_empty(environment) and (target.exists() or not embedded):
        return  # an embedded database without logins was interrupted while seeding: seeding again changes nothing
    _say("Filling the demo province ...")
    text = _console(environment, "seed", "--demo", "--json", keep=True)
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def _is_empty(environment: dict[str, str]) -> bool:
    url = environment.get("DATABASE_OWNER_URL") or environment["DATABASE_URL"]
    with psycopg.connect(url.replace("postgresql+psycopg:", "postgresql:", 1)) as connection:
        return connection.execute("SELECT NOT EXISTS (SELECT FROM organisations)").fetchone() == (True,)


def _wait_until_ready(address: str, children: Sequence[Child]) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # this machine is never behind a proxy
    while time.monotonic() < deadline:
        _check(children, None)
        try:
            with opener.open(f"{address}/readyz", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise LaunchError(f"{address} was not ready within {_READY_SECONDS:.0f} seconds; see the words of its parts above.")


def _check(children: Sequence[Child], server: Server | None) -> None:
    for child in children:
        if child.ended is not None:
            raise LaunchError(f"The part '{child.name}' ended by itself ({child.ended}); everything is stopped.")
    if server is not None and not server.is_running():
        raise LaunchError("The database ended by itself; everything is stopped. See var/postgres/server.log.")


def _greet(address: str, logins: Path) -> None:
    _say(f"\n  {address}\n")
    if logins.exists():
        for title, rows in json.loads(logins.read_text(encoding="utf-8")).items():
            if isinstance(rows, list):
                _say(f"  {title}:")
                for row in rows:
                    _say(
                        "    " + "  ".join(str(value) for value in row.values()) if isinstance(row, dict) else str(row)
                    )
    _say("\n  Ctrl-C stops everything.")


def _say(text: str) -> None:
    print(text, flush=True)


def _stop(_number: int, _frame: FrameType | None) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):  # make passes the same signal on: once is enough
        signal.signal(number, signal.SIG_IGN)
    raise Stopped


if __name__ == "__main__":
    sys.exit(main())
