"""Searching slots: narrowed, from the earliest on, and of several instruments at once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from services.gateways.workdays import is_workday
from services.rules.slots import MOST_SLOTS, Hours, slot_starts
from services.usecases import instruments, slot_search
from services.usecases.instruments import InstrumentView
from services.usecases.invariants import INVARIANTS
from tenants.kernel.clock import CHINA
from tenants.kernel.context import system_actor
from tenants.kernel.errors import Invalid, NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.work import WorkShop
from tests.services.test_bookings import TUESDAY, book, wish
from tests.support.invariants import broken
from tests.support.services import World, build_world, park_person

BUSY = """
INSERT INTO reservations (provider_id, id, instrument_id, unit, during, active, maintenance, created_at)
VALUES (:provider, gen_random_uuid(), :id, :unit, tstzrange(:from, :to), true, '校准', now())
"""


@pytest.fixture
def world(workshop: WorkShop) -> Iterator[World]:
    yield build_world(workshop)
    assert broken(workshop, INVARIANTS) == {}


def add(workshop: WorkShop, name: str, **terms: Any) -> InstrumentView:
    with workshop.work(system_actor("test")) as work:
        known = {"offering": "lab", "region_code": "510104"} | terms
        return instruments.add_instrument(work, name=name, **known)


def search(workshop: WorkShop, days: int = 7, **narrowed: Any) -> tuple[slot_search.FoundInstrument, ...]:
    with workshop.work(park_person(new_id())) as work:
        return slot_search.search_instruments(
            work, offerings=["lab"], from_=TUESDAY, to=TUESDAY + timedelta(days=days), **narrowed
        )


def names(found: tuple[slot_search.FoundInstrument, ...]) -> list[str]:
    return [each.instrument.name for each in found]


def test_the_instrument_that_is_free_first_stands_on_top(workshop: WorkShop, world: World) -> None:
    add(workshop, "水质分析仪", methods=["GB/T 5750.4"], hours=Hours(8, 18, 120))
    book(workshop, new_id(), wish(world, slots=8))
    assert names(search(workshop)) == ["水质分析仪", "气相色谱仪"]
    assert [each.first.starts_at.astimezone(CHINA).day for each in search(workshop)] == [3, 4]


def test_method_and_region_narrow_the_search(workshop: WorkShop, world: World) -> None:
    add(workshop, "水质分析仪", methods=["GB/T 5750.4", "100%_浊度"], region_code="330106")
    assert names(search(workshop, method="gb/t 5750")) == ["水质分析仪"]
    assert names(search(workshop, method="%_浊")) == ["水质分析仪"]
    assert names(search(workshop, method="%5750")) == []
    assert names(search(workshop, region="33")) == ["水质分析仪"]
    assert names(search(workshop, region="51", method="GB/T 5750")) == []


def test_a_search_finds_in_stretches_what_one_look_would_find(workshop: WorkShop, world: World) -> None:
    add(workshop, "水质分析仪", hours=Hours(0, 24, 180))
    with workshop.work(park_person(new_id())) as work:
        span: dict[str, Any] = {"offering": "lab", "from_": TUESDAY, "to": TUESDAY + timedelta(days=60)}
        found = slot_search.search_slots(work, **span, limit=1000)
        first = slot_search.search_slots(work, **span, limit=7)
    assert first == found[:7]
    assert [each.starts_at for each in found] == sorted(each.starts_at for each in found)
    assert len(set(found)) == len(found)
    days = {each.starts_at.astimezone(CHINA).date() for each in found}
    assert len(found) == len(days) * 16 - 3  # the span begins on Tuesday at nine


@st.composite
def hours_and_busy(draw: st.DrawFn) -> tuple[Hours, list[tuple[int, int, int]]]:
    """Hours of an instrument, and busy times by unit in half hours after Tuesday's first, none over another."""
    opens = draw(st.integers(0, 20))
    slot = draw(st.sampled_from([60, 120, 180]))
    slots = draw(st.integers(1, (24 - opens) * 60 // slot))
    hours = Hours(
        opens,
        opens + slots * slot // 60,
        slot,
        min_slots=draw(st.integers(1, min(slots, MOST_SLOTS))),
        before_minutes=draw(st.sampled_from([0, 15, 60])),
        after_minutes=draw(st.sampled_from([0, 30, 90])),
        min_notice_minutes=draw(st.sampled_from([0, 36 * 60])),
        max_notice_days=draw(st.sampled_from([2, 180])),
        units=draw(st.integers(1, 3)),
    )
    busy = []
    for unit in range(1, hours.units + 1):
        at = 0
        for gap, length in draw(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 12)), max_size=5)):
            busy.append((unit, at + gap, at + gap + length))
            at += gap + length
    return hours, busy


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(wanted=hours_and_busy())
def test_what_is_free_is_the_grid_less_what_is_busy(
    workshop: WorkShop, world: World, wanted: tuple[Hours, list[tuple[int, int, int]]]
) -> None:
    hours, busy = wanted
    midnight, half = TUESDAY.replace(hour=0), timedelta(minutes=30)
    to = midnight + timedelta(days=5)
    spans = [(unit, midnight + begin * half, midnight + end * half) for unit, begin, end in busy]
    instrument = add(workshop, f"仪器 {new_id()}", hours=hours)
    with workshop.work(system_actor("test")) as work:
        for unit, begin, end in spans:
            row = {"unit": unit, "provider": instrument.provider_id, "id": instrument.id, "from": begin, "to": end}
            work.session.execute(text(BUSY), row)
    with workshop.work(park_person(new_id())) as work:
        found = slot_search.search_slots(
            work, offering="lab", from_=midnight, to=to, instrument_id=instrument.id, limit=1000
        )
        now = work.now
    earliest, latest = now + timedelta(minutes=hours.min_notice_minutes), now + timedelta(days=hours.max_notice_days)
    expected = {}
    for start in slot_starts(hours, max(midnight, now), to, is_workday):
        begins, ends = hours.occupied(start, start + hours.shortest)
        taken = {unit for unit, begin, end in spans if begin < ends and begins < end}
        if earliest <= start <= latest and len(taken) < hours.units:
            expected[start] = hours.units - len(taken)
    assert {slot.starts_at: slot.free_units for slot in found} == expected
    assert [slot.starts_at for slot in found] == sorted(expected)
    assert all(slot.ends_at - slot.starts_at == hours.shortest for slot in found)


