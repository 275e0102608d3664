"""A clock that jumps: back an hour or forward a year before any step of an order, nothing breaks or is charged wrongly."""

from __future__ import annotations

from datetime import timedelta

import pytest

from marketplace.demo.theatre import Play
from marketplace.jobs import clockwork
from marketplace.jobs.handlers import HANDLERS
from services.usecases import runs
from tenants.kernel.context import Actor
from tenants.kernel.errors import Conflict, Invalid, NotAllowed
from tests.support import plays
from tests.support.plays import WEEK, ask, confirm, free_slots, inspection, money, run_of

BACK, FORWARD = timedelta(hours=-1), timedelta(days=365)
STEPS = ("order", "begin", "finish", "settle")


@pytest.fixture
def park(play: Play) -> Actor:
    plays.give_money(play)
    play.clock.advance(timedelta(days=1))
    return play.person("park01")


def settle(play: Play, park: Actor, run_id: object) -> None:
    HANDLERS["run.succeeded"](play.market, plays.worker_of(park), {"run_id": str(run_id)})


@pytest.mark.parametrize("jump", [BACK, FORWARD], ids=["back", "forward"])
@pytest.mark.parametrize("before", STEPS)
def test_a_jump_before_any_step_leads_to_one_settled_order(
    play: Play, park: Actor, before: str, jump: timedelta
) -> None:
    def step(name: str) -> None:
        if name == before:
            play.clock.advance(jump)

    quote = ask(play, park, WEEK)
    step("order")
    if (before, jump) == ("order", FORWARD):
        with pytest.raises(Conflict) as refused:
            confirm(play, park, quote.id)
        assert refused.value.code == "quote.expired"
        quote = ask(play, park, WEEK)
    order = confirm(play, park, quote.id)
    run_id = run_of(order)
    step("begin")
    plays.begin(play, park, run_id)
    step("finish")
    assert plays.finish(play, park, run_id)
    step("settle")
    settle(play, park, run_id)
    clockwork.cancel_overdue_orders(play.market)
    assert plays.now(play, park, order).status == "completed"
    assert money(play)[1:] == (0, 6_000_00)


def test_an_order_cancelled_by_a_clock_that_ran_ahead_stays_cancelled_when_it_comes_back(
    play: Play, park: Actor
) -> None:
    order = plays.order(play, park, WEEK)
    plays.begin(play, park, run_of(order))
    play.clock.advance(FORWARD)
    clockwork.cancel_overdue_orders(play.market)
    play.clock.advance(-FORWARD + BACK)
    assert not plays.finish(play, park, run_of(order))
    settle(play, park, run_of(order))
    assert plays.now(play, park, order).status == "cancelled"
    assert money(play)[1:] == (0, 0)


def test_a_price_and_a_policy_are_not_in_force_before_their_first_moment(play: Play, park: Actor) -> None:
    plays.set_price(play, plays.TWIN, "12000", play.clock.now())
    quote = ask(play, park, WEEK)
    assert quote.gross_fen == 12_000_00
    play.clock.advance(BACK)
    with pytest.raises(Conflict) as refused:
        confirm(play, park, quote.id)
    assert refused.value.code == "price.changed"
    play.clock.advance(-timedelta(days=2))
    with pytest.raises(NotAllowed):  # before all of this, the park had subscribed to nothing
        ask(play, park, WEEK)
    assert money(play)[1:] == (0, 0)


def test_a_slot_that_the_clock_has_passed_since_the_quote_is_not_sold(play: Play, park: Actor) -> None:
    slot = free_slots(play, park)[0]
    play.clock.instant = slot.starts_at - timedelta(minutes=10)
    quote = ask(play, park, inspection(slot))
    play.clock.advance(timedelta(minutes=20))
    with pytest.raises(Invalid) as refused:
        confirm(play, park, quote.id)
    assert [error.field for error in refused.value.errors] == ["lines[0].request.starts_at"]
    assert money(play)[1:] == (0, 0)


def test_a_run_failed_by_a_clock_that_went_back_is_released_once(play: Play, park: Actor) -> None:
    order = plays.order(play, park, WEEK)
    plays.begin(play, park, run_of(order))
    play.clock.advance(BACK)
    play.do(plays.worker_of(park), lambda work: runs.fail_run(work, run_id=run_of(order), code="run.x", detail="…"))
    for _ in range(2):
        HANDLERS["run.failed"](play.market, plays.worker_of(park), {"run_id": str(run_of(order)), "code": "run.x"})
    assert plays.now(play, park, order).status == "failed"
    assert money(play)[1:] == (0, 0)
