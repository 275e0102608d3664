"""Captured money after its capture: paid out, taken back, recalled, repaid; each fen once and never more than there is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from billing.rules import ledger
from billing.usecases import invariants, invariants_books, uncapture
from billing.usecases.uncapture import Cause, Spent, Taken
from tenants.kernel.context import Actor, system_actor
from tenants.kernel.errors import Conflict
from tenants.kernel.identifiers import new_id
from tenants.kernel.work import WorkShop
from tests.support import deliveries, subsidies
from tests.support.crashes import crash_everywhere
from tests.support.invariants import broken

STAFF = system_actor("finance", on_behalf_of=new_id())
MOMENT = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
ALL = (*invariants.INVARIANTS, *invariants_books.INVARIANTS_BOOKS)


@pytest.fixture
def fund(workshop: WorkShop) -> UUID:
    """A fund with a small regional allotment, from which 60 % of 10,000 yuan is drawn under two ceilings."""
    fund_id = subsidies.fill_fund(workshop, "province", 10_000_000, western=200_000)
    caps = [{"scope": scope, "amount_fen": 5_000_000} for scope in ("entity_year", "scheme")]
    subsidies.approve_programme(workshop, "tech", subsidies.policy(caps=caps))
    subsidies.price(workshop, "twin")
    return fund_id


@pytest.fixture
def park() -> Actor:
    return subsidies.park()


def delivered(shop: WorkShop, park: Actor) -> UUID:
    (usage,) = deliveries.deliver(shop, park, "twin")
    return usage.order_line_id


def spent(shop: WorkShop, line: UUID) -> dict[str, Spent]:
    """What may be asked back of a line, by envelope."""
    with shop.work(STAFF) as work:
        return {each.envelope: each for each in uncapture.lock_spent(work, order_line_ids=[line])}


def places(shop: WorkShop, fund: UUID) -> tuple[int, int, int, int]:
    now = subsidies.fund_now(shop, fund)
    return now.available_fen, now.captured_fen, now.disbursed_fen, now.returned_fen


def used(shop: WorkShop) -> set[int]:
    with shop.work(STAFF) as work:
        return set(work.session.execute(text("SELECT used_fen FROM cap_counters")).scalars())


def reversal(park: Actor, cause: Cause, taken: Sequence[Taken]) -> ledger.JournalDraft:
    """The public share of a sale undone, as a return does it."""
    back: dict[UUID, int] = {}
    for each in taken:
        back[each.fund_id] = back.get(each.fund_id, 0) + each.amount_fen
    draft = ledger.sale_back(
        park_id=park.require_tenant(), source_kind=cause.kind, source_id=str(cause.id),
        occurred_at=MOMENT, vat_fen=0, by_fund=back,
    )  # fmt: skip
    assert draft is not None
    return draft


def take(shop: WorkShop, park: Actor, cause: Cause, amounts: dict[UUID, int]) -> tuple[Taken, ...]:
    with shop.work(STAFF) as work:
        return uncapture.uncapture(
            work, cause=cause, amounts=amounts, reason="test", journal=partial(reversal, park, cause)
        )


def snapshot(shop: WorkShop) -> list[Any]:
    tables = ("holds", "hold_returns", "fund_entries", "fund_envelopes", "cap_counters", "journals", "postings")
    with shop.work(STAFF) as work:
        return [sorted(map(repr, work.session.execute(text(f"SELECT * FROM {table}")))) for table in tables]


def at_once(count: int, task: Callable[[], Any]) -> list[Any]:
    start = Barrier(count)

    def run(_: int) -> Any:
        start.wait()
        try:
            return task()
        except Conflict as refusal:
            return refusal.code

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def test_before_it_is_paid_out_money_goes_back_to_where_it_came_from(
    workshop: WorkShop, fund: UUID, park: Actor
) -> None:
    line = delivered(workshop, park)
    assert places(workshop, fund) == (9_600_000, 600_000, 0, 0)
    found = spent(workshop, line)
    assert {name: each.unpaid_fen for name, each in found.items()} == {"western": 200_000, "": 400_000}
    assert used(workshop) == {600_000}
    cause = Cause("line_return", new_id())
    part = {found["western"].hold_id: 150_000, found[""].hold_id: 1}
    taken = take(workshop, park, cause, part)
    assert {each.hold_id: each.amount_fen for each in taken} == part
    assert places(workshop, fund) == (9_750_001, 449_999, 0, 0)
    assert used(workshop) == {449_999}
    after = snapshot(workshop)
    assert take(workshop, park, cause, part) == taken
    assert snapshot(workshop) == after
    with pytest.raises(Conflict) as refused:
        take(workshop, park, Cause("line_return", new_id()), {found["western"].hold_id: 50_001})
    assert refused.value.code == "hold.too_little_left"
    assert snapshot(workshop) == after
    assert take(workshop, park, Cause("line_return", new_id()), {found["western"].hold_id: 50_000})
    assert broken(workshop, invariants.INVARIANTS) == {}


def test_after_it_was_paid_out_money_is_recalled_and_returned_as_it_is_repaid(
    workshop: WorkShop, fund: UUID, park: Actor
) -> None:
    line = delivered(workshop, park)
    region, general = (spent(workshop, line)[name].hold_id for name in ("western", ""))
    take(workshop, park, Cause("line_return", new_id()), {general: 100_000})
    for expected in (500_000, 0):
        with workshop.work(STAFF) as work:
            paid = uncapture.disburse(work, hold_ids=[region, general], reason="claim.disbursed")
        assert sum(each.amount_fen for each in paid) == expected
    assert places(workshop, fund) == (9_700_000, 0, 500_000, 0)
    with workshop.work(STAFF) as work:
        uncapture.recall(work, amounts={region: 200_000, general: 250_000})
    assert {name: each.open_fen for name, each in spent(workshop, line).items()} == {"western": 0, "": 50_000}
    with pytest.raises(Conflict), workshop.work(STAFF) as work:
        uncapture.recall(work, amounts={general: 50_001})
    with pytest.raises(Conflict), workshop.work(STAFF) as work:
        uncapture.uncapture(work, cause=Cause("x", new_id()), amounts={general: 1}, reason="paid out already")
    first = Cause("repayment", new_id())
    for _ in range(2):
        with workshop.work(STAFF) as work:
            uncapture.take_repaid(work, cause=first, amounts={region: 60_000}, reason="test")
    assert places(workshop, fund) == (9_700_000, 0, 440_000, 60_000)
    assert used(workshop) == {440_000}
    with workshop.work(STAFF) as work:
        uncapture.give_up(work, amounts={general: 250_000})
    assert spent(workshop, line)[""].open_fen == 300_000
    with pytest.raises(RuntimeError), workshop.work(STAFF) as work:
        uncapture.give_up(work, amounts={region: 140_001})
    assert broken(workshop, invariants.INVARIANTS) == {}


def test_the_database_itself_refuses_more_back_than_was_spent(workshop: WorkShop, fund: UUID, park: Actor) -> None:
    delivered(workshop, park)
    for change in (
        "withdrawn_fen = captured_fen, recalled_fen = captured_fen, disbursed_fen = 1",
        "recalled_fen = 1",
        "disbursed_fen = captured_fen, recalled_fen = 5, returned_fen = 6",
        "withdrawn_fen = -1, recalled_fen = -1",
    ):
        with pytest.raises(IntegrityError), workshop.work(STAFF) as work:
            work.session.execute(text(f"UPDATE holds SET {change}"))


def test_of_many_who_take_the_same_money_back_one_does(workshop: WorkShop, fund: UUID, park: Actor) -> None:
    line = delivered(workshop, park)
    amounts = {each.hold_id: each.unpaid_fen for each in spent(workshop, line).values()}
    results = at_once(4, lambda: take(workshop, park, Cause("line_return", new_id()), amounts))
    assert results.count("hold.too_little_left") == 3
    assert places(workshop, fund) == (10_200_000, 0, 0, 0)
    assert used(workshop) == {0}
    assert broken(workshop, invariants.INVARIANTS) == {}


def test_paying_out_and_taking_back_at_once_keeps_every_fen(workshop: WorkShop, fund: UUID, park: Actor) -> None:
    line = delivered(workshop, park)
    amounts = {each.hold_id: each.unpaid_fen for each in spent(workshop, line).values()}
    turns = iter((True, False, True, False))

    def either() -> Any:
        if next(turns):
            return take(workshop, park, Cause("line_return", new_id()), amounts)
        with workshop.work(STAFF) as work:
            return uncapture.disburse(work, hold_ids=amounts, reason="claim.disbursed")

    at_once(4, either)
    available, captured, disbursed, returned = places(workshop, fund)
    assert (captured, returned) == (0, 0)
    assert (available, disbursed) in {(10_200_000, 0), (9_600_000, 600_000)}
    assert broken(workshop, invariants.INVARIANTS) == {}


def test_a_crash_anywhere_takes_back_all_or_nothing(workshop: WorkShop, fund: UUID, park: Actor) -> None:
    line = delivered(workshop, park)
    amounts = {each.hold_id: 1_000 for each in spent(workshop, line).values()}
    step = partial(take, workshop, park, Cause("line_return", new_id()), amounts)
    assert crash_everywhere(workshop.engine, step, partial(snapshot, workshop)) > 10
    assert broken(workshop, invariants.INVARIANTS) == {}


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("fund-captured-is-captures", "UPDATE holds SET disbursed_fen = 1 WHERE envelope = ''"),
        ("holds-give-back-what-they-spent", "UPDATE holds SET withdrawn_fen = 1, recalled_fen = 1 WHERE envelope = ''"),
        ("holds-settled-once", "UPDATE holds SET disbursed_fen = 1 WHERE envelope = ''"),
        ("ceilings-are-holds", "UPDATE holds SET withdrawn_fen = 1, recalled_fen = 1 WHERE envelope = ''"),
    ],
)
def test_money_back_that_was_not_moved_is_found(
    workshop: WorkShop, fund: UUID, park: Actor, name: str, change: str
) -> None:
    delivered(workshop, park)
    assert broken(workshop, ALL) == {}
    with workshop.work(STAFF) as work:
        work.session.execute(text(change))
    assert name in broken(workshop, invariants.INVARIANTS)
