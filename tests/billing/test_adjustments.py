"""Adjustments: what was billed too low stands on the next invoice, by one or two people, to the fen."""

from __future__ import annotations

from datetime import date
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from billing.usecases import adjustments, invoice_settings, reconciliation, traces
from billing.usecases.adjustments import AdjustmentView, AdjustmentWish
from billing.usecases.invariants_adjustments import INVARIANTS_ADJUSTMENTS
from billing.usecases.invariants_books import INVARIANTS_BOOKS
from tenants.kernel.clock import ManualClock
from tenants.kernel.context import Actor, system_actor
from tenants.kernel.errors import Conflict, Invalid, NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.work import WorkShop
from tests.support.billing_world import FINANCE, World, make_world
from tests.support.crashes import crash_everywhere
from tests.support.databases import Database
from tests.support.invariants import broken
from tests.support.plays import at_once
from tests.support.returns import state

SECOND = system_actor("finance", on_behalf_of=new_id())
ALL = (*INVARIANTS_ADJUSTMENTS, *INVARIANTS_BOOKS)


@pytest.fixture
def world(workshop: WorkShop, clock: ManualClock) -> World:
    return make_world(workshop, clock)


def invoiced(world: World) -> UUID:
    """Deliver a twin in March and issue its invoice in April."""
    world.deliver(world.park(), "twin")
    world.go_to(date(2026, 4, 2))
    (row,) = world.issue("2026-03")
    return row.id


def ask(world: World, invoice_id: UUID, amount_fen: int, actor: Actor = FINANCE, **changes: Any) -> AdjustmentView:
    wish = AdjustmentWish(invoice_id, changes.get("line", 1), amount_fen, changes.get("reason", "漏计两小时"))
    with world.shop.work(actor) as work:
        return adjustments.ask_adjustment(work, wish=wish)


def test_what_was_billed_too_low_stands_on_the_next_invoice_and_names_its_line(world: World) -> None:
    first = world.invoice(invoiced(world))
    made = ask(world, first.id, 12_345)
    assert (made.status, made.by_two, made.period, made.on_invoice_id) == ("charged", False, "2026-03", None)
    assert world.invoice(first.id) == first, "what is issued does not change"
    assert broken(world.shop, ALL) == {}
    world.go_to(date(2026, 5, 2))
    (row,) = world.issue("2026-04")
    (line,) = world.invoice(row.id).lines
    assert (line.gross_fen, line.subsidy_fen, line.payable_fen, line.vat_bp) == (
        12_345,
        0,
        12_345,
        first.lines[0].vat_bp,
    )
    assert first.number in line.title
    assert "2026-03" in line.title
    with world.shop.work(FINANCE) as work:
        assert reconciliation.reconcile(work, period="2026-04").breaks == ()
        shown = adjustments.read_adjustment(work, adjustment_id=made.id)
        there = traces.trace_invoice_line(work, invoice_id=row.id, line=1)
        back = traces.trace_event(work, source=made.event_source, event_id=made.event_id)
    assert (shown.on_invoice_id, shown.on_invoice_line) == (row.id, 1)
    assert there == back
    assert there.charge is not None
    assert there.charge.price.charge["reason"] == "漏计两小时"
    assert [each.source_kind for each in there.charge.journals] == ["delivery"]
    assert there.event.data["invoice"] == first.number
    assert broken(world.shop, ALL) == {}


