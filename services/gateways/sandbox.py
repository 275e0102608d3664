"""Run an engine in a child process with limits, so that no run can hurt the worker that started it.

The child gets a bare environment (no secrets), no open files but its pipes, and dies with its parent: its standard
input is a lifeline that ends when the parent does, however the parent ends. What it raises comes back as it was.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import selectors
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from tenants.kernel.errors import Conflict, Problem, TooLarge, Unavailable
from tenants.kernel.messages import msg

HEADER = struct.Struct("!Q")
_MAX_FRAME = 512 * 1024 * 1024
_POLL_SECONDS = 0.2
_CHUNK = 1 << 20
_CHILD = "services.gateways.sandbox_child"

Progress = Callable[[str, float], None]
T = TypeVar("T")


@dataclass(frozen=True)
class Limits:
    """What a run may take. ``memory_mb`` bounds address space, of which libraries reserve far more than they use;
    ``file_mb`` the size of a file that it writes, 0 for an engine, whose answer goes through the pipe.
    """

    cpu_seconds: int = 120
    memory_mb: int = 4096
    wall_seconds: float = 600.0
    open_files: int = 128
    file_mb: int = 0


@dataclass(frozen=True)
class Outcome(Generic[T]):
    """What a run returned and what it took."""

    value: T
    cpu_seconds: float
    peak_mb: float


def run_limited(
    function: Callable[..., T],
    *arguments: object,
    limits: Limits | None = None,
    progress: Progress = lambda _stage, _done: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Outcome[T]:
    """Call ``function(*arguments, progress=…)`` in a child; it must be a module's top-level function.

    Raises what the function raised when that is a Problem; otherwise Unavailable ``run.crashed``, ``run.killed``,
    ``run.memory``, ``run.cpu_limit`` or ``run.deadline``, or Conflict ``run.cancelled``. The child is gone on return,
    also when ``progress`` or ``cancelled`` raise.
    """
    limits = limits or Limits()
    ends_at = time.monotonic() + limits.wall_seconds
    child = subprocess.Popen(  # noqa: S603 - our own interpreter and module, no shell
        [sys.executable, "-m", _CHILD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=_environment(),
        start_new_session=True,
    )
    try:
        _send(child, (limits, sys.path), (function, arguments))
        for kind, content in _frames(child, ends_at, limits, cancelled):
            if kind == "progress":
                progress(*content)
            elif kind == "value":
                return Outcome(*content)
            elif kind == "problem":
                raise _problem(content)
            else:
                raise _crash(content)
        raise _death(child.wait())
    finally:
        _end(child)


def _environment() -> dict[str, str]:
    """Enough to start; numeric libraries keep to one thread, so that a run takes one core and repeats exactly."""
    return {
        "PYTHONPATH": os.pathsep.join(item for item in sys.path if item),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUTF8": "1",
        "LANG": "C.UTF-8",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }


def _send(child: subprocess.Popen[bytes], *parts: object) -> None:
    """Write each part with its length. A child that is already dead is noticed when its answer is read."""
    if child.stdin is None:
        raise AssertionError("the child was started with a pipe")
    with contextlib.suppress(BrokenPipeError):
        for part in parts:
            data = pickle.dumps(part)
            child.stdin.write(HEADER.pack(len(data)) + data)
        child.stdin.flush()


def _frames(
    child: subprocess.Popen[bytes], ends_at: float, limits: Limits, cancelled: Callable[[], bool]
) -> Iterator[tuple[str, Any]]:
    """Yield what the child says until it closes its end; refuse at the deadline or when cancelled."""
    if child.stdout is None:
        raise AssertionError("the child was started with a pipe")
    buffer = bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        while True:
            if cancelled():
                raise Conflict("run.cancelled", msg("运行已按要求取消，不计费。"))
            if time.monotonic() >= ends_at:
                raise Unavailable(
                    "run.deadline",
                    msg(
                        "运行超过 {seconds} 秒的时限，已停止且不计费；请缩短时段或联系平台。",
                        seconds=f"{limits.wall_seconds:g}",
                    ),
                )
            if not selector.select(min(_POLL_SECONDS, max(ends_at - time.monotonic(), 0))):
                continue
            data = os.read(child.stdout.fileno(), _CHUNK)
            if not data:
                return
            buffer += data
            yield from _whole(buffer)


def _whole(buffer: bytearray) -> Iterator[tuple[str, Any]]:
    """Take the complete frames off the front of the buffer."""
    while len(buffer) >= HEADER.size:
        (size,) = HEADER.unpack_from(buffer)
        if size > _MAX_FRAME:
            raise TooLarge("run.result_too_large", msg("运行结果过大，已停止且不计费；请缩短时段。"))
        if len(buffer) < HEADER.size + size:
            return
        frame = bytes(buffer[HEADER.size : HEADER.size + size])
        del buffer[: HEADER.size + size]
        yield pickle.loads(frame)  # noqa: S301 - written by our own child, which runs our own code only


def _problem(content: object) -> Problem:
    return content if isinstance(content, Problem) else _crash(repr(content))


def _crash(trace: object) -> Unavailable:
    if trace == "memory":
        return Unavailable("run.memory", msg("运行所需内存超过上限，已停止且不计费；请缩短时段或加大步长。"))
    problem = Unavailable("run.crashed", msg("运行因程序错误而中止，不计费；平台已记录，请稍后重试。"))
    problem.add_note(str(trace))
    return problem


def _death(status: int) -> Unavailable:
    if status == -signal.SIGXCPU:
        return Unavailable("run.cpu_limit", msg("运行的计算量超过上限，已停止且不计费；请缩短时段或加大步长。"))
    problem = Unavailable("run.killed", msg("运行进程被系统终止，不计费；请稍后重试。"))
    problem.add_note(f"exit status {status}")
    return problem


def _end(child: subprocess.Popen[bytes]) -> None:
    """Make sure nothing is left: no process, no zombie, no pipe."""
    with contextlib.suppress(ProcessLookupError):
        child.kill()
    child.wait()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
