"""Waiting for a slot: strictly in order, offered to the first whose wish fits, and never grabbed in between."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from services.rules.quotas import Quota
from services.rules.slot_holds import HoldOutcome
from services.rules.slots import Hours
from services.rules.waiting import WaitingState, WaitingStep, offered_until, state_of
from services.usecases import deliveries, instruments, maintenance, quota_rules, rebooking, slot_holds, waiting
from services.usecases.invariants import INVARIANTS
from services.usecases.invariants_waiting import WAITING
from services.usecases.waiting import PlaceView
from services.usecases.waiting_offers import OfferView, offer, places_to_offer
from tenants.kernel.clock import CHINA, ManualClock
from tenants.kernel.context import Actor, system_actor
from tenants.kernel.errors import Invalid, NotAllowed, NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.work import WorkShop
from tests.services.test_attendance import set_rule
from tests.services.test_qualifications import demand, qualified
from tests.services.test_slot_holds import OPERATOR, book, close, hold, refusal
from tests.services.test_suspensions import OPERATOR as OPERATOR_PERSON
from tests.services.test_suspensions import TERMS, book_hours, lift, miss_all, suspend
from tests.support.invariants import broken
from tests.support.parks import credit_code, sign_up
from tests.support.services import World, build_world, park_person, provider_person

TUESDAY = datetime(2026, 3, 3, 9, 0, tzinfo=CHINA)
HOUR = timedelta(hours=1)
FOUR_HOURS = timedelta(hours=4)
DAY = date(2026, 3, 3)
ORDER = """
SELECT s.id FROM waiting_steps s
JOIN waiting_places p ON p.tenant_id = s.tenant_id AND p.id = s.place_id
JOIN waiting_places q ON q.instrument_id = p.instrument_id AND q.number < p.number AND q.tenant_id <> p.tenant_id
    AND q.slots = p.slots AND q.from_at <= s.starts_at AND q.to_at >= s.ends_at
LEFT JOIN waiting_steps e ON e.tenant_id = q.tenant_id AND e.place_id = q.id AND e.kind <> 'passed'
WHERE s.kind = 'offered' AND (e.id IS NULL OR e.noted_at > s.noted_at)
  AND NOT EXISTS (SELECT FROM waiting_steps o WHERE o.tenant_id = q.tenant_id AND o.place_id = q.id
      AND o.kind = 'passed' AND o.noted_at <= s.noted_at)
"""
"""Offers to somebody while a lower number waited for the same; in these tests the clock stands still within a round."""


@pytest.fixture
def world(workshop: WorkShop) -> Iterator[World]:
    yield build_world(workshop)
    assert broken(workshop, (*INVARIANTS, *WAITING)) == {}
    with workshop.work(OPERATOR) as work:
        assert work.session.execute(text(ORDER)).all() == []


def join(workshop: WorkShop, world: World, actor: Actor, starts_at: datetime = TUESDAY, slots: int = 1) -> PlaceView:
    with workshop.work(actor) as work:
        return waiting.join_for_time(work, instrument_id=world.instrument.id, starts_at=starts_at, slots=slots)


def join_days(workshop: WorkShop, world: World, actor: Actor, first: date, last: date, slots: int = 1) -> PlaceView:
    with workshop.work(actor) as work:
        return waiting.join_for_days(work, instrument_id=world.instrument.id, first=first, last=last, slots=slots)


def place_of(workshop: WorkShop, actor: Actor, place: PlaceView) -> PlaceView:
    with workshop.work(actor) as work:
        return waiting.read_place(work, place_id=place.id)


def leave(workshop: WorkShop, actor: Actor, place: PlaceView) -> PlaceView:
    with workshop.work(actor) as work:
        return waiting.leave(work, place_id=place.id)


def cancel(workshop: WorkShop, park: UUID, booking_id: UUID) -> None:
    with workshop.work(park_person(park)) as work:
        deliveries.cancel_delivery(work, booking_id=booking_id)


def close_to_others(workshop: WorkShop, world: World) -> None:
    """Leave the instrument to one park, which nobody here is."""
    sign_up(workshop, 7)
    with workshop.work(world.provider) as work:
        instruments.change_instrument(
            work, instrument_id=world.instrument.id, methods=[], hours=Hours(9, 17, 60), parks=[credit_code(7)]
        )


def clock_round(workshop: WorkShop) -> list[OfferView]:
    """Do what the clock's job does."""
    with workshop.work(system_actor("clock")) as work:
        due = places_to_offer(work)
    made = []
    for each in due:
        with workshop.work(system_actor("clock", tenant_id=each.tenant_id)) as work:
            made.append(offer(work, place_id=each.place_id))
    return [each for each in made if each is not None]


