"""Attendance: who may check in when, that it is answered once whether somebody came, and rules that never reach back."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from services.rules.attendance import AttendanceTerms, Metering, terms_of, used_minutes
from services.usecases import attendance, attendance_rules, bookings, rebooking
from services.usecases.bookings import BookingStatus
from services.usecases.invariants import INVARIANTS
from tenants.kernel.clock import ManualClock
from tenants.kernel.context import system_actor
from tenants.kernel.errors import Conflict, Invalid, NotAllowed, NotFound, Problem
from tenants.kernel.identifiers import new_id
from tenants.kernel.work import WorkShop
from tests.services.test_bookings import TUESDAY, book, wish
from tests.support.databases import Database, RecordingOutbox
from tests.support.invariants import broken
from tests.support.services import World, build_world, park_person, provider_person

TERMS = AttendanceTerms(0, 30, 15, 24 * 60, 5_000, 10_000, 30, 50_00, Metering.BOOKED)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def world(workshop: WorkShop) -> Iterator[World]:
    world = build_world(workshop)
    set_rule(workshop, world, TERMS)
    yield world
    assert broken(workshop, INVARIANTS) == {}


def set_rule(
    workshop: WorkShop, world: World, terms: AttendanceTerms, at: datetime | None = None
) -> attendance_rules.AttendanceRuleView:
    with workshop.work(world.provider) as work:
        return attendance_rules.set_rule(work, instrument_id=world.instrument.id, terms=terms, valid_from=at)


def come(workshop: WorkShop, park_id: UUID, booking_id: UUID) -> bookings.BookingView:
    with workshop.work(park_person(park_id)) as work:
        return attendance.check_in(work, booking_id=booking_id)


def miss(workshop: WorkShop, park_id: UUID, booking_id: UUID) -> bool:
    with workshop.work(system_actor("clock", tenant_id=park_id)) as work:
        return attendance.note_no_show(work, booking_id=booking_id)


def missed(workshop: WorkShop) -> list[UUID]:
    with workshop.work(system_actor("clock")) as work:
        return [each.booking_id for each in attendance.missed_bookings(work)]


def test_a_move_is_no_way_around_a_late_cancellation(workshop: WorkShop, world: World, clock: ManualClock) -> None:
    park = new_id()
    booking = book(workshop, park, wish(world))

    def move(days: int) -> bookings.BookingView:
        with workshop.work(park_person(park)) as work:
            return rebooking.reschedule(work, booking_id=booking, starts_at=TUESDAY + timedelta(days=days))

    assert move(1).terms == replace(TERMS, version=1)
    clock.instant = TUESDAY + MINUTE
    with pytest.raises(Conflict) as late:
        move(2)
    clock.instant = TUESDAY + timedelta(days=1) - MINUTE
    come(workshop, park, booking)
    with pytest.raises(Conflict) as here:
        move(2)
    assert [late.value.code, here.value.code] == ["booking.too_late", "booking.begun"]


def test_people_check_in_within_the_window_and_out_once(workshop: WorkShop, world: World, clock: ManualClock) -> None:
    park = new_id()
    booking = book(workshop, park, wish(world))
    for at, code in (
        (TUESDAY - 31 * MINUTE, "attendance.too_early"),
        (TUESDAY + 15 * MINUTE + timedelta(microseconds=1), "attendance.too_late"),
    ):
        clock.instant = at
        with pytest.raises(Conflict) as refused:
            come(workshop, park, booking)
        assert refused.value.code == code
    clock.instant = TUESDAY - 30 * MINUTE
    with workshop.work(world.provider) as work, pytest.raises(Conflict) as refused:
        attendance.check_out(work, booking_id=booking)
    assert refused.value.code == "attendance.not_in"
    first = come(workshop, park, booking)
    clock.instant = TUESDAY + 15 * MINUTE
    assert come(workshop, park, booking).checked_in_at == first.checked_in_at, "once is once"
    clock.instant = TUESDAY + timedelta(hours=1, minutes=1, seconds=1)
    with workshop.work(world.provider) as work:
        left = attendance.check_out(work, booking_id=booking)
    assert (left.booked_minutes, left.used_minutes) == (60, 92)
    assert not miss(workshop, park, booking)
    assert missed(workshop) == []


def test_nobody_else_checks_in(workshop: WorkShop, world: World, clock: ManualClock) -> None:
    booking = book(workshop, new_id(), wish(world))
    clock.instant = TUESDAY
    for stranger in (park_person(new_id()), provider_person(new_id())):
        with workshop.work(stranger) as work, pytest.raises(NotFound):
            attendance.check_in(work, booking_id=booking)
    program = replace(world.provider, user_id=None, api_client_id=new_id())
    with workshop.work(program) as work, pytest.raises(NotAllowed):
        attendance.check_in(work, booking_id=booking)


def test_nobody_came_is_noted_after_the_grace_and_frees_the_time(
    workshop: WorkShop, world: World, clock: ManualClock
) -> None:
    park = new_id()
    booking = book(workshop, park, wish(world))
    clock.instant = TUESDAY + 15 * MINUTE
    assert (missed(workshop), miss(workshop, park, booking)) == ([], False)
    clock.instant += timedelta(seconds=1)
    assert missed(workshop) == [booking]
    assert miss(workshop, park, booking)
    assert not miss(workshop, park, booking)
    assert missed(workshop) == []
    with workshop.work(park_person(park)) as work:
        assert bookings.read_booking(work, booking_id=booking).status is BookingStatus.NO_SHOW
    with workshop.work(world.provider) as work, pytest.raises(Conflict):
        bookings.fail_inspection(work, booking_id=booking, reason="故障")


def test_of_those_who_come_and_the_clock_one_is_right(
    workshop: WorkShop, world: World, database: Database, clock: ManualClock, outbox: RecordingOutbox
) -> None:
    park = new_id()
    booking = book(workshop, park, wish(world))
    clock.instant = TUESDAY + 15 * MINUTE
    late = ManualClock(clock.instant + timedelta(microseconds=1))
    crowd = database.engine(pool_size=16)
    gate = threading.Barrier(16)
    ends: list[bool] = []
    codes: set[str] = set()

    def meet(shop: WorkShop, answer: Callable[[WorkShop], bool]) -> None:
        gate.wait()
        ends.append(answer(shop))

    def arrive(shop: WorkShop) -> bool:
        try:
            come(shop, park, booking)
        except Problem as problem:
            codes.add(problem.code)
        return False

    threads = [
        threading.Thread(target=meet, args=(WorkShop(crowd, watch, outbox), answer))
        for watch, answer in [(clock, arrive), (late, lambda shop: miss(shop, park, booking))] * 8
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    crowd.dispose()
    assert len(ends) == 16
    assert codes <= {"attendance.closed"}
    with workshop.work(park_person(park)) as work:
        view = bookings.read_booking(work, booking_id=booking)
    assert sum(ends) == (view.status is BookingStatus.NO_SHOW)
    assert (view.checked_in_at is None) == (view.status is BookingStatus.NO_SHOW)


def test_a_rule_holds_for_bookings_made_from_its_time_on(workshop: WorkShop, world: World, clock: ManualClock) -> None:
    before = book(workshop, new_id(), wish(world))
    later = clock.instant + timedelta(hours=1)
    stricter = set_rule(workshop, world, replace(TERMS, no_show_bp=2_000), later)
    assert (stricter.version, stricter.valid_from) == (2, later)
    between = book(workshop, new_id(), wish(world, TUESDAY + timedelta(hours=1)))
    clock.instant = later
    after = book(workshop, new_id(), wish(world, TUESDAY + timedelta(hours=2)))
    with workshop.work(system_actor("test")) as work:
        found = [bookings.read_booking(work, booking_id=each).terms for each in (before, between, after)]
    assert [terms and (terms.version, terms.no_show_bp) for terms in found] == [(1, 10_000), (1, 10_000), (2, 2_000)]
    with pytest.raises(Invalid) as refused:
        set_rule(workshop, world, TERMS, clock.instant - MINUTE)
    assert refused.value.errors[0].field == "valid_from"
    with pytest.raises(Invalid) as refused:
        set_rule(workshop, world, replace(TERMS, late_cancel_bp=10_001))
    assert refused.value.errors[0].field == "late_cancel_bp"
    with workshop.work(provider_person(new_id())) as work, pytest.raises(NotFound):
        attendance_rules.set_rule(work, instrument_id=world.instrument.id, terms=TERMS)


@pytest.mark.parametrize("table", ["attendance_rules", "attendance_notes"])
def test_what_is_written_stays(workshop: WorkShop, world: World, table: str) -> None:
    with workshop.work(system_actor("test")) as work, pytest.raises(ProgrammingError, match="permission denied"):
        work.session.execute(text(f"DELETE FROM {table}"))


@given(st.integers(0, 600), st.integers(1, 240))
def test_started_units_cover_the_time_over_and_no_more(seconds: int, unit: int) -> None:
    terms = replace(TERMS, overrun_unit_minutes=unit)
    units = terms.overrun_units(TUESDAY, TUESDAY + timedelta(seconds=seconds))
    assert (units - 1) * unit * 60 < seconds <= units * unit * 60 or units == seconds == 0
    assert terms.overrun_units(TUESDAY, TUESDAY - timedelta(seconds=seconds)) == 0
    assert terms.overrun_units(TUESDAY, None) == 0
    assert used_minutes(TUESDAY, None) is None
    used = used_minutes(TUESDAY, TUESDAY + timedelta(seconds=seconds))
    assert used is not None
    assert 0 <= used * 60 - seconds < 60
    assert terms_of(terms.document()) == terms
