"""Set-off: what a provider owes from clawbacks is kept back from its payouts, the oldest first, each fen once."""

from __future__ import annotations

from datetime import date, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from billing.rules.claims import set_off
from billing.rules.clawbacks import RepaymentMethod
from billing.rules.returns import ReturnCause
from billing.usecases import claim_payouts, claims, clawback_repayments, clawbacks, returns
from billing.usecases.claim_views import PayoutView
from billing.usecases.clawback_cases import ClawbackView
from billing.usecases.clawback_repayments import Repayment
from billing.usecases.invariants_claims import INVARIANTS_CLAIMS
from marketplace.usecases import invariants
from tenants.kernel.clock import ManualClock
from tenants.kernel.context import system_actor
from tenants.kernel.errors import Conflict, Invalid
from tenants.kernel.work import WorkShop
from tests.support import deliveries, subsidies
from tests.support.billing_world import make_world
from tests.support.claims import FINANCE, Claims, claimed
from tests.support.crashes import crash_everywhere
from tests.support.databases import Database
from tests.support.plays import at_once
from tests.support.returns import Returns

TEST = system_actor("test")
OWED = f"receivable:clawback:provider:{deliveries.PROVIDER}"
APRIL = "2026-04"


@pytest.fixture
def story(workshop: WorkShop, clock: ManualClock) -> Claims:
    """March is paid out; April's batch (twice 6,000 yuan for the provider) waits for its payout."""
    story = claimed(make_world(workshop, clock))
    for park in story.parks:
        story.world.deliver(park, "twin")
    story.after_notice()
    (payout,) = story.prepare()
    story.pay(payout.id, "国库-001")
    story.world.go_to(date(2026, 5, 3))
    rows = [
        (f"M-{number}", f"{each.payable_fen // 100}.{each.payable_fen % 100:02d}", each.payment_reference)
        for number, each in enumerate(story.world.issue(APRIL))
    ]
    story.world.bank(*rows)
    return story


def owing(story: Claims, *amounts: int) -> list[ClawbackView]:
    """Let services of March be returned for so much, whose public part the provider owes, one minute after the other."""
    back = Returns(story.world)
    cases = []
    lines = [each.order_line_id for each in story.lines(story.batch().id)]
    for line, amount in zip(lines, amounts, strict=False):
        story.clock.advance(timedelta(minutes=1))
        wish = returns.ReturnWish(ReturnCause.RETURNED, "结果无法使用", "来函", "孪生推演", amount)
        with story.world.shop.work(FINANCE) as work:
            made = returns.return_delivery(work, order_line_id=line, provider_id=deliveries.PROVIDER, wish=wish)
        with story.world.shop.work(FINANCE) as work:
            (opened,) = [each for each in clawbacks.list_clawbacks(work).items if each.return_id == made.id]
        cases.append(back.uphold(opened.id))
    return cases


def drawn(story: Claims) -> PayoutView:
    """Draw April's payout up."""
    story.after_notice(APRIL)
    (payout,) = story.prepare(period=APRIL)
    return payout


def case(story: Claims, clawback_id: UUID) -> ClawbackView:
    with story.world.shop.work(FINANCE) as work:
        return clawbacks.read_clawback(work, clawback_id=clawback_id)


def whole(story: Claims) -> None:
    with story.world.shop.work(TEST) as work:
        assert invariants.check(work) == ()


def test_the_oldest_debts_are_paid_first_and_the_rest_by_the_next_payout(story: Claims) -> None:
    first, second = owing(story, 1_000_000, 500_000)
    assert (first.outstanding_fen, second.outstanding_fen) == (600_000, 300_000)
    payout = drawn(story)
    assert (payout.amount_fen, payout.set_off_fen, payout.transfer_fen) == (1_200_000, 900_000, 300_000)
    assert [(each.number, each.amount_fen) for each in payout.set_offs] == [
        (first.number, 600_000), (second.number, 300_000),
    ]  # fmt: skip
    assert case(story, first.id).outstanding_fen == 600_000, "nothing is repaid before the payment"
    assert [each.payout_status for each in case(story, first.id).set_offs] == ["pending"]
    whole(story)
    bank = story.world.balances()["bank"]
    paid = story.pay(payout.id, "国库-002")
    assert story.pay(payout.id, "国库-002") == paid, "a repeat changes nothing"
    assert story.world.balances()["bank"] - bank == 300_000
    assert story.world.balances()[OWED] == 0
    assert story.world.balances()[f"provider:{deliveries.PROVIDER}"] == 0
    for each in (first, second):
        now = case(story, each.id)
        assert (now.status, now.outstanding_fen) == ("closed", 0)
        assert [(one.method, one.reference) for one in now.repayments] == [
            (RepaymentMethod.SET_OFF, f"国库-002 · {each.number}")
        ]
    fund = subsidies.fund_now(story.world.shop, story.world.fund)
    assert (fund.captured_fen, fund.disbursed_fen, fund.returned_fen) == (0, 1_500_000, 900_000)
    whole(story)


