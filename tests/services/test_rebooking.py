"""Bookings that move: the old time is free and the new one taken together, or nothing has changed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

import pytest

from services.rules.slots import Hours
from services.usecases import bookings, deliveries, instruments, rebooking
from services.usecases.bookings import BookingView
from services.usecases.invariants import INVARIANTS
from tenants.kernel.clock import CHINA, ManualClock
from tenants.kernel.errors import Conflict, Invalid, NotAllowed, NotFound, Problem
from tenants.kernel.identifiers import new_id
from tenants.kernel.work import WorkShop
from tests.support.calendars import components
from tests.support.databases import Database, RecordingOutbox
from tests.support.invariants import broken
from tests.support.services import World, build_world, order, park_person, provider_person

TUESDAY = datetime(2026, 3, 3, 9, 0, tzinfo=CHINA)
HOUR = timedelta(hours=1)


@pytest.fixture
def world(workshop: WorkShop) -> Iterator[World]:
    yield build_world(workshop)
    assert broken(workshop, INVARIANTS) == {}


def book(workshop: WorkShop, world: World, park_id: UUID, starts_at: datetime = TUESDAY, slots: int = 1) -> UUID:
    request = {
        "instrument_id": str(world.instrument.id),
        "starts_at": starts_at.isoformat(),
        "slots": slots,
        "purpose": "水样检测",
    }
    booking_id = order(workshop, park_id, "lab", request).booking_id
    assert booking_id is not None
    return booking_id


def move(workshop: WorkShop, park_id: UUID, booking_id: UUID, to: datetime, count: int | None = None) -> BookingView:
    with workshop.work(park_person(park_id)) as work:
        return rebooking.reschedule(work, booking_id=booking_id, starts_at=to, count=count)


def test_a_moved_booking_frees_its_old_time_and_says_who_moved_it(workshop: WorkShop, world: World) -> None:
    park_id = new_id()
    booking_id = book(workshop, world, park_id)
    person = park_person(park_id)
    with workshop.work(person) as work:
        before = components(bookings.booking_calendar(work, booking_id=booking_id))[0]
        moved = rebooking.reschedule(work, booking_id=booking_id, starts_at=TUESDAY + 3 * HOUR)
        again = rebooking.reschedule(work, booking_id=booking_id, starts_at=TUESDAY + 3 * HOUR)
        (change,) = rebooking.list_changes(work, booking_id=booking_id)
        written = bookings.booking_calendar(work, booking_id=booking_id)
    assert (moved.starts_at, moved.ends_at, moved.revision) == (TUESDAY + 3 * HOUR, TUESDAY + 4 * HOUR, 1)
    assert again == moved, "the same time again changes nothing"
    assert (change.kind, change.old_starts_at, change.new_starts_at) == ("moved", TUESDAY, TUESDAY + 3 * HOUR)
    assert change.changed_by == person.user_id
    (event,) = components(written)
    assert (event["UID"], event["DTSTART"].dt) == (before["UID"], TUESDAY + 3 * HOUR)
    assert event["SEQUENCE"] > before["SEQUENCE"]
    assert components(written, "VCALENDAR")[0]["METHOD"] == "REQUEST"
    book(workshop, world, new_id())


def test_a_cancelled_booking_is_a_cancelled_invitation(workshop: WorkShop, world: World) -> None:
    park_id = new_id()
    booking_id = book(workshop, world, park_id)
    move(workshop, park_id, booking_id, TUESDAY + HOUR)
    with workshop.work(park_person(park_id)) as work:
        deliveries.cancel_delivery(work, booking_id=booking_id)
        written = bookings.booking_calendar(work, booking_id=booking_id)
    (event,) = components(written)
    assert (event["SEQUENCE"], event["STATUS"]) == (2, "CANCELLED")
    assert components(written, "VCALENDAR")[0]["METHOD"] == "CANCEL"
    assert str(event["ORGANIZER"]).startswith("urn:uuid:")
    with pytest.raises(Conflict) as refused:
        move(workshop, park_id, booking_id, TUESDAY)
    assert refused.value.code == "booking.closed"


def test_it_may_move_onto_part_of_its_own_time_and_get_shorter_but_not_longer(workshop: WorkShop, world: World) -> None:
    park_id = new_id()
    booking_id = book(workshop, world, park_id, slots=3)
    moved = move(workshop, park_id, booking_id, TUESDAY + HOUR)
    assert moved.ends_at == TUESDAY + 4 * HOUR
    moved = move(workshop, park_id, booking_id, TUESDAY + HOUR, 2)
    assert moved.ends_at == TUESDAY + 3 * HOUR
    with pytest.raises(Conflict) as refused:
        move(workshop, park_id, booking_id, TUESDAY + HOUR, 3)
    assert (refused.value.code, refused.value.errors[0].field) == ("booking.longer", "slots")
    assert "重新下单" in str(refused.value.message)


def test_a_refused_move_keeps_the_old_time(workshop: WorkShop, world: World) -> None:
    park_id, other = new_id(), new_id()
    booking_id = book(workshop, world, park_id)
    book(workshop, world, other, TUESDAY + 2 * HOUR)
    with pytest.raises(Conflict) as taken:
        move(workshop, park_id, booking_id, TUESDAY + 2 * HOUR)
    with pytest.raises(Invalid) as closed:
        move(workshop, park_id, booking_id, TUESDAY + timedelta(days=4))
    assert (taken.value.code, closed.value.code) == ("slot.taken", "slot.closed_day")
    assert closed.value.errors[0].field == "starts_at"
    with pytest.raises(Conflict):
        book(workshop, world, other)
    with pytest.raises(NotFound):
        move(workshop, other, booking_id, TUESDAY + 4 * HOUR)
    with pytest.raises(NotAllowed), workshop.work(provider_person(world.provider_id)) as work:
        rebooking.reschedule(work, booking_id=booking_id, starts_at=TUESDAY + 4 * HOUR)


def test_the_notice_counts_for_the_old_time_and_the_new(workshop: WorkShop, world: World, clock: ManualClock) -> None:
    park_id = new_id()
    booking_id = book(workshop, world, park_id, TUESDAY + 5 * HOUR)
    with workshop.work(world.provider) as work:
        instruments.change_instrument(
            work, instrument_id=world.instrument.id, methods=[], hours=Hours(9, 17, 60, min_notice_minutes=120), parks=None
        )  # fmt: skip
    clock.instant = TUESDAY - HOUR
    with pytest.raises(Invalid) as soon:
        move(workshop, park_id, booking_id, TUESDAY)
    clock.instant = TUESDAY + 4 * HOUR
    with pytest.raises(Conflict) as late:
        move(workshop, park_id, booking_id, TUESDAY + 7 * HOUR)
    clock.instant = TUESDAY + 5 * HOUR
    with pytest.raises(Conflict) as begun:
        move(workshop, park_id, booking_id, TUESDAY + 30 * HOUR)
    codes = [refused.value.code for refused in (soon, late, begun)]
    assert codes == ["slot.too_soon", "booking.too_late", "booking.begun"]


def test_of_twelve_who_want_one_time_one_gets_it_and_the_others_keep_theirs(
    workshop: WorkShop, world: World, database: Database, clock: ManualClock, outbox: RecordingOutbox
) -> None:
    wanted = TUESDAY + timedelta(days=1)
    movers = [(park_id := new_id(), book(workshop, world, park_id, TUESDAY + n * HOUR)) for n in range(6)]
    crowd = database.engine(pool_size=12)
    shop = WorkShop(crowd, clock, outbox)
    gate = threading.Barrier(12)
    ends: list[str] = []

    def compete(task: Callable[[], object]) -> None:
        gate.wait()
        try:
            task()
            ends.append("won")
        except Problem as problem:
            ends.append(problem.code)

    tasks: list[Callable[[], object]] = [partial(move, shop, *mover, wanted) for mover in movers]
    tasks += [partial(book, shop, world, new_id(), wanted)] * 6
    threads = [threading.Thread(target=compete, args=(task,)) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    crowd.dispose()
    assert sorted(ends) == ["slot.taken"] * 11 + ["won"]
    starts = []
    for park_id, booking_id in movers:
        with workshop.work(park_person(park_id)) as work:
            starts.append(bookings.read_booking(work, booking_id=booking_id).starts_at)
    kept = [TUESDAY + n * HOUR for n in range(6)]
    assert sum(start != old for start, old in zip(starts, kept, strict=True)) == starts.count(wanted) <= 1
