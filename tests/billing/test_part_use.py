"""A line that was used in part: what is charged and what goes back are the order, to the fen, for both payers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from billing.rules.budgets import Spending
from billing.rules.credits import CreditKind
from billing.rules.part_use import PartUse, sold_for
from billing.store import wallet_movements
from billing.store.wallet_movements import Credit, Mover, Outcome
from billing.usecases import budgets, settlement, wallets
from billing.usecases.delivered_lines import DeliveredLine, charged_of, parts_of_holds
from billing.usecases.holds import HoldView
from billing.usecases.invariants import INVARIANTS
from billing.usecases.invariants_books import INVARIANTS_BOOKS
from billing.usecases.invariants_unused import INVARIANTS_UNUSED
from tenants.kernel.context import system_actor
from tenants.kernel.errors import Conflict
from tenants.kernel.identifiers import new_id
from tenants.kernel.work import WorkShop
from tests.support import deliveries, subsidies
from tests.support.invariants import broken

SYSTEM = system_actor("test")
THEN = datetime(2026, 3, 2, tzinfo=UTC)
FUNDS = {slug: new_id() for slug in ("city", "province", "state")}
FEN = st.one_of(st.integers(0, 1_000), st.integers(0, 10**12))


@st.composite
def ordered_lines(draw: st.DrawFn) -> tuple[DeliveredLine, list[HoldView]]:
    """Draw a line with awards of several programmes and funds, and the holds they were split into by envelope."""
    quantity = draw(st.integers(1, 24))
    gross = draw(FEN)
    awards, holds, left, instant = [], [], gross, 0
    for number in range(draw(st.integers(0, 3))):
        mode = draw(st.sampled_from(["instant", "reimburse"]))
        amount = draw(st.one_of(st.integers(0, left), st.just(left)))
        left -= amount
        first = draw(st.integers(0, amount))
        by_fund = {"city": first, "province": amount - first}
        awards.append(
            {
                "programme": f"p{number}", "version": 1, "mode": mode, "payee": "provider", "base_fen": gross,
                "claim_fen": amount, "amount_fen": amount, "by_fund": by_fund,
            }
        )  # fmt: skip
        if mode == "instant":
            instant += amount
            for fund, fen in by_fund.items():
                cut = draw(st.integers(0, fen))
                holds += [hold(f"p{number}", fund, part) for part in (cut, fen - cut) if part]
    line = DeliveredLine(
        order_line_id=new_id(),
        offering="inspection",
        price_id=new_id(),
        quantity=quantity,
        gross_fen=gross,
        subsidy_fen=instant,
        payable_fen=gross - instant,
        vat_bp=600,
        awards=awards,
        payment_method="wallet",
        evidence={},
        included=draw(st.integers(0, quantity)),
        discount_fen=draw(FEN),
        agreed_discount_fen=draw(FEN),
        used=draw(st.integers(1, quantity)),
    )
    return line, holds


def bare_line() -> DeliveredLine:
    """Return two units that are subsidised by nobody knows whom."""
    return DeliveredLine(new_id(), "inspection", new_id(), 2, 100, 60, 40, 600, (), "invoice", {})


def hold(programme: str, fund: str, amount_fen: int) -> HoldView:
    return HoldView(
        new_id(), new_id(), FUNDS[fund], fund, "", programme, 1, amount_fen, 0, "held", THEN
    )  # fmt: skip


@given(ordered_lines())
def test_no_payer_pays_more_than_was_held_and_the_parts_are_the_whole(
    drawn: tuple[DeliveredLine, list[HoldView]],
) -> None:
    line, holds = drawn
    charged = charged_of(line)
    parts = parts_of_holds(line, charged, holds)
    assert charged.gross_fen == charged.subsidy_fen + charged.payable_fen
    assert sum(parts.values()) == charged.subsidy_fen
    assert all(0 <= parts[each.id] <= each.amount_fen for each in holds)
    for name in ("gross_fen", "subsidy_fen", "payable_fen", "discount_fen", "agreed_discount_fen", "included"):
        assert 0 <= getattr(charged, name) <= getattr(line, name), name
    assert charged.subsidy_fen * line.gross_fen <= line.subsidy_fen * charged.gross_fen, "no greater share"
    paid, used = line.quantity - line.included, charged.quantity - charged.included
    if paid:
        assert charged.gross_fen * paid <= line.gross_fen * used < (charged.gross_fen + 1) * paid
    for before, after in zip(line.awards, charged.awards, strict=True):
        assert sum(after["by_fund"].values()) == after["amount_fen"] <= before["amount_fen"]
        assert all(after["by_fund"][fund] <= fen for fund, fen in before["by_fund"].items())
        exact = before["amount_fen"] * charged.gross_fen
        if charged.payable_fen < line.payable_fen or before["mode"] != "instant":
            assert after["amount_fen"] * line.gross_fen <= exact, "parts of a fen are the fund's"
        assert abs(after["amount_fen"] * line.gross_fen - exact) < max(line.gross_fen, 1)
        assert after["amount_fen"] <= min(after["base_fen"], after["claim_fen"])


@given(ordered_lines())
def test_what_was_used_as_a_whole_is_the_order_itself(drawn: tuple[DeliveredLine, list[HoldView]]) -> None:
    line, holds = drawn
    for used in (None, line.quantity):
        whole = replace(line, used=used)
        assert charged_of(whole) is whole
        assert parts_of_holds(whole, whole, holds) == {each.id: each.amount_fen for each in holds}


def test_awards_that_pay_all_leave_the_park_nothing_to_pay() -> None:
    """Half and half of 100 fen: a third of the time is 33 fen, of which each half is 16 and a part of a fen."""
    award = {"version": 1, "mode": "instant", "payee": "provider", "base_fen": 100, "claim_fen": 50, "amount_fen": 50}
    awards = [award | {"programme": name, "by_fund": {"city": 25, "province": 25}} for name in ("one", "two")]
    line = replace(bare_line(), quantity=3, subsidy_fen=100, payable_fen=0, awards=awards, used=1)
    charged = charged_of(line)
    assert (charged.gross_fen, charged.subsidy_fen, charged.payable_fen) == (33, 33, 0)
    assert [each["amount_fen"] for each in charged.awards] == [17, 16]
    line = replace(line, subsidy_fen=99, payable_fen=1, awards=[awards[0], awards[1] | {"amount_fen": 49}])
    charged = charged_of(line)
    assert [each["amount_fen"] for each in charged.awards] == [16, 16], "the park's fen is one that it agreed to"


def test_more_than_was_ordered_is_never_charged_nor_a_subsidy_without_awards() -> None:
    with pytest.raises(ValueError, match="cannot be used"):
        PartUse(3, 0, 4)
    with pytest.raises(ValueError, match="cannot be used"):
        PartUse(3, 0, 0)
    line = deliveries.unsubsidised(bare := bare_line(), used=1)
    assert charged_of(line).gross_fen == 50
    with pytest.raises(ValueError, match="are not its subsidy"):
        charged_of(replace(bare, used=1))


@pytest.fixture
def fund(workshop: WorkShop) -> UUID:
    """A fund with a region's own money; 60 % of a service of 33.33 yuan an hour, under a ceiling."""
    fund_id = subsidies.fill_fund(workshop, "province", 1_000_000, r510118=1_000)
    subsidies.approve_programme(workshop, "tech", subsidies.policy(caps=[{"scope": "scheme", "amount_fen": 5_001}]))
    subsidies.price(workshop, "inspection", "33.33")
    return fund_id