def fill(workshop: WorkShop, world: World, hours: int = 8, starts_at: datetime = TUESDAY) -> tuple[UUID, list[UUID]]:
    """Let one park book the hours from a moment on, an hour each."""
    park = new_id()
    return park, [book(workshop, world, park, starts_at + number * HOUR) for number in range(hours)]


def test_a_freed_slot_goes_to_the_first_and_when_declined_or_expired_to_the_next(
    workshop: WorkShop, world: World, clock: ManualClock
) -> None:
    owner, (booked,) = fill(workshop, world, 1)
    people = [park_person(new_id()) for _ in range(3)]
    places = [join(workshop, world, each) for each in people]
    assert [(each.number, each.position, each.state) for each in places] == [
        (number, number, WaitingState.WAITING) for number in (1, 2, 3)
    ]
    assert join(workshop, world, people[1]) == places[1], "the same wish is the same place"
    assert clock_round(workshop) == []
    cancel(workshop, owner, booked)
    (made,) = clock_round(workshop)
    assert (made.place_id, made.expires_at) == (places[0].id, clock.now() + FOUR_HOURS)
    assert clock_round(workshop) == []
    first = place_of(workshop, people[0], places[0])
    assert (first.state, first.position, first.offer_starts_at) == (WaitingState.OFFERED, None, TUESDAY)
    assert place_of(workshop, people[1], places[1]).position == 1
    assert leave(workshop, people[0], places[0]).state is WaitingState.DECLINED
    assert [each.place_id for each in clock_round(workshop)] == [places[1].id]
    clock.instant += FOUR_HOURS
    assert place_of(workshop, people[1], places[1]).state is WaitingState.LAPSED
    assert refusal(lambda: hold(workshop, world, park_person(new_id()))) == "slot.waited_for"
    assert [each.place_id for each in clock_round(workshop)] == [places[2].id]
    close(workshop)
    assert people[2].tenant_id is not None
    book(workshop, world, people[2].tenant_id)
    assert [place_of(workshop, one, each).state for one, each in zip(people, places, strict=True)] == [
        WaitingState.DECLINED,
        WaitingState.LAPSED,
        WaitingState.BOOKED,
    ]


def test_what_was_freed_is_nobody_elses_before_it_is_offered(workshop: WorkShop, world: World) -> None:
    owner, (booked, _) = fill(workshop, world, 2)
    person = park_person(new_id())
    place = join(workshop, world, person)
    other = park_person(new_id())
    assert other.tenant_id is not None
    other_id = other.tenant_id
    cancel(workshop, owner, booked)
    assert refusal(lambda: hold(workshop, world, other)) == "slot.waited_for"
    assert refusal(lambda: book(workshop, world, other_id)) == "slot.waited_for"
    hold(workshop, world, other, TUESDAY + 2 * HOUR)
    leave(workshop, person, place)
    assert place_of(workshop, person, place).state is WaitingState.LEFT
    hold(workshop, world, other)


def test_who_waits_longer_than_the_gap_keeps_nobody_from_it(workshop: WorkShop, world: World) -> None:
    owner, booked = fill(workshop, world)
    person = park_person(new_id())
    place = join_days(workshop, world, person, DAY, DAY, slots=2)
    assert place.position == 1
    cancel(workshop, owner, booked[3])
    assert clock_round(workshop) == []
    hold(workshop, world, park_person(new_id()), TUESDAY + 3 * HOUR)
    for each in booked[5:7]:
        cancel(workshop, owner, each)
    assert refusal(lambda: hold(workshop, world, park_person(new_id()), TUESDAY + 6 * HOUR)) == "slot.waited_for"
    (made,) = clock_round(workshop)
    assert (made.starts_at, made.ends_at) == (TUESDAY + 5 * HOUR, TUESDAY + 7 * HOUR)


def test_the_own_booking_moves_and_shrinks_past_who_waits_and_frees_the_rest_for_them(
    workshop: WorkShop, world: World
) -> None:
    owner = new_id()
    booked = book(workshop, world, owner, slots=2)
    person = park_person(new_id())
    place = join(workshop, world, person)

    def move(starts_at: datetime) -> None:
        with workshop.work(park_person(owner)) as work:
            rebooking.reschedule(work, booking_id=booked, starts_at=starts_at, count=1)

    move(TUESDAY)
    assert clock_round(workshop) == []
    move(TUESDAY + 4 * HOUR)
    assert [each.place_id for each in clock_round(workshop)] == [place.id]
    assert refusal(lambda: move(TUESDAY)) == "slot.taken"


