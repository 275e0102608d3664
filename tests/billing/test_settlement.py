"""Settling a delivery: everything happens once, or nothing does."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from billing.store import wallet_movements
from billing.store.wallet_movements import Mover
from billing.usecases import ledger, settlement, wallets
from tenants.kernel.context import Actor, system_actor
from tenants.kernel.errors import Conflict, Invalid
from tenants.kernel.identifiers import new_id
from tenants.kernel.work import WorkShop
from tests.support import deliveries, subsidies

COUNTED = ("usage_events", "rated_usage", "journals", "postings", "claim_lines", "fund_entries", "wallet_entries")


@pytest.fixture
def fund(workshop: WorkShop) -> UUID:
    """A fund of 100,000 yuan that gives 60 % of a service of 10,000 yuan."""
    fund_id = subsidies.fill_fund(workshop, "province", 10_000_000)
    subsidies.approve_programme(workshop, "tech", subsidies.policy())
    subsidies.price(workshop, "twin")
    return fund_id


@pytest.fixture
def park() -> Actor:
    return subsidies.park()


def counts(workshop: WorkShop) -> dict[str, int]:
    with workshop.work(system_actor("test")) as work:
        return {name: work.session.execute(text(f"SELECT count(*) FROM {name}")).scalar_one() for name in COUNTED}


def balances(workshop: WorkShop) -> dict[str, int]:
    with workshop.work(system_actor("test")) as work:
        found = ledger.trial_balance(work)
    assert found.difference_fen == 0
    budgets = "budget:"  # what came into the funds is another story
    return {row.account: row.balance_fen for row in found.rows if not row.account.startswith(budgets)}


def top_up(workshop: WorkShop, park: Actor, amount_fen: int) -> None:
    with workshop.work(system_actor("test")) as work:
        mover = Mover(park.require_tenant(), None, work.now)
        wallet_movements.top_up(work.session, mover, new_id(), amount_fen)


def in_threads(count: int, call: Callable[[int], Any]) -> list[Any]:
    """Call at the same moment from several threads; refusals are returned."""
    barrier = Barrier(count)

    def one(index: int) -> Any:
        barrier.wait()
        try:
            return call(index)
        except Conflict as refusal:
            return refusal

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def test_a_delivery_is_metered_rated_posted_and_claimed(workshop: WorkShop, fund: UUID, park: Actor) -> None:
    (line,) = deliveries.order(workshop, park, "twin")
    with workshop.work(park) as work:
        usage = deliveries.settle(work, line)
    assert (usage.gross_fen, usage.subsidy_fen, usage.payable_fen) == (1_000_000, 600_000, 400_000)
    assert usage.period == "2026-03"
    tenant = park.require_tenant()
    assert balances(workshop) == {
        f"receivable:park:{tenant}": 400_000,
        f"receivable:fund:{fund}": 600_000,
        "revenue:services": -943_396,
        "vat:output": -56_604,
    }
    with workshop.work(system_actor("test")) as work:
        claim = work.session.execute(
            text("SELECT c.amount_fen, c.evidence, b.period, b.status FROM claim_lines c"
                 " JOIN claim_batches b ON b.id = c.batch_id")
        ).one()  # fmt: skip
    assert (claim.amount_fen, claim.period, claim.status) == (600_000, "2026-03", "open")
    assert claim.evidence["report_sha256"] == "0" * 64
    assert claim.evidence["rated_usage"] == str(usage.id)
    now = subsidies.fund_now(workshop, fund)
    assert (now.held_fen, now.captured_fen, now.available_fen) == (0, 600_000, 9_400_000)


def test_settling_again_changes_nothing(workshop: WorkShop, fund: UUID, park: Actor) -> None:
    (line,) = deliveries.order(workshop, park, "twin")
    with workshop.work(park) as work:
        first = deliveries.settle(work, line)
    before = counts(workshop)
    with workshop.work(park) as work:
        assert deliveries.settle(work, line) == first
    assert counts(workshop) == before


def test_threads_that_settle_one_delivery_settle_it_once(workshop: WorkShop, fund: UUID, park: Actor) -> None:
    (line,) = deliveries.order(workshop, park, "twin")

    def once(_: int) -> settlement.SettledUsage:
        with workshop.work(park) as work:
            return deliveries.settle(work, line)

    results = in_threads(4, once)
    assert len(set(results)) == 1
    assert counts(workshop) == {
        "usage_events": 1,
        "rated_usage": 1,
        "journals": 2,  # the fund's appropriation and the delivery
        "postings": 6,
        "claim_lines": 1,
        "fund_entries": 3,
        "wallet_entries": 0,
    }


def test_the_wallet_pays_what_was_held(workshop: WorkShop, fund: UUID, park: Actor) -> None:
    top_up(workshop, park, 500_000)
    (line,) = deliveries.order(workshop, park, "twin", payment_method="wallet")
    with workshop.work(park) as work:
        deliveries.settle(work, line)
        deliveries.settle(work, line)
    tenant = park.require_tenant()
    with workshop.work(park) as work:
        wallet = wallets.read_wallet(work, park_id=tenant)
    assert (wallet.available_fen, wallet.held_fen) == (100_000, 0)
    found = balances(workshop)
    assert found[f"wallet:park:{tenant}"] == 400_000
    assert found[f"receivable:park:{tenant}"] == 0


def test_a_metered_quantity_that_costs_something_else_is_refused(workshop: WorkShop, fund: UUID, park: Actor) -> None:
    (line,) = deliveries.order(workshop, park, "twin")
    with pytest.raises(Conflict) as refusal, workshop.work(park) as work:
        deliveries.settle(work, line, quantity=2)
    assert refusal.value.code == "settlement.amount_differs"
    with pytest.raises(Invalid) as refused, workshop.work(park) as work:
        deliveries.settle(work, line, quantity="many")
    assert refused.value.code == "settlement.not_metered"
    assert counts(workshop)["usage_events"] == 0


def test_a_line_is_not_settled_by_a_second_event(workshop: WorkShop, fund: UUID, park: Actor) -> None:
    (line,) = deliveries.order(workshop, park, "twin")
    with workshop.work(park) as work:
        deliveries.settle(work, line)
    with pytest.raises(Conflict) as refusal, workshop.work(park) as work:
        deliveries.settle(work, line, run_id=new_id())
    assert refusal.value.code == "settlement.settled_otherwise"
    other = replace(line, order_line_id=new_id(), subsidy_fen=0, payable_fen=line.gross_fen)
    with pytest.raises(Conflict) as refusal, workshop.work(park) as work:
        deliveries.settle(work, other, run_id=line.order_line_id)
    assert refusal.value.code == "settlement.settled_otherwise"
    assert counts(workshop)["usage_events"] == 1


def test_undoing_gives_everything_back_once(workshop: WorkShop, fund: UUID, park: Actor) -> None:
    top_up(workshop, park, 400_000)
    (line,) = deliveries.order(workshop, park, "twin", payment_method="wallet")
    for _ in range(2):
        with workshop.work(park) as work:
            settlement.undo_deliveries(work, order_line_ids=[line.order_line_id], reason="run.failed")
    with workshop.work(park) as work:
        wallet = wallets.read_wallet(work, park_id=park.require_tenant())
    assert (wallet.available_fen, wallet.held_fen) == (400_000, 0)
    assert subsidies.fund_now(workshop, fund).available_fen == 10_000_000
    with pytest.raises(Conflict) as refusal, workshop.work(park) as work:
        deliveries.settle(work, line)
    assert refusal.value.code == "settlement.hold_differs"


def test_what_was_settled_is_not_undone(workshop: WorkShop, fund: UUID, park: Actor) -> None:
    (line,) = deliveries.order(workshop, park, "twin")
    with workshop.work(park) as work:
        deliveries.settle(work, line)
    with pytest.raises(Conflict) as refusal, workshop.work(park) as work:
        settlement.undo_deliveries(work, order_line_ids=[line.order_line_id], reason="order.cancelled")
    assert refusal.value.code == "settlement.settled"


def test_settling_and_undoing_at_once_does_one_of_them(workshop: WorkShop, fund: UUID, park: Actor) -> None:
    top_up(workshop, park, 400_000)
    (line,) = deliveries.order(workshop, park, "twin", payment_method="wallet")

    def either(index: int) -> str:
        with workshop.work(park) as work:
            if index % 2:
                deliveries.settle(work, line)
                return "settled"
            settlement.undo_deliveries(work, order_line_ids=[line.order_line_id], reason="order.cancelled")
            return "undone"

    results = in_threads(4, either)
    done = {result for result in results if isinstance(result, str)}
    assert len(done) == 1
    settled = done == {"settled"}
    assert counts(workshop)["rated_usage"] == int(settled)
    now = subsidies.fund_now(workshop, fund)
    assert (now.held_fen, now.captured_fen) == (0, 600_000 if settled else 0)


def test_claims_of_a_batch_under_review_go_to_the_next_month(workshop: WorkShop, fund: UUID, park: Actor) -> None:
    deliveries.deliver(workshop, park, "twin")
    with workshop.work(system_actor("test")) as work:
        work.session.execute(text("UPDATE claim_batches SET status = 'first_review', submitted_by = id"))
    deliveries.deliver(workshop, park, "twin")
    with workshop.work(system_actor("test")) as work:
        periods = work.session.execute(text("SELECT period FROM claim_batches ORDER BY period")).scalars().all()
    assert periods == ["2026-03", "2026-04"]
