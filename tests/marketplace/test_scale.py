"""Load for measuring: numbered, resumable, and with every invariant holding."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text

from marketplace.composition import Marketplace, build
from marketplace.demo import world
from marketplace.demo.scale import numbered_park, seed_scale
from marketplace.settings import Settings
from marketplace.usecases import invariants
from tenants.kernel.clock import ManualClock
from tenants.kernel.context import system_actor
from tenants.rules.uscc import check_uscc
from tests.support.databases import Database
from tests.support.parks import person

PARKS = 20
EVENTS = 2_001


@pytest.fixture
def market(database: Database, clock: ManualClock) -> Iterator[Marketplace]:
    settings = Settings(
        database_url=database.url, database_owner_url=database.owner_url, secret_key="a" * 40, mode="demo"
    )
    with build(settings, clock=clock) as made:
        yield made


def quiet(_line: str) -> None:
    """Say nothing."""


def rows(market: Marketplace) -> dict[str, Any]:
    """How many rows there are, and what the readings add up to."""
    queries = {
        "parks": "SELECT count(*) FROM parks WHERE verification = 'verified'",
        "subscriptions": "SELECT count(*) FROM subscriptions",
        "people": "SELECT count(*) FROM users",
        "readings": "SELECT count(*) FROM usage_events",
        "kwh": "SELECT sum((data ->> 'kwh')::numeric) FROM usage_events",
        "least": "SELECT min(n) FROM (SELECT count(*) AS n FROM usage_events GROUP BY tenant_id) AS each",
        "meters": "SELECT count(*) FROM meters",
    }
    with market.workshop.work(system_actor("test")) as work:
        return {name: work.session.execute(text(query)).scalar_one() for name, query in queries.items()}


def test_seeding_twice_leaves_the_same_and_every_invariant_holds(market: Marketplace) -> None:
    said = seed_scale(market, parks=PARKS, events=EVENTS, say=quiet)
    assert said.startswith(f"{PARKS} parks ({PARKS} new), {EVENTS} readings ({EVENTS} new)")
    first = rows(market)
    assert (first["parks"], first["subscriptions"], first["people"], first["readings"]) == (20, 20, 21, EVENTS)
    assert (first["least"], first["meters"]) == (EVENTS // PARKS, 1)
    assert "(0 new), 2001 readings (0 new)" in seed_scale(market, parks=PARKS, events=EVENTS, say=quiet)
    assert rows(market) == first
    with market.workshop.work(system_actor("check")) as work:
        assert invariants.check(work) == ()


def test_a_greater_number_adds_only_the_difference(market: Marketplace) -> None:
    seed_scale(market, parks=3, events=30, say=quiet)
    said = seed_scale(market, parks=4, events=100, say=quiet)
    assert said.startswith("4 parks (1 new), 100 readings (70 new)")
    assert rows(market)["least"] == 25


def test_readings_lie_in_the_three_months_before_and_a_numbered_park_can_be_signed_in_to(market: Marketplace) -> None:
    seed_scale(market, parks=1, events=600, say=quiet)
    with market.workshop.work(system_actor("test")) as work:
        first, last = work.session.execute(text("SELECT min(time), max(time) FROM usage_events")).one()
    assert (f"{first:%Y-%m}", last < market.clock.now()) == ("2025-12", True)
    assert (last - first).days > 85
    assert person(market.workshop, "scale00001", world.PASSWORD).tenant_id == numbered_park(0).id


def test_two_thousand_parks_have_credit_codes_of_their_own() -> None:
    parks = [numbered_park(number) for number in range(2_000)]
    assert len({park.uscc for park in parks}) == len({park.login for park in parks}) == len(parks)
    assert all(check_uscc(park.uscc).warnings == () for park in parks[:200])
