"""``marketplace companies import``: the registry from the command line, by a named person, with a report and an exit code."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import text

from marketplace.cli import main
from marketplace.demo import world
from marketplace.demo.theatre import Play
from services.rules.demo_companies import demo_companies
from tenants.kernel.context import system_actor
from tenants.kernel.vocabulary import Permission
from tenants.usecases import api_keys
from tests.support.crashes import worker_process
from tests.support.databases import Database

ABOUT = ("--source", "某市企业名录", "--licence", "自有", "--as-of", "2026-03-02")


def environment(play: Play) -> dict[str, str]:
    settings = play.market.settings
    return {
        "DATABASE_URL": settings.database_url, "DATABASE_OWNER_URL": settings.database_owner_url,
        "MARKETPLACE_MODE": "demo",
    }  # fmt: skip


def bring(play: Play, *arguments: object, password: str = world.PASSWORD, who: str = "operator") -> Result:
    """Run the command as ``who``, who gives ``password``."""
    given = ["companies", "import", *map(str, arguments), *ABOUT, "--as", who]
    return CliRunner().invoke(main, given, input=f"{password}\n", env=environment(play), catch_exceptions=False)


def key(play: Play, folder: Path, scope: Permission) -> Path:
    """A file with an API key of the operator's."""
    made = play.do(play.person("operator"), lambda work: api_keys.create_api_key(work, name="夜间", scopes=[scope]))
    path = folder / "key"
    path.write_text(f"{made.token}\n", encoding="utf-8")
    return path


def registry(folder: Path, count: int = 300, seed: int = 31) -> Path:
    """A registry whose second company sits nowhere."""
    rows = demo_companies(as_of=date(2026, 3, 2), count=count, seed=seed).split(b"\r\n")
    cells = rows[2].split(b",")
    cells[2] = "火星".encode()
    rows[2] = b",".join(cells)
    path = folder / "名录.csv"
    path.write_bytes(b"\r\n".join(rows))
    return path


def rows(play: Play, statement: str) -> list[Any]:
    return play.do(system_actor("test"), lambda work: list(work.session.execute(text(statement))))


def test_a_worker_imports_it_and_the_report_names_who_asked(play: Play, tmp_path: Path) -> None:
    kept = tmp_path / "quarantine.csv"
    with worker_process(play):
        told = bring(play, registry(tmp_path), "--quarantine", kept)
    assert told.exit_code == 0, told.stderr
    report = json.loads(told.stdout)
    assert (report["status"], report["kind"], report["name"]) == ("done", "companies", "某市企业名录")
    assert (report["rows_total"], report["rows_accepted"], report["rows_refused"]) == (300, 299, 1)
    assert (report["rows_merged"], report["reasons"]) == (299, {"unknown_region": 1})
    assert report["imported_by"] == str(play.person("operator").user_id)
    assert "done: 300 of 300 rows" in told.stderr
    with kept.open(encoding="utf-8-sig", newline="") as stream:
        assert [each[:2] for each in csv.reader(stream)][1:] == [["3", "unknown_region"]]
    by = rows(play, "SELECT user_id FROM audit_entries WHERE action = 'companies.import' ORDER BY at DESC LIMIT 1")
    assert by[0][0] == play.person("operator").user_id


def test_without_a_worker_it_is_imported_here_and_again_it_is_refused(play: Play, tmp_path: Path) -> None:
    path = registry(tmp_path)
    told = bring(play, path, "--here")
    assert (told.exit_code, json.loads(told.stdout)["rows_merged"]) == (0, 299)
    again = bring(play, path, "--here")
    assert again.exit_code == 2
    assert json.loads(again.stderr[again.stderr.index("{") :])["code"] == "companies.known_file"
    assert again.stdout == ""


def test_events_are_imported_through_the_same_door(play: Play, tmp_path: Path) -> None:
    companies, events = tmp_path / "r.csv", tmp_path / "e.csv"
    made = CliRunner().invoke(
        main, ["companies", "generate", "--rows", "200", "--output", str(companies), "--events", str(events)]
    )
    count = json.loads(made.stdout)["events"]
    told = bring(play, events, "--events", "--here")
    assert told.exit_code == 0, told.stderr
    report = json.loads(told.stdout)
    assert (report["kind"], report["rows_accepted"]) == ("expansions", count)
    assert rows(play, f"SELECT count(*) FROM company_expansions WHERE source_id = '{report['id']}'")[0][0] > 0


