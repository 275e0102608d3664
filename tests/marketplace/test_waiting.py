"""A freed slot is offered by the clock, the park is told once, and accepting leads to the order of the held slot."""

from __future__ import annotations

from datetime import timedelta

import pytest

from billing.usecases import alerts
from marketplace.demo import world
from marketplace.demo.theatre import Play
from marketplace.jobs import clockwork
from marketplace.rules.orders import PaymentMethod
from marketplace.usecases import checkout, fulfilment
from marketplace.usecases import waiting as shop
from marketplace.usecases.views import OrderView
from services.rules.waiting import WaitingState
from services.usecases import bookings, slot_search, waiting
from services.usecases.waiting import PlaceView
from tenants.kernel.context import Actor, system_actor
from tenants.kernel.errors import Conflict
from tenants.kernel.vocabulary import Role
from tenants.usecases import onboarding
from tests.support import plays
from tests.support.plays import booking_of, free_slots, inspection


@pytest.fixture
def park(play: Play) -> Actor:
    plays.give_money(play)
    return play.person("park01")


def join(play: Play, person: Actor, slot: slot_search.SlotView) -> PlaceView:
    return play.do(
        person,
        lambda work: waiting.join_for_time(
            work, instrument_id=slot.instrument_id, starts_at=slot.starts_at, slots=1
        ),
    )  # fmt: skip


def now(play: Play, person: Actor, place: PlaceView) -> PlaceView:
    return play.do(person, lambda work: waiting.read_place(work, place_id=place.id))


def told(play: Play, person: Actor) -> list[str]:
    return [each.kind for each in play.do(person, alerts.list_alerts)]


def accept(play: Play, person: Actor, place: PlaceView) -> OrderView:
    quote = play.do(person, lambda work: shop.accept_offer(work, place_id=place.id, purpose="断口分析"))
    return play.do(
        person,
        lambda work: checkout.place_order(work, quote_id=quote.id, payment_method=PaymentMethod.INVOICE),
    )


def test_a_cancelled_slot_is_offered_told_once_and_ordered_within_the_offer(play: Play, park: Actor) -> None:
    slot = free_slots(play, park)[0]
    order = plays.order(play, park, inspection(slot))
    second, third = play.person("racer01"), play.person("park02")
    place, behind = join(play, second, slot), join(play, third, slot)
    clockwork.offer_freed_slots(play.market)
    assert told(play, second) == []
    play.do(park, lambda work: fulfilment.cancel_order(work, order_id=order.id))
    with pytest.raises(Conflict) as refused:
        play.do(park, lambda work: checkout.ask_quote(work, lines=[inspection(slot)], hold_slots=True))
    assert refused.value.code == "slot.waited_for"
    for _ in range(2):
        clockwork.offer_freed_slots(play.market)
    assert told(play, second) == ["waiting.offered"]
    assert told(play, third) == []
    play.clock.advance(timedelta(hours=3))
    booked = accept(play, second, place)
    assert (booked.lines[0].booking is not None, now(play, second, place).state) == (True, WaitingState.BOOKED)
    assert now(play, third, behind).position == 1
    with pytest.raises(Conflict) as refused:
        play.do(second, lambda work: shop.accept_offer(work, place_id=place.id, purpose="断口分析"))
    assert refused.value.code == "waiting.not_offered"


def test_what_the_provider_gives_up_is_offered_too(play: Play, park: Actor) -> None:
    slot = free_slots(play, park)[0]
    order = plays.order(play, park, inspection(slot))
    second = play.person("racer01")
    place = join(play, second, slot)
    play.do(
        play.lab, lambda work: bookings.fail_inspection(work, booking_id=booking_of(order), reason="仪器故障")
    )  # fmt: skip
    play.work_queue()
    clockwork.offer_freed_slots(play.market)
    assert now(play, second, place).state is WaitingState.OFFERED


def test_who_has_waited_will_use_it_whoever_accepts(play: Play, park: Actor) -> None:
    slot = free_slots(play, park)[0]
    order = plays.order(play, park, inspection(slot))
    administrator = play.person("racer01")
    play.do(
        system_actor("test"),
        lambda work: onboarding.add_person(
            work, organisation_id=administrator.require_tenant(), login="member01", password=world.PASSWORD,
            name="实验员", roles=[Role.PARK_MEMBER],
        ),
    )  # fmt: skip
    member = play.person("member01")
    place = join(play, member, slot)
    play.do(park, lambda work: fulfilment.cancel_order(work, order_id=order.id))
    clockwork.offer_freed_slots(play.market)
    booking = accept(play, administrator, place).lines[0].booking
    assert booking is not None
    assert booking.responsible_id == member.user_id
