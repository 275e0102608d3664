"""Slots and bookings: what can be booked, that it is booked once, and who may report."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine

from services.usecases import artefacts, bookings, deliveries
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


@pytest.fixture
def world(workshop: WorkShop) -> Iterator[World]:
    yield build_world(workshop)
    assert broken(workshop, INVARIANTS) == {}


def wish(world: World, starts_at: datetime = TUESDAY, **changes: Any) -> dict[str, Any]:
    return {
        "instrument_id": str(world.instrument.id),
        "starts_at": starts_at.isoformat(),
        "slots": 1,
        "purpose": "水样检测",
    } | changes


def book(workshop: WorkShop, park_id: UUID, request: dict[str, Any]) -> UUID:
    booking_id = order(workshop, park_id, "lab", request).booking_id
    assert booking_id is not None
    return booking_id


def test_free_slots_lie_in_working_hours_and_leave_out_what_is_taken(workshop: WorkShop, world: World) -> None:
    book(workshop, new_id(), wish(world, slots=2))
    with workshop.work(park_person(new_id())) as work:
        found = bookings.search_slots(work, offering="lab", from_=work.now, to=work.now + timedelta(days=7))
    starts = [slot.starts_at.astimezone(CHINA) for slot in found]
    assert len(starts) == 7 + 4 * 8 - 2  # Monday from 10:00, four more days, and two slots are gone
    assert starts[0] == datetime(2026, 3, 2, 10, 0, tzinfo=CHINA)
    assert TUESDAY not in starts
    assert all(9 <= start.hour < 17 and start.weekday() < 5 for start in starts)


def test_of_sixteen_who_want_a_slot_one_gets_it(
    workshop: WorkShop, world: World, database: Database, clock: ManualClock, outbox: RecordingOutbox
) -> None:
    crowd: Engine = database.engine(pool_size=16)
    shop = WorkShop(crowd, clock, outbox)
    gate = threading.Barrier(16)
    won: list[UUID] = []
    refused: list[Problem] = []

    def compete() -> None:
        gate.wait()
        try:
            won.append(book(shop, new_id(), wish(world)))
        except Problem as problem:
            refused.append(problem)

    threads = [threading.Thread(target=compete) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    crowd.dispose()
    assert len(won) == 1
    assert {problem.code for problem in refused} == {"slot.taken"}
    assert len(refused) == 15
    assert "03-03 10:00" in str(refused[0].message)


@pytest.mark.parametrize(
    ("starts_at", "changes", "code"),
    [
        (datetime(2026, 3, 2, 9, 0, tzinfo=CHINA), {}, "slot.past"),
        (TUESDAY + timedelta(minutes=20), {}, "slot.off_grid"),
        (TUESDAY - timedelta(hours=2), {}, "slot.outside_hours"),
        (TUESDAY + timedelta(hours=8), {}, "slot.outside_hours"),
        (TUESDAY + timedelta(hours=7), {"slots": 2}, "slot.past_closing"),
        (TUESDAY + timedelta(days=4), {}, "slot.closed_day"),
        (TUESDAY + timedelta(days=400), {}, "slot.too_far"),
    ],
)
def test_a_slot_that_cannot_be_is_refused_with_the_reason(
    workshop: WorkShop, world: World, starts_at: datetime, changes: dict[str, Any], code: str
) -> None:
    with pytest.raises(Invalid) as refused:
        book(workshop, new_id(), wish(world, starts_at, **changes))
    assert refused.value.code == code
    assert [error.field for error in refused.value.errors] == ["request.starts_at"]


def test_a_year_without_a_calendar_is_refused_loudly(workshop: WorkShop, world: World, clock: ManualClock) -> None:
    clock.instant = datetime(2098, 12, 20, tzinfo=UTC)
    with pytest.raises(Invalid) as refused:
        book(workshop, new_id(), wish(world, datetime(2099, 1, 5, 9, 0, tzinfo=CHINA)))
    assert refused.value.code == "slot.no_calendar"


def test_a_malformed_request_names_its_fields(workshop: WorkShop, world: World) -> None:
    with pytest.raises(Invalid) as refused:
        order(workshop, new_id(), "lab", {"instrument_id": "x", "starts_at": "2026-03-03T09:00:00", "slots": 0})
    fields = {error.field for error in refused.value.errors}
    assert fields == {"request.instrument_id", "request.starts_at", "request.slots", "request.purpose"}


def test_a_cancelled_booking_frees_its_slot(workshop: WorkShop, world: World) -> None:
    park_id = new_id()
    booking_id = book(workshop, park_id, wish(world))
    for _ in range(2):  # cancelled twice is cancelled
        with workshop.work(park_person(park_id)) as work:
            deliveries.cancel_delivery(work, booking_id=booking_id)
    book(workshop, new_id(), wish(world))


def test_the_provider_reports_once_and_the_result_is_the_parks(
    workshop: WorkShop, world: World, outbox: RecordingOutbox
) -> None:
    park_id = new_id()
    booking_id = book(workshop, park_id, wish(world))
    report: dict[str, Any] = {"file_name": "../报告.pdf", "media_type": "application/pdf", "content": b"%PDF"}
    with workshop.work(world.provider) as work:
        done = bookings.report_inspection(work, booking_id=booking_id, passed=True, **report)
    assert (done.status, done.passed) == ("reported", True)
    with pytest.raises(Conflict), workshop.work(world.provider) as work:
        bookings.report_inspection(work, booking_id=booking_id, passed=True, **report)
    with pytest.raises(Conflict), workshop.work(park_person(park_id)) as work:
        deliveries.cancel_delivery(work, booking_id=booking_id)
    with workshop.work(park_person(park_id)) as work:
        assert [each.name for each in artefacts.list_artefacts(work, source_id=booking_id)] == ["报告.pdf"]
    assert len(outbox.named("inspection.reported")) == 1


def test_an_inspection_that_cannot_be_done_frees_its_slot(
    workshop: WorkShop, world: World, outbox: RecordingOutbox
) -> None:
    booking_id = book(workshop, new_id(), wish(world))
    with workshop.work(world.provider) as work:
        done = bookings.fail_inspection(work, booking_id=booking_id, reason="仪器故障")
    assert (done.status, done.failure_reason) == ("failed", "仪器故障")
    assert outbox.named("inspection.failed")[0].tenant_id == done.park_id
    book(workshop, new_id(), wish(world))


def test_nobody_but_the_instruments_provider_may_report(workshop: WorkShop, world: World) -> None:
    booking_id = book(workshop, new_id(), wish(world))
    with pytest.raises(NotFound), workshop.work(provider_person(new_id())) as work:
        bookings.fail_inspection(work, booking_id=booking_id, reason="不是我的")
    with pytest.raises(NotAllowed), workshop.work(park_person(new_id())) as work:
        bookings.fail_inspection(work, booking_id=booking_id, reason="不是我的")
    with workshop.work(provider_person(new_id())) as work:
        assert bookings.list_provider_bookings(work).items == ()
    with workshop.work(world.provider) as work:
        assert [each.id for each in bookings.list_provider_bookings(work).items] == [booking_id]


def test_a_booking_can_be_put_into_a_calendar(workshop: WorkShop, world: World) -> None:
    park_id = new_id()
    booking_id = book(workshop, park_id, wish(world, purpose="水样;第一批,含\n备注" + "长" * 60))
    with workshop.work(park_person(park_id)) as work:
        written = bookings.booking_calendar(work, booking_id=booking_id)
    (event,) = components(written)
    assert event.decoded("DTSTART") == datetime(2026, 3, 3, 1, tzinfo=UTC)
    assert event.decoded("DTEND") == datetime(2026, 3, 3, 2, tzinfo=UTC)
    assert str(event["DESCRIPTION"]).startswith("水样;第一批,含\n备注")
    assert all(len(line) <= 75 for line in written.split(b"\r\n"))
    with pytest.raises(NotFound), workshop.work(park_person(new_id())) as work:
        bookings.booking_calendar(work, booking_id=booking_id)
