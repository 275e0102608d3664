"""An order whose booking moves stays as it was bought, and its money waits as long as the new time needs."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest

from marketplace.demo.theatre import Play
from marketplace.jobs import clockwork
from marketplace.usecases import fulfilment, rebooking
from marketplace.usecases.views import OrderView
from services.usecases import slot_search
from tenants.kernel.clock import CHINA
from tenants.kernel.context import Actor
from tests.support import plays
from tests.support.plays import YUAN, booking_of, free_slots, inspection, money


@pytest.fixture
def park(play: Play) -> Actor:
    plays.give_money(play, 1_000_000 * YUAN)
    return play.person("park01")


def far_slot(play: Play, park: Actor) -> slot_search.SlotView:
    far = play.clock.now() + timedelta(days=60)
    return play.do(
        park,
        lambda work: slot_search.search_slots(work, offering=plays.INSPECTION, from_=far, to=far + timedelta(days=7)),
    )[0]


def move(play: Play, park: Actor, order: OrderView, slot: slot_search.SlotView) -> None:
    play.do(
        park,
        lambda work: rebooking.reschedule_booking(work, booking_id=booking_of(order), starts_at=slot.starts_at),
    )


def cancel(play: Play, park: Actor, order: OrderView) -> None:
    play.do(park, lambda work: fulfilment.cancel_order(work, order_id=order.id))


def on_instrument(play: Play, park: Actor, slot: slot_search.SlotView) -> slot_search.SlotView:
    return next(each for each in free_slots(play, park) if each.instrument_id == slot.instrument_id and each != slot)


def test_price_subsidy_and_number_stay_and_the_line_names_the_new_time(play: Play, park: Actor) -> None:
    slot = free_slots(play, park)[0]
    order = plays.order(play, park, inspection(slot))
    held = money(play)
    other = on_instrument(play, park, slot)
    move(play, park, order, other)
    after = plays.now(play, park, order)
    assert (after.number, after.status, after.gross_fen, after.subsidy_fen) == (
        order.number, "placed", order.gross_fen, order.subsidy_fen,
    )  # fmt: skip
    assert f"{other.starts_at.astimezone(CHINA):%Y-%m-%d %H:%M}" in after.lines[0].title
    assert money(play) == held
    assert slot in free_slots(play, park)


def test_money_waits_for_the_new_time(play: Play, park: Actor) -> None:
    far = far_slot(play, park)
    near = next(each for each in free_slots(play, park) if each.instrument_id == far.instrument_id)
    order = plays.order(play, park, inspection(near))
    move(play, park, order, far)
    play.clock.instant = far.starts_at
    clockwork.cancel_overdue_orders(play.market)
    assert plays.now(play, park, order).status == "placed"
    play.clock.instant = far.ends_at + timedelta(days=31)
    clockwork.cancel_overdue_orders(play.market)
    assert plays.now(play, park, order).status == "cancelled"


def test_a_move_that_races_the_cancellation_leaves_no_time_taken(play: Play, park: Actor) -> None:
    for _ in range(5):
        slot = free_slots(play, park)[0]
        order = plays.order(play, park, inspection(slot))
        other = on_instrument(play, park, slot)
        plays.at_once([partial(move, play, park, order, other), partial(cancel, play, park, order)])
        assert plays.now(play, park, order).status == "cancelled"
        assert {slot, other} <= set(free_slots(play, park))
        plays.assert_invariants(play)
    assert money(play)[1] == 0
