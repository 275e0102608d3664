"""A process that ends between any two statements has done the whole step or none of it, and a repeat does it."""

from __future__ import annotations

from functools import partial

import pytest

from marketplace.demo.theatre import Play
from marketplace.rules.orders import PaymentMethod
from services.usecases import runs
from tenants.kernel.context import Actor
from tests.support import crashes, plays
from tests.support.crashes import crash_everywhere, killed_before
from tests.support.plays import BRIEF, WEEK, YUAN, free_slots, inspection, money, run_of

WALLET = PaymentMethod.WALLET


@pytest.fixture
def park(play: Play) -> Actor:
    plays.give_money(play)
    actor = play.person("park01")
    plays.top_up(play, actor, 50_000 * YUAN)
    return actor


def confirmation(play: Play, park: Actor, *wishes: plays.Wish, key: str = "checkout") -> dict[str, str]:
    return {"quote_id": str(plays.ask(play, park, *wishes).id), "method": "wallet", "key": key}


def delivered(play: Play, park: Actor) -> dict[str, str]:
    """Order and finish a run; return what its event tells."""
    run_id = run_of(plays.order(play, park, WEEK, method=WALLET))
    plays.begin(play, park, run_id)
    assert plays.finish(play, park, run_id)
    return {"run_id": str(run_id)}


def test_a_checkout_that_crashes_anywhere_leaves_nothing_and_its_retry_places_the_order(
    play: Play, park: Actor
) -> None:
    payload = confirmation(play, park, WEEK, inspection(free_slots(play, park)[0]))
    step = partial(crashes.place, play.market, park, payload)
    statements = crash_everywhere(play.market.engine, step, partial(plays.fingerprint, play))
    assert statements > 20
    after = plays.fingerprint(play)
    step()
    assert plays.fingerprint(play) == after


def test_a_settlement_that_crashes_anywhere_leaves_nothing_and_its_retry_settles_once(play: Play, park: Actor) -> None:
    payload = delivered(play, park)
    step = partial(crashes.complete, play.market, plays.worker_of(park), payload)
    statements = crash_everywhere(play.market.engine, step, partial(plays.fingerprint, play))
    assert statements > 20
    assert money(play)[1:] == (0, 6_000_00)


def test_a_failure_and_a_cancellation_that_crash_anywhere_leave_nothing_half_released(play: Play, park: Actor) -> None:
    before = money(play), plays.wallet(play, park)
    failed = run_of(plays.order(play, park, WEEK, method=WALLET))
    play.do(plays.worker_of(park), lambda work: runs.fail_run(work, run_id=failed, code="run.test", detail="…"))
    worker = plays.worker_of(park)
    step = partial(crashes.fail, play.market, worker, {"run_id": str(failed), "code": "run.test"})
    assert crash_everywhere(play.market.engine, step, partial(plays.fingerprint, play)) > 10
    order = plays.order(play, park, BRIEF, inspection(free_slots(play, park)[0]), method=WALLET)
    step = partial(crashes.cancel, play.market, park, {"order_id": str(order.id)})
    assert crash_everywhere(play.market.engine, step, partial(plays.fingerprint, play)) > 10
    assert (money(play), plays.wallet(play, park)) == before


def test_a_process_killed_amid_checkout_or_settlement_leaves_nothing(play: Play, park: Actor) -> None:
    checkout = crashes.place, park, confirmation(play, park, WEEK, BRIEF)
    settlement = crashes.complete, plays.worker_of(park), delivered(play, park)
    for step, actor, payload in (checkout, settlement):
        before = plays.fingerprint(play)
        for statement in (1, 4, 9, 15, 20):
            assert killed_before(play, step, actor, payload, statement)
            assert plays.fingerprint(play) == before
        assert not killed_before(play, step, actor, payload, statement=10_000)
        assert plays.fingerprint(play) != before
        plays.assert_invariants(play)
    assert money(play)[1:] == (7_800_00, 6_000_00)
