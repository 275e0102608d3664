"""The database server is killed, or its disk is full: a clear refusal, nothing half done, and a retry that works."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from sqlalchemy.exc import OperationalError

from infra.postgres import Server
from infra.postgres.processes import is_alive
from marketplace.demo.theatre import Play
from marketplace.doors.faults import problem_of
from services.usecases import artefacts, runs
from tenants.kernel.context import Actor
from tests.support import crashes, databases, plays
from tests.support.crashes import QUICK, before_statement, count_statements, worker_process
from tests.support.plays import BRIEF, WEEK, money, run_of

DISK_MIB = 96


class Machine:
    """A database server of its own, durable as in production, that can be pulled the plug."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.server = Server.start(folder)

    def kill(self) -> None:
        """End the server and all its back ends at once, as a power cut does."""
        os.kill(self.server.pid, signal.SIGKILL)
        deadline = time.monotonic() + 10
        while is_alive(self.server.pid) and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.3)  # its back ends notice

    def restart(self) -> None:
        """Start it again; it recovers what was committed."""
        self.server.stop()
        self.server = Server.start(self.folder)


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    folder = Path(tempfile.mkdtemp(prefix="mkt-faults-"))
    made = Machine(folder)
    try:
        databases.migrate_template(made.server)
        yield made
    finally:
        made.server.stop(remove=True)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def far_scenery(machine: Machine) -> Iterator[plays.Scenery]:
    with plays.build_scenery(machine.server) as made:
        yield made


@pytest.fixture
def far_play(far_scenery: plays.Scenery) -> Iterator[Play]:
    with far_scenery.play() as play:
        # A copied database's sequences think what they may hand out is in the log, which is that of the original; a
        # checkpoint makes them write it down again, and a killed server does not hand out the same number twice.
        far_scenery.server.execute(sql.SQL("CHECKPOINT"))
        plays.give_money(play)
        yield play


@contextmanager
def refused() -> Iterator[None]:
    """What is done in the block meets a database that does not answer, and says so as the doors do."""
    with pytest.raises(OperationalError) as raised:
        yield
    problem = problem_of(raised.value)
    assert problem is not None
    assert problem.code == "database.unavailable"


def confirmation(play: Play, park: Actor, *wishes: plays.Wish, key: str = "checkout") -> Callable[[], None]:
    payload = {"quote_id": str(plays.ask(play, park, *wishes).id), "method": "invoice", "key": key}
    return partial(crashes.place, play.market, park, payload)


