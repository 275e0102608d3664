"""Waiting for a slot with clocks, grabbers and who leaves at once, and with a kill at any moment: the order holds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from sqlalchemy import text

from services.rules.waiting import WaitingState
from services.usecases import waiting
from services.usecases.invariants import INVARIANTS
from services.usecases.invariants_waiting import WAITING
from services.usecases.waiting_offers import offer
from tenants.kernel.clock import ManualClock
from tenants.kernel.context import system_actor
from tenants.kernel.identifiers import new_id
from tenants.kernel.work import WorkShop
from tests.services.test_slot_holds import OPERATOR, at_once, hold
from tests.services.test_waiting import (
    DAY,
    HOUR,
    TUESDAY,
    cancel,
    clock_round,
    fill,
    join,
    join_days,
    leave,
    world,
)
from tests.support.crashes import crash_everywhere
from tests.support.databases import Database, RecordingOutbox
from tests.support.invariants import broken
from tests.support.services import World, park_person

__all__ = ["world"]


@pytest.fixture
def crowd(database: Database, clock: ManualClock, outbox: RecordingOutbox) -> Iterator[WorkShop]:
    engine = database.engine(pool_size=20)
    yield WorkShop(engine, clock, outbox)
    engine.dispose()


def wait_for_lock(database: Database) -> None:
    """Return as soon as one transaction waits for another."""
    waits = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    ends = time.monotonic() + 20
    while time.monotonic() < ends:
        with database.owner().connect() as connection:
            if connection.execute(waits).scalar_one():
                return
        time.sleep(0.05)
    raise AssertionError("nobody waits")


def test_who_leaves_while_the_clock_offers_declines_what_it_is_offered(
    workshop: WorkShop, world: World, database: Database
) -> None:
    owner, (booked,) = fill(workshop, world, 1)
    person = park_person(new_id())
    place = join(workshop, world, person)
    cancel(workshop, owner, booked)

    def leave_late() -> WaitingState:
        with workshop.work(person) as work:
            return waiting.leave(work, place_id=place.id).state

    with ThreadPoolExecutor(1) as pool:
        with workshop.work(system_actor("clock", tenant_id=person.tenant_id)) as work:
            assert offer(work, place_id=place.id) is not None
            leaving = pool.submit(leave_late)
            wait_for_lock(database)
        assert leaving.result(timeout=20) is WaitingState.DECLINED


def test_many_freed_and_many_waiting_with_clocks_and_grabbers_at_once(
    workshop: WorkShop, world: World, crowd: WorkShop
) -> None:
    """Six slots become free one by one while two clocks run, others grab, and one leaves: the order holds."""
    owner, booked = fill(workshop, world, 6)
    people = [park_person(new_id()) for _ in range(9)]
    joining = [partial(join_days, crowd, world, each, DAY, DAY) for each in people]
    fill(workshop, world, 2, TUESDAY + 6 * HOUR)
    assert at_once(joining) == ["ok"] * 9
    with workshop.work(OPERATOR) as work:
        numbers = work.session.execute(text("SELECT number FROM waiting_turns ORDER BY number")).scalars().all()
    assert numbers == list(range(1, 10)), "no number is given twice or left out"
    grabs = [partial(hold, crowd, world, park_person(new_id()), TUESDAY + at * HOUR) for at in range(6)]
    frees = [partial(cancel, crowd, owner, each) for each in booked]
    clocks = [partial(clock_round, crowd), partial(clock_round, crowd)]
    answers = at_once([*frees, *grabs, *clocks])
    assert set(answers) <= {"ok", "slot.taken", "slot.waited_for", "slot.busy"}
    assert answers.count("ok") == 8, "six are cancelled, two clocks go round, and nobody grabs anything"
    at_once(clocks)
    clock_round(workshop)
    with workshop.work(OPERATOR) as work:
        offered = work.session.execute(
            text("SELECT number FROM waiting_turns WHERE NOT open ORDER BY number")
        ).scalars()  # fmt: skip
        assert list(offered) == list(range(1, 7))


def test_a_slot_that_becomes_free_while_somebody_tries_to_take_it_is_theirs_who_wait(
    workshop: WorkShop, world: World, crowd: WorkShop
) -> None:
    for number in range(5):
        at = TUESDAY + number * HOUR
        owner, (booked,) = fill(workshop, world, 1, at)
        join(workshop, world, park_person(new_id()), at)
        grabbers = [partial(hold, crowd, world, park_person(new_id()), at) for _ in range(6)]
        answers = at_once([partial(cancel, crowd, owner, booked), *grabbers])
        assert answers.count("ok") == 1, answers
        assert len(clock_round(workshop)) == 1


def test_a_kill_at_any_moment_loses_nothing(workshop: WorkShop, world: World) -> None:
    owner, (booked,) = fill(workshop, world, 1)
    person, other = park_person(new_id()), park_person(new_id())

    def state() -> object:
        with workshop.work(person) as work:
            places = waiting.list_places(work).items
            return [each.state for each in places], broken(workshop, (*INVARIANTS, *WAITING))

    assert crash_everywhere(workshop.engine, partial(join, workshop, world, person), state) > 5
    next_one = join(workshop, world, other)
    cancel(workshop, owner, booked)

    def offer_first() -> None:
        with workshop.work(person) as work:
            (place,) = waiting.list_places(work).items
        with workshop.work(system_actor("clock", tenant_id=person.tenant_id)) as work:
            offer(work, place_id=place.id)

    assert crash_everywhere(workshop.engine, offer_first, state) > 5
    with workshop.work(person) as work:
        (place,) = waiting.list_places(work).items
    assert place.state is WaitingState.OFFERED
    assert crash_everywhere(workshop.engine, partial(leave, workshop, person, place), state) > 5
    assert [each.place_id for each in clock_round(workshop)] == [next_one.id]