def test_above_the_limit_it_takes_two(world: World) -> None:
    invoice_id = invoiced(world)
    with world.shop.work(SECOND) as work:
        invoice_settings.change_invoice_settings(work, grace_days=3, alone_up_to_fen=9_999)
    before = world.balances()
    made = ask(world, invoice_id, 10_000)
    assert (made.status, made.by_two, world.balances()) == ("asked", True, before)
    park = world.invoice(invoice_id).park_id
    with pytest.raises(NotFound), world.shop.work(system_actor("park", tenant_id=park)) as work:
        adjustments.read_adjustment(work, adjustment_id=made.id)
    with pytest.raises(Conflict) as refused, world.shop.work(FINANCE) as work:
        adjustments.approve_adjustment(work, adjustment_id=made.id)
    assert refused.value.code == "adjustment.same_person"
    with world.shop.work(SECOND) as work:
        assert adjustments.refuse_adjustment(work, adjustment_id=made.id).status == "refused"
    with pytest.raises(Conflict), world.shop.work(SECOND) as work:
        adjustments.approve_adjustment(work, adjustment_id=made.id)
    assert world.balances() == before
    again = ask(world, invoice_id, 10_000)
    with world.shop.work(SECOND) as work:
        assert adjustments.approve_adjustment(work, adjustment_id=again.id).status == "charged"
    assert broken(world.shop, ALL) == {}


def test_wrong_wishes_are_refused_by_field(world: World) -> None:
    invoice_id = invoiced(world)
    for amount, reason, fields in ((0, "a", ["amount_fen"]), (-5, " ", ["amount_fen", "reason"])):
        with pytest.raises(Invalid) as refused:
            ask(world, invoice_id, amount, reason=reason)
        assert [each.field for each in refused.value.errors] == fields
    with pytest.raises(NotFound):
        ask(world, invoice_id, 1, line=2)
    with pytest.raises(NotFound):
        ask(world, new_id(), 1)


def test_a_crash_anywhere_charges_all_or_nothing(world: World) -> None:
    invoice_id = invoiced(world)

    def everything() -> Any:
        with world.shop.work(FINANCE) as work:
            return state(world.shop), world.balances(), adjustments.list_adjustments(work).items

    assert crash_everywhere(world.shop.engine, partial(ask, world, invoice_id, 500), everything) > 5
    assert broken(world.shop, ALL) == {}


def test_of_two_who_decide_at_once_one_charges(world: World) -> None:
    invoice_id = invoiced(world)
    with world.shop.work(SECOND) as work:
        invoice_settings.change_invoice_settings(work, grace_days=3, alone_up_to_fen=0)
    made = ask(world, invoice_id, 500)

    def approve(person: Actor) -> str:
        with world.shop.work(person) as work:
            return adjustments.approve_adjustment(work, adjustment_id=made.id).status

    others = [system_actor("finance", on_behalf_of=new_id()) for _ in range(3)]
    assert sorted(at_once([partial(approve, each) for each in others])) == [
        "adjustment.decided", "adjustment.decided", "charged",
    ]  # fmt: skip
    assert broken(world.shop, ALL) == {}


BROKEN = {
    "adjustment-charged": "UPDATE invoice_adjustments SET amount_fen = amount_fen + 1",
    "adjustment-later": "UPDATE invoices SET finalized_at = finalized_at - interval '1 year' WHERE period = '2026-04'",
}


def test_each_invariant_finds_its_break(world: World, database: Database) -> None:
    ask(world, invoiced(world), 100)
    world.go_to(date(2026, 5, 2))
    world.issue("2026-04")
    assert set(BROKEN) == {each.name for each in INVARIANTS_ADJUSTMENTS}
    for name, change in BROKEN.items():
        with database.owner().connect() as connection, connection.begin() as transaction:
            connection.execute(text("SET session_replication_role = replica"))
            connection.execute(text(change))
            (wanted,) = [each for each in INVARIANTS_ADJUSTMENTS if each.name == name]
            assert connection.execute(text(wanted.sql)).all(), name
            transaction.rollback()
    with database.owner().begin() as connection:
        connection.execute(text("SET session_replication_role = replica"))
        connection.execute(text(BROKEN["adjustment-charged"]))
    with world.shop.work(FINANCE) as work:
        assert {each.kind for each in reconciliation.reconcile(work, period="2026-04").breaks} == {"usage_rated"}