def wait_for(true: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def test_a_server_killed_amid_a_checkout_has_all_of_it_or_nothing(machine: Machine, far_play: Play) -> None:
    park, engine = far_play.person("park01"), far_play.market.engine
    statements = count_statements(engine, confirmation(far_play, park, WEEK, key="counted"))
    place = confirmation(far_play, park, WEEK)
    before = plays.fingerprint(far_play)
    for moment in (0, statements // 2, statements - 1):  # the first statement, one amid, and the COMMIT
        with refused(), before_statement(engine, moment, machine.kill):
            place()
        with refused():  # while it is away
            place()
        machine.restart()
        assert plays.fingerprint(far_play) == before
    place()
    after = plays.fingerprint(far_play)
    place()  # whoever never heard the answer asks again and hears it
    assert plays.fingerprint(far_play) == after
    assert money(far_play)[1:] == (12_000_00, 0)


def test_a_server_killed_after_the_commit_keeps_the_order(machine: Machine, far_play: Play) -> None:
    park = far_play.person("park01")
    place = confirmation(far_play, park, WEEK)
    place()
    machine.kill()
    machine.restart()
    after = plays.fingerprint(far_play)
    place()
    assert plays.fingerprint(far_play) == after
    assert money(far_play)[1:] == (6_000_00, 0)


def test_a_server_killed_amid_a_run_and_its_settlement_settles_once(machine: Machine, far_play: Play) -> None:
    park = far_play.person("park01")
    order = plays.order(far_play, park, WEEK)
    with worker_process(far_play) as worker:
        wait_for(lambda: status(far_play, park, order) == "running")
        machine.kill()
        time.sleep(1)
        machine.restart()
        worker.join(30)
        assert worker.exitcode == 1  # whoever keeps it running is told to start it again
    assert money(far_play)[1:] == (6_000_00, 0)
    time.sleep(QUICK.stalled_after + QUICK.heartbeat)
    with worker_process(far_play):
        wait_for(lambda: plays.open_jobs(far_play) == 0)
    assert plays.now(far_play, park, order).status == "completed"
    assert money(far_play)[1:] == (0, 6_000_00)


def test_a_worker_that_loses_its_connections_never_goes_on_with_half_its_lanes(far_play: Play) -> None:
    park = far_play.person("park01")
    with worker_process(far_play) as worker:
        wait_for(lambda: plays.counted(far_play, LANES)["lanes"] == 2)
        plays.counted(far_play, LOST_ONCE)
        order = plays.order(far_play, park, BRIEF)
        wait_for(lambda: worker.exitcode is not None or plays.open_jobs(far_play) == 0)
    time.sleep(QUICK.stalled_after + QUICK.heartbeat)
    with worker_process(far_play):
        wait_for(lambda: plays.open_jobs(far_play) == 0)
    assert plays.now(far_play, park, order).status == "completed"


LANES = "SELECT 'lanes', count(*) FROM procrastinate_workers"
LOST_ONCE = """
    SELECT 'lost', count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


def status(play: Play, park: Actor, order: Any) -> str:
    return play.do(park, lambda work: runs.read_run(work, run_id=run_of(order)).status)


class Disk:
    """A small disk of its own for a database, which can be filled to the last byte."""

    def __init__(self, folder: Path) -> None:
        self._ballast = folder / "ballast"

    def fill(self) -> None:
        """Leave no byte free."""
        size = 1 << 20
        with self._ballast.open("ab", buffering=0) as file:
            while size:
                try:
                    file.write(b"\0" * size)
                except OSError:
                    size //= 2

    def free(self) -> None:
        """Give the room back."""
        self._ballast.unlink()


@pytest.fixture
def disk(machine: Machine) -> Iterator[Disk]:
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    folder = Path(tempfile.mkdtemp(prefix="mkt-disk-", dir="/tmp"))
    folder.chmod(0o711)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m,mode=0711", "tmpfs", str(folder)]
    try:
        if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
            pytest.skip("this machine does not let us mount a small disk")
        data = folder / "data"
        data.mkdir(mode=0o700)
        owner = Path(f"/proc/{machine.server.pid}").stat()
        os.chown(data, owner.st_uid, owner.st_gid)
        machine.server.execute(sql.SQL("CREATE TABLESPACE small LOCATION {}").format(sql.Literal(str(data))))
        yield Disk(folder)
        machine.server.execute(sql.SQL("DROP TABLESPACE small"))
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False, capture_output=True)
        folder.rmdir()


@pytest.fixture
def small_play(disk: Disk, far_scenery: plays.Scenery) -> Iterator[Play]:
    with far_scenery.play(tablespace="small") as play:
        plays.give_money(play)
        yield play


def test_a_full_disk_refuses_checkout_and_upload_clearly_and_keeps_nothing(disk: Disk, small_play: Play) -> None:
    park = small_play.person("park01")
    place = confirmation(small_play, park, WEEK, BRIEF)
    before = plays.fingerprint(small_play)
    disk.fill()
    for attempt in (place, partial(upload, small_play, park)):
        with pytest.raises(OperationalError) as full:
            attempt()
        assert isinstance(full.value.orig, psycopg.errors.DiskFull)
        problem = problem_of(full.value)
        assert problem is not None
        assert problem.code == "database.unavailable"
        assert plays.fingerprint(small_play) == before
    disk.free()
    place()
    upload(small_play, park)
    assert money(small_play)[1:] == (7_800_00, 0)


def upload(play: Play, park: Actor) -> None:
    content = os.urandom(1 << 20)  # not to be compressed
    play.do(park, lambda work: artefacts.upload(work, name="load.csv", media_type="text/csv", content=content))


def test_a_disk_that_fills_amid_a_run_charges_nothing_and_the_run_is_done_when_there_is_room(
    disk: Disk, small_play: Play
) -> None:
    park = small_play.person("park01")
    order = plays.order(small_play, park, WEEK)
    disk.fill()
    with worker_process(small_play):
        time.sleep(6)  # long enough to run and to fail to store what came of it
    assert plays.now(small_play, park, order).status == "placed"
    assert money(small_play)[1:] == (6_000_00, 0)
    plays.assert_invariants(small_play)
    disk.free()
    time.sleep(QUICK.stalled_after + QUICK.heartbeat)
    with worker_process(small_play):
        wait_for(lambda: plays.open_jobs(small_play) == 0)
    assert plays.now(small_play, park, order).status == "completed"
    assert money(small_play)[1:] == (0, 6_000_00)
