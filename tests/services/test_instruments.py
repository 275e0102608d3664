"""Instruments with several units, buffers, limits of notice, private ones, and maintenance among the bookings."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from services.rules.slots import Hours
from services.usecases import bookings, instruments, maintenance
from services.usecases.invariants import INVARIANTS
from tenants.kernel.clock import CHINA, ManualClock
from tenants.kernel.context import Actor, Reach
from tenants.kernel.errors import Conflict, Invalid, NotAllowed, NotFound, Problem
from tenants.kernel.identifiers import new_id
from tenants.kernel.vocabulary import OrganisationKind, Role
from tenants.kernel.work import WorkShop
from tenants.rules.membership import permissions_of
from tests.services.test_bookings import TUESDAY, book, wish
from tests.support.databases import Database, RecordingOutbox
from tests.support.invariants import broken
from tests.support.parks import credit_code, sign_up
from tests.support.services import World, build_world, park_person, provider_person

HOURS = Hours(9, 17, 60)


@pytest.fixture
def world(workshop: WorkShop) -> Iterator[World]:
    yield build_world(workshop)
    assert broken(workshop, INVARIANTS) == {}


def change(workshop: WorkShop, world: World, hours: Hours, parks: list[str] | None = None) -> None:
    with workshop.work(world.provider) as work:
        instruments.change_instrument(
            work, instrument_id=world.instrument.id, methods=["GB/T 1"], hours=hours, parks=parks
        )


def plan(workshop: WorkShop, world: World, from_: datetime, hours: int, unit: int | None = None) -> UUID:
    with workshop.work(world.provider) as work:
        made = maintenance.plan_maintenance(
            work,
            instrument_id=world.instrument.id,
            starts_at=from_,
            ends_at=from_ + timedelta(hours=hours),
            reason="年度校准",
            unit=unit,
        )
    return made[0].id


def starts(workshop: WorkShop, park_id: UUID, day: datetime = TUESDAY) -> dict[int, int]:
    """The hours at which a booking may start on a day, and how many units are free then."""
    midnight = day.replace(hour=0)
    with workshop.work(park_person(park_id)) as work:
        found = bookings.search_slots(work, offering="lab", from_=midnight, to=midnight + timedelta(days=1))
    return {each.starts_at.astimezone(CHINA).hour: each.free_units for each in found}


def race(tasks: list[Callable[[], object]]) -> list[Problem]:
    """Carry out all at once and return the refusals."""
    gate = threading.Barrier(len(tasks))
    refused: list[Problem] = []

    def run(task: Callable[[], object]) -> None:
        gate.wait()
        try:
            task()
        except Problem as problem:
            refused.append(problem)

    threads = [threading.Thread(target=run, args=(task,)) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return refused


@pytest.fixture
def crowd(database: Database, clock: ManualClock, outbox: RecordingOutbox) -> Iterator[WorkShop]:
    engine = database.engine(pool_size=16)
    yield WorkShop(engine, clock, outbox)
    engine.dispose()


def test_of_sixteen_who_want_three_units_three_get_one(workshop: WorkShop, world: World, crowd: WorkShop) -> None:
    change(workshop, world, replace(HOURS, units=3))
    refused = race([lambda: book(crowd, new_id(), wish(world))] * 16)
    assert [each.code for each in refused] == ["slot.taken"] * 13
    with workshop.work(world.provider) as work:
        taken = work.session.execute(text("SELECT unit FROM reservations WHERE active ORDER BY unit")).scalars().all()
    assert taken == [1, 2, 3]


def test_maintenance_and_bookings_never_overlap_however_they_meet(
    workshop: WorkShop, world: World, crowd: WorkShop
) -> None:
    wishes: list[Callable[[], object]] = [lambda: book(crowd, new_id(), wish(world))] * 7
    refused = race([*wishes, lambda: plan(crowd, world, TUESDAY, 8)])
    assert len(refused) == 7
    assert {each.code for each in refused} <= {"slot.taken", "slot.busy", "maintenance.in_use"}


def test_a_unit_taken_away_is_never_booked_meanwhile(workshop: WorkShop, world: World, crowd: WorkShop) -> None:
    change(workshop, world, replace(HOURS, units=2))
    book(workshop, new_id(), wish(world))
    tasks: list[Callable[[], object]] = [
        lambda: book(crowd, new_id(), wish(world)),
        lambda: change(crowd, world, HOURS),
    ]
    refused = race(tasks)
    assert len(refused) == 1
    assert refused[0].code in {"slot.taken", "slot.busy", "instrument.unit_in_use"}


def test_buffers_lie_inside_the_exclusion(workshop: WorkShop, world: World) -> None:
    change(workshop, world, replace(HOURS, before_minutes=30, after_minutes=30))
    book(workshop, new_id(), wish(world, TUESDAY + timedelta(hours=2)))
    assert sorted(starts(workshop, new_id())) == [9, 13, 14, 15, 16]
    with pytest.raises(Conflict) as refused:
        book(workshop, new_id(), wish(world, TUESDAY + timedelta(hours=1)))
    assert refused.value.code == "slot.taken"
    assert "03-03 09:00" in str(refused.value.message)


def test_changed_terms_leave_what_is_booked_as_it_is(workshop: WorkShop, world: World) -> None:
    book(workshop, new_id(), wish(world))
    change(workshop, world, replace(HOURS, before_minutes=120, units=2))
    book(workshop, new_id(), wish(world))
    with pytest.raises(Conflict) as refused:
        change(workshop, world, HOURS)
    assert refused.value.code == "instrument.unit_in_use"


def test_notice_and_reach_confine_search_and_booking(workshop: WorkShop, world: World) -> None:
    change(workshop, world, replace(HOURS, min_notice_minutes=26 * 60, max_notice_days=2, min_slots=2))
    assert sorted(starts(workshop, new_id())) == [11 + hour for hour in range(5)]  # now is Monday, 9:00 or later
    wednesday = TUESDAY + timedelta(days=1)
    assert set(starts(workshop, new_id(), wednesday + timedelta(days=1))) == set()
    for start, changes, code in (
        (TUESDAY, {"slots": 2}, "slot.too_soon"),
        (wednesday + timedelta(days=1), {"slots": 2}, "slot.too_far"),
        (wednesday, {}, "slot.too_short"),
    ):
        with pytest.raises(Invalid) as refused:
            book(workshop, new_id(), wish(world, start, **changes))
        assert refused.value.code == code


def test_a_private_instrument_is_there_for_its_parks_alone(workshop: WorkShop, world: World) -> None:
    park, other = sign_up(workshop, 7), sign_up(workshop, 8)
    change(workshop, world, HOURS, parks=[credit_code(7)])
    stranger = new_id()
    assert starts(workshop, stranger) == {}
    with pytest.raises(Invalid) as unknown:
        book(workshop, stranger, wish(world))
    assert unknown.value.code == "instrument.not_found"
    with workshop.work(provider_person(new_id())) as work, pytest.raises(NotFound):
        instruments.read_instrument(work, instrument_id=world.instrument.id)
    booking_id = book(workshop, park.id, wish(world))
    with pytest.raises(ProgrammingError, match="row-level security"), workshop.work(park_person(stranger)) as work:
        work.session.execute(
            text(
                "INSERT INTO reservations (provider_id, id, instrument_id, unit, during, active, created_at) VALUES"
                " (:provider, :id, :instrument, 1, '[2026-03-04 09:00+08,2026-03-04 10:00+08)', true, now())"
            ),
            {"provider": world.provider_id, "id": new_id(), "instrument": world.instrument.id},
        )
    change(workshop, world, HOURS, parks=[credit_code(8)])
    with workshop.work(park_person(park.id)) as work:  # taken off the list, it keeps what it booked
        assert bookings.read_booking(work, booking_id=booking_id).instrument_name == "气相色谱仪"
    with workshop.work(park_person(other.id)) as work:
        shown = instruments.read_instrument(work, instrument_id=world.instrument.id).parks
    assert shown is not None
    assert [each.name for each in shown] == [other.name]


def test_parks_that_are_none_are_refused_by_their_code(workshop: WorkShop, world: World) -> None:
    for parks in ([], ["91510104MA00000000"]):
        with pytest.raises(Invalid) as refused:
            change(workshop, world, HOURS, parks=parks)
        assert [error.field for error in refused.value.errors] == ["parks"]


def test_maintenance_takes_one_unit_or_all_and_gives_them_back(workshop: WorkShop, world: World) -> None:
    change(workshop, world, replace(HOURS, units=2))
    one = plan(workshop, world, TUESDAY, 2, unit=1)
    assert [starts(workshop, new_id())[hour] for hour in (9, 10, 11)] == [1, 1, 2]
    plan(workshop, world, TUESDAY + timedelta(hours=4), 1)
    assert 13 not in starts(workshop, new_id())
    with pytest.raises(Conflict) as taken:
        plan(workshop, world, TUESDAY, 8)
    assert taken.value.code == "maintenance.in_use"
    for _ in range(2):  # ended twice is ended
        with workshop.work(world.provider) as work:
            maintenance.end_maintenance(work, maintenance_id=one)
    assert starts(workshop, new_id())[9] == 2
    with workshop.work(world.provider) as work:
        kept = maintenance.list_maintenance(work, instrument_id=world.instrument.id)
    assert [(each.unit, each.reason) for each in kept] == [(1, "年度校准"), (2, "年度校准")]


def test_maintenance_where_it_is_booked_names_the_booking(workshop: WorkShop, world: World) -> None:
    book(workshop, new_id(), wish(world))
    with pytest.raises(Conflict) as refused:
        plan(workshop, world, TUESDAY - timedelta(hours=1), 3)
    assert refused.value.code == "maintenance.in_use"
    assert "03-03 09:00" in str(refused.value.message)
    with pytest.raises(Invalid) as wrong, workshop.work(world.provider) as work:
        maintenance.plan_maintenance(
            work, instrument_id=world.instrument.id, starts_at=TUESDAY, ends_at=TUESDAY, reason=" ", unit=2
        )
    assert {error.field for error in wrong.value.errors} == {"ends_at", "reason", "unit"}


def test_only_its_provider_keeps_an_instrument(workshop: WorkShop, world: World) -> None:
    down = plan(workshop, world, TUESDAY, 1)
    stranger = provider_person(new_id())
    with pytest.raises(NotFound), workshop.work(stranger) as work:
        instruments.change_instrument(work, instrument_id=world.instrument.id, methods=[], hours=HOURS, parks=None)
    with pytest.raises(NotFound), workshop.work(stranger) as work:
        maintenance.end_maintenance(work, maintenance_id=down)
    with pytest.raises(NotAllowed), workshop.work(park_person(new_id())) as work:
        maintenance.end_maintenance(work, maintenance_id=down)


@pytest.mark.parametrize(
    ("hours", "field"),
    [
        (Hours(9, 17, 45), "slot_minutes"),
        (replace(HOURS, units=51), "units"),
        (replace(HOURS, min_slots=3, max_slots=2), "max_slots"),
        (replace(HOURS, before_minutes=-1), "before_minutes"),
        (replace(HOURS, min_notice_minutes=3000, max_notice_days=2), "min_notice_minutes"),
    ],
)
def test_terms_that_cannot_be_are_named(workshop: WorkShop, world: World, hours: Hours, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        change(workshop, world, hours)
    assert [error.field for error in refused.value.errors] == [field]


def test_an_operator_installs_for_anybody_and_a_provider_for_itself(workshop: WorkShop, world: World) -> None:
    """The demo is founded by an operator, who has no instruments of its own."""
    permissions = permissions_of(OrganisationKind.OPERATOR, [Role.OPERATOR])
    operator = Actor("operator", Reach.STAFF, permissions, user_id=new_id(), organisation_id=new_id())
    with workshop.work(operator) as work:
        made = instruments.add_instrument(work, offering="lab", name="硬度计", region_code="510104")
    assert made.provider_id == world.provider_id
    facts = instruments.Facts("硬度计", "510104")
    with pytest.raises(NotAllowed), workshop.work(operator) as work:
        instruments.install(work, offering="lab", facts=facts)
    with pytest.raises(Invalid) as foreign, workshop.work(provider_person(new_id())) as work:
        instruments.install(work, offering="lab", facts=facts)
    assert [error.field for error in foreign.value.errors] == ["offering"]
