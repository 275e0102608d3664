"""The real web processes, as production starts them, and clients that keep their connections."""

from __future__ import annotations

import http.client
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from marketplace.settings import Settings, home


@contextmanager
def served(settings: Settings) -> Iterator[int]:
    """Serve an installation with gunicorn's production settings; give the port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    environment = {
        "DATABASE_URL": settings.database_url,
        "MARKETPLACE_MODE": settings.mode,
        "PORT": str(port),
        "PATH": str(Path(sys.executable).parent),
        "PYTHONPATH": str(home()),
    }
    command = [sys.executable, "-m", "marketplace.cli", "serve"]
    process = subprocess.Popen(command, env=environment, cwd=home(), stderr=subprocess.DEVNULL)
    try:
        _await(port, process)
        yield port
    finally:
        process.terminate()
        process.wait(timeout=30)


def _await(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.2)
        finally:
            connection.close()
    raise RuntimeError("the web processes do not answer")


class Client:
    """A client that keeps its connection, and opens it anew when the server has closed it for being idle."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def post(self, path: str, body: str, headers: dict[str, str], expected: int) -> None:
        """Send a request that may be sent twice. Raises RuntimeError for another answer than ``expected``."""
        try:
            status, said = self._send(path, body, headers)
        except (ConnectionError, http.client.RemoteDisconnected):
            self._connection.close()
            status, said = self._send(path, body, headers)
        if status != expected:
            raise RuntimeError(f"{path} was answered with {status}: {said.decode()[:500]}")

    def _send(self, path: str, body: str, headers: dict[str, str]) -> tuple[int, bytes]:
        self._connection.request("POST", path, body, headers)
        answer = self._connection.getresponse()
        return answer.status, answer.read()


def rate(tasks: list[Callable[[], int]], seconds: float) -> float:
    """Run every task again and again in a thread of its own; return how much they did a second, as they count it."""
    began = time.monotonic()
    end = began + seconds

    def run(task: Callable[[], int]) -> int:
        done = 0
        while time.monotonic() < end:
            done += task()
        return done

    with ThreadPoolExecutor(len(tasks)) as pool:
        done = sum(pool.map(run, tasks))
    return done / (time.monotonic() - began)