def test_expired_and_released_holds_and_ended_maintenance_are_offered(
    workshop: WorkShop, world: World, clock: ManualClock
) -> None:
    holder = park_person(new_id())
    held = hold(workshop, world, holder)
    hold(workshop, world, park_person(new_id()), TUESDAY + HOUR)
    with workshop.work(world.provider) as work:
        (down,) = maintenance.plan_maintenance(
            work,
            instrument_id=world.instrument.id,
            starts_at=TUESDAY + 2 * HOUR,
            ends_at=TUESDAY + 3 * HOUR,
            reason="校准",
        )
    people = [park_person(new_id()) for _ in range(3)]
    places = [join(workshop, world, each, TUESDAY + at * HOUR) for at, each in enumerate(people)]
    with workshop.work(holder) as work:
        slot_holds.release_hold(work, hold_id=held.id)
    assert [each.place_id for each in clock_round(workshop)] == [places[0].id]
    with workshop.work(world.provider) as work:
        maintenance.end_maintenance(work, maintenance_id=down.id)
    assert [each.place_id for each in clock_round(workshop)] == [places[2].id]
    clock.instant += timedelta(minutes=10)
    assert refusal(lambda: hold(workshop, world, park_person(new_id()), TUESDAY + HOUR)) == "slot.waited_for"
    assert [each.place_id for each in clock_round(workshop)] == [places[1].id]
    close(workshop)


def test_a_park_over_its_quota_is_passed_over_with_the_reason(
    workshop: WorkShop, world: World, clock: ManualClock
) -> None:
    with workshop.work(world.provider) as work:
        quota_rules.set_quota(
            work, instrument_id=world.instrument.id, quota=Quota(0, week_bookings=1)
        )  # fmt: skip
    owners = [new_id() for _ in range(2)]
    booked = [book(workshop, world, each, TUESDAY + at * HOUR) for at, each in enumerate(owners)]
    greedy, modest = park_person(new_id()), park_person(new_id())
    assert greedy.tenant_id is not None
    book(workshop, world, greedy.tenant_id, TUESDAY + 3 * HOUR)
    first, second = join(workshop, world, greedy), join(workshop, world, modest)
    cancel(workshop, owners[0], booked[0])
    assert [each.place_id for each in clock_round(workshop)] == [second.id]
    (passed,) = place_of(workshop, greedy, first).passed
    assert (passed.reason, passed.starts_at) == ("quota.exceeded", TUESDAY)
    assert place_of(workshop, greedy, first).state is WaitingState.WAITING
    leave(workshop, modest, second)
    clock_round(workshop)
    assert len(place_of(workshop, greedy, first).passed) == 1, "noted once"
    hold(workshop, world, park_person(new_id()))


def test_a_suspended_park_is_passed_over_and_offered_what_comes_after_its_suspension(
    workshop: WorkShop, world: World, clock: ManualClock
) -> None:
    set_rule(workshop, world, TERMS)
    next_week = TUESDAY + timedelta(days=7)
    owner, (booked,) = fill(workshop, world, 1, next_week)
    missing, reliable = park_person(new_id()), park_person(new_id())
    park = missing.require_tenant()
    first, second = join(workshop, world, missing, next_week), join(workshop, world, reliable, next_week)
    miss_all(workshop, clock, park, book_hours(workshop, world, park, 3))
    made = suspend(workshop, world, park)
    assert made is not None
    cancel(workshop, owner, booked)
    assert [each.place_id for each in clock_round(workshop)] == [second.id]
    assert [each.reason for each in place_of(workshop, missing, first).passed] == ["booking.suspended"]
    lift(workshop, OPERATOR_PERSON, made.id)
    leave(workshop, reliable, second)
    assert [each.place_id for each in clock_round(workshop)] == [first.id]


def test_who_is_not_qualified_yet_is_passed_over_until_the_grant(workshop: WorkShop, world: World) -> None:
    owner, (booked,) = fill(workshop, world, 1)
    learner, trained = park_person(new_id()), park_person(new_id())
    first, second = join(workshop, world, learner), join(workshop, world, trained)
    demand(workshop, world)
    qualified(workshop, world, trained)
    cancel(workshop, owner, booked)
    assert [each.place_id for each in clock_round(workshop)] == [second.id]
    (passed,) = place_of(workshop, learner, first).passed
    assert (passed.reason, passed.starts_at) == ("booking.not_qualified", TUESDAY)
    qualified(workshop, world, learner)
    leave(workshop, trained, second)
    assert [each.place_id for each in clock_round(workshop)] == [first.id]


