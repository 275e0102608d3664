"""Searching slots: narrowed, from the earliest on, and of several instruments at once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from services.rules.slots import Hours
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


@pytest.fixture
def world(workshop: WorkShop) -> Iterator[World]:
    yield build_world(workshop)
    assert broken(workshop, INVARIANTS) == {}


def add(workshop: WorkShop, name: str, **terms: Any) -> InstrumentView:
    with workshop.work(system_actor("test")) as work:
        given = {"offering": "lab", "region_code": "510104"} | terms
        return instruments.add_instrument(work, name=name, **given)


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
