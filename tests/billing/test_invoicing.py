"""Invoices: once per park and month, gapless, summing to the fen, and settled by wallets where they paid."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from threading import Barrier

import pytest

from billing.store import wallet_movements
from billing.store.wallet_movements import Mover
from billing.usecases import invoice_papers, invoicing
from tenants.kernel.clock import ManualClock
from tenants.kernel.context import Actor
from tenants.kernel.errors import Conflict, Invalid, NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.work import WorkShop
from tests.support.billing_world import FINANCE, World, make_world


@pytest.fixture
def world(workshop: WorkShop, clock: ManualClock) -> World:
    return make_world(workshop, clock)


def top_up(world: World, park: Actor, amount_fen: int) -> None:
    with world.shop.work(FINANCE) as work:
        wallet_movements.top_up(work.session, Mover(park.require_tenant(), None, work.now), new_id(), amount_fen)


def test_a_months_deliveries_become_one_invoice(world: World) -> None:
    park = world.park()
    world.deliver(park, "twin", "leads", "leads")
    world.go_to(date(2026, 4, 3))
    (row,) = world.issue("2026-03")
    assert (row.number, row.status, row.park_name) == ("PTM-2026-000001", "finalized", "第 1 园区")
    assert (row.gross_fen, row.subsidy_fen, row.payable_fen) == (1_006_666, 603_998, 402_668)
    assert row.due_on == date(2026, 5, 3)
    invoice = world.invoice(row.id)
    assert len(invoice.lines) == 3
    assert invoice.lines[0].awards[0]["programme"] == "tech"
    assert sum(line.vat_fen for line in invoice.lines) == invoice.vat_fen == 56_981
    assert {line.period for line in invoice.lines} == {"2026-03"}


def test_vat_is_that_of_the_whole_also_in_the_books(world: World) -> None:
    park = world.park()
    world.deliver(park, *["leads"] * 3)
    posted = -world.balances()["vat:output"]
    (row,) = world.issue("2026-03")
    assert (posted, row.vat_fen) == (567, 566), "three times 1.89, and the whole of 99.99"
    assert -world.balances()["vat:output"] == 566


def test_issuing_again_changes_nothing(world: World) -> None:
    world.deliver(world.park(1), "twin")
    world.deliver(world.park(2), "leads")
    first = world.issue("2026-03")
    assert sorted(row.number for row in first) == ["PTM-2026-000001", "PTM-2026-000002"]
    assert world.issue("2026-03") == first


def test_late_usage_goes_on_the_next_invoice_and_names_its_month(world: World) -> None:
    park = world.park()
    world.deliver(park, "twin")
    world.issue("2026-03")
    world.deliver(park, "leads")
    world.go_to(date(2026, 4, 20))
    world.deliver(park, "twin")
    (april,) = world.issue("2026-04")
    assert [(line.offering, line.period) for line in world.invoice(april.id).lines] == [
        ("leads", "2026-03"),
        ("twin", "2026-04"),
    ]


def test_numbers_have_no_gap_also_when_two_issue_at_once(world: World) -> None:
    for number in range(1, 5):
        world.deliver(world.park(number), "leads")
    barrier = Barrier(3)

    def issue(_: int) -> list[str]:
        barrier.wait()
        return sorted(row.number for row in world.issue("2026-03"))

    with ThreadPoolExecutor(3) as pool:
        results = list(pool.map(issue, range(3)))
    assert results == [[f"PTM-2026-{serial:06}" for serial in range(1, 5)]] * 3


def test_a_refused_run_leaves_no_gap(world: World) -> None:
    world.deliver(world.park(1), "leads")
    with pytest.raises(RuntimeError), world.shop.work(FINANCE) as work:  # noqa: PT012 - what comes after issuing fails
        invoicing.issue_invoices(work, period="2026-03")
        raise RuntimeError
    (row,) = world.issue("2026-03")
    assert row.number == "PTM-2026-000001"


def test_what_the_wallet_paid_stands_as_paid(world: World) -> None:
    park = world.park()
    top_up(world, park, 400_000)
    world.deliver(park, "twin", payment_method="wallet")
    world.deliver(park, "leads")
    (row,) = world.issue("2026-03")
    assert (row.status, row.payable_fen, row.paid_fen) == ("finalized", 401_334, 400_000)
    assert [line.paid for line in world.invoice(row.id).lines] == [True, False]
    assert world.balances()[f"receivable:park:{park.tenant_id}"] == 1_334
    other = world.park(2)
    top_up(world, other, 400_000)
    world.deliver(other, "twin", payment_method="wallet")
    world.go_to(date(2026, 4, 1))
    (paid,) = world.issue("2026-04")
    assert paid.status == "paid"


def test_a_month_that_is_none_or_has_not_begun_is_refused(world: World) -> None:
    for period in ("2026-13", "March", "2026-3", ""):
        with pytest.raises(Invalid):
            world.issue(period)
    with pytest.raises(Conflict):
        world.issue("2026-04")
    assert world.issue("2026-03") == ()


def test_a_park_sees_its_own_invoices_only(world: World) -> None:
    one, other = world.park(1), world.park(2)
    for park in (one, other):
        world.deliver(park, "leads")
    world.issue("2026-03")
    with world.shop.work(one) as work:
        (own,) = invoicing.list_invoices(work).items
    with pytest.raises(NotFound), world.shop.work(other) as work:
        invoicing.read_invoice(work, invoice_id=own.id)
    with world.shop.work(FINANCE) as work:
        first = invoicing.list_invoices(work, period="2026-03", limit=1)
        second = invoicing.list_invoices(work, period="2026-03", limit=1, cursor=first.next_cursor)
    assert {row.park_id for row in (*first.items, *second.items)} == {one.tenant_id, other.tenant_id}
    assert second.next_cursor is None


def test_an_invoice_is_a_page_that_is_the_same_every_time(world: World) -> None:
    park = world.park()
    world.deliver(park, "twin")
    (row,) = world.issue("2026-03")
    with world.shop.work(park) as work:
        pdf = invoice_papers.invoice_pdf(work, invoice_id=row.id)
        assert invoice_papers.invoice_pdf(work, invoice_id=row.id) == pdf
    assert pdf.startswith(b"%PDF")
