"""Who runs on a data folder: reads `postmaster.pid` and, on Linux, the list of processes."""

import os
from dataclasses import dataclass
from pathlib import Path

_READY_LINES = 8


@dataclass(frozen=True)
class Postmaster:
    """A running server as its own `postmaster.pid` describes it; `ready` once it takes connections."""

    pid: int
    port: int
    socket_dir: Path
    ready: bool


def running_postmaster(data: Path) -> Postmaster | None:
    """The live server of a data folder; None when there is none, or only the file of one that was killed."""
    try:
        lines = (data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        pid, port = int(lines[0]), int(lines[3])
        socket_dir = Path(lines[4])
    except (FileNotFoundError, IndexError, ValueError):
        return None
    if not is_alive(pid) or not _works_in(pid, data):
        return None
    return Postmaster(pid, port, socket_dir, len(lines) >= _READY_LINES and lines[7].strip() == "ready")


def forget_stale_pid_file(data: Path) -> None:
    """Removes the `postmaster.pid` of a killed server whose number another program has taken since.

    PostgreSQL itself removes the file when the number is free. The file also guards against back ends that outlive
    their server, so it stays while any process works in the folder, and where that cannot be seen.
    """
    if Path("/proc").is_dir() and not _any_process_in(data):
        (data / "postmaster.pid").unlink(missing_ok=True)


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that ended and waits for its parent does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0]
    except (OSError, IndexError):
        return True
    return state != "Z"


def _works_in(pid: int, data: Path) -> bool:
    try:
        return (Path(f"/proc/{pid}") / "cwd").resolve(strict=True) == data.resolve()
    except OSError:
        return not Path("/proc/self").exists()  # no /proc on this system: believe the file


def _any_process_in(data: Path) -> bool:
    numbers = (entry.name for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return any(_works_in(int(number), data) for number in numbers)
