"""Suspensions: counted by the rule of the latest no-show, held by the database, lifted by a person, once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from services.rules.attendance import AttendanceTerms, Metering
from services.rules.suspensions import Missed, counted
from services.usecases import attendance, bookings, suspensions
from services.usecases.invariants import INVARIANTS
from tenants.kernel.clock import ManualClock
from tenants.kernel.context import Actor, Reach, system_actor
from tenants.kernel.errors import Conflict, Invalid, NotAllowed, NotFound, Problem
from tenants.kernel.identifiers import new_id
from tenants.kernel.vocabulary import OrganisationKind, Role
from tenants.kernel.work import WorkShop
from tenants.rules.membership import permissions_of
from tests.services.test_attendance import miss, set_rule
from tests.services.test_bookings import TUESDAY, book, wish
from tests.support.databases import Database, RecordingOutbox
from tests.support.invariants import broken
from tests.support.services import World, build_world, park_person, provider_person

TERMS = AttendanceTerms(0, 30, 15, 24 * 60, 5_000, 10_000, 30, 50_00, Metering.BOOKED, 3, 90, 30)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
OPERATOR = Actor(
    "operator", Reach.STAFF, permissions_of(OrganisationKind.OPERATOR, [Role.OPERATOR]), new_id(), new_id()
)


@pytest.fixture
def world(workshop: WorkShop) -> Iterator[World]:
    world = build_world(workshop)
    set_rule(workshop, world, TERMS)
    yield world
    assert broken(workshop, INVARIANTS) == {}


def book_hours(workshop: WorkShop, world: World, park: UUID, count: int, first: int = 0) -> list[UUID]:
    return [book(workshop, park, wish(world, TUESDAY + (first + at) * HOUR)) for at in range(count)]


def miss_all(workshop: WorkShop, clock: ManualClock, park: UUID, booked: list[UUID]) -> None:
    clock.instant = max(clock.instant, TUESDAY + 8 * HOUR)
    assert [miss(workshop, park, each) for each in booked] == [True] * len(booked)


def suspend(workshop: WorkShop, world: World, park: UUID) -> suspensions.SuspensionView | None:
    with workshop.work(system_actor("clock", tenant_id=park)) as work:
        return suspensions.suspend(work, provider_id=world.provider_id)


def suspects(workshop: WorkShop) -> list[UUID]:
    with workshop.work(system_actor("clock")) as work:
        return [each.tenant_id for each in suspensions.parks_to_suspend(work)]


def lift(workshop: WorkShop, actor: Actor, suspension_id: UUID, reason: str = "已约谈") -> suspensions.SuspensionView:
    with workshop.work(actor) as work:
        return suspensions.lift_suspension(work, suspension_id=suspension_id, reason=reason)


def later(world: World, days: int) -> dict[str, object]:
    return wish(world, TUESDAY + timedelta(days=days))


def test_the_third_no_show_keeps_out_of_new_bookings_until_the_rules_days_are_over(
    workshop: WorkShop, world: World, clock: ManualClock
) -> None:
    park, other = new_id(), new_id()
    booked = book_hours(workshop, world, park, 3)
    kept = book(workshop, park, later(world, 1))
    miss_all(workshop, clock, park, booked[:2])
    assert (suspects(workshop), suspend(workshop, world, park)) == ([], None)
    miss_all(workshop, clock, park, booked[2:])
    assert suspects(workshop) == [park]
    made = suspend(workshop, world, park)
    assert made is not None
    assert (made.no_shows, made.window_days, set(made.booking_ids)) == (3, 90, set(booked))
    assert made.until == made.ends_at == made.began_at + 30 * DAY
    assert (suspects(workshop), suspend(workshop, world, park)) == ([], None), "each counts once"
    with pytest.raises(Conflict) as refused:
        book(workshop, park, later(world, 2))
    assert refused.value.code == "booking.suspended"
    assert "检测中心" in str(refused.value.message)
    book(workshop, other, later(world, 2))
    with workshop.work(park_person(park)) as work:
        assert bookings.read_booking(work, booking_id=kept).status == "booked", "what is booked stays"
    clock.instant = made.ends_at - timedelta(seconds=1)
    with pytest.raises(Conflict):
        book(workshop, park, later(world, 35))
    clock.instant = made.ends_at
    book(workshop, park, later(world, 35))


def test_the_database_itself_keeps_a_suspended_park_out(workshop: WorkShop, world: World, clock: ManualClock) -> None:
    park = new_id()
    miss_all(workshop, clock, park, book_hours(workshop, world, park, 3))
    suspend(workshop, world, park)
    copy = text(
        "INSERT INTO bookings SELECT (jsonb_populate_record(b, jsonb_build_object('id', CAST(:id AS text),"
        " 'status', 'cancelled', 'created_at', CAST(:at AS text)))).* FROM bookings b LIMIT 1"
    )
    with workshop.work(park_person(park)) as work, pytest.raises(Conflict) as refused, suspensions.keeping_out():
        work.session.execute(copy, {"id": str(new_id()), "at": work.now.isoformat()})
    assert refused.value.code == "booking.suspended"


def test_of_bookings_and_the_suspension_at_once_every_one_made_is_made_before(
    workshop: WorkShop, world: World, database: Database, clock: ManualClock, outbox: RecordingOutbox
) -> None:
    park = new_id()
    miss_all(workshop, clock, park, book_hours(workshop, world, park, 3))
    crowd = database.engine(pool_size=16)
    shop = WorkShop(crowd, clock, outbox)
    gate = threading.Barrier(12)
    made: list[suspensions.SuspensionView] = []
    ends: list[str] = []

    def go(number: int) -> None:
        gate.wait()
        if number < 4:
            found = suspend(shop, world, park)
            made.extend([] if found is None else [found])
            return
        try:
            book(shop, park, wish(world, TUESDAY + DAY + (number - 4) * HOUR))
            ends.append("booked")
        except Problem as problem:
            ends.append(problem.code)

    threads = [threading.Thread(target=go, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    crowd.dispose()
    assert len(made) == 1, "four clocks, one suspension"
    assert (len(ends), set(ends) <= {"booked", "booking.suspended"}) == (8, True)
    with workshop.work(system_actor("test")) as work:
        within = text("SELECT count(*) FROM bookings WHERE created_at >= :began")
        assert work.session.execute(within, {"began": made[0].began_at}).scalar_one() == 0
    with pytest.raises(Conflict):
        book(workshop, park, later(world, 3))


def test_a_person_of_the_provider_or_the_operator_lifts_it_once_with_a_reason(
    workshop: WorkShop, world: World, clock: ManualClock, outbox: RecordingOutbox
) -> None:
    park = new_id()
    miss_all(workshop, clock, park, book_hours(workshop, world, park, 3))
    made = suspend(workshop, world, park)
    assert made is not None
    with pytest.raises(NotFound):
        lift(workshop, provider_person(new_id()), made.id)
    with pytest.raises(NotAllowed):
        lift(workshop, park_person(park), made.id)
    with pytest.raises(NotAllowed):
        lift(workshop, replace(world.provider, user_id=None, api_client_id=new_id()), made.id)
    with pytest.raises(Invalid) as refused:
        lift(workshop, world.provider, made.id, "  ")
    assert refused.value.errors[0].field == "reason"
    clock.instant += HOUR
    lifted = lift(workshop, OPERATOR, made.id)
    assert (lifted.lifted_side, lifted.lift_reason, lifted.until) == ("operator", "已约谈", clock.instant)
    with pytest.raises(Conflict) as over:
        lift(workshop, world.provider, made.id)
    assert over.value.code == "suspension.over"
    book(workshop, park, later(world, 2))
    with workshop.work(park_person(park)) as work:
        (own,) = suspensions.list_own_suspensions(work).items
    assert own == lifted
    with workshop.work(park_person(new_id())) as work:
        assert suspensions.list_own_suspensions(work).items == ()
    for actor, seen in ((world.provider, 1), (provider_person(new_id()), 0), (OPERATOR, 1)):
        with workshop.work(actor) as work:
            assert len(suspensions.list_suspensions(work).items) == seen
    assert "suspension.lifted" in [event.name for event in outbox.events]


def test_a_booking_made_before_there_were_suspensions_causes_none(
    workshop: WorkShop, world: World, clock: ManualClock
) -> None:
    park = new_id()
    booked = book_hours(workshop, world, park, 3)
    with workshop.work(system_actor("test")) as work:
        work.session.execute(
            text(
                "UPDATE bookings SET attendance = attendance - 'suspend_after' - 'suspend_days' - 'suspend_window_days'"
            )
        )
    miss_all(workshop, clock, park, booked)
    assert (suspects(workshop), suspend(workshop, world, park)) == ([], None)


def test_people_who_come_are_not_suspended(workshop: WorkShop, world: World, clock: ManualClock) -> None:
    park = new_id()
    booked = book_hours(workshop, world, park, 3)
    clock.instant = TUESDAY
    with workshop.work(park_person(park)) as work:
        attendance.check_in(work, booking_id=booked[0])
    miss_all(workshop, clock, park, booked[1:])
    assert suspend(workshop, world, park) is None


@pytest.mark.parametrize("table", ["booking_suspensions", "suspension_lifts"])
@pytest.mark.parametrize("change", ["DELETE FROM {}", "UPDATE {} SET tenant_id = tenant_id"])
def test_what_is_written_stays(workshop: WorkShop, world: World, table: str, change: str) -> None:
    with workshop.work(system_actor("test")) as work, pytest.raises(ProgrammingError, match="permission denied"):
        work.session.execute(text(change.format(table)))


@given(st.lists(st.integers(0, 400), max_size=8), st.integers(0, 5), st.integers(1, 366))
def test_only_the_window_before_the_latest_counts(days: list[int], after: int, window: int) -> None:
    terms = replace(TERMS, suspend_after=after, suspend_window_days=window)
    missed = [Missed(new_id(), TUESDAY + timedelta(days=day), terms) for day in days]
    found = counted(missed)
    within = [each for each in missed if max(days) - (each.starts_at - TUESDAY).days < window] if days else []
    assert {each.booking_id for each in found} == (
        {each.booking_id for each in within} if 0 < after <= len(within) else set()
    )
    assert not found or found[0].starts_at == TUESDAY + timedelta(days=max(days))
