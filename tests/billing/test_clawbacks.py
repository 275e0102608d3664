"""Clawbacks: who bears them, who decides them, what of them comes, and what of it all the books say."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from functools import partial
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from billing.rules.clawbacks import Bearer, ClawbackCause, RepaymentMethod, SpentPart, Taken, bearer_of, take_part
from billing.usecases import clawback_repayments, clawbacks, reconciliation
from billing.usecases.clawback_cases import ClawbackView
from billing.usecases.clawback_repayments import Repayment
from tenants.kernel.clock import ManualClock
from tenants.kernel.context import Actor
from tenants.kernel.errors import Conflict, Invalid, NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.work import WorkShop
from tests.support.billing_world import FINANCE, World, make_world
from tests.support.crashes import crash_everywhere
from tests.support.databases import Database
from tests.support.returns import ALL, PROVIDER, Returns, state
from tests.support.subsidies import APPROVER, OFFICER, fund_now

WALLET = RepaymentMethod.WALLET


@pytest.fixture
def world(workshop: WorkShop, clock: ManualClock) -> World:
    return make_world(workshop, clock)


@pytest.fixture
def back(world: World) -> Returns:
    return Returns(world)


@pytest.fixture
def park(world: World) -> Actor:
    return world.park()


def repay(world: World, case: UUID, amount_fen: int, reference: str = "", **more: Any) -> ClawbackView:
    with world.shop.work(FINANCE) as work:
        return clawback_repayments.record_repayment(
            work, clawback_id=case, repayment=Repayment(amount_fen, reference=reference, **more)
        )


def write_off(world: World, case: UUID, proposer: Actor = OFFICER, approver: Actor = APPROVER) -> ClawbackView:
    with world.shop.work(proposer) as work:
        clawback_repayments.propose_write_off(work, clawback_id=case, reason="企业已注销")
    with world.shop.work(approver) as work:
        return clawback_repayments.approve_write_off(work, clawback_id=case)


def places(world: World) -> tuple[int, int, int]:
    now = fund_now(world.shop, world.fund)
    return now.captured_fen, now.disbursed_fen, now.returned_fen


def owed(world: World) -> dict[str, int]:
    """The accounts of clawbacks that are not settled."""
    return {code: fen for code, fen in world.balances().items() if "clawback" in code and fen}


def test_the_bearer_follows_from_the_cause() -> None:
    assert bearer_of(ClawbackCause.INELIGIBLE, None) is Bearer.PARK
    assert bearer_of(ClawbackCause.RETURNED, Bearer.PROVIDER) is bearer_of(ClawbackCause.UNDELIVERED, None)
    assert bearer_of(ClawbackCause.FRAUD, Bearer.PROVIDER) is Bearer.PROVIDER
    for cause, named in ((ClawbackCause.FRAUD, None), (ClawbackCause.INELIGIBLE, Bearer.PROVIDER)):
        with pytest.raises(Invalid) as refused:
            bearer_of(cause, named)
        assert [each.field for each in refused.value.errors] == ["bearer"]
    assert take_part(SpentPart(10, 0, 4, 6)) == Taken(4, 6)
    assert take_part(SpentPart(10, 6, 4, 0)) == Taken(4, 0)
    assert take_part(SpentPart(10, 0, 4, 5)) is None


def test_an_ineligible_park_repays_the_fund_in_parts_and_the_case_closes(
    world: World, back: Returns, park: Actor
) -> None:
    line = back.sold(park)
    back.pay_out(line)
    opened = back.case(line, ClawbackCause.INELIGIBLE, 500_000)
    assert (opened.status, opened.bearer, opened.bearer_id) == ("opened", "park", park.tenant_id)
    assert opened.number.startswith("ZH2026-")
    before = state(world.shop)
    with pytest.raises(Conflict) as refused:
        back.uphold(opened.id, OFFICER)
    assert refused.value.code == "clawback.same_person"
    with pytest.raises(Conflict) as refused:
        repay(world, opened.id, 1, "R")
    assert refused.value.code == "clawback.not_due"
    assert state(world.shop) == before
    decided = back.uphold(opened.id)
    assert (decided.withdrawn_fen, decided.to_fund_fen, decided.outstanding_fen) == (0, 500_000, 500_000)
    assert back.uphold(opened.id) == decided
    assert owed(world) == {
        f"receivable:clawback:park:{park.tenant_id}": 500_000,
        f"clawback:fund:{world.fund}": -500_000,
    }
    assert places(world) == (0, 600_000, 0)
    part = repay(world, opened.id, 123_456, "T1")
    assert repay(world, opened.id, 123_456, "T1") == part
    assert (part.status, part.outstanding_fen, len(part.repayments)) == ("upheld", 376_544, 1)
    assert places(world) == (0, 476_544, 123_456)
    back.check()
    with pytest.raises(Conflict) as refused:
        repay(world, opened.id, 1, "T1")
    assert refused.value.code == "clawback.reference_used"
    with pytest.raises(Invalid):
        repay(world, opened.id, 376_545, "T2")
    with pytest.raises(Invalid):
        repay(world, opened.id, 1, "T3", received_on=date(2026, 3, 3))
    done = repay(world, opened.id, 376_544, "T2")
    assert (done.status, done.outstanding_fen, done.repaid_fen) == ("closed", 0, 500_000)
    assert owed(world) == {}
    assert places(world) == (0, 100_000, 500_000)
    with world.shop.work(FINANCE) as work:
        assert reconciliation.reconcile(work, period="2026-03").breaks == ()
    back.check()


def test_what_is_not_paid_out_is_kept_back_and_the_park_owes_the_price_itself(
    world: World, back: Returns, park: Actor
) -> None:
    line = back.sold(park)
    case = back.uphold(back.case(line, ClawbackCause.INELIGIBLE).id)
    assert (case.withdrawn_fen, case.to_fund_fen, case.to_seller_fen) == (600_000, 0, 600_000)
    assert places(world) == (0, 0, 0)
    assert fund_now(world.shop, world.fund).available_fen == 100_000_000
    assert owed(world) == {f"receivable:clawback:park:{park.tenant_id}": 600_000}
    back.pay_out(line)
    assert places(world) == (0, 0, 0)
    with pytest.raises(Invalid):
        repay(world, case.id, 1, "T1")
    with pytest.raises(Conflict) as refused:
        repay(world, case.id, 600_000, method=WALLET)
    assert refused.value.code == "wallet.insufficient"
    world.bank(("B1", "6000.00", f"补缴 {back.reference(park)}"))
    done = repay(world, case.id, 600_000, method=WALLET)
    assert done.status == "closed"
    assert world.wallet(park) == (0, 0)
    assert owed(world) == {}
    back.check()
    with pytest.raises(Conflict) as refused:
        back.case(line, ClawbackCause.INELIGIBLE)
    assert refused.value.code == "clawback.nothing_spent"
    made = back.back(line)
    assert (made.park_fen, made.public_fen) == (400_000, 0)
    back.check()


def test_a_provider_that_did_not_deliver_loses_the_sale_and_repays_what_it_got(
    world: World, back: Returns, park: Actor
) -> None:
    unpaid, paid = back.sold(park), back.sold(park)
    back.pay_out(paid)
    kept = back.uphold(back.case(unpaid, ClawbackCause.UNDELIVERED, 300_000).id)
    assert (kept.status, kept.withdrawn_fen, kept.outstanding_fen) == ("closed", 300_000, 0)
    case = back.uphold(back.case(paid, ClawbackCause.FRAUD, bearer=Bearer.PROVIDER).id)
    assert (case.bearer_id, case.to_fund_fen, case.to_seller_fen) == (PROVIDER, 600_000, 0)
    balances = world.balances()
    assert balances[f"provider:{PROVIDER}"] == -600_000
    assert balances[f"receivable:fund:{world.fund}"] == 300_000
    assert repay(world, case.id, 600_000, "T1").status == "closed"
    back.check()


def test_two_people_give_up_what_will_not_come(world: World, back: Returns, park: Actor) -> None:
    line = back.sold(park)
    back.pay_out(line)
    case = back.uphold(back.case(line, ClawbackCause.INELIGIBLE).id)
    repay(world, case.id, 100_000, "T1")
    both = replace(OFFICER, user_id=APPROVER.user_id)
    with pytest.raises(Conflict) as refused:
        write_off(world, case.id, both)
    assert refused.value.code == "clawback.same_person"
    done = write_off(world, case.id)
    assert (done.status, done.written_off_fen, done.outstanding_fen) == ("written_off", 500_000, 0)
    assert owed(world) == {}
    assert places(world) == (0, 500_000, 100_000)
    back.check()
    with pytest.raises(Conflict):
        repay(world, case.id, 1, "T2")


def test_a_wrong_case_is_refused_with_every_field_and_a_dismissed_one_moves_nothing(
    world: World, back: Returns, park: Actor
) -> None:
    line = back.sold(park)
    before = state(world.shop)
    wish = clawbacks.ClawbackWish(ClawbackCause.FRAUD, " ", date(2026, 3, 2), "孪生推演")
    with pytest.raises(Invalid) as refused, world.shop.work(OFFICER) as work:
        clawbacks.open_clawback(work, order_line_id=line, provider_id=PROVIDER, wish=wish)
    assert {each.field for each in refused.value.errors} == {"reason", "bearer", "due_on", "evidence"}
    with pytest.raises(Conflict):
        back.case(new_id(), ClawbackCause.INELIGIBLE)
    assert state(world.shop) == before
    case = back.case(line, ClawbackCause.INELIGIBLE)
    moved = [table for table in state(world.shop) if table not in before]
    dismissed = back.uphold(case.id, uphold=False)
    assert (dismissed.status, dismissed.outstanding_fen) == ("dismissed", 0)
    assert len(moved) == 3  # the case, its part and its file
    with pytest.raises(Conflict):
        back.uphold(case.id)
    with world.shop.work(park) as work:
        assert [each.id for each in clawbacks.list_clawbacks(work).items] == [case.id]
    stranger = world.park(2)
    with world.shop.work(stranger) as work:
        assert clawbacks.list_clawbacks(work).items == ()
        with pytest.raises(NotFound):
            clawbacks.read_clawback(work, clawback_id=case.id)
    back.check()


def test_of_cases_and_returns_that_want_the_same_money_at_once_each_fen_goes_once(
    world: World, back: Returns, park: Actor
) -> None:
    line = back.sold(park)
    back.pay_out(line)
    cases = [back.case(line, ClawbackCause.INELIGIBLE, 400_000).id for _ in range(2)]
    start = Barrier(5)

    def run(index: int) -> Any:
        start.wait()
        try:
            return back.back(line, 700_000) if index == 4 else back.uphold(cases[index % 2])
        except (Conflict, Invalid) as refusal:
            return refusal.code

    with ThreadPoolExecutor(5) as pool:
        results = list(pool.map(run, range(5)))
    assert any(not isinstance(each, str) for each in results)
    back.check()


def test_a_crash_anywhere_leaves_whole_steps(world: World, back: Returns, park: Actor) -> None:
    line, other = back.sold(park), back.sold(park)
    back.pay_out(line)
    case = back.case(line, ClawbackCause.INELIGIBLE).id
    kept = back.case(other, ClawbackCause.UNDELIVERED).id
    now = partial(state, world.shop)
    steps = (
        partial(back.uphold, case),
        partial(back.uphold, kept),
        partial(repay, world, case, 1_000, "T1"),
    )
    for step in steps:
        assert crash_everywhere(world.shop.engine, step, now) > 8
        after = now()
        step()
        assert now() == after
    back.check()


def test_the_database_refuses_a_case_that_breaks_its_rules(world: World, back: Returns, park: Actor) -> None:
    line = back.sold(park)
    back.pay_out(line)
    back.uphold(back.case(line, ClawbackCause.INELIGIBLE).id)
    for change in (
        "decided_by = opened_by",
        "repaid_fund_fen = to_fund_fen + 1",
        "status = 'written_off'",
        "bearer = 'provider'",
        "written_off_fen = 1",
    ):
        with pytest.raises(IntegrityError), world.shop.work(FINANCE) as work:
            work.session.execute(text(f"UPDATE clawbacks SET {change}"))


def test_what_was_not_moved_is_found(world: World, back: Returns, park: Actor, database: Database) -> None:
    line = back.sold(park)
    back.back(back.sold(park), 1_000)
    back.pay_out(line)
    back.uphold(back.case(line, ClawbackCause.INELIGIBLE).id)
    back.check()
    unguarded = "ALTER TABLE clawbacks DROP CONSTRAINT ck_clawbacks_four_eyes"
    for name, *changes in (
        ("clawback-sums", "UPDATE clawbacks SET repaid_fund_fen = 1"),
        ("clawback-recalls", "UPDATE clawback_parts SET recalled_fen = recalled_fen - 1"),
        ("clawback-books", "UPDATE clawbacks SET to_fund_fen = to_fund_fen - 1, amount_fen = amount_fen - 1"),
        ("returns-posted", "UPDATE clawbacks SET return_id = (SELECT id FROM line_returns)"),
        ("clawback-people", unguarded, "UPDATE clawbacks SET decided_by = opened_by"),
        ("returned-at-most-paid", "UPDATE line_returns SET number = 3"),
    ):
        with database.owner().connect() as connection:
            for change in changes:
                connection.execute(text(change))
            found = {each.name for each in ALL if connection.execute(text(each.sql)).first() is not None}
            assert name in found
            connection.rollback()
    back.check()
