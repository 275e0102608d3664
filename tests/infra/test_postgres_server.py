"""The embedded server starts, stops, survives kills, is shared by several starters and says clearly what is wrong."""

import os
import pwd
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from infra.postgres import PostgresError, Server
from infra.postgres.account import Account
from infra.postgres.binaries import find_install
from infra.postgres.processes import is_alive

_ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A data folder whose server is gone after the test, whatever the test did."""
    where = tmp_path / "postgres"
    yield where
    if (where / "secret").exists():
        Server.start(where, durable=False).stop(remove=True)


def _rows(server: Server, statement: str) -> list[tuple[object, ...]]:
    url = server.url.replace("postgresql+psycopg", "postgresql")
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def test_a_started_server_answers_on_a_private_socket_only_and_ends_when_stopped(folder: Path) -> None:
    with Server.start(folder, durable=False) as server:
        assert _rows(server, "SHOW listen_addresses") == [("",)]
        assert int(str(_rows(server, "SHOW server_version_num")[0][0])) >= 150000
        assert stat.S_IMODE(server.socket_dir.stat().st_mode) == 0o700
        assert stat.S_IMODE((folder / "secret").stat().st_mode) == 0o600
        pid = server.pid
    assert not is_alive(pid)


def test_nobody_comes_in_without_the_password(folder: Path) -> None:
    with Server.start(folder, durable=False) as server:
        wrong = server.url_of("postgres", password="guess").replace("+psycopg", "")
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(wrong)


def test_databases_are_made_from_templates_and_dropped(folder: Path) -> None:
    with Server.start(folder, durable=False) as server:
        server.create_database("模板")
        url = server.create_database("copy", template="模板")
        assert "/copy?" in url
        assert server.ensure_database("copy") == url
        server.drop_database("copy")
        server.drop_database("copy")
        assert _rows(server, "SELECT count(*) FROM pg_database WHERE datname = 'copy'") == [(0,)]


def test_chinese_words_have_trigrams_and_the_extensions_are_there(folder: Path) -> None:
    with Server.start(folder, durable=False) as server:
        for extension in ("pg_trgm", "btree_gist", "citext"):
            _rows(server, f"CREATE EXTENSION {extension}")
        assert _rows(server, "SELECT similarity('数字孪生服务', '数字孪生') > 0.3") == [(True,)]


def test_a_second_start_attaches_and_its_stop_leaves_the_server_running(folder: Path) -> None:
    with Server.start(folder, durable=False) as server:
        other = Server.start(folder, durable=False)
        assert (other.owns, other.pid, other.url) == (False, server.pid, server.url)
        other.stop()
        assert _rows(server, "SELECT 1") == [(1,)]


def test_a_killed_server_starts_again_with_every_row(folder: Path) -> None:
    with Server.start(folder) as server:
        _rows(server, "CREATE TABLE kept (n int)")
        _rows(server, "INSERT INTO kept SELECT generate_series(1, 1000)")
        os.kill(server.pid, signal.SIGKILL)
    with Server.start(folder) as again:
        assert _rows(again, "SELECT count(*) FROM kept") == [(1000,)]


def test_a_pid_file_whose_number_another_program_took_does_not_prevent_the_start(folder: Path) -> None:
    server = Server.start(folder, durable=False)
    pid_file = server._layout.data / "postmaster.pid"
    kept = pid_file.read_text()
    server.stop()
    info = pid_file.parent.stat()
    runs_as = info.st_uid if os.geteuid() == 0 else None
    sleeper = subprocess.Popen(["sleep", "60"], user=runs_as, start_new_session=True)
    try:
        pid_file.write_text(kept.replace(kept.split("\n", 1)[0], str(sleeper.pid), 1))
        os.chown(pid_file, info.st_uid, info.st_gid)
        with Server.start(folder, durable=False) as again:
            assert _rows(again, "SELECT 1") == [(1,)]
        assert sleeper.poll() is None
    finally:
        sleeper.kill()
        sleeper.wait()


def test_two_who_start_at_once_share_one_server(folder: Path) -> None:
    started: list[Server] = []
    threads = [threading.Thread(target=lambda: started.append(Server.start(folder, durable=False))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({server.pid for server in started}) == 1
    assert sorted(server.owns for server in started) == [False, False, True]
    for server in started:
        server.stop()


def test_the_server_of_a_killed_owner_is_adopted_and_stopped(folder: Path) -> None:
    code = "import sys, time; from pathlib import Path; from infra.postgres import Server\n"
    code += "s = Server.start(Path(sys.argv[1]), durable=False); print(s.pid, flush=True); time.sleep(600)"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(folder)], cwd=_ROOT, stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline())
        owner.kill()
    server = Server.start(folder, durable=False)
    assert (server.owns, server.pid) == (True, pid)
    server.stop()
    deadline = time.monotonic() + 10
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_alive(pid)


def test_a_folder_with_a_very_long_path_still_gets_a_socket(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    with Server.start(deep, durable=False) as server:
        assert len(str(server.socket_dir)) < 90
        assert _rows(server, "SELECT 1") == [(1,)]
        socket_dir = server.socket_dir
        server.stop(remove=True)
    assert not socket_dir.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give up rights")
def test_started_by_root_it_runs_without_rights_and_opens_no_private_folder(tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    with Server.start(private / "postgres", durable=False) as server:
        assert Path(f"/proc/{server.pid}").stat().st_uid in {pwd.getpwnam(n).pw_uid for n in _unprivileged()}
        assert stat.S_IMODE(private.stat().st_mode) == 0o700
        assert _rows(server, "SELECT 1") == [(1,)]
        pid = server.pid
        server.stop()
    with Server.start(private / "postgres", durable=False) as again:  # finds its data at the other place
        assert again.pid != pid
        again.stop(remove=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user runs this way in every other test")
def test_started_by_an_ordinary_user_it_runs_as_that_user(tmp_path: Path) -> None:
    account = Account(pwd.getpwnam("nobody").pw_uid, pwd.getpwnam("nobody").pw_gid, switches=True)
    if not account.can_read_all(find_install().root):
        pytest.skip("the wheel's programs lie in a folder private to root")
    short = Path(tempfile.mkdtemp(dir="/tmp"))
    account.give(short)
    code = f"""
