"""The inside of the sandbox: take the limits first, then the job, and answer in frames. Started by ``sandbox``."""

from __future__ import annotations

import ctypes
import os
import pickle
import resource
import signal
import struct
import sys
import threading
import traceback
from typing import BinaryIO

_HEADER = struct.Struct("!Q")
_PR_SET_PDEATHSIG = 1
_GRACE_SECONDS = 5


def main() -> None:
    """Read limits and job from standard input, run the job, write progress and the answer to standard output."""
    _die_with_parent()
    inbox = os.fdopen(os.dup(0), "rb", buffering=0)
    outbox = os.fdopen(os.dup(1), "wb", buffering=0)
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1):  # a library that prints must not spoil the frames
        os.dup2(nothing, number)
    os.close(nothing)
    limits, path = pickle.loads(_read(inbox))  # noqa: S301 - from the parent that started us
    sys.path[:] = path
    job = _read(inbox)
    _limit(limits.cpu_seconds, limits.memory_mb, limits.open_files, limits.file_mb)
    sys.addaudithook(_refuse_outside)
    threading.Thread(target=_watch, args=(inbox,), daemon=True).start()
    _answer(outbox, job)
    outbox.close()
    os._exit(0)  # libraries' clean-up has nothing to save


def _answer(outbox: BinaryIO, job: bytes) -> None:
    from tenants.kernel.errors import Problem

    try:
        function, arguments = pickle.loads(job)  # noqa: S301 - see main
        value = function(*arguments, progress=lambda stage, done: _write(outbox, ("progress", (stage, done))))
        usage = resource.getrusage(resource.RUSAGE_SELF)
        _write(outbox, ("value", (value, usage.ru_utime + usage.ru_stime, _peak_mb(usage.ru_maxrss))))
    except Problem as problem:
        _write(outbox, ("problem", problem))
    except MemoryError:
        _write(outbox, ("crash", "memory"))
    except BaseException:  # noqa: BLE001 - whatever it was, the parent must hear of it
        _write(outbox, ("crash", traceback.format_exc()))


def _peak_mb(reported_kb: int) -> float:
    """Return the most memory this program held, in MB.

    What the system reports as the largest resident set (``ru_maxrss``) includes the parent's at the moment of the fork;
    Linux also tells the peak of the program alone.
    """
    try:
        with open("/proc/self/status", encoding="ascii") as status:  # noqa: PTH123 - one line of a pseudo file
            peaks = (line.split()[1] for line in status if line.startswith("VmHWM:"))
            return int(next(peaks)) / 1024
    except (OSError, StopIteration, ValueError):
        return reported_kb / 1024


def _read(stream: BinaryIO) -> bytes:
    (size,) = _HEADER.unpack(_exactly(stream, _HEADER.size))
    return _exactly(stream, size)


def _exactly(stream: BinaryIO, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        part = stream.read(size - len(data))
        if not part:
            os._exit(1)  # the parent is gone
        data += part
    return bytes(data)


def _write(stream: BinaryIO, frame: object) -> None:
    data = pickle.dumps(frame)
    view = memoryview(_HEADER.pack(len(data)) + data)
    while view:
        written = stream.write(view)
        view = view[written:]


def _watch(inbox: BinaryIO) -> None:
    """End when the parent's end of the lifeline closes, which the system does even when the parent is killed."""
    while inbox.read(1):
        pass
    os._exit(1)


def _die_with_parent() -> None:
    """On Linux also ask the kernel: it ends even a child whose threads cannot run."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


_OUTSIDE = frozenset(
    {"socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo", "subprocess.Popen",
     "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty"}
)  # fmt: skip


def _refuse_outside(event: str, _arguments: object) -> None:
    """Let an engine reach no network and start no program. A hook cannot be taken off again."""
    if event in _OUTSIDE:
        raise PermissionError(event)


def _limit(cpu_seconds: int, memory_mb: int, open_files: int, file_mb: int) -> None:
    """Set limits that cannot be raised again."""
    memory = memory_mb * 1024 * 1024
    for kind, soft, hard in (
        (resource.RLIMIT_CPU, cpu_seconds, cpu_seconds + _GRACE_SECONDS),
        (resource.RLIMIT_AS, memory, memory),
        (resource.RLIMIT_NOFILE, open_files, open_files),
        (resource.RLIMIT_FSIZE, file_mb << 20, file_mb << 20),
        (resource.RLIMIT_CORE, 0, 0),
    ):
        resource.setrlimit(kind, (soft, hard))


if __name__ == "__main__":
    main()
