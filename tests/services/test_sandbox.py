"""Nothing that happens in the child hurts the parent, and nothing of it is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from services.gateways.sandbox import Limits, run_limited
from services.gateways.twin import run_twin
from tenants.kernel.errors import Conflict, Invalid, Problem, Unavailable
from tests.services import sandbox_targets
from tests.services.parks import quiet, request_of, week


def test_a_result_comes_back_with_progress_and_what_it_took() -> None:
    seen: list[tuple[str, float]] = []
    outcome = run_limited(sandbox_targets.double, 21, progress=lambda *part: seen.append(part))
    assert outcome.value == 42
    assert seen == [("step", 0.0), ("step", 0.25), ("step", 0.5), ("step", 0.75)]
    assert outcome.cpu_seconds > 0
    assert outcome.peak_mb > 1


def test_a_refusal_crosses_whole() -> None:
    with pytest.raises(Invalid) as caught:
        run_limited(sandbox_targets.refuse)
    assert (caught.value.code, str(caught.value.message)) == ("some.code", "第 3 行有误。")
    assert caught.value.errors[0].field == "a.b"


@pytest.mark.parametrize(
    ("function", "limits", "code"),
    [
        (sandbox_targets.crash, Limits(), "run.crashed"),
        (sandbox_targets.kill_itself, Limits(), "run.killed"),
        (sandbox_targets.spin, Limits(cpu_seconds=1), "run.cpu_limit"),
        (sandbox_targets.spin, Limits(wall_seconds=1), "run.deadline"),
        (sandbox_targets.fill_memory, Limits(memory_mb=1024), "run.memory"),
    ],
)
def test_every_bad_end_has_its_code(function: object, limits: Limits, code: str) -> None:
    with pytest.raises(Unavailable) as caught:
        run_limited(function, limits=limits)  # type: ignore[arg-type]
    assert caught.value.code == code


def _alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False


def test_a_cancelled_run_is_gone() -> None:
    pids: list[float] = []
    with pytest.raises(Conflict) as caught:
        run_limited(
            sandbox_targets.sleep, 60.0, progress=lambda _stage, pid: pids.append(pid), cancelled=lambda: bool(pids)
        )
    assert caught.value.code == "run.cancelled"
    assert not _alive(int(pids[0]))


def test_a_callback_that_raises_takes_the_child_along() -> None:
    pids: list[float] = []

    def note(_stage: str, pid: float) -> None:
        pids.append(pid)
        raise KeyError

    with pytest.raises(KeyError):
        run_limited(sandbox_targets.sleep, 60.0, progress=note)
    assert not _alive(int(pids[0]))


def test_the_child_sees_no_secrets_and_no_files_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_THE_PARENT", "x")
    with (tmp_path / "private").open("w") as held:
        os.set_inheritable(held.fileno(), True)
        links, environment = run_limited(sandbox_targets.look_around).value
    assert "SECRET_OF_THE_PARENT" not in environment
    assert not any("private" in link for link in links)
    with pytest.raises(Problem):
        run_limited(sandbox_targets.write_file, str(tmp_path / "out"))


@pytest.mark.parametrize("way", ["program", "name", "address"])
def test_the_child_reaches_no_network_and_starts_no_program(way: str) -> None:
    with pytest.raises(Problem) as caught:
        run_limited(sandbox_targets.reach_out, way)
    assert any("PermissionError" in note for note in caught.value.__notes__)


def test_the_child_dies_with_a_killed_parent() -> None:
    program = (
        "from services.gateways.sandbox import run_limited\n"
        "from tests.services.sandbox_targets import sleep\n"
        "run_limited(sleep, 60.0, progress=lambda stage, pid: print(int(pid), flush=True))\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2])
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert _alive(child)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    ends_at = time.monotonic() + 10
    while _alive(child) and time.monotonic() < ends_at:
        time.sleep(0.05)
    assert not _alive(child)


def test_a_twin_run_in_the_sandbox_is_the_run_outside_it() -> None:
    request = request_of(week())
    stages: list[str] = []
    inside = run_limited(run_twin, request, progress=lambda stage, _done: stages.append(stage))
    assert inside.value.kpis == run_twin(request, progress=quiet).kpis
    assert stages[0] == "prepare"
    assert stages[-1] == "done"
