"""The demo's instruments say where they stand and what they can do, each entered by its provider's person."""

from __future__ import annotations

from marketplace.demo import world
from marketplace.demo.theatre import Play
from services.usecases import instruments


def test_each_instrument_has_facility_place_methods_standards_and_samples(play: Play) -> None:
    found = play.do(play.person("lab"), lambda work: instruments.list_instruments(work, own=True))
    assert {each.name for each in found} == {facts.name for facts, _ in world.INSTRUMENTS}
    for each in found:
        facts = each.facts
        assert all((facts.facility, facts.location, facts.methods, facts.standards, facts.sample_kinds)), each.name
