"""Wallets: never below zero, whoever races; each business event moves one once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Barrier
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError, ProgrammingError

from billing.rules import ledger
from billing.rules.credits import CreditKind, Lot, burn, burn_order
from billing.store import wallet_movements as movements
from billing.store.books import post_journal
from billing.store.wallet_movements import Credit, Mover, Outcome
from billing.usecases import alerts, wallets
from billing.usecases.invariants_books import INVARIANTS_BOOKS
from tenants.kernel.clock import ManualClock
from tenants.kernel.context import Actor, system_actor
from tenants.kernel.errors import Conflict, Invalid, NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.work import WorkShop
from tests.support.databases import Database, RecordingOutbox
from tests.support.invariants import broken

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


def give(workshop: WorkShop, park: Actor, amount_fen: int, *, days: int | None = None, priority: int = 50) -> UUID:
    credit = Credit(
        new_id(),
        CreditKind.GRANTED,
        amount_fen,
        "开业优惠",
        priority,
        None if days is None else workshop.clock.now() + timedelta(days=days),
    )
    with workshop.work(system_actor("finance")) as work:
        assert movements.grant(work.session, mover(park, work.now), credit) is Outcome.MOVED
    return credit.id


def buy(workshop: WorkShop, park: Actor, amount_fen: int) -> UUID:
    """Fill a wallet with money that came in, as the books know it."""
    payment = fill(workshop, park, amount_fen)
    with workshop.work(system_actor("finance")) as work:
        draft = ledger.wallet_top_up(
            park_id=park.require_tenant(), source_id=str(payment), occurred_at=work.now, amount_fen=amount_fen
        )
        post_journal(work.session, draft, user_id=None)
    return payment


def lots(workshop: WorkShop, park: Actor) -> dict[UUID, tuple[int, int]]:
    with workshop.work(park) as work:
        found = wallets.read_wallet(work, park_id=park.require_tenant())
    return {each.id: (each.available_fen, each.held_fen) for each in found.credits}


def test_what_expires_is_used_before_what_was_paid_for(workshop: WorkShop, park: Actor) -> None:
    bought = buy(workshop, park, 1000)
    late, soon, first = (
        give(workshop, park, 100, days=60),
        give(workshop, park, 100, days=30),
        give(workshop, park, 50, priority=10),
    )
    line = new_id()
    hold(workshop, park, line, 300)
    assert lots(workshop, park) == {first: (0, 50), soon: (0, 100), late: (0, 100), bought: (950, 50)}
    assert list(lots(workshop, park)) == [first, soon, late, bought]
    assert settle(workshop, park, line, "release") is Outcome.MOVED
    assert state(workshop, park) == (1250, 0)
    assert set(broken(workshop, INVARIANTS_BOOKS)) == set()


def test_credit_that_has_expired_is_gone_before_it_can_be_used(
    workshop: WorkShop, park: Actor, clock: ManualClock
) -> None:
    buy(workshop, park, 100)
    give(workshop, park, 500, days=10)
    line = new_id()
    hold(workshop, park, line, 400)
    clock.advance(timedelta(days=10))
    with pytest.raises(Conflict) as refusal:
        hold(workshop, park, new_id(), 101)
    assert refusal.value.code == "wallet.insufficient"
    hold(workshop, park, new_id(), 100)
    assert settle(workshop, park, line, "release") is Outcome.MOVED  # back into a lot that is worth nothing now
    assert state(workshop, park) == (0, 100)
    with workshop.work(system_actor("clockwork")) as work:
        assert wallets.expired_wallets(work) == ()
    assert set(broken(workshop, INVARIANTS_BOOKS)) == set()


def test_the_clockwork_takes_expired_credit_out_once(workshop: WorkShop, park: Actor, clock: ManualClock) -> None:
    give(workshop, park, 500, days=10)
    clock.advance(timedelta(days=11))
    with workshop.work(system_actor("clockwork")) as work:
        (due,) = wallets.expired_wallets(work)
    for gone in (500, 0):
        with workshop.work(system_actor("clockwork", tenant_id=due.tenant_id)) as work:
            assert wallets.expire_credits(work) == gone
    assert state(workshop, park) == (0, 0)
    assert set(broken(workshop, INVARIANTS_BOOKS)) == set()


def test_a_park_is_warned_once_each_time_its_wallet_runs_low(workshop: WorkShop, park: Actor) -> None:
    fill(workshop, park, 1000)
    with workshop.work(replace(park, user_id=new_id())) as work:
        wallets.set_alert(work, below_fen=500)
    for amount in (500, 100, 100):
        hold(workshop, park, new_id(), amount)
    with workshop.work(replace(park, user_id=new_id())) as work:
        (told,) = alerts.list_alerts(work)
        assert (told.kind, told.detail) == ("wallet.low", {"available_fen": 400, "below_fen": 500})
        alerts.acknowledge_alert(work, alert_id=told.id)
        alerts.acknowledge_alert(work, alert_id=told.id)
        assert alerts.list_alerts(work) == ()
        with pytest.raises(NotFound):
            alerts.acknowledge_alert(work, alert_id=new_id())
    fill(workshop, park, 1000)
    hold(workshop, park, new_id(), 900)
    with workshop.work(park) as work:
        assert len(alerts.list_alerts(work)) == 1


LOTS = st.lists(
    st.builds(
        Lot,
        id=st.uuids(),
        kind=st.sampled_from(CreditKind),
        priority=st.integers(0, 100),
        expires_at=st.none() | st.datetimes(timezones=st.just(UTC)),
        granted_at=st.datetimes(timezones=st.just(UTC)),
        available_fen=st.integers(0, 10**9),
    ),
    max_size=8,
    unique_by=lambda lot: lot.id,
)


@given(LOTS, st.integers(1, 10**9), st.datetimes(timezones=st.just(UTC)))
def test_lots_pay_exactly_or_not_at_all_and_never_after_their_time(
    lots: list[Lot], amount_fen: int, now: datetime
) -> None:
    parts = burn(lots, amount_fen, now)
    usable = {lot.id: lot.available_fen for lot in lots if not lot.expired(now)}
    if parts is None:
        assert sum(usable.values()) < amount_fen
        return
    assert sum(part.amount_fen for part in parts) == amount_fen
    assert all(0 < part.amount_fen <= usable[part.lot_id] for part in parts)
    order = [lot.id for lot in burn_order(lots) if usable.get(lot.id)]
    used = [part.lot_id for part in parts]
    assert used == order[: len(used)]  # no lot is passed over
    assert all(part.amount_fen == usable[part.lot_id] for part in parts[:-1])
    assert burn(list(reversed(lots)), amount_fen, now) == parts
