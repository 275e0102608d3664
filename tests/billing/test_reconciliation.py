"""Reconciliation: nothing to say when all agrees, and every disagreement named."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import text

from billing.usecases import claims, reconciliation
from billing.usecases.invariants import INVARIANTS
from billing.usecases.invariants_books import INVARIANTS_BOOKS
from billing.usecases.reconciliation import ReconciliationView
from tenants.kernel.clock import ManualClock
from tenants.kernel.errors import Invalid
from tenants.kernel.work import WorkShop
from tenants.rules.organisations import payment_reference
from tests.support.billing_world import FINANCE, World, make_world
from tests.support.databases import Database
from tests.support.invariants import broken


@pytest.fixture
def world(workshop: WorkShop, clock: ManualClock) -> World:
    return make_world(workshop, clock)


def reconcile(world: World, period: str = "2026-03") -> ReconciliationView:
    with world.shop.work(FINANCE) as work:
        return reconciliation.reconcile(work, period=period)


def live(world: World) -> None:
    """Two parks use services, are invoiced, and one pays from its wallet and by transfer."""
    one, other = world.park(1), world.park(2)
    world.bank(("T0", "5000", payment_reference(one.require_tenant())), name="0")
    world.deliver(one, "twin", payment_method="wallet")
    world.deliver(one, "leads", "twin")
    world.deliver(other, "leads", quantity=3)
    world.go_to(date(2026, 4, 3))
    world.issue("2026-03")
    world.bank(("T1", "4100", payment_reference(one.require_tenant())))


def test_a_month_that_agrees_has_no_breaks(world: World) -> None:
    live(world)
    view = reconcile(world)
    assert view.breaks == ()
    assert view.metered_fen == view.rated_fen == view.invoiced_fen == 2_013_332
    assert view.captured_fen == view.claimed_fen == 1_207_998
    assert view.payable_fen == view.paid_fen + view.open_fen == 2_013_332 - 1_207_998
    assert view.open_fen == 4_000, "the other park's three lead lists"
    assert view.trial_balance.difference_fen == 0
    (fund,) = view.funds
    assert fund.register_fen == fund.books_fen == 1_207_998
    assert [row.park_name for row in view.parks] == ["第 1 园区", "第 2 园区"]


def test_every_invariant_of_the_books_holds(world: World) -> None:
    live(world)
    assert broken(world.shop, (*INVARIANTS_BOOKS, *INVARIANTS)) == {}
    world.deliver(world.park(3), "twin")
    assert broken(world.shop, (*INVARIANTS_BOOKS, *INVARIANTS)) == {}, "also before it is invoiced"


def test_claims_name_their_evidence(world: World) -> None:
    live(world)
    with world.shop.work(FINANCE) as work:
        found = claims.list_claims(work, period="2026-03")
    assert len(found) == 4
    assert sum(line.amount_fen for line in found) == 1_207_998
    assert {line.fund for line in found} == {"province"}
    assert all(line.evidence["report_sha256"] and line.evidence["event_id"] for line in found)


def test_what_is_not_invoiced_after_the_month_is_a_break(world: World) -> None:
    world.deliver(world.park(), "twin")
    assert reconcile(world).breaks == ()
    world.go_to(date(2026, 4, 1))
    assert [(each.kind, each.expected_fen, each.actual_fen) for each in reconcile(world).breaks] == [
        ("rated_invoiced", 1_000_000, None)
    ]


def test_a_receipt_without_a_payer_is_a_break(world: World) -> None:
    world.bank(("T1", "10", "货款"))
    assert reconcile(world, "2026-03").breaks == ()
    (found,) = reconcile(world, "2026-04").breaks
    assert (found.kind, found.key, found.difference_fen) == ("unknown_payer", "T1", 1_000)


def test_a_month_that_is_none_is_refused(world: World) -> None:
    with pytest.raises(Invalid):
        reconcile(world, "2026")


TAMPERED = [
    ("UPDATE rated_usage SET gross_fen = gross_fen + 1, payable_fen = payable_fen + 1", "usage_rated"),
    ("UPDATE invoice_lines SET gross_fen = gross_fen + 1, payable_fen = payable_fen + 1", "rated_invoiced"),
    ("UPDATE allocations SET amount_fen = amount_fen - 1", "invoiced_paid"),
    ("UPDATE claim_lines SET amount_fen = amount_fen - 1", "captured_claimed"),
    ("UPDATE fund_envelopes SET captured_fen = captured_fen - 1, available_fen = available_fen + 1", "fund_books"),
]


@pytest.mark.parametrize(("change", "kind"), TAMPERED, ids=[kind for _, kind in TAMPERED])
def test_tampering_behind_the_use_cases_is_found(
    world: World, database: Database, change: str, kind: str
) -> None:  # fmt: skip
    live(world)
    with database.owner().begin() as connection:
        connection.execute(text("SET session_replication_role = replica"))
        connection.execute(text(change))
    assert kind in {each.kind.value for each in reconcile(world).breaks}
    if kind != "usage_rated":
        assert broken(world.shop, (*INVARIANTS_BOOKS, *INVARIANTS)) != {}


BROKEN = {
    "journal-balances": "DELETE FROM postings WHERE line = 1",
    "delivery-metered-and-posted": "DELETE FROM journals WHERE source_kind = 'delivery'",
    "captured-claimed": "DELETE FROM claim_lines",
    "invoice-sums": "UPDATE invoice_lines SET vat_fen = vat_fen + 1",
    "invoice-numbers": "UPDATE invoice_counters SET last_number = last_number + 1",
    "wallet-entries": "UPDATE wallets SET available_fen = available_fen + 1",
    "wallet-books": "UPDATE wallets SET held_fen = held_fen + 1",
    "wallet-credits": "UPDATE wallet_credits SET amount_fen = amount_fen + 1, available_fen = available_fen + 1",
    "budget-uses": "INSERT INTO budget_uses SELECT tenant_id, gen_random_uuid(), gen_random_uuid(), '2026-03', 1, NULL"
    " FROM wallets",
    "closed-months": f"INSERT INTO closed_periods VALUES ('2026-03', 1, 1, '{'0' * 64}', gen_random_uuid(), now())",
    "invoice-paid": "DELETE FROM allocations",
    "payment-used": "UPDATE payments SET amount_fen = amount_fen + 1",
    "park-receivable": "UPDATE invoices SET gross_fen = gross_fen + 1, payable_fen = payable_fen + 1, status = 'finalized'",
    "vat-books": "UPDATE invoices SET vat_fen = vat_fen + 1",
    "bank-books": "UPDATE bank_lines SET amount_fen = amount_fen + 1",
    "fund-books": "DELETE FROM postings WHERE account LIKE 'receivable:fund:%'",
}


@pytest.mark.parametrize("name", BROKEN)
def test_each_invariant_finds_its_break(world: World, database: Database, name: str) -> None:
    live(world)
    with database.owner().begin() as connection:
        connection.execute(text("SET session_replication_role = replica"))
        connection.execute(text(BROKEN[name]))
    assert name in broken(world.shop, INVARIANTS_BOOKS)


def test_there_is_a_break_for_every_invariant() -> None:
    assert set(BROKEN) == {invariant.name for invariant in INVARIANTS_BOOKS} - {"trial-balance"}
