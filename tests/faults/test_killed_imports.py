"""Workers killed amid an import of the registry: the next one goes on from the last part, and every row counts once."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from marketplace.demo.theatre import Play
from services.gateways import import_parts
from services.rules.company_imports import ImportKind
from services.rules.demo_companies import demo_companies
from services.usecases import company_imports, company_withdrawals
from tenants.kernel.context import system_actor
from tests.support import plays
from tests.support.crashes import QUICK, worker_process

PARTS, ROWS = 40, 250
REGISTRY = (
    "SELECT uscc, name, region_code, industry_code, founded_on, capital_fen, expansions, scope, status FROM companies"
)
AS_OF = date(2026, 1, 1)


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_parts.pack_parts, "__defaults__", (ROWS,))


def content(seed: int) -> bytes:
    """A registry in which every part has rows that are refused: their last cell is filled, and lies beyond the headings."""
    lines = demo_companies(as_of=AS_OF, count=PARTS * ROWS, seed=seed).split(b"\r\n")
    for at in range(51, len(lines) - 1, 100):
        lines[at] = lines[at].replace("万元人民币".encode(), "万元,".encode())
    return b"\r\n".join(lines)


def start(play: Play, tmp_path: Path, sent: bytes) -> UUID:
    path = tmp_path / "registry.csv"
    path.write_bytes(sent)
    return play.do(
        play.person("operator"),
        lambda work: company_imports.start_import(
            work, kind=ImportKind.COMPANIES, name="名录", licence="自有", as_of=AS_OF, file_name="r.csv", path=path
        ),
    ).id


def moved_on(play: Play, source_id: UUID, done: int) -> bool:
    """Tell whether more than ``done`` rows are, or the import has ended."""
    source = now(play, source_id)
    return source.rows_done > done or source.status == "done"


def now(play: Play, source_id: UUID) -> company_imports.ImportView:
    operator = play.person("operator")
    return play.do(operator, lambda work: company_imports.read_import(work, source_id=source_id)).source


def wait_until(true: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def until_stalled() -> None:
    """Wait until the queue takes a silent worker for dead."""
    time.sleep(QUICK.stalled_after + QUICK.heartbeat)


def rows(play: Play, statement: str) -> list[Any]:
    return play.do(system_actor("test"), lambda work: list(work.session.execute(text(statement))))


def told(found: company_imports.ImportView) -> dict[str, Any]:
    """What an import says that does not depend on when and by whom it was carried out."""
    return {name: getattr(found, name) for name in ("status", "rows_done", "rows_accepted", "reasons", "warned")}


def test_an_import_whose_workers_are_killed_at_random_moments_is_whole_and_goes_on_where_it_was(
    play: Play, tmp_path: Path
) -> None:
    sent, dice = content(5), random.Random(11)
    source = start(play, tmp_path, sent)
    before, kills = len(rows(play, REGISTRY)), 0
    while now(play, source).status != "done" and kills < 30:
        done = now(play, source).rows_done
        with worker_process(play) as worker:
            wait_until(partial(moved_on, play, source, done))
            time.sleep(dice.uniform(0, 0.05))
            worker.kill()
        assert now(play, source).rows_done >= done, "what was done stays done"
        if now(play, source).status != "done":
            assert len(rows(play, REGISTRY)) == before, "nothing counts before the end"
        kills += 1
        until_stalled()
        if kills == 4:
            break
    assert 0 < now(play, source).rows_done <= PARTS * ROWS
    with worker_process(play):
        wait_until(lambda: now(play, source).status == "done")
        wait_until(lambda: plays.open_jobs(play) == 0)
    found, killed = told(now(play, source)), sorted(map(tuple, rows(play, REGISTRY)), key=str)
    assert found["rows_done"] == PARTS * ROWS
    assert found["reasons"]["slipped"] == PARTS * ROWS // 100
    leftovers = "SELECT (SELECT count(*) FROM incoming_companies) + (SELECT count(*) FROM company_import_parts)"
    assert rows(play, leftovers)[0][0] == 0
    assert rows(play, "SELECT count(*) FROM company_quarantine")[0][0] == PARTS * ROWS // 100
    calm = start(play, tmp_path, sent + b"\r\n")
    company_imports.carry_out_import(play.market.workshop, system_actor("worker"), source_id=calm)
    assert sorted(map(tuple, rows(play, REGISTRY)), key=str) == killed
    assert {**told(now(play, calm)), "warned": None} == {**found, "warned": None}


@pytest.mark.parametrize("statement", [2, 6, 9, 30])
def test_an_import_whose_worker_dies_before_a_statement_ends_whole(play: Play, tmp_path: Path, statement: int) -> None:
    source = start(play, tmp_path, content(6)[:200_000].rpartition(b"\r\n")[0])
    with worker_process(play, dies_before=statement) as worker:
        worker.join(30)
        assert worker.exitcode == -signal.SIGKILL
    until_stalled()
    with worker_process(play):
        wait_until(lambda: now(play, source).status == "done")
    found = now(play, source)
    assert found.rows_done == found.rows_total == found.rows_accepted + found.rows_refused


def test_a_withdrawal_whose_workers_are_killed_at_random_moments_ends_whole(
    play: Play, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(company_withdrawals, "ROWS_AT_ONCE", ROWS)
    dice, before = random.Random(12), sorted(map(tuple, rows(play, REGISTRY)), key=str)
    source = start(play, tmp_path, content(7))
    company_imports.carry_out_import(play.market.workshop, system_actor("worker"), source_id=source)
    operator = play.person("operator")
    play.do(operator, lambda work: company_withdrawals.withdraw_source(work, source_id=source, reason="误传"))

    def gone() -> company_withdrawals.WithdrawalView:
        found = play.do(operator, lambda work: company_withdrawals.withdrawal_of(work, source_id=source))
        assert found is not None
        return found

    def moved(done: int) -> bool:
        return gone().rows_done > done or gone().finished_at is not None

    for _ in range(4):
        done = gone().rows_done
        with worker_process(play) as worker:
            wait_until(partial(moved, done))
            time.sleep(dice.uniform(0, 0.05))
            worker.kill()
        assert gone().rows_done >= done, "what was done stays done"
        until_stalled()
    with worker_process(play):
        wait_until(lambda: gone().finished_at is not None)
        wait_until(lambda: plays.open_jobs(play) == 0)
    assert gone().rows_done == gone().rows_total
    assert sorted(map(tuple, rows(play, REGISTRY)), key=str) == before
