"""A freed slot that others wait for is in no list of free ones, but for those who may take it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from services.rules.series import SeriesRule, SeriesUnit
from services.rules.slots import Hours, Span
from services.usecases import booking_series, instruments, slot_search, slots
from services.usecases.booking_series import OccurrenceState
from services.usecases.invariants import INVARIANTS
from services.usecases.slot_search import SlotView
from tenants.kernel.clock import ManualClock
from tenants.kernel.context import Actor, system_actor
from tenants.kernel.errors import Conflict
from tenants.kernel.identifiers import new_id
from tenants.kernel.work import WorkShop
from tests.services.test_slot_holds import HOUR, TUESDAY, close, hold, refusal
from tests.services.test_waiting import cancel, clock_round, fill, join, leave
from tests.support.invariants import broken
from tests.support.services import World, build_world, park_person

DAY = timedelta(days=1)


@pytest.fixture
def world(workshop: WorkShop) -> Iterator[World]:
    yield build_world(workshop)
    assert broken(workshop, INVARIANTS) == {}


def listed(workshop: WorkShop, actor: Actor, *, waited: bool = False) -> list[SlotView]:
    with workshop.work(actor) as work:
        to = TUESDAY + 3 * HOUR
        found = slot_search.search_slots(work, offering="lab", from_=TUESDAY, to=to, waited=waited)
    return [each for each in found if each.instrument_name == "气相色谱仪"]


def starts(workshop: WorkShop, actor: Actor) -> list[datetime]:
    return [each.starts_at for each in listed(workshop, actor)]


def test_lists_searches_and_suggestions_leave_out_what_others_wait_for(workshop: WorkShop, world: World) -> None:
    owner, (booked,) = fill(workshop, world, 1)
    waiting, other = park_person(new_id()), park_person(new_id())
    place = join(workshop, world, waiting)
    cancel(workshop, owner, booked)
    later = [TUESDAY + HOUR, TUESDAY + 2 * HOUR]
    assert starts(workshop, other) == later
    assert starts(workshop, waiting) == [TUESDAY, *later], "it may take what nobody else waits for"
    assert [(each.starts_at, each.waited) for each in listed(workshop, other, waited=True)] == [
        (TUESDAY, True), *((at, False) for at in later),
    ]  # fmt: skip
    with workshop.work(system_actor("test")) as work:
        second = instruments.add_instrument(work, offering="lab", name="第二台", region_code="510104")
    with workshop.work(other) as work:
        day: dict[str, Any] = {"from_": TUESDAY, "to": TUESDAY + DAY}
        first = slot_search.search_instruments(work, offerings=["lab"], **day)
        assert {each.instrument.name: each.first.starts_at for each in first} == {
            "气相色谱仪": TUESDAY + HOUR, "第二台": TUESDAY,
        }  # fmt: skip
        both = [world.instrument.id, second.id]
        assert slot_search.search_together(work, instrument_ids=both, **day)[0].starts_at == TUESDAY + HOUR
        near = slot_search.nearest_slots(work, world.instrument, TUESDAY, 2)
        assert [each.starts_at for each in near] == later
        span = Span(world.instrument.id, TUESDAY, TUESDAY + HOUR)
        with pytest.raises(Conflict) as refused:
            slots.check_free(work, world.instrument, span)
        assert refused.value.code == "slot.waited_for"
        rule = SeriesRule(TUESDAY, 1, SeriesUnit.DAY, 2)
        found = booking_series.preview_series(work, instrument_id=world.instrument.id, rule=rule, count=1)
        assert [each.state for each in found] == [OccurrenceState.WAITED_FOR, OccurrenceState.FREE]
        assert found[0].nearest == (TUESDAY + HOUR, TUESDAY + 2 * HOUR, TUESDAY + 3 * HOUR)
    leave(workshop, waiting, place)
    assert starts(workshop, other) == [TUESDAY, *later], "nobody waits any more"


def test_what_is_offered_is_held_for_who_waited_and_then_for_the_next(
    workshop: WorkShop, world: World, clock: ManualClock
) -> None:
    owner, (booked,) = fill(workshop, world, 1)
    people = [park_person(new_id()) for _ in range(3)]
    for each in people[:2]:
        join(workshop, world, each)
    cancel(workshop, owner, booked)
    assert [TUESDAY in starts(workshop, each) for each in people] == [False] * 3, "each waits for the other"
    (made,) = clock_round(workshop)
    with workshop.work(people[0]) as work:
        slots.check_free(work, world.instrument, Span(world.instrument.id, made.starts_at, made.ends_at))
    clock.instant = made.expires_at
    close(workshop)
    assert [TUESDAY in starts(workshop, each) for each in people] == [False, True, False]
    assert refusal(lambda: hold(workshop, world, people[2])) == "slot.waited_for"
    hold(workshop, world, people[1])


def test_a_wish_that_does_not_fit_and_another_day_keep_nothing_off_the_list(workshop: WorkShop, world: World) -> None:
    owner, booked = fill(workshop, world, 8)
    join(workshop, world, park_person(new_id()), slots=2)
    other = park_person(new_id())
    cancel(workshop, owner, booked[0])
    assert starts(workshop, other) == [TUESDAY], "two hours are waited for, and one is free"
    cancel(workshop, owner, booked[1])
    assert starts(workshop, other) == []


def test_one_of_two_units_is_free_while_the_other_is_waited_for(workshop: WorkShop, world: World) -> None:
    with workshop.work(world.provider) as work:
        hours = Hours(9, 17, 60, units=2)
        instruments.change_instrument(work, instrument_id=world.instrument.id, methods=[], hours=hours, parks=None)
    owner, booked = fill(workshop, world, 1)
    _, _ = fill(workshop, world, 1)
    join(workshop, world, park_person(new_id()))
    other = park_person(new_id())
    cancel(workshop, owner, booked[0])
    assert TUESDAY not in starts(workshop, other)
