"""Recurring bookings: the same wall time again, what of it can be booked, and each occurrence once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from services.rules.quotas import Quota
from services.rules.series import MOST_OCCURRENCES, SeriesChoice, SeriesRule, SeriesUnit
from services.usecases import booking_series, bookings, quota_rules
from services.usecases.booking_series import Occurrence
from services.usecases.invariants import INVARIANTS
from tenants.kernel.clock import CHINA, ManualClock
from tenants.kernel.errors import Conflict, Invalid, NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.work import WorkShop
from tests.services.test_attendance import set_rule
from tests.services.test_bookings import TUESDAY, book, wish
from tests.services.test_suspensions import TERMS, book_hours, miss_all, suspend
from tests.support.invariants import broken
from tests.support.services import World, build_world, order, park_person

DAY = timedelta(days=1)
ZONES = st.sampled_from(
    [ZoneInfo(each) for each in ("Europe/Berlin", "America/New_York", "Asia/Shanghai", "Pacific/Apia")]
)
MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds the zone


@pytest.fixture
def world(workshop: WorkShop) -> Iterator[World]:
    yield build_world(workshop)
    assert broken(workshop, INVARIANTS) == {}


def weekly(
    count: int | None = 4, *, every: int = 1, first_at: datetime = TUESDAY, until: date | None = None
) -> SeriesRule:
    return SeriesRule(first_at, every, SeriesUnit.WEEK, count, until)


def daily(count: int, first_at: datetime = TUESDAY) -> SeriesRule:
    return SeriesRule(first_at, 1, SeriesUnit.DAY, count)


def preview(
    workshop: WorkShop, world: World, rule: SeriesRule, slots: int = 1, park: UUID | None = None
) -> list[Occurrence]:
    with workshop.work(park_person(park or new_id())) as work:
        return list(booking_series.preview_series(work, instrument_id=world.instrument.id, rule=rule, count=slots))


def begin(
    workshop: WorkShop, world: World, park: UUID, rule: SeriesRule, choice: SeriesChoice = SeriesChoice.ALL
) -> tuple[UUID, tuple[Occurrence, ...]]:
    with workshop.work(park_person(park)) as work:
        return booking_series.begin_series(
            work, instrument_id=world.instrument.id, rule=rule, count=1, choice=choice, offering="lab"
        )


def test_each_occurrence_says_whether_it_can_be_booked_and_what_could_instead(workshop: WorkShop, world: World) -> None:
    book(workshop, new_id(), wish(world, TUESDAY + DAY))
    found = preview(workshop, world, daily(6))
    assert [each.state for each in found] == ["free", "taken", "free", "free", "closed_day", "closed_day"]
    assert TUESDAY + DAY + timedelta(hours=1) in found[1].nearest
    assert "最近的空档" in str(found[1].reason)
    assert "不是工作日" in str(found[4].reason)
    assert [each.number for each in found] == [1, 2, 3, 4, 5, 6]
    far = preview(workshop, world, weekly(5, every=10))
    assert [each.state for each in far] == ["free", "free", "free", "outside_notice", "outside_notice"]
    assert "180" in str(far[-1].reason)
    hours = preview(workshop, world, weekly(2, first_at=TUESDAY - timedelta(hours=3)))
    assert {each.state for each in hours} == {"outside_hours"}


def test_a_year_without_a_calendar_is_named(workshop: WorkShop, world: World, clock: ManualClock) -> None:
    clock.instant = datetime(2098, 12, 20, tzinfo=UTC)
    found = preview(workshop, world, weekly(2, first_at=datetime(2098, 12, 30, 9, tzinfo=CHINA)))
    assert {each.state for each in found} == {"no_calendar"}


def test_what_the_quota_has_left_is_shared_out_in_order(workshop: WorkShop, world: World) -> None:
    with workshop.work(world.provider) as work:
        quota_rules.set_quota(work, instrument_id=world.instrument.id, quota=Quota(0, week_hours=2, month_bookings=3))
    found = preview(workshop, world, daily(9))
    assert [each.state for each in found] == [
        "free", "free", "over_quota", "over_quota", "closed_day", "closed_day", "free", "over_quota", "over_quota",
    ]  # fmt: skip
    assert "2026-04-01 起可再预约" in str(found[-1].reason)


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        (weekly(1), "count"),
        (weekly(21), "count"),
        (weekly(4, until=date(2026, 4, 1)), "count"),
        (weekly(None), "count"),
        (weekly(None, until=date(2026, 3, 4)), "until"),
        (weekly(None, until=date(2027, 3, 4)), "until"),
        (weekly(2, every=0), "every"),
        (weekly(2, every=61), "every"),
    ],
)
def test_a_rule_that_cannot_be_is_refused(workshop: WorkShop, world: World, rule: SeriesRule, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        preview(workshop, world, rule)
    assert refused.value.errors[0].field == field


def test_all_or_nothing_names_what_is_in_the_way_and_the_other_choice_leaves_it_out(
    workshop: WorkShop, world: World
) -> None:
    park = new_id()
    book(workshop, new_id(), wish(world, TUESDAY + 7 * DAY))
    with pytest.raises(Conflict) as refused:
        begin(workshop, world, park, weekly(3))
    assert refused.value.code == "series.not_all_free"
    assert "2026-03-10 09:00" in str(refused.value.message)
    _, free = begin(workshop, world, park, weekly(3), SeriesChoice.FREE)
    assert [each.number for each in free] == [1, 3]
    with pytest.raises(Conflict) as refused:
        begin(workshop, world, park, daily(2, TUESDAY + 4 * DAY), SeriesChoice.FREE)
    assert refused.value.code == "series.none_free"


def test_an_occurrence_is_booked_once_and_by_its_own_park(workshop: WorkShop, world: World) -> None:
    park = new_id()
    series_id, free = begin(workshop, world, park, weekly(2))
    named = {"series_id": str(series_id)}
    first = book(workshop, park, wish(world, free[0].starts_at, **named))
    with workshop.work(park_person(park)) as work:
        view = bookings.read_booking(work, booking_id=first)
        assert (view.series_id, view.series_number) == (series_id, 1)
        series = booking_series.read_series(work, series_id=series_id)
        assert [each.id for each in series.bookings] == [first]
        assert [each.id for each in booking_series.list_series(work)] == [series_id]
        with pytest.raises(NotFound):
            booking_series.read_series(work, series_id=new_id())
    for stranger, request in (
        (new_id(), wish(world, free[1].starts_at, **named)),
        (park, wish(world, free[1].starts_at + DAY, **named)),
        (park, wish(world, free[1].starts_at, slots=2, **named)),
    ):
        with pytest.raises(Invalid) as refused:
            order(workshop, stranger, "lab", request)
        assert refused.value.errors[0].field == "request.series_id"
    with workshop.work(park_person(new_id())) as work, pytest.raises(NotFound):
        booking_series.read_series(work, series_id=series_id)
    with workshop.work(park_person(park)) as work, pytest.raises(ProgrammingError, match="permission denied"):
        work.session.execute(text("DELETE FROM booking_series"))


@given(
    first_at=MOMENTS,
    every=st.integers(1, 60),
    unit=st.sampled_from(SeriesUnit),
    count=st.integers(2, MOST_OCCURRENCES),
    zone=ZONES,
    by_day=st.booleans(),
)
def test_the_wall_time_stays_whatever_the_clocks_do(
    first_at: datetime, every: int, unit: SeriesUnit, count: int, zone: ZoneInfo, *, by_day: bool
) -> None:
    step = timedelta(days=every * (7 if unit is SeriesUnit.WEEK else 1))
    local = first_at.astimezone(zone)
    last = local.date() + (count - 1) * step
    rule = SeriesRule(first_at, every, unit, None, last) if by_day else SeriesRule(first_at, every, unit, count)
    starts = rule.starts(zone)
    assert rule.problem(zone) is None
    assert starts[0] == first_at
    assert len(starts) == count
    for number, start in enumerate(starts):
        there = start.astimezone(zone)
        wanted = local.replace(tzinfo=None, fold=0) + number * step
        if there.replace(tzinfo=None, fold=0) != wanted:
            # The clocks skip that time: it is as long after the change as it was to be after the time before it.
            skipped = wanted.replace(tzinfo=zone)
            assert skipped.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != wanted
            assert there.utcoffset() != skipped.utcoffset() or there.date() != wanted.date()
        assert rule.number_of(start, zone) == starts.index(start) + 1
    assert rule.number_of(first_at + timedelta(seconds=1), zone) is None


def test_a_time_that_the_clocks_skip_or_show_twice_is_read_as_calendars_do() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    spring = SeriesRule(datetime(2026, 3, 22, 2, 30, tzinfo=berlin), 1, SeriesUnit.WEEK, 3).starts(berlin)
    assert [f"{each.astimezone(berlin):%d %H:%M}" for each in spring] == ["22 02:30", "29 03:30", "05 02:30"]
    autumn = SeriesRule(datetime(2026, 10, 18, 2, 30, tzinfo=berlin), 1, SeriesUnit.WEEK, 3).starts(berlin)
    assert [each.hour for each in autumn] == [0, 0, 1]
    assert SeriesRule(TUESDAY, 1, SeriesUnit.WEEK, 2).starts(CHINA)[1] == TUESDAY + 7 * DAY


def test_a_suspended_park_is_told_before_it_confirms(workshop: WorkShop, world: World, clock: ManualClock) -> None:
    park = new_id()
    set_rule(workshop, world, TERMS)
    miss_all(workshop, clock, park, book_hours(workshop, world, park, 3))
    assert suspend(workshop, world, park) is not None
    later = daily(3, first_at=TUESDAY + DAY)
    for ask in (preview, begin):
        with pytest.raises(Conflict) as refused:
            ask(workshop, world, rule=later, park=park)
        assert refused.value.code == "booking.suspended"
    assert preview(workshop, world, later)
