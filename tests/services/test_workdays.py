"""Working days that an operator records: before the published calendar, and for years beyond it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from services.gateways.twin import fingerprint
from services.rules.demo_park import demo_park
from services.rules.twin.inputs import TwinRequest
from services.usecases import bookings, twin_requests, workdays
from tenants.kernel.clock import CHINA, ManualClock
from tenants.kernel.context import system_actor
from tenants.kernel.errors import Conflict, Invalid, NotAllowed
from tenants.kernel.identifiers import new_id
from tenants.kernel.work import Work, WorkShop
from tests.services.test_bookings import TUESDAY, book, wish
from tests.support.services import build_world, park_person, provider_person

HOLIDAYS = [
    *((date(2099, 1, day), False, "元旦") for day in (1, 2)),
    *((date(2099, 1, 20) + timedelta(days=number), False, "春节") for number in range(8)),
    *((date(2099, 5, day), False, "劳动节") for day in (1, 2)),
    *((date(2099, 10, day), False, "国庆节") for day in range(1, 8)),
    (date(2099, 1, 18), True, "春节调休"),
]
SOURCE = "国办发明电〔2098〕7 号"


def record(workshop: WorkShop, day: date, worked: bool) -> None:
    with workshop.work(system_actor("test")) as work:
        workdays.record_workday(work, day=day, worked=worked, name="临时安排")


def test_a_year_can_be_booked_once_an_operator_has_completed_it(workshop: WorkShop, clock: ManualClock) -> None:
    world = build_world(workshop)
    clock.instant = datetime(2098, 12, 20, tzinfo=UTC)
    monday, holiday = datetime(2099, 1, 5, 9, tzinfo=CHINA), datetime(2099, 1, 20, 9, tzinfo=CHINA)
    record(workshop, date(2099, 1, 5), worked=True)
    with pytest.raises(Invalid) as unknown:  # one recorded day does not make the year known
        book(workshop, new_id(), wish(world, monday))
    assert unknown.value.code == "slot.no_calendar"
    with workshop.work(system_actor("test")) as work:
        assert not workdays.read_workdays(work, year=2099).known
        done = workdays.complete_year(work, year=2099, source=SOURCE, days=HOLIDAYS)
    assert (done.known, done.source, len(done.days)) == (True, SOURCE, len(HOLIDAYS) + 1)
    book(workshop, new_id(), wish(world, monday))
    book(workshop, new_id(), wish(world, datetime(2099, 1, 18, 9, tzinfo=CHINA)))  # a Sunday that is worked
    with pytest.raises(Invalid) as closed:
        book(workshop, new_id(), wish(world, holiday))
    assert closed.value.code == "slot.closed_day"


def test_a_year_without_its_holidays_is_not_complete(workshop: WorkShop) -> None:
    for days, told in (
        ([each for each in HOLIDAYS if each[0] != date(2099, 10, 1)], "2099-10-01"),
        ([each for each in HOLIDAYS if each[0].day <= 3 and each[1] is False], "不足"),
        ([*HOLIDAYS, (date(2098, 1, 1), False, "元旦")], "2098-01-01"),
    ):
        with pytest.raises(Invalid) as refused, workshop.work(system_actor("test")) as work:
            workdays.complete_year(work, year=2099, source=SOURCE, days=days)
        assert [error.field for error in refused.value.errors] == ["days"]
        assert told in str(refused.value.errors[0].message)


def test_a_recorded_day_goes_before_the_published_one(workshop: WorkShop) -> None:
    world = build_world(workshop)
    saturday = TUESDAY + timedelta(days=4)
    record(workshop, TUESDAY.date(), worked=False)
    record(workshop, saturday.date(), worked=True)
    with pytest.raises(Invalid) as closed:
        book(workshop, new_id(), wish(world))
    assert closed.value.code == "slot.closed_day"
    book(workshop, new_id(), wish(world, saturday))
    with workshop.work(park_person(new_id())) as work:
        found = bookings.search_slots(work, offering="lab", from_=TUESDAY, to=TUESDAY + timedelta(days=5))
        shown = {each.day: each for each in workdays.read_workdays(work, year=2026).days}
    assert {each.starts_at.astimezone(CHINA).day for each in found} == {4, 5, 6, 7}
    assert shown[saturday.date()].recorded
    assert not shown[date(2026, 10, 1)].recorded
    record(workshop, TUESDAY.date(), worked=True)  # corrected
    book(workshop, new_id(), wish(world))


def test_only_an_operator_records(workshop: WorkShop) -> None:
    for actor in (park_person(new_id()), provider_person(new_id())):
        with pytest.raises(NotAllowed), workshop.work(actor) as work:
            workdays.record_workday(work, day=date(2027, 1, 1), worked=False, name="元旦")
        with pytest.raises(NotAllowed), workshop.work(actor) as work:
            workdays.complete_year(work, year=2027, source=SOURCE, days=[])


def test_a_recorded_day_is_taken_back_with_a_reason_and_the_record_stays(workshop: WorkShop) -> None:
    world = build_world(workshop)
    record(workshop, TUESDAY.date(), worked=False)
    operator = system_actor("test")
    with pytest.raises(Invalid) as silent, workshop.work(operator) as work:
        workdays.remove_workday(work, day=TUESDAY.date(), reason=" ")
    assert [error.field for error in silent.value.errors] == ["reason"]
    with workshop.work(operator) as work:
        workdays.remove_workday(work, day=TUESDAY.date(), reason="通知取消")
        (kept,) = workdays.list_recorded(work, year=2026)
        assert not any(each.recorded for each in workdays.read_workdays(work, year=2026).days)
    assert (kept.removed_why, kept.removed_at is None, kept.worked) == ("通知取消", False, False)
    book(workshop, new_id(), wish(world))
    with pytest.raises(Conflict) as gone, workshop.work(operator) as work:
        workdays.remove_workday(work, day=TUESDAY.date(), reason="再次")
    assert gone.value.code == "workday.not_recorded"
    record(workshop, TUESDAY.date(), worked=False)  # recorded anew, it counts again
    with workshop.work(operator) as work:
        (again,) = workdays.list_recorded(work, year=2026)
    assert again.removed_at is None


def test_a_completed_year_stays_complete(workshop: WorkShop) -> None:
    operator = system_actor("test")
    with workshop.work(operator) as work:
        workdays.complete_year(work, year=2099, source=SOURCE, days=HOLIDAYS)
    with pytest.raises(Conflict) as needed, workshop.work(operator) as work:
        workdays.remove_workday(work, day=date(2099, 10, 1), reason="误登")
    assert needed.value.code == "workday.needed"
    with workshop.work(operator) as work:
        workdays.remove_workday(work, day=date(2099, 1, 18), reason="取消调休")
        assert workdays.read_workdays(work, year=2099).known
    for actor in (park_person(new_id()), provider_person(new_id())):
        with pytest.raises(NotAllowed), workshop.work(actor) as work:
            workdays.remove_workday(work, day=date(2099, 1, 2), reason="误登")


def test_statistics_and_twins_take_recorded_days_too(workshop: WorkShop) -> None:
    saturday, unknown = date(2026, 3, 7), date(2100, 3, 2)
    with workshop.work(system_actor("test")) as work:
        before = _twin(work)
        worked = workdays.usual_days(work)
        assert (worked(saturday), worked(unknown)) == (False, True)
    record(workshop, saturday, worked=True)
    record(workshop, unknown, worked=False)
    with workshop.work(system_actor("test")) as work:
        after = _twin(work)
        worked = workdays.usual_days(work)
        assert (worked(saturday), worked(unknown)) == (True, False)
    assert saturday in after.tariff.work_dates - before.tariff.work_dates
    assert after.tariff.rest_dates == before.tariff.rest_dates
    assert fingerprint(after) != fingerprint(before), "the same question on another calendar is another one"
    with workshop.work(system_actor("test")) as work:
        workdays.remove_workday(work, day=saturday, reason="误登")
        assert fingerprint(_twin(work)) == fingerprint(before)


def _twin(work: Work) -> TwinRequest:
    park = demo_park()
    park["period"] = {"from": "2026-03-01", "to": "2026-03-08"}
    park["tariff"] = park["tariff"] | {"holidays": "china"}
    return twin_requests.read_twin_request(work, {"park": park}, tenant_id=new_id())[1]
