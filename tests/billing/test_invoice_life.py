"""The life of an invoice: looked at as a draft, issued by a run that waits and goes on, paid, or voided by two."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from functools import partial
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from billing.rules.invoices import grace_ends
from billing.rules.periods import local_day, month_period
from billing.usecases import invoice_drafts, invoice_runs, invoice_settings, invoice_voids, invoicing, reconciliation
from billing.usecases.invariants import INVARIANTS
from billing.usecases.invariants_books import INVARIANTS_BOOKS
from billing.usecases.invoice_runs import InvoiceRunView
from tenants.kernel.clock import ManualClock
from tenants.kernel.context import Actor, system_actor
from tenants.kernel.errors import Conflict, Invalid, NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.work import WorkShop
from tenants.rules.organisations import payment_reference
from tests.support.billing_world import FINANCE, World, make_world
from tests.support.crashes import CrashError, before_statement, crash_everywhere
from tests.support.databases import Database
from tests.support.invariants import broken

SECOND = system_actor("finance", on_behalf_of=new_id())


@pytest.fixture
def world(workshop: WorkShop, clock: ManualClock) -> World:
    return make_world(workshop, clock)


def check(world: World) -> None:
    assert broken(world.shop, (*INVARIANTS_BOOKS, *INVARIANTS)) == {}


def start(world: World, period: str = "2026-03", *, early: bool = False) -> InvoiceRunView:
    with world.shop.work(FINANCE) as work:
        return invoice_runs.start_run(work, period=period, before_grace_ends=early)


def run_now(world: World, run: InvoiceRunView) -> InvoiceRunView:
    with world.shop.work(FINANCE) as work:
        return invoice_runs.read_run(work, run_id=run.id)


def void(world: World, invoice_id: object, actor: Actor = SECOND, **options: str) -> object:
    with world.shop.work(actor) as work:
        if "reason" in options:
            return invoice_voids.ask_void(work, invoice_id=invoice_id, reason=options["reason"])  # type: ignore[arg-type]
        return invoice_voids.void_invoice(work, invoice_id=invoice_id)  # type: ignore[arg-type]


@given(st.integers(2020, 2040), st.integers(1, 12), st.integers(0, 27))
def test_grace_is_whole_days_of_the_next_month(year: int, month: int, days: int) -> None:
    span = month_period(year, month)
    ends = grace_ends(span, days)
    assert (local_day(ends, "Asia/Shanghai") - local_day(span.end, "Asia/Shanghai")).days == days
    assert ends >= span.end


def test_a_draft_is_what_would_be_issued_and_moves_with_the_use(world: World) -> None:
    one, other = world.park(1), world.park(2)
    world.bank(("T0", "5000", payment_reference(one.require_tenant())), name="0")
    world.deliver(one, "twin", payment_method="wallet")
    world.deliver(one, "leads", "leads", "leads")
    world.deliver(other, "leads")
    with world.shop.work(FINANCE) as work:
        rows = invoice_drafts.list_drafts(work, period="2026-03")
    with world.shop.work(one) as work:
        (own,) = invoice_drafts.list_drafts(work, period="2026-03")
        draft = invoice_drafts.read_draft(work, period="2026-03")
        with pytest.raises(NotFound):
            invoice_drafts.read_draft(work, period="2026-03", park_id=other.tenant_id)
        assert invoicing.list_invoices(work).items == (), "looking writes nothing"
    assert [row.park_name for row in rows] == ["第 1 园区", "第 2 园区"]
    assert own == rows[0]
    assert {name: getattr(draft, name) for name in vars(own)} == vars(own), "the sums of lines and of the database"
    assert (draft.park_id, draft.line_count, draft.paid_fen) == (one.tenant_id, 4, 400_000)
    assert sum(line.vat_fen for line in draft.lines) == draft.vat_fen
    world.deliver(one, "leads")
    issued = {row.park_id: row for row in world.issue("2026-03")}
    row = issued[one.require_tenant()]
    assert row.gross_fen == draft.gross_fen + 3_333
    with pytest.raises(NotFound), world.shop.work(one) as work:
        invoice_drafts.read_draft(work, period="2026-03")
    with world.shop.work(FINANCE) as work:
        assert invoice_drafts.list_drafts(work, period="2026-03") == ()
    for period, refusal in (("2026-3", Invalid), ("2026-04", Conflict)):
        with pytest.raises(refusal), world.shop.work(FINANCE) as work:
            invoice_drafts.list_drafts(work, period=period)


def test_one_park_may_be_issued_by_itself(world: World) -> None:
    one, other = world.park(1), world.park(2)
    for park in (one, other):
        world.deliver(park, "leads")
    with world.shop.work(FINANCE) as work:
        (row,) = invoicing.issue_invoices(work, period="2026-03", park_id=other.tenant_id)
    assert (row.park_id, row.number) == (other.tenant_id, "PTM-2026-000001")
    assert {each.park_id for each in world.issue("2026-03")} == {one.tenant_id, other.tenant_id}


def test_a_run_waits_for_late_use_unless_told(world: World) -> None:
    world.deliver(world.park(), "leads")
    for day in (date(2026, 3, 31), date(2026, 4, 3)):
        world.go_to(day)
        with pytest.raises(Conflict) as refused:
            start(world)
        assert refused.value.code == "invoice.grace"
        assert "2026-04-04" in str(refused.value.message)
    run = start(world, early=True)
    assert start(world, early=True).id == run.id, "one run of a month at a time"
    invoice_runs.carry_out_run(world.shop, FINANCE, run_id=run.id)
    assert (run_now(world, run).status, run_now(world, run).parks_done) == ("done", 1)
    with world.shop.work(SECOND) as work:
        invoice_settings.change_invoice_settings(work, grace_days=1, alone_up_to_fen=10)
        with pytest.raises(Invalid) as wrong:
            invoice_settings.change_invoice_settings(work, grace_days=28, alone_up_to_fen=-1)
    assert [each.field for each in wrong.value.errors] == ["grace_days", "alone_up_to_fen"]
    again = start(world)
    invoice_runs.carry_out_run(world.shop, FINANCE, run_id=again.id)
    assert (again.parks_total, run_now(world, again).status) == (0, "done")
    check(world)


def test_a_run_that_crashes_anywhere_goes_on_where_it_was(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(invoice_runs, "PARKS_AT_ONCE", 2)
    for number in range(1, 5):
        world.deliver(world.park(number), "leads")
    world.go_to(date(2026, 4, 10))
    run = start(world)

    def strike() -> None:
        raise CrashError

    seen = set()
    for survived in count():
        try:
            with before_statement(world.shop.engine, survived, strike):
                invoice_runs.carry_out_run(world.shop, FINANCE, run_id=run.id)
        except CrashError:
            now = run_now(world, run)
            with world.shop.work(FINANCE) as work:
                numbers = [row.number for row in invoicing.list_invoices(work).items]
            assert len(numbers) == now.parks_done
            seen.add(now.parks_done)
        else:
            break
    assert survived > 10
    assert {0, 2} <= seen, "it got on between two crashes"
    with world.shop.work(FINANCE) as work:
        rows = invoicing.list_invoices(work).items
    assert sorted(row.number for row in rows) == [f"PTM-2026-{serial:06}" for serial in range(1, 5)]
    assert len({row.park_id for row in rows}) == 4
    assert (run_now(world, run).parks_done, run_now(world, run).parks_total) == (4, 4)
    check(world)


def test_two_workers_at_one_run_issue_each_invoice_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(invoice_runs, "PARKS_AT_ONCE", 1)
    for number in range(1, 6):
        world.deliver(world.park(number), "leads")
    world.go_to(date(2026, 4, 10))
    run = start(world)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: invoice_runs.carry_out_run(world.shop, FINANCE, run_id=run.id), range(3)))
    assert (run_now(world, run).parks_done, run_now(world, run).status) == (5, "done")
    check(world)


def test_an_invoice_is_voided_by_two_and_its_lines_go_to_the_next(world: World) -> None:
    park = world.park()
    world.deliver(park, *["leads"] * 3)
    (row,) = world.issue("2026-03")
    with pytest.raises(Conflict) as refused:
        void(world, row.id)
    assert refused.value.code == "invoice.void_not_asked"
    with pytest.raises(Invalid):
        void(world, row.id, reason=" ")
    void(world, row.id, FINANCE, reason="抬头有误")
    assert world.invoice(row.id).void_reason == "抬头有误"
    with pytest.raises(Conflict) as refused:
        void(world, row.id, FINANCE)
    assert refused.value.code == "invoice.same_person"
    with world.shop.work(SECOND) as work:
        assert invoice_voids.refuse_void(work, invoice_id=row.id).void_reason is None
    void(world, row.id, FINANCE, reason="抬头有误")
    check(world)
    void(world, row.id)
    void(world, row.id)
    gone = world.invoice(row.id)
    assert (gone.status, len(gone.lines), gone.number) == ("void", 3, "PTM-2026-000001")
    assert -world.balances()["vat:output"] == 567, "what the deliveries posted by themselves"
    check(world)
    (again,) = [each for each in world.issue("2026-03") if each.status != "void"]
    assert (again.number, again.gross_fen, again.status) == ("PTM-2026-000002", 9_999, "finalized")
    assert -world.balances()["vat:output"] == 566
    check(world)
    world.go_to(date(2026, 4, 5))
    with world.shop.work(FINANCE) as work:
        assert reconciliation.reconcile(work, period="2026-03").breaks == ()


def test_what_is_paid_in_part_is_not_voided_also_when_it_is_paid_meanwhile(world: World) -> None:
    park = world.park()
    world.deliver(park, "leads")
    (row,) = world.issue("2026-03")
    void(world, row.id, FINANCE, reason="重复")
    world.bank(("T1", "1", payment_reference(park.require_tenant())))
    for attempt in (partial(void, world, row.id), partial(void, world, row.id, FINANCE, reason="重复")):
        with pytest.raises(Conflict) as refused:
            attempt()
        assert refused.value.code == "invoice.not_voidable"
    check(world)


def test_a_void_that_crashes_anywhere_leaves_nothing(world: World) -> None:
    world.deliver(world.park(), *["leads"] * 3)
    (row,) = world.issue("2026-03")
    void(world, row.id, FINANCE, reason="抬头有误")

    def state() -> object:
        with world.shop.work(FINANCE) as work:
            return invoicing.read_invoice(work, invoice_id=row.id), invoice_drafts.list_drafts(work, period="2026-03")

    before = (state(), world.balances())
    assert crash_everywhere(world.shop.engine, partial(void, world, row.id), lambda: (state(), world.balances())) > 5
    assert (state(), world.balances()) != before
    check(world)


FORBIDDEN = [
    "UPDATE invoices SET status = 'draft', number = NULL",
    "UPDATE invoices SET gross_fen = gross_fen + 1, payable_fen = payable_fen + 1",
    "UPDATE invoices SET number = 'PTM-2026-000009'",
    "UPDATE invoices SET status = 'void'",
    "UPDATE invoices SET status = 'paid'",
    "UPDATE invoices SET paid_fen = payable_fen",
    "DELETE FROM invoices",
    "UPDATE invoice_lines SET vat_fen = vat_fen + 1",
    "UPDATE invoice_lines SET voided = true",
    "DELETE FROM invoice_lines",
]


def test_the_database_holds_what_was_finalised(world: World, database: Database) -> None:
    world.deliver(world.park(), "leads")
    world.issue("2026-03")
    for change in FORBIDDEN:
        with database.owner().connect() as connection:
            connection.execute(text("SET ROLE marketplace_staff"))
            with pytest.raises(DBAPIError):
                connection.execute(text(change))
