"""A schedule is rented like any run: a worker makes it, it is charged once, and one that cannot be made costs nothing."""

from __future__ import annotations

import hashlib

import pytest

from marketplace.demo.theatre import Play
from marketplace.jobs.handlers import HANDLERS
from services.usecases import artefacts
from tenants.kernel.context import Actor
from tests.support import plays
from tests.support.plays import YUAN, Wish, money, run_of

SCHEDULE = "energy-optimisation"


@pytest.fixture
def park(play: Play) -> Actor:
    plays.give_money(play)
    return play.person("park01")


def test_a_schedule_is_made_by_a_worker_and_charged_once(play: Play, park: Actor) -> None:
    asked = plays.ask(play, park, Wish(SCHEDULE, {"demo": True, "demand": {"so_far_kw": 1200}}))
    assert (asked.gross_fen, asked.subsidy_fen) == (2_000 * YUAN, 1_200 * YUAN)
    placed = plays.order(play, park, Wish(SCHEDULE, {"demo": True, "demand": {"so_far_kw": 1200}}))
    play.work_queue()
    line = plays.now(play, park, placed).lines[0]
    assert line.status == "delivered"
    assert line.run is not None
    kpis = line.run.kpis
    assert kpis is not None
    assert kpis["saving_yuan"] > 0
    files = play.do(park, lambda work: artefacts.list_artefacts(work, source_id=run_of(placed)))
    names = {each.name: each for each in files}
    assert set(names) == {"manifest.json", "kpis.json", "schedule.csv", "schedule.xlsx", "schedule.html"}
    manifest = play.do(park, lambda work: artefacts.open_artefact(work, artefact_id=names["manifest.json"].id))
    assert hashlib.sha256(manifest.content).hexdigest() == line.result_sha256
    before = plays.fingerprint(play)
    HANDLERS["run.succeeded"](play.market, plays.worker_of(park), {"run_id": str(run_of(placed))})
    assert plays.fingerprint(play) == before  # told again, nothing is charged again
    assert plays.counted(play, "SELECT offering, count(*) FROM rated_usage GROUP BY 1") == {SCHEDULE: 1}


def test_a_cap_that_cannot_be_kept_fails_the_run_with_a_remedy_and_costs_nothing(play: Play, park: Actor) -> None:
    at_first = money(play)
    placed = plays.order(play, park, Wish(SCHEDULE, {"demo": True, "demand": {"cap_kw": 100}}))
    assert money(play) != at_first
    play.work_queue()
    line = plays.now(play, park, placed).lines[0]
    assert (line.status, line.failure_code) == ("failed", "schedule.cap_too_low")
    assert line.run is not None
    assert "最低为" in str(line.run.failure_detail)
    assert money(play) == at_first
    assert plays.counted(play, "SELECT 'rated', count(*) FROM rated_usage") == {"rated": 0}