def hold_all(workshop: WorkShop) -> None:
    for each in (INVARIANTS, INVARIANTS_BOOKS, INVARIANTS_UNUSED):
        assert broken(workshop, each) == {}


def lots(workshop: WorkShop) -> Sequence[tuple[str, int, int, int]]:
    with workshop.work(SYSTEM) as work:
        query = "SELECT kind, available_fen, held_fen, spent_fen FROM wallet_credits ORDER BY kind"
        return [tuple(row) for row in work.session.execute(text(query))]


def test_both_payers_pay_for_what_was_used_and_get_the_rest_back(workshop: WorkShop, fund: UUID) -> None:
    park = subsidies.park()
    with workshop.work(SYSTEM) as work:
        mover = Mover(park.require_tenant(), None, work.now)
        for kind, fen in ((CreditKind.PURCHASED, 10_000), (CreditKind.GRANTED, 2_000)):
            wallet_movements.grant(work.session, mover, Credit(new_id(), kind, fen, "试用"))
    with workshop.work(park) as work:
        for measure, limit in (("payable_fen", 10_000), ("gross_fen", 100_000), ("quantity", 10)):
            budgets.set_budget(work, limit=limit, measure=measure)
    (line,) = deliveries.order(workshop, park, "inspection", quantity=3, payment_method="wallet")
    assert (line.gross_fen, line.subsidy_fen, line.payable_fen) == (9_999, 5_001, 4_998), "the ceiling took 998"
    spent = Spending("inspection", park.user_id, line.payable_fen, line.gross_fen, 3)
    with workshop.work(park) as work:
        budgets.count_order(work, lines={line.order_line_id: spent})
    with workshop.work(park) as work:
        usage = deliveries.settle(work, replace(line, used=2), quantity=2)
    assert (int(usage.quantity), usage.gross_fen, usage.subsidy_fen, usage.payable_fen) == (2, 6_666, 3_334, 3_332)
    now = subsidies.fund_now(workshop, fund)
    assert (now.held_fen, now.captured_fen, now.available_fen) == (0, 3_334, 1_001_000 - 3_334)
    with workshop.work(park) as work:
        wallet = wallets.read_wallet(work, park_id=park.require_tenant())
        used = sorted(each.used for each in budgets.list_budgets(work))
        assert deliveries.settle(work, replace(line, used=2), quantity=2) == usage, "once"
    assert (wallet.available_fen, wallet.held_fen) == (12_000 - 3_332, 0)
    assert lots(workshop) == [("granted", 0, 0, 2_000), ("purchased", 10_000 - 1_332, 0, 1_332)], "given credit first"
    assert used == [2, 3_332, 6_666]
    hold_all(workshop)


