"""What the sandbox is made to run in its tests; a child finds these by name."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tenants.kernel.errors import FieldError, Invalid
from tenants.kernel.messages import msg

Progress = Callable[[str, float], None]


def double(value: int, *, progress: Progress) -> int:
    sys.stdout.write("a library talks")
    sys.stdout.flush()
    for part in range(4):
        progress("step", part / 4)
    return value * 2


def refuse(*, progress: Progress) -> None:
    raise Invalid("some.code", msg("第 {row} 行有误。", row=3), errors=[FieldError("a.b", "c.d", msg("坏"))])


def crash(*, progress: Progress) -> None:
    raise ZeroDivisionError("inside")


def kill_itself(*, progress: Progress) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def spin(*, progress: Progress) -> None:
    while True:
        pass


def sleep(seconds: float, *, progress: Progress) -> int:
    progress("pid", os.getpid())
    time.sleep(seconds)
    return 0


def fill_memory(*, progress: Progress) -> int:
    return len(bytearray(8 << 30))


def look_around(*, progress: Progress) -> tuple[list[str], dict[str, str]]:
    links = []
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # the listing's own
            links.append(str(entry.readlink()))
    return links, dict(os.environ)


def write_file(path: str, *, progress: Progress) -> None:
    with Path(path).open("wb") as out:
        out.write(b"x" * 100)


def reach_out(way: str, *, progress: Progress) -> None:
    if way == "program":
        subprocess.run([sys.executable, "-c", ""], check=True)
    elif way == "name":
        socket.getaddrinfo("localhost", 80)
    else:
        with socket.socket() as line:
            line.connect(("127.0.0.1", 9))
