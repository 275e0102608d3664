"""Many who claim at once, and what each invariant of later awards is there for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from billing.usecases.entitlements import EntitlementView
from billing.usecases.invariants_entitlements import INVARIANTS_ENTITLEMENTS
from tenants.kernel.clock import ManualClock
from tenants.kernel.outbox import Silent
from tenants.kernel.work import WorkShop
from tests.support import subsidies
from tests.support.billing_world import World
from tests.support.databases import Database
from tests.support.invariants import broken
from tests.support.later_awards import (
    ALL,
    YUAN,
    claim,
    later_world,
    only,
    own,
    papers,
    pay_march,
    ready,
    send_back,
    withdraw,
)
from tests.support.plays import at_once
from tests.support.returns import Returns

PARKS = 12


@pytest.fixture
def world(database: Database) -> Iterator[World]:
    """A world with a connection for everybody; its city's fund carries seven and a half later awards."""
    engine = database.engine(pool_size=2 * PARKS, max_overflow=0)
    shop = WorkShop(engine, clock := ManualClock(datetime(2026, 3, 2, 1, 0, tzinfo=UTC)), Silent())
    yield later_world(shop, clock, city_fen=650 * YUAN * 10)
    engine.dispose()


def test_one_award_claimed_by_many_at_once_is_granted_once(world: World) -> None:
    park, offered = ready(world)
    results = at_once([partial(claim, world, park, offered)] * 8)
    assert sorted(each if isinstance(each, str) else "granted" for each in results) == [
        *["entitlement.claimed"] * 7,
        "granted",
    ]
    send_back(world, offered.id, "退回")
    again = partial(claim, world, park, offered, documents=papers("new"))
    ended = at_once([again, partial(withdraw, world, park, offered)] * 4)
    assert all(isinstance(each, EntitlementView) or each.startswith("entitlement.") for each in ended)
    assert broken(world.shop, ALL) == {}


def test_a_line_is_granted_or_returned_and_never_both(world: World) -> None:
    parks = [world.park(number) for number in range(1, 7)]
    for park in parks:
        world.deliver(park, "twin")
    pay_march(world)
    offers = [only(world, park) for park in parks]
    returning = Returns(world)
    claims = [partial(claim, world, park, offer) for park, offer in zip(parks, offers, strict=True)]
    backs = [partial(returning.back, offer.order_line_id) for offer in offers]
    ended = at_once([task for pair in zip(claims, backs, strict=True) for task in pair])
    for claimed, returned in zip(ended[::2], ended[1::2], strict=True):
        assert isinstance(claimed, EntitlementView) == (returned == "return.later_grant")
        assert isinstance(claimed, EntitlementView) or claimed in {"entitlement.undone", "entitlement.amount_changed"}
    assert broken(world.shop, ALL) == {}


def test_the_last_money_goes_to_whoever_is_granted_first_while_others_check_out(world: World) -> None:
    parks = [world.park(number) for number in range(1, PARKS + 1)]
    for park in parks:
        world.deliver(park, "twin")
    pay_march(world)
    offers = [only(world, park) for park in parks]
    assert {offer.grantable_fen for offer in offers} == {200_000}
    claims = [partial(claim, world, park, offer) for park, offer in zip(parks, offers, strict=True)]
    buying = [(actor, subsidies.ask(world.shop, actor, "twin")) for actor in (subsidies.park() for _ in range(PARKS))]
    checkouts = [partial(subsidies.check_out, world.shop, actor, quote) for actor, quote in buying]
    results = at_once([task for pair in zip(claims, checkouts, strict=True) for task in pair])
    granted = sum(isinstance(each, EntitlementView) for each in results)
    assert granted == 7, "1,000 yuan of the region and 6,500 of the city make seven shares of 1,000 and a half one"
    assert results.count("entitlement.amount_changed") == PARKS - granted
    late = next(each for park in parks for each in own(world, park) if each.granted_fen is None)
    assert (late.grantable_fen, late.reasons) == (100_000, ("FUND_PARTIAL",))
    assert broken(world.shop, ALL) == {}


BROKEN = {
    "entitlement-awarded": "UPDATE entitlements SET amount_fen = amount_fen + 1",
    "entitlement-captured": "UPDATE entitlements SET granted_fen = granted_fen - 1",
    "entitlement-withdrawn": "UPDATE entitlements SET status = 'withdrawn', withdrawn_at = now()",
    "entitlement-journal": "UPDATE journals SET source_id = 'other' WHERE source_kind = 'later_grant'",
    "grants-books": "UPDATE postings SET amount_fen = amount_fen + 1 WHERE account LIKE 'grants:park:%'",
}


def test_each_invariant_of_later_awards_finds_its_break(world: World, database: Database) -> None:
    park, offered = ready(world)
    claim(world, park, offered)
    assert broken(world.shop, ALL) == {}
    assert set(BROKEN) == {invariant.name for invariant in INVARIANTS_ENTITLEMENTS}
    for name, change in BROKEN.items():
        with database.owner().connect() as connection:
            connection.execute(text("SET session_replication_role = replica"))
            connection.execute(text(change))
            (wanted,) = (each for each in INVARIANTS_ENTITLEMENTS if each.name == name)
            connection.execute(text("SET LOCAL ROLE marketplace_staff"))
            assert connection.execute(text(wanted.sql)).all(), name
            connection.rollback()


def test_the_database_refuses_a_second_offer_of_one_programme_on_one_line(world: World, database: Database) -> None:
    ready(world)
    other_id = "jsonb_populate_record(e, jsonb_build_object('id', gen_random_uuid()))"
    again = text(f"INSERT INTO entitlements SELECT ({other_id}).* FROM entitlements e")
    with database.owner().connect() as connection:
        connection.execute(text("SET LOCAL ROLE marketplace_staff"))
        with pytest.raises(IntegrityError, match="uq_entitlements_tenant_id_order_line_id_programme"):
            connection.execute(again)