def test_a_cancelled_payout_lets_go_and_one_whose_debt_was_paid_is_drawn_up_anew(story: Claims) -> None:
    (debt,) = owing(story, 1_000_000)
    payout = drawn(story)
    assert payout.set_off_fen == 600_000
    with story.world.shop.work(FINANCE) as work:
        claim_payouts.cancel_payout(work, payout_id=payout.id, reason="账号有误")
    assert case(story, debt.id).set_offs == ()
    (_, again) = story.prepare(period=APRIL)
    assert again.set_off_fen == 600_000
    whole(story)
    with story.world.shop.work(FINANCE) as work:
        clawback_repayments.record_repayment(
            work, clawback_id=debt.id, repayment=Repayment(100_000, reference="银行-1")
        )
    with pytest.raises(Conflict) as changed:
        story.pay(again.id, "国库-002")
    assert changed.value.code == "payout.amount_changed", "the provider has paid by bank meanwhile"
    with story.world.shop.work(FINANCE) as work:
        claim_payouts.cancel_payout(work, payout_id=again.id, reason="已部分退款")
    third = story.prepare(period=APRIL)[-1]
    assert third.set_off_fen == 500_000
    story.pay(third.id, "国库-002")
    assert case(story, debt.id).status == "closed"
    with pytest.raises(Invalid) as by_hand, story.world.shop.work(FINANCE) as work:
        clawback_repayments.record_repayment(
            work, clawback_id=debt.id, repayment=Repayment(1, RepaymentMethod.SET_OFF, "x")
        )
    assert by_hand.value.code == "clawback.method"
    whole(story)


def test_a_repayment_that_meets_the_payment_is_counted_once(story: Claims) -> None:
    first, second = owing(story, 1_000_000, 1_000_000)
    payout = drawn(story)

    def by_bank(clawback_id: UUID) -> str:
        with story.world.shop.work(FINANCE) as work:
            done = clawback_repayments.record_repayment(
                work, clawback_id=clawback_id, repayment=Repayment(400_000, reference=f"银行-{clawback_id}")
            )
        return f"{done.outstanding_fen}"

    outcomes = at_once(
        [
            lambda: story.pay(payout.id, "国库-002").status,
            lambda: by_bank(second.id),
            lambda: by_bank(first.id),
            lambda: story.pay(payout.id, "国库-002").status,
        ]
    )
    assert set(outcomes) <= {"paid", "200000", "payout.amount_changed", "clawback.not_due"}
    whole(story)


def test_two_payouts_at_once_keep_no_debt_back_twice(story: Claims) -> None:
    """A debt of 9,000 yuan, and payouts of 12,000 for April and of 6,000 for May."""
    first, second = owing(story, 1_000_000, 500_000)
    story.world.deliver(story.parks[0], "twin")
    story.after_notice(APRIL)
    story.world.go_to(date(2026, 6, 3))
    (invoice,) = story.world.issue("2026-05")
    story.world.bank(("J-1", f"{invoice.payable_fen // 100}.00", invoice.payment_reference))
    story.after_notice("2026-05")
    at_once([partial(story.prepare, period=month) for month in (APRIL, "2026-05")])
    with story.world.shop.work(FINANCE) as work:
        made = [
            each for month in (APRIL, "2026-05") for each in claims.list_payouts(work, batch_id=story.batch(month).id)
        ]
    assert sum(each.set_off_fen for each in made) == 900_000
    assert all(each.set_off_fen <= each.amount_fen for each in made)
    outcomes = at_once([partial(story.pay, each.id, f"国库-{each.id}") for each in made])
    assert [each.status for each in outcomes] == ["paid", "paid"]
    assert {case(story, each.id).status for each in (first, second)} == {"closed"}
    assert story.world.balances()[OWED] == 0
    whole(story)


def test_a_crash_anywhere_pays_and_sets_off_wholly_or_not_at_all(story: Claims) -> None:
    owing(story, 1_000_000, 500_000)
    payout = drawn(story)
    tables = ("payouts", "payout_set_offs", "clawbacks", "clawback_parts", "clawback_repayments", "holds", "journals",
              "fund_envelopes", "claim_lines")  # fmt: skip

    def state() -> Any:
        with story.world.shop.work(TEST) as work:
            return [sorted(map(repr, work.session.execute(text(f"SELECT * FROM {table}")))) for table in tables]

    assert crash_everywhere(story.world.shop.engine, lambda: story.pay(payout.id, "国库-002"), state) > 20
    whole(story)


@given(st.integers(0, 10**12), st.lists(st.integers(-5, 10**11), max_size=8))
def test_debts_are_paid_in_turn_and_no_more_than_there_is(most: int, owed: list[int]) -> None:
    parts = set_off(most, owed)
    assert sum(parts) == min(most, sum(max(each, 0) for each in owed))
    assert all(0 <= part <= max(each, 0) for part, each in zip(parts, owed, strict=True))
    first_cut = next((place for place, part in enumerate(parts) if part < max(owed[place], 0)), len(parts))
    assert not any(parts[first_cut + 1 :]), "the first wholly before the next"


BREAKS = (
    "UPDATE payouts SET set_off_fen = set_off_fen + 1 WHERE set_off_fen > 0",
    "UPDATE payout_set_offs SET repayment_id = NULL",
    "UPDATE payout_set_offs SET amount_fen = amount_fen + 1",
    "UPDATE clawbacks SET bearer_id = gen_random_uuid()",
)


def test_the_invariant_finds_its_breaks(story: Claims, database: Database) -> None:
    owing(story, 1_000_000)
    story.pay(drawn(story).id, "国库-002")
    whole(story)
    (wanted,) = [each for each in INVARIANTS_CLAIMS if each.name == "payouts-set-off"]
    for change in BREAKS:
        with database.owner().connect() as connection, connection.begin() as transaction:
            connection.execute(text("SET session_replication_role = replica"))
            connection.execute(text(change))
            assert connection.execute(text(wanted.sql)).all(), change
            transaction.rollback()