import os, sys
from pathlib import Path
from infra.postgres import Server
Server.start(Path(sys.argv[1]) / "warm", durable=False).stop(remove=True)  # imports what is private to root
os.setgroups([]), os.setgid({account.gid}), os.setuid({account.uid})
server = Server.start(Path(sys.argv[1]) / "postgres", durable=False)
print(Path(f"/proc/{{server.pid}}").stat().st_uid, server.socket_dir)
server.stop(remove=True)
"""
    answer = subprocess.run(
        [sys.executable, "-c", code, str(short)], cwd=_ROOT, capture_output=True, text=True, check=False
    )
    assert answer.stdout.split() == [str(account.uid), str(short / "postgres" / "run")], answer.stderr
    short.rmdir()


def test_a_folder_that_cannot_be_made_gives_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PostgresError, match="check that the folder can be written"):
        Server.start(tmp_path / "file" / "postgres")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_full_disk_gives_a_clear_error() -> None:
    small = Path(tempfile.mkdtemp(dir="/tmp"))
    small.chmod(0o711)  # else the account could not get there and the data would lie elsewhere
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=0711", "tmpfs", small], check=False)
    try:
        if mounted.returncode != 0:
            pytest.skip("this machine does not let us mount a small disk")
        with pytest.raises(PostgresError, match=r"MB are free .* needs \d+ MB"):
            Server.start(small / "postgres")
    finally:
        subprocess.run(["umount", small], check=False, capture_output=True)
        small.rmdir()


def test_a_setting_the_server_does_not_know_gives_its_own_words(folder: Path) -> None:
    with pytest.raises(PostgresError, match="unrecognized configuration parameter"):
        Server.start(folder, durable=False, options={"no_such_setting": "1"})


def test_a_lost_password_file_gives_a_remedy(folder: Path) -> None:
    Server.start(folder, durable=False).stop()
    secret = (folder / "secret").read_text()
    (folder / "secret").unlink()
    with pytest.raises(PostgresError, match="restore the file"):
        Server.start(folder, durable=False)
    (folder / "secret").write_text(secret)


def test_data_of_another_major_version_are_refused(folder: Path) -> None:
    server = Server.start(folder, durable=False)
    server.stop()
    version = server._layout.data / "PG_VERSION"
    kept = version.read_text()
    version.write_text("9\n")
    with pytest.raises(PostgresError, match="written by PostgreSQL 9"):
        Server.start(folder, durable=False)
    version.write_text(kept)


def _unprivileged() -> list[str]:
    return [entry.pw_name for entry in pwd.getpwall() if entry.pw_name in {"postgres", "nobody"}]
