"""Returned services: each payer gets back its own share, wherever its money is, and never more than it paid."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from functools import partial
from threading import Barrier
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.rules.money import vat_of_gross
from billing.rules.returns import ReturnCause, split_return, vat_back
from billing.usecases import clawbacks, reconciliation
from tenants.kernel.clock import ManualClock
from tenants.kernel.errors import Conflict, Invalid
from tenants.kernel.work import WorkShop
from tests.support.billing_world import FINANCE, World, make_world
from tests.support.crashes import crash_everywhere
from tests.support.returns import PROVIDER, Returns, state
from tests.support.subsidies import fund_now

FEN = st.integers(0, 10**9)


@pytest.fixture
def world(workshop: WorkShop, clock: ManualClock) -> World:
    return make_world(workshop, clock)


@pytest.fixture
def back(world: World) -> Returns:
    return Returns(world)


def breaks(world: World, period: str = "2026-03") -> tuple[Any, ...]:
    with world.shop.work(FINANCE) as work:
        return reconciliation.reconcile(work, period=period).breaks


@given(FEN, st.lists(FEN, max_size=4), st.data())
def test_parts_of_a_return_sum_to_it_and_nobody_gets_more_than_is_left(park: int, holds: list[int], data: Any) -> None:
    whole = park + sum(holds)
    if not whole:
        with pytest.raises(ValueError, match="positive"):
            split_return(1, park, holds)
        return
    amount = data.draw(st.integers(1, whole))
    shares = split_return(amount, park, holds)
    assert shares.park_fen + shares.public_fen == amount
    assert all(0 <= part <= left for part, left in zip((shares.park_fen, *shares.by_hold), (park, *holds), strict=True))


@given(st.lists(st.integers(1, 10**7), min_size=1, max_size=6), st.integers(0, 1700))
def test_the_vat_of_parts_is_the_vat_of_the_whole(parts: list[int], vat_bp: int) -> None:
    back = [vat_back(sum(parts[:index]), part, vat_bp) for index, part in enumerate(parts)]
    assert sum(back) == vat_of_gross(sum(parts), vat_bp)
    assert all(0 <= vat <= part for vat, part in zip(back, parts, strict=True))


def test_a_service_on_no_invoice_yet_is_credited_when_it_is_invoiced(world: World, back: Returns) -> None:
    park = world.park()
    line = back.sold(park)
    made = back.back(line, 333_333)
    assert (made.amount_fen, made.park_fen, made.public_fen) == (333_333, 133_333, 200_000)
    assert (made.waiting_fen, made.withdrawn_fen, made.vat_fen) == (133_333, 200_000, vat_of_gross(333_333, 600))
    now = fund_now(world.shop, world.fund)
    assert (now.captured_fen, now.available_fen) == (400_000, 99_600_000)
    assert world.balances()[f"receivable:park:{park.tenant_id}"] == 266_667
    back.check()
    rest = back.back(line)
    assert (rest.park_fen, rest.public_fen, rest.number) == (266_667, 400_000, 2)
    with pytest.raises(Conflict) as refused:
        back.back(line)
    assert refused.value.code == "return.nothing_left"
    assert {code for code, fen in world.balances().items() if fen and not code.startswith("budget:")} == set()
    world.go_to(date(2026, 4, 2))
    assert not [each for each in breaks(world) if each.kind != "rated_invoiced"]
    (invoice,) = world.issue("2026-03")
    assert (invoice.payable_fen, invoice.paid_fen, invoice.status) == (400_000, 400_000, "paid")
    assert breaks(world) == ()
    back.check()


def test_an_open_invoice_is_paid_with_the_credit_and_a_paid_one_fills_the_wallet(world: World, back: Returns) -> None:
    park = world.park()
    first, second = back.sold(park), back.sold(park)
    world.go_to(date(2026, 4, 2))
    (invoice,) = world.issue("2026-03")
    made = back.back(first, 500_000)
    assert (made.to_invoice_fen, made.to_wallet_fen, made.invoice_id) == (200_000, 0, invoice.id)
    assert world.invoice(invoice.id).paid_fen == 200_000
    back.check()
    made = back.back(second)
    assert (made.to_invoice_fen, made.to_wallet_fen) == (400_000, 0)
    made = back.back(first)
    assert (made.to_invoice_fen, made.to_wallet_fen) == (200_000, 0)
    assert world.invoice(invoice.id).status == "paid"
    third = back.sold(park)
    (april,) = world.issue("2026-04")
    reference = back.reference(park)
    world.bank(("B1", "4000.00", f"货款 {reference}"))
    assert world.invoice(april.id).status == "paid"
    made = back.back(third, 100_001)
    assert (made.to_invoice_fen, made.to_wallet_fen) == (0, 40_000)
    assert world.wallet(park) == (40_000, 0)
    assert breaks(world) == ()
    back.check()


def test_what_the_wallet_paid_goes_back_to_the_wallet(world: World, back: Returns) -> None:
    park = world.park()
    reference = back.reference(park)
    world.bank(("B1", "5000.00", f"充值 {reference}"))
    line = back.sold(park, payment_method="wallet")
    assert world.wallet(park) == (100_000, 0)
    made = back.back(line)
    assert (made.to_wallet_fen, made.waiting_fen) == (400_000, 0)
    assert world.wallet(park) == (500_000, 0)
    world.go_to(date(2026, 4, 2))
    (invoice,) = world.issue("2026-03")
    assert invoice.status == "paid"
    assert breaks(world) == ()
    back.check()


def test_what_was_paid_out_is_asked_of_the_provider(world: World, back: Returns) -> None:
    park = world.park()
    line = back.sold(park)
    back.pay_out(line)
    made = back.back(line, 500_000, ReturnCause.UNDELIVERED)
    assert (made.park_fen, made.withdrawn_fen, made.recalled_fen) == (200_000, 0, 300_000)
    balances = world.balances()
    assert balances[f"provider:{PROVIDER}"] == -300_000
    with world.shop.work(FINANCE) as work:
        (case,) = clawbacks.list_clawbacks(work).items
    assert (case.cause, case.bearer, case.bearer_id, case.amount_fen) == ("undelivered", "provider", PROVIDER, 300_000)
    back.check()
    with pytest.raises(Conflict) as refused:
        back.uphold(case.id, uphold=False)
    assert refused.value.code == "clawback.return_stands"
    with pytest.raises(Conflict) as refused:
        back.uphold(case.id, FINANCE)
    assert refused.value.code == "clawback.same_person"
    decided = back.uphold(case.id)
    assert (decided.status, decided.to_fund_fen, decided.outstanding_fen) == ("upheld", 300_000, 300_000)
    back.check()


def test_bad_returns_are_refused_with_the_field_and_the_remedy(world: World, back: Returns) -> None:
    line = back.sold(world.park())
    before = state(world.shop)
    for amount in (0, -1, 1_000_001):
        with pytest.raises(Invalid) as refused:
            back.back(line, amount)
        assert [each.field for each in refused.value.errors] == ["amount_fen"]
    assert state(world.shop) == before


def test_two_people_who_return_one_line_at_once_return_it_once(world: World, back: Returns) -> None:
    park = world.park()
    lines = [back.sold(park), back.sold(park, "leads")]
    start = Barrier(6)

    def run(index: int) -> Any:
        start.wait()
        try:
            return back.back(lines[index % 2]).amount_fen
        except Conflict as refusal:
            return refusal.code

    with ThreadPoolExecutor(6) as pool:
        results = list(pool.map(run, range(6)))
    assert sorted(each for each in results if isinstance(each, int)) == [3_333, 1_000_000]
    assert {each for each in results if isinstance(each, str)} <= {"return.nothing_left", "return.changed"}
    assert fund_now(world.shop, world.fund).captured_fen == 0
    back.check()


def test_a_crash_anywhere_returns_all_or_nothing(world: World, back: Returns) -> None:
    park = world.park()
    line = back.sold(park)
    world.go_to(date(2026, 4, 2))
    world.issue("2026-03")
    assert crash_everywhere(world.shop.engine, partial(back.back, line, 1_001), partial(state, world.shop)) > 20
    back.pay_out(line)
    assert crash_everywhere(world.shop.engine, partial(back.back, line), partial(state, world.shop)) > 20
    back.check()