def test_the_ordered_quantity_is_rated_and_the_used_one_metered(workshop: WorkShop, fund: UUID) -> None:
    (line,) = deliveries.order(workshop, park := subsidies.park(), "inspection", quantity=3)
    for used, metered in ((2, 3), (2, 1), (3, 2)):
        with pytest.raises(Conflict) as refusal, workshop.work(park) as work:
            deliveries.settle(work, replace(line, used=used), quantity=metered)
        assert refusal.value.code == "settlement.amount_differs"
    dearer = replace(line, used=2, gross_fen=line.gross_fen + 1, payable_fen=line.payable_fen + 1)
    with pytest.raises(Conflict) as refusal, workshop.work(park) as work:
        deliveries.settle(work, dearer, quantity=2)
    assert refusal.value.code == "settlement.amount_differs"
    assert subsidies.fund_now(workshop, fund).held_fen == line.subsidy_fen


def test_a_hold_of_the_wallet_ends_once_however_it_was_split(workshop: WorkShop) -> None:
    park, line = subsidies.park(), new_id()
    with workshop.work(SYSTEM) as work:
        mover = Mover(park.require_tenant(), None, work.now)
        wallet_movements.top_up(work.session, mover, new_id(), 100)
        assert wallet_movements.hold(work.session, mover, line, 60) is Outcome.MOVED
        assert wallet_movements.capture(work.session, mover, line, 61) is Outcome.SHORT
        assert wallet_movements.capture(work.session, mover, line, 40) is Outcome.MOVED
        assert wallet_movements.capture(work.session, mover, line, 40) is Outcome.BEFORE
        assert wallet_movements.release(work.session, mover, line) is Outcome.SETTLED
        other = new_id()
        wallet_movements.hold(work.session, mover, other, 60)
        assert wallet_movements.capture(work.session, mover, other, 0) is Outcome.MOVED
        assert wallet_movements.release(work.session, mover, other) is Outcome.BEFORE
    assert lots(workshop) == [("purchased", 60, 0, 40)]


def test_the_sale_of_a_part_is_not_undone(workshop: WorkShop, fund: UUID) -> None:
    (line,) = deliveries.order(workshop, park := subsidies.park(), "inspection", quantity=3)
    with workshop.work(park) as work:
        deliveries.settle(work, replace(line, used=1), quantity=1)
    with workshop.work(park) as work, pytest.raises(Conflict, match="已交付并计费"):
        settlement.undo_deliveries(work, order_line_ids=[line.order_line_id], reason="order.cancelled")


@given(st.integers(1, 50), st.integers(0, 50), st.integers(0, 10**12), st.data())
def test_a_use_that_is_put_right_is_never_due_more_than_it_was_sold_for(
    booked: int, included: int, gross_fen: int, data: st.DataObject
) -> None:  # fmt: skip
    free = min(included, booked)
    right, noted = sorted(data.draw(st.lists(st.integers(1, booked), min_size=2, max_size=2)))
    charged_fen = PartUse(booked, free, noted).price(gross_fen)
    sold_fen = charged_fen - data.draw(st.integers(0, charged_fen))
    due_fen = sold_for(PartUse(booked, free, right).price(gross_fen), charged_fen, sold_fen)
    assert 0 <= due_fen <= sold_fen
    if right == noted:
        assert due_fen == sold_fen
