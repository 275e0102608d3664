"""Workers that are killed, or told to stop, at any moment: the next one brings every order to one end, once."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from uuid import UUID

import pytest

from marketplace.demo.theatre import Play
from services.usecases import runs
from tenants.kernel.context import Actor
from tests.support import plays
from tests.support.crashes import QUICK, worker_process
from tests.support.plays import BRIEF, NO_COMPANY, WEEK, money, run_of


@pytest.fixture
def park(play: Play) -> Actor:
    plays.give_money(play)
    return play.person("park01")


def wait_until(true: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def run_now(play: Play, park: Actor, run_id: UUID) -> runs.RunView:
    return play.do(park, lambda work: runs.read_run(work, run_id=run_id))


def until_stalled() -> None:
    """Wait until the queue takes a silent worker for dead."""
    time.sleep(QUICK.stalled_after + QUICK.heartbeat)


def work_to_the_end(play: Play) -> None:
    """Let a worker that nobody kills do all that is left."""
    until_stalled()
    with worker_process(play):
        wait_until(lambda: plays.open_jobs(play) == 0)


def test_workers_killed_at_random_moments_lose_nothing_and_do_nothing_twice(play: Play, park: Actor) -> None:
    orders = [plays.order(play, park, wish) for wish in (WEEK, BRIEF, NO_COMPANY, WEEK)]
    dice = random.Random(7)
    for _ in range(5):
        with worker_process(play) as worker:
            time.sleep(dice.uniform(0.3, 2.5))
            worker.kill()
        plays.assert_invariants(play)
        until_stalled()
    work_to_the_end(play)
    orders = [plays.now(play, park, order) for order in orders]
    assert all(order.status in {"completed", "failed"} for order in orders)
    assert orders[2].status == "failed"
    completed = [order for order in orders if order.status == "completed"]
    assert money(play)[1:] == (0, sum(order.subsidy_fen for order in completed))
    settled = "SELECT 'rated', count(*) FROM rated_usage UNION ALL SELECT 'claimed', count(*) FROM claim_lines"
    assert plays.counted(play, settled) == {"rated": len(completed), "claimed": len(completed)}


def test_a_run_that_outlives_three_workers_is_given_up_and_costs_nothing(play: Play, park: Actor) -> None:
    order = plays.order(play, park, WEEK)
    for attempt in (1, 2, 3):
        with worker_process(play) as worker:
            wait_until(lambda attempt=attempt: run_now(play, park, run_of(order)).attempts == attempt)  # type: ignore[misc]
            worker.kill()
        until_stalled()
    work_to_the_end(play)
    order = plays.now(play, park, order)
    assert (order.status, order.lines[0].failure_code) == ("failed", "run.gave_up")
    assert money(play)[1:] == (0, 0)


def test_a_worker_killed_amid_the_settlement_leaves_it_to_the_next(play: Play, park: Actor) -> None:
    order = plays.order(play, park, WEEK)
    plays.begin(play, park, run_of(order))
    plays.finish(play, park, run_of(order))  # its event waits in the queue; so does the order's first job, now idle
    for statement in (3, 14, 30):
        with worker_process(play, dies_before=statement) as worker:
            worker.join(30)
            assert worker.exitcode == -signal.SIGKILL
        assert plays.now(play, park, order).status == "placed"
        assert money(play)[1:] == (6_000_00, 0)
        until_stalled()
    work_to_the_end(play)
    assert plays.now(play, park, order).status == "completed"
    assert money(play)[1:] == (0, 6_000_00)


def test_a_worker_told_to_stop_leaves_its_run_to_the_next(play: Play, park: Actor) -> None:
    order = plays.order(play, park, WEEK)
    with worker_process(play) as worker:
        wait_until(lambda: run_now(play, park, run_of(order)).status == "running")
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGTERM)
        worker.join(QUICK.graceful + 5)
        assert worker.exitcode == 0
    run = run_now(play, park, run_of(order))
    assert (run.status, run.attempts) == ("queued", 0)
    assert plays.waiting_jobs(play) == {"run.queued": 1}  # at once, without waiting for the dead to be noticed
    with worker_process(play):
        wait_until(lambda: plays.open_jobs(play) == 0)
    order = plays.now(play, park, order)
    assert order.lines[0].run is not None
    assert (order.status, order.lines[0].run.attempts) == ("completed", 1)
    assert money(play)[1:] == (0, 6_000_00)