def test_a_place_beyond_its_quota_for_weeks_is_offered_the_first_time_that_fits(
    workshop: WorkShop, world: World
) -> None:
    with workshop.work(world.provider) as work:
        quota_rules.set_quota(work, instrument_id=world.instrument.id, quota=Quota(0, week_bookings=1))
    fill(workshop, world, 1)
    join(workshop, world, park_person(new_id()))
    person = park_person(new_id())
    book(workshop, world, person.require_tenant(), TUESDAY + timedelta(days=3))
    place = join_days(workshop, world, person, DAY, DAY + timedelta(days=7))
    (made,) = clock_round(workshop)
    assert (made.place_id, made.starts_at) == (place.id, TUESDAY + timedelta(days=6)), "30 free hours later"
    (passed,) = place_of(workshop, person, place).passed
    assert (passed.reason, passed.starts_at) == ("quota.exceeded", TUESDAY + HOUR)


def test_an_instrument_that_is_closed_to_a_park_keeps_its_place_until_the_time_is_over(
    workshop: WorkShop, world: World, clock: ManualClock
) -> None:
    owner, (booked,) = fill(workshop, world, 1)
    person = park_person(new_id())
    place = join(workshop, world, person)
    close_to_others(workshop, world)
    cancel(workshop, owner, booked)
    assert clock_round(workshop) == []
    closed = place_of(workshop, person, place)
    assert (closed.state, [each.reason for each in closed.passed]) == (WaitingState.WAITING, ["instrument.not_found"])
    clock.instant = TUESDAY + HOUR
    assert clock_round(workshop) == []
    assert place_of(workshop, person, place).state is WaitingState.OVER


def test_an_open_booking_of_a_closed_instrument_lets_its_park_be_passed_over_all_the_same(
    workshop: WorkShop, world: World
) -> None:
    waits = new_id()
    person = park_person(waits)
    book(workshop, world, waits, TUESDAY + timedelta(days=1))
    owner, (freed,) = fill(workshop, world, 1)
    place = join(workshop, world, person)
    close_to_others(workshop, world)
    cancel(workshop, owner, freed)
    assert clock_round(workshop) == []
    closed = place_of(workshop, person, place)
    assert [each.reason for each in closed.passed] == ["instrument.not_found"]


def test_who_waits_for_more_than_the_provider_gives_now_keeps_nobody_away(workshop: WorkShop, world: World) -> None:
    owner, booked = fill(workshop, world, 4)
    person = park_person(new_id())
    place = join(workshop, world, person, slots=4)
    with workshop.work(world.provider) as work:
        instruments.change_instrument(
            work, instrument_id=world.instrument.id, methods=[], hours=Hours(9, 17, 60, max_slots=2), parks=None
        )
    for each in booked:
        cancel(workshop, owner, each)
    assert clock_round(workshop) == []
    hold(workshop, world, park_person(new_id()))
    assert place_of(workshop, person, place).state is WaitingState.WAITING


def test_a_place_whose_time_is_over_ends(workshop: WorkShop, world: World, clock: ManualClock) -> None:
    fill(workshop, world, 1)
    person = park_person(new_id())
    place = join(workshop, world, person)
    clock.instant = TUESDAY
    assert clock_round(workshop) == []
    assert place_of(workshop, person, place).state is WaitingState.OVER
    assert leave(workshop, person, place).state is WaitingState.OVER


def test_what_is_free_or_impossible_is_not_waited_for(workshop: WorkShop, world: World) -> None:
    person = park_person(new_id())
    assert refusal(lambda: join(workshop, world, person)) == "waiting.free"
    assert refusal(lambda: join_days(workshop, world, person, DAY, DAY)) == "waiting.free"
    assert refusal(lambda: join(workshop, world, person, TUESDAY + timedelta(minutes=30))) == "slot.off_grid"
    with pytest.raises(Invalid) as refused:
        join_days(workshop, world, person, date(2026, 1, 1), date(2025, 1, 1), slots=9)
    assert {each.field for each in refused.value.errors} == {"first_day", "last_day", "slots"}
    with pytest.raises(NotAllowed):
        join(workshop, world, provider_person(world.provider_id))
    fill(workshop, world, 1)
    place = join(workshop, world, person)
    with pytest.raises(NotFound):
        leave(workshop, park_person(new_id()), place)
    with workshop.work(world.provider) as work:
        assert waiting.count_waiting(work, instrument_ids=[world.instrument.id]) == {world.instrument.id: 1}
    fill(workshop, world, 4, TUESDAY + HOUR)
    fill(workshop, world, 8, TUESDAY + timedelta(days=1))
    for number in range(1, 5):
        join(workshop, world, person, TUESDAY + number * HOUR)
    for number in range(5):
        join(workshop, world, person, TUESDAY + timedelta(days=1) + number * HOUR)
    assert refusal(lambda: join(workshop, world, person, TUESDAY + 29 * HOUR)) == "waiting.too_many"
    with workshop.work(person) as work:
        assert len(waiting.list_places(work, limit=200).items) == 10


