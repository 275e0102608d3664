"""Held slots: nobody else takes them, the order turns them into the booking, and they are free again in time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from services.rules.slot_holds import HoldOutcome, is_live
from services.rules.slots import Hours
from services.usecases import catalogue, deliveries, instruments, maintenance, slot_holds, slot_search
from services.usecases.invariants import INVARIANTS
from services.usecases.slot_holds import HoldView
from tenants.kernel.clock import CHINA, ManualClock
from tenants.kernel.context import Actor, system_actor
from tenants.kernel.errors import Conflict, Invalid, NotAllowed, NotFound, Problem
from tenants.kernel.identifiers import new_id
from tenants.kernel.work import WorkShop
from tests.support.crashes import crash_everywhere
from tests.support.databases import Database, RecordingOutbox
from tests.support.invariants import broken
from tests.support.parks import credit_code, sign_up
from tests.support.services import World, build_world, order, park_person

TUESDAY = datetime(2026, 3, 3, 9, 0, tzinfo=CHINA)
HOUR = timedelta(hours=1)
TEN_MINUTES = timedelta(minutes=10)
OPERATOR = system_actor("operator", on_behalf_of=new_id())


@pytest.fixture
def world(workshop: WorkShop) -> Iterator[World]:
    yield build_world(workshop)
    assert broken(workshop, INVARIANTS) == {}


@pytest.fixture
def crowd(database: Database, clock: ManualClock, outbox: RecordingOutbox) -> Iterator[WorkShop]:
    engine = database.engine(pool_size=16)
    yield WorkShop(engine, clock, outbox)
    engine.dispose()


def hold(workshop: WorkShop, world: World, actor: Actor, starts_at: datetime = TUESDAY, slots: int = 1) -> HoldView:
    with workshop.work(actor) as work:
        return slot_holds.hold_slot(work, instrument_id=world.instrument.id, starts_at=starts_at, slots=slots)


def book(workshop: WorkShop, world: World, park_id: UUID, starts_at: datetime = TUESDAY, slots: int = 1) -> UUID:
    wish: dict[str, Any] = {
        "instrument_id": str(world.instrument.id),
        "starts_at": starts_at.isoformat(),
        "slots": slots,
        "purpose": "水样检测",
    }
    booking_id = order(workshop, park_id, "lab", wish).booking_id
    assert booking_id is not None
    return booking_id


def held(workshop: WorkShop, actor: Actor) -> list[datetime]:
    with workshop.work(actor) as work:
        return [each.starts_at.astimezone(CHINA) for each in slot_holds.list_holds(work)]


def free(workshop: WorkShop, starts_at: datetime = TUESDAY) -> bool:
    with workshop.work(park_person(new_id())) as work:
        found = slot_search.search_slots(work, offering="lab", from_=starts_at, to=starts_at + HOUR)
    return [slot.starts_at for slot in found] == [starts_at]


def close(workshop: WorkShop) -> None:
    with workshop.work(OPERATOR) as work:
        slot_holds.close_expired(work)


def refusal(do: Callable[[], object]) -> str:
    with pytest.raises(Problem) as refused:
        do()
    return refused.value.code


def test_a_held_slot_is_nobody_elses_until_it_expires(workshop: WorkShop, world: World, clock: ManualClock) -> None:
    park, other = park_person(new_id()), park_person(new_id())
    assert free(workshop)
    mine = hold(workshop, world, park)
    assert mine.expires_at == clock.now() + TEN_MINUTES
    assert (mine.starts_at, mine.ends_at, mine.outcome) == (TUESDAY, TUESDAY + HOUR, None)
    assert hold(workshop, world, park) == mine, "again is the same hold, with the same time left"
    assert not free(workshop)
    assert refusal(lambda: hold(workshop, world, other)) == "slot.taken"
    assert refusal(lambda: book(workshop, world, new_id())) == "slot.taken"
    clock.instant += TEN_MINUTES
    assert free(workshop)
    theirs = hold(workshop, world, other)
    assert theirs.id != mine.id
    assert (held(workshop, park), held(workshop, other)) == ([], [TUESDAY])
    assert not is_live(mine.outcome, mine.expires_at, clock.now())


def test_the_order_turns_the_hold_into_the_booking(workshop: WorkShop, world: World, clock: ManualClock) -> None:
    park = park_person(new_id())
    assert park.tenant_id is not None
    mine = hold(workshop, world, park)
    book(workshop, world, park.tenant_id)
    with workshop.work(park) as work:
        assert slot_holds.read_hold(work, hold_id=mine.id).outcome is HoldOutcome.BOOKED
        assert slot_holds.list_holds(work) == ()
        assert slot_holds.release_hold(work, hold_id=mine.id).outcome is HoldOutcome.BOOKED
    clock.instant += TEN_MINUTES
    with workshop.work(OPERATOR) as work:
        assert slot_holds.close_expired(work) == 0
    assert refusal(lambda: book(workshop, world, new_id())) == "slot.taken"


def test_an_expired_hold_still_orders_what_is_free(workshop: WorkShop, world: World, clock: ManualClock) -> None:
    park = park_person(new_id())
    assert park.tenant_id is not None
    hold(workshop, world, park)
    clock.instant += TEN_MINUTES
    book(workshop, world, park.tenant_id)
    assert not free(workshop)
    with workshop.work(OPERATOR) as work:
        assert slot_holds.close_expired(work) == 1
    assert not free(workshop), "the clock takes the hold away and not the booking"


def test_a_released_hold_frees_its_slot_for_colleagues_and_others(workshop: WorkShop, world: World) -> None:
    park_id = new_id()
    mine = hold(workshop, world, park_person(park_id))
    with pytest.raises(NotFound), workshop.work(park_person(new_id())) as work:
        slot_holds.release_hold(work, hold_id=mine.id)
    with workshop.work(park_person(park_id)) as work:
        assert slot_holds.release_hold(work, hold_id=mine.id).outcome is HoldOutcome.RELEASED
    assert free(workshop)
    hold(workshop, world, park_person(new_id()))


def test_another_length_replaces_ones_own_hold_and_never_a_colleagues(workshop: WorkShop, world: World) -> None:
    park_id = new_id()
    person, colleague = park_person(park_id), park_person(park_id)
    hold(workshop, world, person)
    longer = hold(workshop, world, person, slots=2)
    assert held(workshop, person) == [TUESDAY]
    assert longer.ends_at == TUESDAY + 2 * HOUR
    assert refusal(lambda: hold(workshop, world, colleague, TUESDAY + HOUR)) == "slot.taken"
    assert hold(workshop, world, colleague, slots=2) == longer, "the same time is held by the park already"


def test_a_park_holds_a_few_at_once_however_many_it_asks_for(
    workshop: WorkShop, world: World, crowd: WorkShop, clock: ManualClock
) -> None:
    with workshop.work(OPERATOR) as work:
        terms = slot_holds.set_hold_terms(work, minutes=20, per_park=3)
    assert (terms.minutes, terms.per_park) == (20, 3)
    park_id = new_id()
    wishes = [partial(hold, crowd, world, park_person(park_id), TUESDAY + number * HOUR) for number in range(8)]
    answers = at_once(wishes)
    assert sorted(answers) == ["ok"] * 3 + ["slot.too_many_holds"] * 5
    assert len(held(workshop, park_person(park_id))) == 3
    clock.instant += timedelta(minutes=20)
    hold(workshop, world, park_person(park_id), TUESDAY + 9 * 24 * HOUR)
    assert len(held(workshop, park_person(park_id))) == 1


def test_of_sixteen_who_want_an_expired_hold_one_gets_it(
    workshop: WorkShop, world: World, crowd: WorkShop, clock: ManualClock
) -> None:
    hold(workshop, world, park_person(new_id()), slots=2)
    hold(workshop, world, park_person(new_id()), TUESDAY + 2 * HOUR)
    clock.instant += TEN_MINUTES
    answers = at_once([partial(hold, crowd, world, park_person(new_id()), slots=3) for _ in range(16)])
    assert sorted(answers) == ["ok"] + ["slot.taken"] * 15


def test_two_colleagues_who_order_one_hold_book_once(workshop: WorkShop, world: World, crowd: WorkShop) -> None:
    park_id = new_id()
    hold(workshop, world, park_person(park_id))
    answers = at_once([partial(book, crowd, world, park_id) for _ in range(8)])
    assert sorted(answers) == ["ok"] + ["slot.taken"] * 7


def test_a_kill_at_any_moment_loses_nothing(workshop: WorkShop, world: World, clock: ManualClock) -> None:
    park = park_person(new_id())
    assert park.tenant_id is not None

    def state() -> object:
        return held(workshop, park), broken(workshop, INVARIANTS), free(workshop)

    assert crash_everywhere(workshop.engine, partial(hold, workshop, world, park), state) > 3
    assert crash_everywhere(workshop.engine, partial(book, workshop, world, park.tenant_id), state) > 3
    hold(workshop, world, park, TUESDAY + HOUR)
    clock.instant += TEN_MINUTES
    assert crash_everywhere(workshop.engine, partial(close, workshop), state) > 3
    other = park_person(new_id())
    hold(workshop, world, other, TUESDAY + 2 * HOUR)
    clock.instant += TEN_MINUTES
    taking = partial(hold, workshop, world, park, TUESDAY + 2 * HOUR)
    assert crash_everywhere(workshop.engine, taking, state) > 3
    assert held(workshop, park) == [TUESDAY + 2 * HOUR]


def test_units_are_held_apart_and_a_unit_that_is_held_is_not_given_up(
    workshop: WorkShop, world: World, clock: ManualClock
) -> None:
    with workshop.work(world.provider) as work:
        instruments.change_instrument(
            work, instrument_id=world.instrument.id, methods=[], hours=Hours(9, 17, 60, units=2), parks=None
        )  # fmt: skip
    hold(workshop, world, park_person(new_id()))
    hold(workshop, world, park_person(new_id()))
    assert refusal(lambda: hold(workshop, world, park_person(new_id()))) == "slot.taken"

    def one_unit() -> None:
        with workshop.work(world.provider) as work:
            instruments.change_instrument(
                work, instrument_id=world.instrument.id, methods=[], hours=Hours(9, 17, 60), parks=None
            )  # fmt: skip

    def repair() -> None:
        with workshop.work(world.provider) as work:
            maintenance.plan_maintenance(
                work,
                instrument_id=world.instrument.id,
                starts_at=TUESDAY,
                ends_at=TUESDAY + HOUR,
                reason="检修",
                unit=1,
            )

    assert refusal(one_unit) == "instrument.unit_in_use"
    with pytest.raises(Conflict, match="暂留至"):
        repair()
    clock.instant += TEN_MINUTES
    repair()
    one_unit()


def test_who_comes_too_late_is_told_at_once_and_only_that_others_have_it(workshop: WorkShop, world: World) -> None:
    park, other = park_person(new_id()), park_person(new_id())
    with workshop.work(world.provider) as work:
        night: dict[str, Any] = {
            "starts_at": TUESDAY + 10 * HOUR,
            "ends_at": TUESDAY + 12 * HOUR,
            "reason": "检修",
            "unit": 1,
        }
        maintenance.plan_maintenance(work, instrument_id=world.instrument.id, **night)
    sign_up(workshop, 7)
    mine = hold(workshop, world, park)
    book(workshop, world, new_id(), TUESDAY + HOUR, 2)
    assert hold(workshop, world, park) == mine, "what the park holds is not gone for it"
    assert refusal(lambda: hold(workshop, world, other)) == "slot.taken"
    assert refusal(lambda: hold(workshop, world, other, TUESDAY + HOUR)) == "slot.taken"
    assert refusal(lambda: hold(workshop, world, other, TUESDAY + 2 * HOUR)) == "slot.taken", "amid a booking"
    assert refusal(lambda: hold(workshop, world, other, TUESDAY + 11 * HOUR)) == "slot.outside_hours", (
        "though it is down"
    )
    assert refusal(lambda: hold(workshop, world, other, TUESDAY - 24 * HOUR)) == "slot.past"
    with workshop.work(world.provider) as work:
        hours = Hours(9, 17, 60)
        instruments.change_instrument(
            work, instrument_id=world.instrument.id, methods=[], hours=hours, parks=[credit_code(7)]
        )
    assert refusal(lambda: hold(workshop, world, other)) == "instrument.not_found", "nothing is said of what is private"


def test_who_may_not_order_or_asks_for_no_slot_holds_nothing(workshop: WorkShop, world: World) -> None:
    park = park_person(new_id())
    assert refusal(lambda: hold(workshop, world, park, TUESDAY + timedelta(minutes=30))) == "slot.off_grid"
    with pytest.raises(NotAllowed), workshop.work(world.provider) as work:
        slot_holds.hold_slot(work, instrument_id=world.instrument.id, starts_at=TUESDAY, slots=1)
    with pytest.raises(NotAllowed), workshop.work(park) as work:
        slot_holds.set_hold_terms(work, minutes=5, per_park=5)
    with pytest.raises(Invalid) as refused, workshop.work(OPERATOR) as work:
        slot_holds.set_hold_terms(work, minutes=61, per_park=0)
    assert {error.field for error in refused.value.errors} == {"minutes", "per_park"}
    assert held(workshop, park) == []


def test_a_park_confirms_only_its_own_hold_whatever_it_sends(workshop: WorkShop, world: World) -> None:
    hold(workshop, world, park_person(new_id()))
    forged = text("UPDATE reservations SET held_until = NULL WHERE active")
    with pytest.raises(ProgrammingError, match="row-level security"), workshop.work(park_person(new_id())) as work:
        work.session.execute(forged)


def test_a_planned_request_is_held_for_its_quote(workshop: WorkShop, world: World) -> None:
    park, quote_id = park_person(new_id()), new_id()
    wish = {"instrument_id": str(world.instrument.id), "starts_at": TUESDAY.isoformat(), "purpose": "水样"}
    with workshop.work(park) as work:
        offering = catalogue.read_offering(work, slug="lab")
        plan = deliveries.plan_delivery(work, offering=offering, request=wish)
        slot_holds.hold_request(work, request=plan.request, quote_id=quote_id)
        assert [each.quote_id for each in slot_holds.list_holds(work)] == [quote_id]
        assert deliveries.plan_delivery(work, offering=offering, request=wish) == plan, "what it holds, it may ask for"


def at_once(wishes: Sequence[Callable[[], object]]) -> list[str]:
    gate = threading.Barrier(len(wishes))
    answers: list[str] = []

    def compete(wish: Callable[[], object]) -> None:
        gate.wait()
        try:
            wish()
        except Problem as problem:
            answers.append(problem.code)
        else:
            answers.append("ok")

    threads = [threading.Thread(target=compete, args=(wish,)) for wish in wishes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return answers
