"""An ended month's metered use is charged by the clock once its grace is over; a run of invoices then only issues."""

from __future__ import annotations

from datetime import UTC, date, datetime
from itertools import count

import pytest

from billing.usecases import invoice_drafts, invoice_runs, invoicing, month_charging, reconciliation
from billing.usecases.invariants import INVARIANTS
from billing.usecases.invariants_books import INVARIANTS_BOOKS
from billing.usecases.invariants_metered import INVARIANTS_METERED
from billing.usecases.month_charging import charge_ended_month
from tenants.kernel.clock import ManualClock
from tenants.kernel.context import system_actor
from tenants.kernel.work import WorkShop
from tests.support.billing_world import FINANCE, World, make_world
from tests.support.crashes import CrashError, before_statement
from tests.support.invariants import broken
from tests.support.metered import charge, make_meter, roll, subscriber, use

MARCH = "2026-03"
CLOCKWORK = system_actor("clockwork")


@pytest.fixture
def world(workshop: WorkShop, clock: ManualClock) -> World:
    """The morning of 2 March, with a meter of energy that costs something by the kWh."""
    make_meter(workshop)
    charge(workshop)
    return make_world(workshop, clock)


def at(day: int) -> datetime:
    return datetime(2026, 3, day, 4, tzinfo=UTC)


def check(world: World) -> None:
    assert broken(world.shop, (*INVARIANTS_METERED, *INVARIANTS_BOOKS, *INVARIANTS)) == {}
    with world.shop.work(FINANCE) as work:
        assert reconciliation.reconcile(work, period=MARCH).breaks == ()


def test_an_ended_month_is_charged_when_its_grace_is_over_and_the_run_only_issues(world: World) -> None:
    parks = [subscriber(world.shop, number) for number in (1, 2)]
    world.go_to(date(2026, 3, 31))
    for park in parks:
        use(world.shop, park, [("a", at(20), 100)])
    world.go_to(date(2026, 4, 3))
    assert charge_ended_month(world.shop, CLOCKWORK) == 0, "late use is still waited for"
    use(world.shop, parks[0], [("b", at(21), 20)])
    world.go_to(date(2026, 4, 6))
    assert charge_ended_month(world.shop, CLOCKWORK) == 2
    assert charge_ended_month(world.shop, CLOCKWORK) == 0, "once"
    with world.shop.work(parks[0]) as work:
        draft = invoice_drafts.read_draft(work, period=MARCH)
    assert [(each.gross_fen, bool(each.event_id)) for each in draft.lines] == [(6000, True)], (
        "it is charged, not upcoming"
    )
    use(world.shop, parks[1], [("c", at(22), 10)])
    roll(world.shop)
    with world.shop.work(FINANCE) as work:
        run = invoice_runs.start_run(work, period=MARCH)
    invoice_runs.carry_out_run(world.shop, FINANCE, run_id=run.id)
    with world.shop.work(FINANCE) as work:
        rows = invoicing.list_invoices(work).items
    issued = sorted([line.gross_fen for line in world.invoice(row.id).lines] for row in rows)
    assert issued == [[5000, 500], [6000]], "what came between the two is a line of its own on the same invoice"
    check(world)


def test_charging_an_ended_month_survives_a_crash_anywhere(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(month_charging, "METERED_AT_ONCE", 2)
    parks = [subscriber(world.shop, number) for number in range(1, 4)]
    world.go_to(date(2026, 3, 31))
    for park in parks:
        use(world.shop, park, [("a", at(20), 100)])
    world.go_to(date(2026, 4, 10))

    def strike() -> None:
        raise CrashError

    for survived in count():
        try:
            with before_statement(world.shop.engine, survived, strike):
                charge_ended_month(world.shop, CLOCKWORK)
        except CrashError:
            continue
        break
    assert survived > 10
    assert [row.payable_fen for row in world.issue(MARCH)] == [5000] * 3
    check(world)
