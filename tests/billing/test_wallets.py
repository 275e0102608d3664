"""Wallets: never below zero, whoever races; each business event moves one once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from uuid import UUID

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError, ProgrammingError

from billing.store import wallet_movements as movements
from billing.store.wallet_movements import Mover, Outcome
from billing.usecases import wallets
from tenants.kernel.clock import ManualClock
from tenants.kernel.context import Actor, system_actor
from tenants.kernel.errors import Conflict, Invalid, NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.work import WorkShop
from tests.support.databases import Database, RecordingOutbox

THREADS = 32


@pytest.fixture
def park() -> Actor:
    return system_actor("park", tenant_id=new_id())


def fill(workshop: WorkShop, park: Actor, amount_fen: int) -> UUID:
    payment = new_id()
    with workshop.work(system_actor("finance")) as work:
        assert movements.top_up(work.session, mover(park, work.now), payment, amount_fen) is Outcome.MOVED
    return payment


def mover(park: Actor, at: object) -> Mover:
    return Mover(park.require_tenant(), None, at)  # type: ignore[arg-type]


def hold(workshop: WorkShop, park: Actor, line: UUID, amount_fen: int) -> None:
    with workshop.work(park) as work:
        wallets.hold_wallet(work, order_line_id=line, amount_fen=amount_fen)


def settle(workshop: WorkShop, park: Actor, line: UUID, kind: str) -> Outcome:
    with workshop.work(park) as work:
        return getattr(movements, kind)(work.session, mover(park, work.now), line)  # type: ignore[no-any-return]


def state(workshop: WorkShop, park: Actor) -> tuple[int, int]:
    with workshop.work(park) as work:
        found = wallets.read_wallet(work, park_id=park.require_tenant())
    return found.available_fen, found.held_fen


def test_an_untouched_wallet_is_empty(workshop: WorkShop, park: Actor) -> None:
    assert state(workshop, park) == (0, 0)


def test_money_is_held_then_spent_or_given_back(workshop: WorkShop, park: Actor) -> None:
    fill(workshop, park, 1000)
    spent, returned = new_id(), new_id()
    hold(workshop, park, spent, 300)
    hold(workshop, park, returned, 200)
    assert state(workshop, park) == (500, 500)
    assert settle(workshop, park, spent, "capture") is Outcome.MOVED
    assert settle(workshop, park, returned, "release") is Outcome.MOVED
    assert state(workshop, park) == (700, 0)


def test_each_movement_happens_once(workshop: WorkShop, park: Actor) -> None:
    payment = fill(workshop, park, 1000)
    with workshop.work(system_actor("finance")) as work:
        assert movements.top_up(work.session, mover(park, work.now), payment, 1000) is Outcome.BEFORE
    line = new_id()
    hold(workshop, park, line, 300)
    hold(workshop, park, line, 300)
    with pytest.raises(Conflict) as refusal:
        hold(workshop, park, line, 301)
    assert refusal.value.code == "wallet.held_otherwise"
    assert settle(workshop, park, line, "capture") is Outcome.MOVED
    assert settle(workshop, park, line, "capture") is Outcome.BEFORE
    assert settle(workshop, park, line, "release") is Outcome.SETTLED
    assert settle(workshop, park, new_id(), "release") is Outcome.ABSENT
    assert state(workshop, park) == (700, 0)


def test_more_than_there_is_cannot_be_held(workshop: WorkShop, park: Actor) -> None:
    fill(workshop, park, 1000)
    line = new_id()
    with pytest.raises(Conflict) as refusal:
        hold(workshop, park, line, 1001)
    assert refusal.value.code == "wallet.insufficient"
    assert "10.00" in str(refusal.value.message)
    assert state(workshop, park) == (1000, 0)
    hold(workshop, park, line, 1000)


def test_nothing_cannot_be_held(workshop: WorkShop, park: Actor) -> None:
    for amount in (0, -1):
        with pytest.raises(Invalid):
            hold(workshop, park, new_id(), amount)


def test_another_parks_wallet_is_not_there(workshop: WorkShop, park: Actor) -> None:
    with pytest.raises(NotFound), workshop.work(park) as work:
        wallets.read_wallet(work, park_id=new_id())


def test_32_threads_cannot_overdraw(database: Database, clock: ManualClock, park: Actor) -> None:
    engine: Engine = database.engine(pool_size=THREADS)
    shop = WorkShop(engine, clock, RecordingOutbox())
    fill(shop, park, 1000)
    barrier = Barrier(THREADS)

    def one(_: int) -> bool:
        barrier.wait()
        try:
            hold(shop, park, new_id(), 90)
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(THREADS) as pool:
        won = sum(pool.map(one, range(THREADS)))
    assert won == 11
    assert state(shop, park) == (10, 990)
    engine.dispose()


def test_capture_and_release_race_to_one_end(workshop: WorkShop, park: Actor) -> None:
    fill(workshop, park, 1000)
    line = new_id()
    hold(workshop, park, line, 400)
    barrier = Barrier(4)

    def one(index: int) -> Outcome:
        barrier.wait()
        return settle(workshop, park, line, "capture" if index % 2 else "release")

    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(one, range(4)))
    assert sorted(outcome.name for outcome in outcomes) == ["BEFORE", "MOVED", "SETTLED", "SETTLED"]
    assert state(workshop, park) in {(600, 0), (1000, 0)}


def test_the_database_itself_keeps_a_wallet_from_going_negative(workshop: WorkShop, park: Actor) -> None:
    fill(workshop, park, 1000)
    with pytest.raises(IntegrityError, match="never_negative"), workshop.work(park) as work:
        work.session.execute(text("UPDATE wallets SET available_fen = -1"))


@pytest.mark.parametrize("change", ["UPDATE wallet_entries SET amount_fen = 1", "DELETE FROM wallet_entries"])
def test_entries_are_added_and_never_changed(workshop: WorkShop, park: Actor, change: str) -> None:
    fill(workshop, park, 1000)
    for actor in (park, system_actor("finance")):
        with pytest.raises(ProgrammingError, match="permission denied"), workshop.work(actor) as work:
            work.session.execute(text(change))
