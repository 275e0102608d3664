"""Child processes of the launcher: started, watched, stopped together."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

_PATIENCE_SECONDS = 25.0
_PR_SET_PDEATHSIG = 1


class Child:
    """One long-running process in a group of its own, so that only the launcher tells it to stop.

    Should the launcher be killed outright, the kernel asks the child to stop (Linux).
    """

    def __init__(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self.name = name
        self._process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=_stop_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509 (no threads here)
        )

    @property
    def ended(self) -> int | None:
        """The exit code once it has ended."""
        return self._process.poll()

    def ask_to_stop(self) -> None:
        """Ask politely: finish what runs, take nothing new."""
        if self._process.poll() is None:
            self._process.terminate()

    def wait_or_kill(self, deadline: float) -> None:
        """Wait until `deadline` (monotonic seconds), then end the whole group."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(max(0.1, deadline - time.monotonic()))
        with suppress(ProcessLookupError, PermissionError):  # also what the child left behind in its group
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def stop_all(children: Sequence[Child]) -> None:
    """Stop every child: all are asked at once and share one time of patience."""
    for child in children:
        child.ask_to_stop()
    deadline = time.monotonic() + _PATIENCE_SECONDS
    for child in children:
        child.wait_or_kill(deadline)


_libc = ctypes.CDLL(None) if sys.platform == "linux" else None  # loaded before any fork


def _stop_with_parent() -> None:
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
