"""The rolling aid register against PostgreSQL: counted at grant, given back, never passed, also by many at once."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from billing.usecases import aid_register, holds, invariants, uncapture
from billing.usecases.invariants_aid import INVARIANTS_AID
from billing.usecases.quotes import QuoteView
from tenants.kernel.clock import ManualClock
from tenants.kernel.context import Actor, system_actor
from tenants.kernel.errors import Conflict, Invalid, Problem
from tenants.kernel.identifiers import new_id
from tenants.kernel.outbox import Silent
from tenants.kernel.work import WorkShop
from tests.support.databases import Database
from tests.support.invariants import broken
from tests.support.subsidies import (
    FACTS,
    YUAN,
    approve_programme,
    ask,
    check_out,
    fill_fund,
    park,
    policy,
    price,
    supersede,
)

ALL = (*invariants.INVARIANTS, *INVARIANTS_AID)
LATER = timedelta(days=30)
SYSTEM = system_actor("jobs")


def rolling(limit_yuan: int, years: int = 3, register: str = "aid", **changes: Any) -> dict[str, Any]:
    ceiling = {"register": register, "years": years, "amount_fen": limit_yuan * YUAN}
    return policy(window={"from": "2026-03-02", "to": None}, rolling=ceiling, **changes)


def open_shop(shop: WorkShop, *documents: Mapping[str, Any]) -> list[UUID]:
    """Fill a fund, let ``twin`` cost 10,000 yuan, and approve a programme per document: ``a``, ``b`` …"""
    fill_fund(shop, "province", 1_000_000 * YUAN)
    price(shop, "twin")
    return [approve_programme(shop, name, document) for name, document in zip("abc", documents, strict=False)]


def award(quote: QuoteView, place: int = 0) -> tuple[int, tuple[str, ...]]:
    return quote.lines[0].awards[place].amount_fen // YUAN, quote.lines[0].awards[place].reasons


def test_what_was_granted_counts_for_years_and_then_falls_out(workshop: WorkShop, clock: ManualClock) -> None:
    open_shop(workshop, rolling(10_000))
    actor = park()
    assert award(ask(workshop, actor, "twin")) == (6_000, ())
    check_out(workshop, actor, ask(workshop, actor, "twin"))
    clock.advance(timedelta(days=400))
    short = ask(workshop, actor, "twin")
    assert award(short) == (4_000, ("CAP_ROLLING",))
    check_out(workshop, actor, short)
    assert award(ask(workshop, actor, "twin")) == (0, ("CAP_ROLLING",))
    assert award(ask(workshop, park(), "twin")) == (6_000, ()), "another controller has its own"
    clock.instant = datetime(2029, 3, 2, 1, 0, tzinfo=UTC) - timedelta(microseconds=1)
    assert award(ask(workshop, actor, "twin")) == (0, ("CAP_ROLLING",))
    clock.advance(timedelta(microseconds=1))
    assert award(ask(workshop, actor, "twin")) == (6_000, ()), "three years to the instant"
    assert broken(workshop, ALL) == {}


def test_a_control_group_is_one_controller_and_programmes_share_a_register(workshop: WorkShop) -> None:
    open_shop(workshop, rolling(6_000), rolling(8_000, rates=[{"rate_bp": 3000}]))
    group = {**FACTS, "control_group": str(new_id())}
    first, second = park(), park()
    quote = ask(workshop, first, "twin", facts=group)
    assert (award(quote, 0), award(quote, 1)) == ((6_000, ()), (2_000, ("CAP_ROLLING",)))
    check_out(workshop, first, quote)
    quote = ask(workshop, second, "twin", facts=group)
    assert (award(quote, 0), award(quote, 1)) == ((0, ("CAP_ROLLING",)), (0, ("CAP_ROLLING",)))
    assert award(ask(workshop, second, "twin")) == (6_000, ())
    with workshop.work(second) as work:
        seen = work.session.execute(text("SELECT count(*) FROM aid_grants")).scalar()
    assert seen == 0, "a park does not see another one's grants, only what its controller has in all"


@pytest.mark.parametrize("late", [False, True], ids=["released", "expired"])
def test_what_a_hold_gives_back_may_be_granted_again(workshop: WorkShop, clock: ManualClock, late: bool) -> None:
    open_shop(workshop, rolling(6_000))
    actor = park()
    (line,), _ = check_out(workshop, actor, ask(workshop, actor, "twin"))
    clock.advance(timedelta(days=31) if late else timedelta(hours=1))
    for _ in range(2):
        with workshop.work(SYSTEM) as work:
            holds.release_holds(work, order_line_id=line, reason="over")
    assert award(ask(workshop, actor, "twin")) == (6_000, ())
    assert broken(workshop, ALL) == {}


def test_less_captured_or_taken_back_is_given_back(workshop: WorkShop) -> None:
    open_shop(workshop, rolling(6_000))
    actor = park()
    (line,), (hold,) = check_out(workshop, actor, ask(workshop, actor, "twin"))
    with workshop.work(SYSTEM) as work:
        holds.capture_holds(work, order_line_id=line, amount_fen=5_000 * YUAN)
    assert award(ask(workshop, actor, "twin")) == (1_000, ("CAP_ROLLING",))
    for _ in range(2):
        with workshop.work(SYSTEM) as work:
            uncapture.uncapture(
                work, cause=uncapture.Cause("return", hold.id), amounts={hold.id: 2_000 * YUAN}, reason="returned"
            )
    assert award(ask(workshop, actor, "twin")) == (3_000, ("CAP_ROLLING",))
    assert broken(workshop, ALL) == {}


def test_a_ceiling_that_was_met_after_the_quote_refuses_the_checkout(workshop: WorkShop) -> None:
    open_shop(workshop, rolling(6_000))
    group = {**FACTS, "control_group": str(new_id())}
    first, second = park(), park()
    quotes = [ask(workshop, actor, "twin", facts=group) for actor in (first, second)]
    check_out(workshop, first, quotes[0])
    with pytest.raises(Conflict) as raised:
        check_out(workshop, second, quotes[1])
    assert raised.value.code == "quote.subsidy_changed"
    with pytest.raises(Conflict) as raised, workshop.work(second) as work:
        holds.hold_subsidies(work, quote=quotes[1], line_ids=[new_id()], expires_at=work.now + LATER)
    assert raised.value.code == "cap.rolling_reached"
    assert "0.00" in str(raised.value.message)


def test_grants_follow_a_park_into_its_group(workshop: WorkShop, clock: ManualClock) -> None:
    open_shop(workshop, rolling(7_000))
    mover, member = park(), park()
    group = new_id()
    grouped = {**FACTS, "control_group": str(group)}
    (line,), _ = check_out(workshop, mover, ask(workshop, mover, "twin"))
    clock.advance(timedelta(days=1))
    assert award(ask(workshop, member, "twin", facts=grouped)) == (6_000, ())
    for target in (group, group):
        with workshop.work(SYSTEM) as work:
            aid_register.follow_controller(work, tenant_id=mover.require_tenant(), controller_id=target)
    assert award(ask(workshop, member, "twin", facts=grouped)) == (1_000, ("CAP_ROLLING",))
    assert award(ask(workshop, mover, "twin")) == (6_000, ())
    with workshop.work(SYSTEM) as work:
        holds.release_holds(work, order_line_id=line, reason="over")
    assert award(ask(workshop, member, "twin", facts=grouped)) == (6_000, ()), "the grant is given back where it counts"
    assert broken(workshop, ALL) == {}


def test_a_version_is_held_to_what_is_granted_and_to_the_registers_years(workshop: WorkShop) -> None:
    first, *_ = open_shop(workshop, rolling(10_000))
    actor = park()
    check_out(workshop, actor, ask(workshop, actor, "twin"))
    with pytest.raises(Invalid) as raised:
        supersede(workshop, first, rolling(5_999))
    assert [error.field for error in raised.value.errors] == ["rolling.amount_fen"]
    supersede(workshop, first, rolling(6_000))
    with pytest.raises(Invalid) as raised:
        approve_programme(workshop, "z", rolling(10_000, years=2))
    assert [error.code for error in raised.value.errors] == ["policy.register_years"]
    approve_programme(workshop, "y", rolling(10_000, years=2, register="other"))


def test_the_register_cannot_be_passed_by_many_at_once(database: Database) -> None:
    """Twelve parks of one group, room for three and a half awards: whoever comes fourth is refused."""
    many = 12
    clock = ManualClock(datetime(2026, 3, 2, 1, 0, tzinfo=UTC))
    engine = database.engine(pool_size=many, max_overflow=0)
    shop = WorkShop(engine, clock, Silent())
    open_shop(shop, rolling(21_000))
    group = {**FACTS, "control_group": str(new_id())}
    actors = [park() for _ in range(many)]
    quotes = [ask(shop, actor, "twin", facts=group) for actor in actors]
    start = Barrier(many)

    def hold(actor: Actor, quote: QuoteView) -> str:
        start.wait()
        # Clocks of several machines differ: what a later clock granted counts for an earlier one, too.
        own = WorkShop(engine, ManualClock(clock.now() - timedelta(seconds=actors.index(actor))), Silent())
        line = new_id()
        try:
            with own.work(actor) as work:
                holds.hold_subsidies(work, quote=quote, line_ids=[line], expires_at=work.now + LATER)
        except Problem as problem:
            return problem.code
        if actors.index(actor) % 3 == 0:
            with own.work(SYSTEM) as work:
                holds.release_holds(work, order_line_id=line, reason="over")
        return "held"

    with ThreadPoolExecutor(many) as pool:
        results = list(pool.map(hold, actors, quotes))
    assert set(results) == {"held", "cap.rolling_reached"}
    assert results.count("held") >= 3
    assert broken(shop, ALL) == {}
    engine.dispose()


def test_every_invariant_is_found_when_it_is_broken(database: Database, workshop: WorkShop) -> None:
    open_shop(workshop, rolling(6_000))
    actor = park()
    check_out(workshop, actor, ask(workshop, actor, "twin"))
    owner = database.owner()
    with pytest.raises(DBAPIError, match="added and never changed"), owner.begin() as connection:
        connection.execute(text("UPDATE aid_grants SET amount_fen = 1"))
    copy = (
        "INSERT INTO aid_grants SELECT gen_random_uuid(), register, controller_id, seq + 1, tenant_id, "
        "gen_random_uuid(), programme, version, amount_fen, granted_at, since, limit_fen, NULL, NULL FROM aid_grants"
    )
    with owner.begin() as connection:
        connection.execute(text(copy))
    assert set(broken(workshop, INVARIANTS_AID)) == {"aid-within-ceilings", "aid-is-holds"}
    with owner.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO aid_releases SELECT gen_random_uuid(), id, tenant_id, amount_fen + 1, 'x', NULL, granted_at "
                "FROM aid_grants"
            )
        )
    assert set(broken(workshop, INVARIANTS_AID)) == {"aid-released-once", "aid-is-holds"}