@pytest.mark.parametrize(("scope", "code"), [(Permission.READ_CATALOGUE, 2), (Permission.IMPORT_COMPANIES, 0)])
def test_a_program_acts_with_a_key_and_no_further_than_it_goes(
    play: Play, tmp_path: Path, scope: Permission, code: int
) -> None:
    given = [
        "companies",
        "import",
        str(registry(tmp_path)),
        "--here",
        *ABOUT,
        "--key-file",
        str(key(play, tmp_path, scope)),
    ]
    told = CliRunner().invoke(main, given, env=environment(play), catch_exceptions=False)
    assert told.exit_code == code, told.stderr
    if not code:
        assert json.loads(told.stdout)["imported_by"] == str(play.person("operator").user_id)


@pytest.mark.parametrize(
    ("who", "password", "code"),
    [
        ("operator", "wrong", "auth.bad_credentials"),
        ("nobody", world.PASSWORD, "auth.bad_credentials"),
        ("park01", world.PASSWORD, "auth.not_allowed"),
    ],
)
def test_only_an_operator_who_proves_to_be_one_imports(
    play: Play, tmp_path: Path, who: str, password: str, code: str
) -> None:
    told = bring(play, registry(tmp_path), "--here", who=who, password=password)
    assert told.exit_code == 2
    assert json.loads(told.stderr[told.stderr.index("{") :])["code"] == code
    assert rows(play, "SELECT count(*) FROM company_sources WHERE name = '某市企业名录'")[0][0] == 0


def test_what_cannot_be_imported_says_why_in_its_exit_code(play: Play, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("a,b\n1,2\n", encoding="utf-8")
    assert bring(play, path).exit_code == 2
    path.write_text("企业名称,统一社会信用代码,行政区划代码\n某食品有限公司,1,411200\n", encoding="utf-8")
    nothing = bring(play, path, "--here")
    assert (nothing.exit_code, json.loads(nothing.stdout)["rows_accepted"]) == (1, 0)
    assert bring(play, tmp_path / "missing.csv").exit_code == 2


def test_one_says_who_acts_once(database: Database, tmp_path: Path) -> None:
    path = registry(tmp_path)
    env = {"DATABASE_URL": database.url, "MARKETPLACE_MODE": "demo"}
    for who in ((), ("--as", "operator", "--key-file", str(path))):
        told = CliRunner().invoke(main, ["companies", "import", str(path), *ABOUT, *who], env=env)
        assert told.exit_code == 2
        assert "--as LOGIN" in told.stderr


def test_an_interrupted_command_leaves_the_rest_to_a_worker(play: Play, tmp_path: Path) -> None:
    path = registry(tmp_path, 25_000)
    command = [sys.executable, "-m", "marketplace.cli", "companies", "import", str(path), "--here", *ABOUT]
    child = subprocess.Popen(
        [*command, "--key-file", str(key(play, tmp_path, Permission.IMPORT_COMPANIES))],
        env=os.environ | environment(play),
        stderr=subprocess.PIPE,
        text=True,
    )
    with child:
        assert child.stderr is not None
        while not (line := child.stderr.readline()).startswith("running: 10,000"):
            assert line, "it ended before it was interrupted"
        child.send_signal(signal.SIGINT)
        assert child.wait(60) == 1
        assert "a worker goes on with import" in child.stderr.read()
    status = "SELECT status, rows_done FROM company_sources WHERE name = '某市企业名录'"
    assert rows(play, status)[0][0] in {"running", "merging"}, "a slow machine may hear of it late"
    with worker_process(play):
        deadline = time.monotonic() + 120
        while rows(play, status)[0][0] != "done":
            assert time.monotonic() < deadline
            time.sleep(0.1)
    assert rows(play, status)[0][1] == 25_000