def test_several_instruments_are_free_when_each_of_them_is(workshop: WorkShop, world: World) -> None:
    other = add(workshop, "水质分析仪", hours=Hours(9, 17, 120))
    book(workshop, new_id(), wish(world, TUESDAY + timedelta(hours=2)))
    span: dict[str, Any] = {"from_": TUESDAY, "to": TUESDAY + timedelta(hours=8)}
    with workshop.work(park_person(new_id())) as work:
        ids = [world.instrument.id, other.id]
        one = slot_search.search_together(work, instrument_ids=ids, **span)
        two = slot_search.search_together(work, instrument_ids=ids, slots=2, **span)
    assert [each.starts_at.astimezone(CHINA).hour for each in one] == [9, 13, 15]
    assert all(each.ends_at - each.starts_at == timedelta(hours=2) for each in one)
    assert [each.starts_at.astimezone(CHINA).hour for each in two] == [9, 13]


@pytest.mark.parametrize(
    ("ids", "slots", "error"),
    [(1, 1, Invalid), (2, 9, Invalid), (2, 0, Invalid), (-1, 1, NotFound)],
    ids=["one alone", "too many slots", "no slots", "unknown"],
)
def test_a_wish_that_cannot_be_is_refused(
    workshop: WorkShop, world: World, ids: int, slots: int, error: type[Exception]
) -> None:
    other = add(workshop, "水质分析仪")
    wanted: list[UUID] = [world.instrument.id, new_id()] if ids < 0 else [world.instrument.id, other.id][:ids]
    with workshop.work(park_person(new_id())) as work, pytest.raises(error):
        slot_search.search_together(
            work, instrument_ids=wanted, from_=TUESDAY, to=TUESDAY + timedelta(days=1), slots=slots
        )
