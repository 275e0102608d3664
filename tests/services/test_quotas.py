"""Quotas: what one park may hold of an instrument in a week and a month, whoever asks at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from services.rules.attendance import AttendanceTerms, Metering
from services.rules.quotas import Held, Quota, QuotaPeriod, days_of, exceeded, fits_from, standings
from services.usecases import (
    attendance,
    attendance_rules,
    bookings,
    deliveries,
    instruments,
    quota_rules,
    quotas,
    rebooking,
    slot_holds,
    together,
)
from services.usecases.invariants import INVARIANTS
from tenants.kernel.clock import CHINA, ManualClock
from tenants.kernel.context import system_actor
from tenants.kernel.errors import Conflict, Invalid, NotAllowed, NotFound, Problem
from tenants.kernel.identifiers import new_id
from tenants.kernel.work import WorkShop
from tests.services.test_bookings import TUESDAY, book, wish
from tests.support.databases import Database, RecordingOutbox
from tests.support.invariants import broken
from tests.support.services import World, build_world, park_person, provider_person

IN_MARCH = TUESDAY.date()
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
BERLIN = ZoneInfo("Europe/Berlin")
HELD = st.builds(
    lambda hours, length: Held(TUESDAY + hours * HOUR, TUESDAY + (hours + length) * HOUR),
    st.integers(-40 * 24, 40 * 24),
    st.integers(1, 8),
)
LIMITS = st.builds(Quota, st.just(1), *[st.none() | st.integers(1, 30)] * 4)
ZONES = st.sampled_from([CHINA, BERLIN, ZoneInfo("America/New_York"), UTC])


@pytest.fixture
def world(workshop: WorkShop) -> Iterator[World]:
    world = build_world(workshop)
    yield world
    assert broken(workshop, INVARIANTS) == {}


def set_quota(workshop: WorkShop, world: World, at: datetime | None = None, **limits: int) -> quota_rules.QuotaRuleView:
    with workshop.work(world.provider) as work:
        return quota_rules.set_quota(work, instrument_id=world.instrument.id, quota=Quota(0, **limits), valid_from=at)


def left(workshop: WorkShop, world: World, park: UUID, day: date = IN_MARCH) -> list[tuple[str, int, int]]:
    with workshop.work(park_person(park)) as work:
        found = quotas.quotas_left(work, instrument_ids=[world.instrument.id], first=day, last=day)
    return [(f"{each.period}_{each.measure}", each.used, each.left) for each in found.get(world.instrument.id, ())]


def move(workshop: WorkShop, park: UUID, booking: UUID, to: datetime) -> bookings.BookingView:
    with workshop.work(park_person(park)) as work:
        return rebooking.reschedule(work, booking_id=booking, starts_at=to)


def test_what_would_exceed_is_refused_with_what_is_used_left_and_when_it_fits(workshop: WorkShop, world: World) -> None:
    set_quota(workshop, world, week_hours=3)
    park = new_id()
    book(workshop, park, wish(world, slots=2))
    assert left(workshop, world, park) == [("week_hours", 2, 1)]
    with pytest.raises(Conflict) as refused:
        book(workshop, park, wish(world, TUESDAY + DAY, slots=2))
    assert refused.value.code == "quota.exceeded"
    assert [error.field for error in refused.value.errors] == ["request.starts_at"]
    said = str(refused.value.message)
    assert "03-02 至 03-08 最多预约 3 小时" in said
    assert "已用 2 小时，剩余 1 小时，本次需要 2 小时" in said
    assert "2026-03-09 起可再预约" in said
    book(workshop, park, wish(world, TUESDAY + DAY))
    book(workshop, new_id(), wish(world, TUESDAY + DAY + HOUR, slots=3))
    book(workshop, park, wish(world, TUESDAY + 6 * DAY, slots=3))
    with pytest.raises(Conflict, match="请缩短"):
        book(workshop, park, wish(world, TUESDAY + 14 * DAY, slots=4))


def test_months_and_numbers_of_bookings_count_too(workshop: WorkShop, world: World) -> None:
    set_quota(workshop, world, week_bookings=2, month_hours=4)
    park = new_id()
    for starts_at, slots in ((TUESDAY, 1), (TUESDAY + DAY, 1), (TUESDAY + 7 * DAY, 2)):
        book(workshop, park, wish(world, starts_at, slots=slots))
    assert left(workshop, world, park) == [("week_bookings", 2, 0), ("month_hours", 4, 0)]
    with pytest.raises(Conflict) as refused:
        book(workshop, park, wish(world, TUESDAY + 2 * DAY))
    assert "最多预约 2 次" in str(refused.value.message)
    assert "2026-04-01 起" in str(refused.value.message), "the month is full, too"
    book(workshop, park, wish(world, datetime(2026, 4, 1, 9, tzinfo=CHINA)))


def test_cancelled_and_failed_give_back_and_a_no_show_does_not(
    workshop: WorkShop, world: World, clock: ManualClock
) -> None:
    with workshop.work(world.provider) as work:
        terms = AttendanceTerms(0, 30, 15, 0, 0, 0, 30, 0, Metering.BOOKED)
        attendance_rules.set_rule(work, instrument_id=world.instrument.id, terms=terms)
    set_quota(workshop, world, week_bookings=1)
    park = new_id()
    first = book(workshop, park, wish(world))
    with workshop.work(park_person(park)) as work:
        deliveries.cancel_delivery(work, booking_id=first)
    second = book(workshop, park, wish(world))
    with workshop.work(world.provider) as work:
        bookings.fail_inspection(work, booking_id=second, reason="仪器故障")
    third = book(workshop, park, wish(world))
    clock.instant = TUESDAY + HOUR
    with workshop.work(system_actor("clock", tenant_id=park)) as work:
        assert attendance.note_no_show(work, booking_id=third)
    assert left(workshop, world, park) == [("week_bookings", 1, 0)]
    with pytest.raises(Conflict, match="已用 1 次"):
        book(workshop, park, wish(world, TUESDAY + DAY))


def test_a_move_counts_where_it_goes_and_no_lowered_limit_keeps_it_from_moving_within(
    workshop: WorkShop, world: World
) -> None:
    set_quota(workshop, world, week_hours=2)
    park = new_id()
    booking = book(workshop, park, wish(world, slots=2))
    other = book(workshop, park, wish(world, TUESDAY + 7 * DAY))
    with pytest.raises(Conflict) as refused:
        move(workshop, park, booking, TUESDAY + 8 * DAY)
    assert refused.value.code == "quota.exceeded"
    assert "剩余 1 小时，本次需要 2 小时" in str(refused.value.message)
    assert left(workshop, world, park) == [("week_hours", 2, 0)], "a refused move keeps what it has"
    move(workshop, park, booking, TUESDAY + DAY)
    set_quota(workshop, world, week_hours=1)
    move(workshop, park, booking, TUESDAY + 2 * DAY)
    assert left(workshop, world, park) == [("week_hours", 2, 0)]
    with workshop.work(park_person(park)) as work:
        deliveries.cancel_delivery(work, booking_id=booking)
    assert move(workshop, park, other, TUESDAY).starts_at == TUESDAY


@pytest.mark.parametrize("moved", [False, True])
def test_of_one_parks_checkouts_at_once_only_as_many_pass_as_fit(
    workshop: WorkShop, world: World, database: Database, clock: ManualClock, outbox: RecordingOutbox, *, moved: bool
) -> None:
    park = new_id()
    waiting = [book(workshop, park, wish(world, TUESDAY + 7 * DAY + at * HOUR)) for at in range(8)] if moved else []
    clock.advance(HOUR)
    set_quota(workshop, world, week_hours=3)
    crowd = database.engine(pool_size=8)
    shop = WorkShop(crowd, clock, outbox)
    gate = threading.Barrier(8)
    won: list[int] = []
    codes: list[str] = []

    def compete(at: int) -> None:
        gate.wait()
        try:
            if moved:
                move(shop, park, waiting[at], TUESDAY + at * HOUR)
            else:
                book(shop, park, wish(world, TUESDAY + at * HOUR))
            won.append(at)
        except Problem as problem:
            codes.append(problem.code)

    threads = [threading.Thread(target=compete, args=(at,)) for at in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    crowd.dispose()
    assert len(won) == 3
    assert codes == ["quota.exceeded"] * 5
    assert left(workshop, world, park) == [("week_hours", 3, 0)]


def test_a_quota_holds_from_its_time_on_and_a_later_one_lifts_it(
    workshop: WorkShop, world: World, clock: ManualClock
) -> None:
    park = new_id()
    later = clock.instant + HOUR
    assert set_quota(workshop, world, later, week_bookings=1).version == 1
    book(workshop, park, wish(world))
    book(workshop, park, wish(world, TUESDAY + HOUR))
    assert left(workshop, world, park) == []
    clock.instant = later
    assert left(workshop, world, park) == [("week_bookings", 2, 0)]
    with pytest.raises(Conflict):
        book(workshop, park, wish(world, TUESDAY + 2 * HOUR))
    assert set_quota(workshop, world).version == 2
    book(workshop, park, wish(world, TUESDAY + 2 * HOUR))
    with workshop.work(world.provider) as work:
        versions = quota_rules.list_quotas(work, instrument_id=world.instrument.id)
        assert [(each.version, list(each.quota.limits()) != []) for each in versions] == [(2, False), (1, True)]
        assert (
            quotas.quotas_left(work, instrument_ids=[world.instrument.id], first=later.date(), last=later.date()) == {}
        )


@pytest.mark.parametrize(
    ("limits", "field"), [({"week_hours": 0}, "week_hours"), ({"month_bookings": 1001}, "month_bookings")]
)
def test_numbers_out_of_bounds_are_refused(workshop: WorkShop, world: World, limits: Any, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        set_quota(workshop, world, **limits)
    assert refused.value.errors[0].field == field


def test_only_the_provider_sets_it_and_never_backwards(workshop: WorkShop, world: World, clock: ManualClock) -> None:
    with pytest.raises(Invalid) as refused:
        set_quota(workshop, world, clock.instant - HOUR, week_hours=1)
    assert refused.value.errors[0].field == "valid_from"
    quota = Quota(0, week_hours=1)
    with workshop.work(provider_person(new_id())) as work, pytest.raises(NotFound):
        quota_rules.set_quota(work, instrument_id=world.instrument.id, quota=quota)
    with workshop.work(park_person(new_id())) as work, pytest.raises(NotAllowed):
        quota_rules.set_quota(work, instrument_id=world.instrument.id, quota=quota)
    program = replace(world.provider, user_id=None, api_client_id=new_id())
    with workshop.work(program) as work, pytest.raises(NotAllowed):
        quota_rules.set_quota(work, instrument_id=world.instrument.id, quota=quota)


@pytest.mark.parametrize("statement", ["DELETE FROM quota_rules", "UPDATE quota_rules SET week_hours = 9"])
def test_what_is_set_stays(workshop: WorkShop, world: World, statement: str) -> None:
    set_quota(workshop, world, week_hours=1)
    with workshop.work(world.provider) as work, pytest.raises(ProgrammingError, match="permission denied"):
        work.session.execute(text(statement))


@given(LIMITS, st.lists(HELD, max_size=12), HELD, ZONES)
def test_what_fits_never_passes_a_limit_and_what_is_refused_would(
    quota: Quota, held: list[Held], new: Held, zone: ZoneInfo
) -> None:
    day = new.starts_at.astimezone(zone).date()
    before = standings(quota, held, day, day, zone)
    after = standings(quota, [*held, new], day, day, zone)
    over = exceeded(quota, held, new, zone)
    assert (over is None) == all(each.used <= each.most for each in after)
    assert [a.used - b.used for a, b in zip(after, before, strict=True)] == [
        new.amount(each.measure) for each in quota.limits()
    ]
    assert exceeded(quota, held, new, zone, before=new) is None, "where it was before it may stay"
    fits = fits_from(quota, held, new, zone, last=day + 90 * DAY, is_open=lambda _: True)
    if fits is not None:
        local = new.starts_at.astimezone(zone)
        moved = local.replace(year=fits.year, month=fits.month, day=fits.day)
        assert fits > day
        assert exceeded(quota, held, Held(moved, moved + (new.ends_at - new.starts_at)), zone) is None


@given(st.dates(date(2000, 1, 1), date(2100, 1, 1)), st.sampled_from(QuotaPeriod))
def test_weeks_and_months_share_out_the_days(day: date, period: QuotaPeriod) -> None:
    first, last = days_of(period, day)
    assert first <= day <= last
    assert days_of(period, first) == days_of(period, last) == (first, last)
    assert days_of(period, last + DAY)[0] == last + DAY


def test_a_hold_asks_the_quota_and_counts_what_else_is_held(
    workshop: WorkShop, world: World, clock: ManualClock
) -> None:
    set_quota(workshop, world, week_hours=3)
    person = park_person(new_id())
    assert person.tenant_id is not None

    def held(at: datetime, slots: int = 1) -> None:
        with workshop.work(person) as work:
            slot_holds.hold_slot(work, instrument_id=world.instrument.id, starts_at=at, slots=slots)

    book(workshop, person.tenant_id, wish(world, slots=1))
    with pytest.raises(Conflict) as refused:
        held(TUESDAY + DAY, slots=3)
    assert refused.value.code == "quota.exceeded"
    held(TUESDAY + DAY)
    held(TUESDAY + DAY)
    held(TUESDAY + DAY, slots=2)
    with pytest.raises(Conflict, match="已用 3 小时"):
        held(TUESDAY + 2 * DAY)
    held(TUESDAY + 6 * DAY, slots=3)
    clock.instant += timedelta(minutes=10)
    held(TUESDAY + 2 * DAY)


def test_what_was_not_used_and_not_charged_returns_to_the_quota(
    workshop: WorkShop, world: World, clock: ManualClock
) -> None:
    with workshop.work(world.provider) as work:
        terms = AttendanceTerms(0, 30, 15, 0, 0, 0, 30, 0, Metering.ACTUAL)
        attendance_rules.set_rule(work, instrument_id=world.instrument.id, terms=terms)
    set_quota(workshop, world, week_hours=4)
    park = new_id()
    booking = book(workshop, park, wish(world, slots=4))
    assert left(workshop, world, park) == [("week_hours", 4, 0)]
    for at, note in ((TUESDAY, attendance.check_in), (TUESDAY + timedelta(minutes=70), attendance.check_out)):
        clock.instant = at
        with workshop.work(park_person(park)) as work:
            note(work, booking_id=booking)
    assert left(workshop, world, park) == [("week_hours", 4, 0)], "it is the provider's until the report"
    with workshop.work(world.provider) as work:
        bookings.report_inspection(
            work, booking_id=booking, file_name="r.txt", media_type="text/plain", content=b"r", passed=True
        )
    assert left(workshop, world, park) == [("week_hours", 2, 2)], "two started hours are charged"
    book(workshop, park, wish(world, TUESDAY + DAY, slots=2))


def test_the_times_of_several_instruments_say_which_quota_stands_against_them(workshop: WorkShop, world: World) -> None:
    set_quota(workshop, world, week_hours=1)
    with workshop.work(system_actor("test")) as work:
        other = instruments.add_instrument(work, offering="lab", name="第二台", region_code="510104")
    park = new_id()
    book(workshop, park, wish(world))
    both = [world.instrument.id, other.id]
    with workshop.work(park_person(park)) as work:
        found = together.find_together(work, instrument_ids=both, from_=TUESDAY, to=TUESDAY + 7 * DAY, limit=200)
    this_week = [each for each in found if each.starts_at < TUESDAY + 6 * DAY - HOUR]
    assert {tuple(each.over_quota) for each in this_week} == {(world.instrument.id,)}
    assert not any(each.over_quota for each in found[len(this_week) :])
    assert len(found) > len(this_week) > 0
    assert "已用 1 小时" in str(this_week[0].over_quota[world.instrument.id])