def test_an_offer_lasts_as_the_operator_says_and_counts_among_no_limit(
    workshop: WorkShop, world: World, clock: ManualClock
) -> None:
    with workshop.work(OPERATOR) as work:
        terms = slot_holds.set_hold_terms(work, minutes=10, per_park=1, offer_hours=48)
    assert terms.offer_hours == 48
    owner, (booked,) = fill(workshop, world, 1)
    person = park_person(new_id())
    join(workshop, world, person)
    cancel(workshop, owner, booked)
    (made,) = clock_round(workshop)
    assert made.expires_at == TUESDAY, "never beyond the start"
    hold(workshop, world, person, TUESDAY + 4 * HOUR)
    with workshop.work(person) as work:
        assert len(slot_holds.list_holds(work)) == 2


def test_two_units_are_offered_to_two(workshop: WorkShop, world: World) -> None:
    with workshop.work(world.provider) as work:
        instruments.change_instrument(
            work, instrument_id=world.instrument.id, methods=[], hours=Hours(9, 17, 60, units=2), parks=None
        )
    owner = new_id()
    booked = [book(workshop, world, owner) for _ in range(2)]
    places = [join(workshop, world, park_person(new_id())) for _ in range(3)]
    for each in booked:
        cancel(workshop, owner, each)
    assert [each.place_id for each in clock_round(workshop)] == [each.id for each in places[:2]]


def test_nobody_rewrites_the_order_and_a_park_sees_its_own_places(workshop: WorkShop, world: World) -> None:
    fill(workshop, world, 1)
    person, stranger = park_person(new_id()), park_person(new_id())
    place = join(workshop, world, person)
    for forged in (
        "UPDATE waiting_turns SET number = 7",
        "UPDATE waiting_places SET number = 7",
        "UPDATE waiting_steps SET kind = 'left'",
        "DELETE FROM waiting_turns",
    ):
        with pytest.raises(ProgrammingError, match="permission denied"), workshop.work(person) as work:
            work.session.execute(text(forged))
    with workshop.work(stranger) as work:
        assert waiting.list_places(work).items == ()
        closed = text("UPDATE waiting_turns SET open = false RETURNING number")
        assert work.session.execute(closed).all() == [], "only one's own turn"
    assert place_of(workshop, person, place).state is WaitingState.WAITING


@given(
    notice=st.integers(0, 3_000),
    hours=st.integers(1, 72),
    ahead=st.timedeltas(timedelta(minutes=1), timedelta(days=60)),
)
def test_an_offer_never_outlasts_what_can_be_booked(notice: int, hours: int, ahead: timedelta) -> None:
    now = TUESDAY
    until = offered_until(Hours(9, 17, 60, min_notice_minutes=notice), now + ahead, hours, now)
    assert until <= now + timedelta(hours=hours)
    assert until <= now + ahead - timedelta(minutes=notice)
    assert until in {now + timedelta(hours=hours), now + ahead - timedelta(minutes=notice)}


def test_a_place_stands_where_its_hold_stands() -> None:
    later, now = TUESDAY + HOUR, TUESDAY
    assert state_of(None, None, None, now) is WaitingState.WAITING
    assert state_of(WaitingStep.OFFERED, None, later, now) is WaitingState.OFFERED
    assert state_of(WaitingStep.OFFERED, None, now, now) is WaitingState.LAPSED
    assert state_of(WaitingStep.OFFERED, HoldOutcome.EXPIRED, now, later) is WaitingState.LAPSED
    assert state_of(WaitingStep.OFFERED, HoldOutcome.BOOKED, now, later) is WaitingState.BOOKED
    assert state_of(WaitingStep.LEFT, None, None, now) is WaitingState.LEFT
