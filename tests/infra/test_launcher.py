"""`make run`'s launcher, for real: it starts everything, prints where, stops in order and says what went wrong."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infra.postgres import Server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

_ROOT = Path(__file__).resolve().parents[2]
_FOREIGN = ("DATABASE_URL", "DATABASE_OWNER_URL", "SECRET_KEY", "MARKETPLACE_MODE", "PORT", "HOST")


class Launcher:
    """One `make run` in a process group of its own, as a terminal would start it."""

    def __init__(self, var: Path, port: int) -> None:
        environment = {name: value for name, value in os.environ.items() if name not in _FOREIGN}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "infra.local.launcher", "--var", str(var)],
            cwd=_ROOT, env={**environment, "PORT": str(port), "PYTHONUNBUFFERED": "1"}, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def until(self, words: str) -> str:
        """Everything printed until a line holds `words`."""
        assert self.process.stdout is not None
        seen = ""
        for line in self.process.stdout:
            seen += line
            if words in line:
                return seen
        raise AssertionError(f"{words!r} was never printed:\n{seen}")

    def end(self, number: signal.Signals = signal.SIGINT) -> tuple[int, str]:
        """Sends a signal to the whole group, as Ctrl-C does; gives the exit code and the last words."""
        os.killpg(self.process.pid, number)
        return self.rest()

    def rest(self) -> tuple[int, str]:
        """The exit code and what is still printed."""
        text, _ = self.process.communicate(timeout=60)
        return self.process.returncode, text


@pytest.fixture(scope="module")
def var(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One data folder for the whole story: the demo province is made once."""
    folder = tmp_path_factory.mktemp("var")
    yield folder
    Server.start(folder / "postgres").stop(remove=True)


@pytest.fixture
def launch(var: Path, port: int) -> Iterator[Callable[[], Launcher]]:
    """Starts launchers on the same data and port; none outlives the test."""
    started: list[Launcher] = []

    def start() -> Launcher:
        started.append(Launcher(var, port))
        return started[-1]

    yield start
    for launcher in started:
        launcher.process.terminate()
        launcher.process.communicate(timeout=60)


@pytest.fixture
def port() -> int:
    """A port that is free at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _descendants(pid: int) -> dict[int, str]:
    """Every process below one, with its command line."""
    listed = subprocess.check_output(["ps", "-ww", "-eo", "pid=,ppid=,args="], text=True).splitlines()
    rows = [(int(pid_), int(parent), args) for pid_, parent, args in (line.split(None, 2) for line in listed)]
    found = {pid: ""}
    for _ in range(6):
        found |= {child: args for child, parent, args in rows if parent in found}
    del found[pid]
    return found


def _gone(pids: set[int]) -> bool:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        alive = subprocess.run(["ps", "-p", ",".join(map(str, pids)), "-o", "pid="], capture_output=True, check=False)
        if not alive.stdout.strip():
            return True
        time.sleep(0.1)
    return False


def test_it_starts_everything_prints_where_and_ctrl_c_leaves_nothing_behind(
    launch: Callable[[], Launcher], port: int
) -> None:
    launcher = launch()
    said = launcher.until("Ctrl-C stops everything")
    assert f"http://127.0.0.1:{port}" in said
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz") as answer:
        assert answer.status == 200
    processes = _descendants(launcher.process.pid)
    assert any("postgres" in args for args in processes.values())
    assert any("worker" in args for args in processes.values())
    code, words = launcher.end()
    assert (code, "Stopped" in words) == (0, True), words
    assert _gone(set(processes))


def test_a_second_run_finds_its_data_and_logins_and_sigterm_stops_it(launch: Callable[[], Launcher]) -> None:
    launcher = launch()
    said = launcher.until("Ctrl-C stops everything")
    assert "Filling the demo province" not in said
    assert re.search(r"@|password|key", said), said
    launcher.process.send_signal(signal.SIGTERM)
    code, words = launcher.rest()
    assert code == 0, words


def test_a_part_that_dies_takes_everything_down_with_a_clear_message(launch: Callable[[], Launcher]) -> None:
    launcher = launch()
    launcher.until("Ctrl-C stops everything")
    processes = _descendants(launcher.process.pid)
    web = min(pid for pid, args in processes.items() if "gunicorn" in args)
    os.kill(web, signal.SIGKILL)
    code, words = launcher.rest()
    assert code == 1
    assert "'web' ended by itself" in words
    assert _gone(set(processes))


def test_a_worker_that_dies_is_replaced_until_it_keeps_dying(launch: Callable[[], Launcher]) -> None:
    launcher = launch()
    launcher.until("Ctrl-C stops everything")
    for _ in range(3):
        os.kill(_worker_of(launcher), signal.SIGKILL)
        launcher.until("a new one takes over")
    os.kill(_worker_of(launcher), signal.SIGKILL)
    code, words = launcher.rest()
    assert code == 1
    assert "'worker' ended by itself" in words


def _worker_of(launcher: Launcher) -> int:
    """The worker's process, once it runs."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        for pid, args in _descendants(launcher.process.pid).items():
            if args.rstrip().endswith("marketplace worker"):
                return pid
        time.sleep(0.1)
    raise AssertionError("no worker")


def test_the_parts_of_a_killed_launcher_stop_and_the_next_run_adopts_the_database(
    launch: Callable[[], Launcher],
) -> None:
    launcher = launch()
    launcher.until("Ctrl-C stops everything")
    processes = _descendants(launcher.process.pid)
    launcher.process.kill()
    launcher.process.communicate(timeout=60)
    assert _gone({pid for pid, args in processes.items() if "postgres" not in args})
    again = launch()
    again.until("Ctrl-C stops everything")
    code, words = again.end()
    assert code == 0, words
    assert _gone(set(processes))


def test_a_port_in_use_is_said_before_anything_starts(var: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        code, words = Launcher(var, int(listener.getsockname()[1])).rest()
    assert code == 1
    assert "choose another port" in words
