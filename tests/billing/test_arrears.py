"""Use that meters count is charged when its month is invoiced: once, by the price of its time, and what comes late after it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import count

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from billing.rules.prices import PriceScope
from billing.usecases import (
    credit_notes,
    invoice_drafts,
    invoice_runs,
    invoice_voids,
    invoicing,
    reconciliation,
    traces,
)
from billing.usecases.arrears_charging import SOURCE
from billing.usecases.credit_note_views import CreditNoteRow
from billing.usecases.invariants import INVARIANTS
from billing.usecases.invariants_books import INVARIANTS_BOOKS
from billing.usecases.invariants_metered import INVARIANTS_METERED
from billing.usecases.invoice_views import InvoiceRow
from billing.usecases.traces import Standing
from tenants.kernel.clock import ManualClock
from tenants.kernel.context import Actor, system_actor
from tenants.kernel.errors import Conflict, Invalid, NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.vocabulary import Tier
from tenants.kernel.work import WorkShop
from tests.support.billing_world import FINANCE, World
from tests.support.crashes import CrashError, before_statement
from tests.support.databases import Database
from tests.support.invariants import broken
from tests.support.metered import charge, make_meter, roll, subscriber, use

MARCH, APRIL, MAY = "2026-03", "2026-04", "2026-05"
SECOND = system_actor("finance", on_behalf_of=new_id())


@pytest.fixture
def world(workshop: WorkShop, clock: ManualClock) -> World:
    """The morning of 2 March, with a meter of energy that nothing is charged for yet."""
    make_meter(workshop)
    return World(workshop, clock, None)  # type: ignore[arg-type]


def at(day: int, month: int = 3, hour: int = 4) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=UTC)


def check(world: World, *periods: str) -> None:
    assert broken(world.shop, (*INVARIANTS_METERED, *INVARIANTS_BOOKS, *INVARIANTS)) == {}
    for period in periods or (MARCH, APRIL):
        with world.shop.work(FINANCE) as work:
            assert reconciliation.reconcile(work, period=period).breaks == ()


def lines(world: World, row: InvoiceRow) -> list[tuple[str, str, str, int]]:
    """Return month, offering, quantity and price of an invoice's lines."""
    return [
        (line.period, line.offering, f"{line.quantity.normalize():f}", line.gross_fen)
        for line in world.invoice(row.id).lines
    ]


def notes(world: World) -> list[CreditNoteRow]:
    with world.shop.work(FINANCE) as work:
        return list(credit_notes.list_credit_notes(work).items)


def test_a_months_use_becomes_one_line_and_late_use_a_line_of_its_own_month(world: World) -> None:
    park = subscriber(world.shop)
    charge(world.shop)
    world.go_to(date(2026, 3, 31))
    use(world.shop, park, [("a", at(20), 100), ("b", at(21), "20.5")])
    with world.shop.work(park) as work:
        draft = invoice_drafts.read_draft(work, period=MARCH)
        (listed,) = invoice_drafts.list_drafts(work, period=MARCH)
    assert (draft.lines[0].title, draft.lines[0].quantity) == ("用电量 2026-03-02 – 2026-03-31", Decimal("120.5"))
    assert draft.lines[0].event_id == "", "nothing is written for a draft"
    world.go_to(date(2026, 4, 3))
    (march,) = world.issue(MARCH)
    assert lines(world, march) == [(MARCH, "meter:energy", "120.5", 6025)]
    assert (march.payable_fen, march.subsidy_fen, march.vat_fen) == (6025, 0, 341)
    assert (draft.gross_fen, draft.vat_fen, listed.payable_fen, listed.line_count) == (6025, 341, 6025, 1)
    assert world.issue(MARCH) == (march,)
    check(world)
    use(world.shop, park, [("c", at(22), 10), ("d", at(2, 4), 1)])
    roll(world.shop)
    with world.shop.work(park) as work:
        draft = invoice_drafts.read_draft(work, period=APRIL)
    assert [(each.period, each.gross_fen) for each in draft.lines] == [(MARCH, 500), (APRIL, 50)]
    world.go_to(date(2026, 5, 2))
    (april,) = world.issue(APRIL)
    assert lines(world, april) == [(MARCH, "meter:energy", "10", 500), (APRIL, "meter:energy", "1", 50)]
    assert world.invoice(april.id).lines[0].title.endswith("（迟到用量）")
    check(world)
    world.go_to(date(2026, 6, 2))
    assert world.issue(MAY) == (), "what was looked at is not looked at again"


def test_late_use_is_rated_together_with_what_came_before(world: World) -> None:
    park = subscriber(world.shop)
    tiers = [{"up_to": "100", "unit_price": "1"}, {"up_to": None, "unit_price": "0.1"}]
    charge(world.shop, price={"model": "graduated", "tiers": tiers, "included_units": "10", "minimum": "50"})
    world.go_to(date(2026, 3, 31))
    use(world.shop, park, [("a", at(20), 30)])
    world.go_to(date(2026, 4, 3))
    (march,) = world.issue(MARCH)
    assert march.payable_fen == 5_000, "the minimum, for 20 units"
    use(world.shop, park, [("b", at(20), 100)])
    roll(world.shop)
    world.go_to(date(2026, 5, 2))
    (april,) = world.issue(APRIL)
    assert lines(world, april) == [(MARCH, "meter:energy", "100", 5_200)], "100 at 1, 20 at 0.1, less the 50 billed"
    check(world)


def test_a_fee_by_the_event_looks_at_each_and_the_free_ones_come_first(world: World) -> None:
    park = subscriber(world.shop)
    charge(world.shop, price={"model": "percentage", "rate_percent": "10", "fixed_fee": "1", "free_events": 1})
    world.go_to(date(2026, 3, 31))
    use(world.shop, park, [("b", at(21), 20), ("a", at(20), 1000), ("c", at(22), 30)])
    world.go_to(date(2026, 4, 3))
    (march,) = world.issue(MARCH)
    assert march.payable_fen == 700, "the first in time is free; 2 + 1 and 3 + 1 yuan"
    check(world)


def test_the_price_of_its_time_tier_and_region_holds(world: World) -> None:
    basic, leading = subscriber(world.shop, 1), subscriber(world.shop, 2, Tier.LEADING)
    nobody = world.park(3)
    charge(world.shop, price="1")
    charge(world.shop, price="2", scope=PriceScope(tier="leading"))
    dearer = charge(world.shop, price="10", valid_from=at(16, hour=16))
    world.go_to(date(2026, 3, 31))
    for park in (basic, leading, nobody):
        use(world.shop, park, [("before", at(16, hour=15), 1), ("after", at(16, hour=16), 1)])
    world.go_to(date(2026, 4, 3))
    found = {row.park_id: lines(world, row) for row in world.issue(MARCH)}
    assert found == {
        basic.tenant_id: [(MARCH, "meter:energy", "1", 100), (MARCH, "meter:energy", "1", 1000)],
        leading.tenant_id: [(MARCH, "meter:energy", "2", 400)],
    }, "the more specific price goes on; who subscribes to nothing is charged nothing"
    check(world)
    with pytest.raises(Invalid) as refused:
        charge(world.shop, price="0.1", valid_from=dearer.valid_from)
    assert refused.value.code == "price.backdated"


def test_use_before_a_charge_or_a_tier_began_costs_nothing(world: World) -> None:
    park = subscriber(world.shop)
    use(world.shop, park, [("a", at(1), 5), ("b", at(2, hour=1) - timedelta(seconds=1), 7)])
    charge(world.shop)
    world.go_to(date(2026, 4, 3))
    assert world.issue(MARCH) == ()
    check(world)


def test_what_a_correction_lowers_is_asked_back_and_a_person_decides(world: World) -> None:
    park = subscriber(world.shop)
    charge(world.shop, price="1")
    world.go_to(date(2026, 3, 31))
    use(world.shop, park, [("a", at(20), 100), ("b", at(21), 50)])
    world.go_to(date(2026, 4, 3))
    (march,) = world.issue(MARCH)
    use(world.shop, park, [("c", at(22), 25)])
    roll(world.shop)
    world.go_to(date(2026, 5, 2))
    (april,) = world.issue(APRIL)
    assert (march.payable_fen, april.payable_fen) == (15_000, 2_500)
    use(world.shop, park, [("a2", at(20), 40)], correctsid="a")
    roll(world.shop)
    world.go_to(date(2026, 6, 2))
    assert world.issue(MAY) == (), "a credit is no line"
    asked = notes(world)
    assert sorted((note.status, note.amount_fen) for note in asked) == [("asked", 2_500), ("asked", 3_500)]
    check(world, MARCH, APRIL, MAY)
    assert world.issue(MAY) == ()
    assert len(notes(world)) == 2
    accept, refuse = sorted(asked, key=lambda note: note.amount_fen)
    with world.shop.work(SECOND) as work:
        credit_notes.issue_credit_note(work, note_id=accept.id, deliveries={})
        credit_notes.refuse_credit_note(work, note_id=refuse.id)
    (owed,) = [row for row in invoices(world) if row.id == april.id]
    assert (owed.status, owed.paid_fen) == ("paid", 2_500)
    check(world, MARCH, APRIL, MAY)
    use(world.shop, park, [("d", at(23), 5)])
    roll(world.shop)
    world.go_to(date(2026, 7, 2))
    assert world.issue("2026-06") == ()
    (again,) = [note for note in notes(world) if note.status == "asked"]
    assert again.amount_fen == 3_000, "15 000 + 2 500 - 2 500 stand for 120 units: what was refused counts as charged"
    check(world, MARCH, "2026-06")


def invoices(world: World) -> list[InvoiceRow]:
    with world.shop.work(FINANCE) as work:
        return list(invoicing.list_invoices(work).items)


def test_lines_of_a_void_invoice_are_billed_again_and_corrected_after_that(world: World) -> None:
    park = subscriber(world.shop)
    charge(world.shop, price="1")
    world.go_to(date(2026, 3, 31))
    use(world.shop, park, [("a", at(20), 100)])
    world.go_to(date(2026, 4, 3))
    (march,) = world.issue(MARCH)
    with world.shop.work(FINANCE) as work:
        invoice_voids.ask_void(work, invoice_id=march.id, reason="抬头有误")
    with world.shop.work(SECOND) as work:
        invoice_voids.void_invoice(work, invoice_id=march.id)
    use(world.shop, park, [("a2", at(20), 60)], correctsid="a")
    roll(world.shop)
    (again,) = [row for row in world.issue(MARCH) if row.status != "void"]
    assert lines(world, again) == [(MARCH, "meter:energy", "100", 10_000)]
    assert notes(world) == [], "nothing can be asked back of a line that stands on no invoice"
    check(world)
    world.go_to(date(2026, 5, 2))
    assert world.issue(APRIL) == ()
    assert [note.amount_fen for note in notes(world)] == [4_000]
    check(world)


def test_the_running_month_may_be_invoiced_and_its_rest_is_late(world: World) -> None:
    park = subscriber(world.shop)
    charge(world.shop, price="1")
    world.go_to(date(2026, 3, 10))
    use(world.shop, park, [("a", at(9), 10)])
    (march,) = world.issue(MARCH)
    charge(world.shop, price="5", valid_from=at(20, hour=16))
    world.go_to(date(2026, 3, 31))
    use(world.shop, park, [("b", at(15), 1), ("c", at(25), 1)])
    roll(world.shop)
    world.go_to(date(2026, 5, 2))
    (april,) = world.issue(APRIL)
    assert lines(world, march) == [(MARCH, "meter:energy", "10", 1000)]
    assert lines(world, april) == [(MARCH, "meter:energy", "1", 100), (MARCH, "meter:energy", "1", 500)]
    check(world)


def test_a_trace_leads_from_the_line_to_the_events_and_back(world: World) -> None:
    park, other = subscriber(world.shop, 1), subscriber(world.shop, 2)
    charge(world.shop)
    world.go_to(date(2026, 3, 31))
    use(world.shop, park, [("a", at(20), 100), ("b", at(21), 20)])
    world.go_to(date(2026, 4, 3))
    (march,) = world.issue(MARCH)
    use(world.shop, park, [("c", at(22), 10)])
    with world.shop.work(park) as work:
        line = traces.trace_invoice_line(work, invoice_id=march.id, line=1)
        counted = traces.trace_event(work, source="meter-1", event_id="a")
        late = traces.trace_event(work, source="meter-1", event_id="c")
    assert line.charge is not None
    assert line.charge.metered is not None
    metered = line.charge.metered
    assert (metered.meter, metered.events, metered.quantity, metered.charged_fen) == ("energy", 2, Decimal(120), 6000)
    assert (line.event.source, [each.source_kind for each in line.charge.journals]) == (SOURCE, ["delivery"])
    (way,) = counted.counted_by
    assert (counted.standing, way.invoice_id, way.invoice_line) == (Standing.INVOICED, march.id, 1)
    assert (way.event_source, way.event_id) == (line.event.source, line.event.event_id)
    assert (late.standing, late.counted_by) == (Standing.NOT_INVOICED, ())
    with world.shop.work(other) as work, pytest.raises(NotFound):
        traces.trace_event(work, source="meter-1", event_id="a")


def test_what_cannot_be_charged_by_a_meter_is_refused(world: World) -> None:
    make_meter(world.shop, "level", "weighted_sum")
    make_meter(world.shop, "peak", "max")
    by_event = {"model": "percentage", "rate_percent": "1", "fixed_fee": "1"}
    already = {"model": "per_unit", "unit_price": "1", "already_units": "5"}
    for slug, price, code in (
        ("level", "1", "meter.not_chargeable"),
        ("peak", by_event, "charge.per_event"),
        ("energy", already, "charge.already"),
        ("energy", {"model": "volume", "tiers": []}, None),
    ):
        with pytest.raises(Invalid) as refused:
            charge(world.shop, slug, price)
        assert code in {None, refused.value.code}
    with pytest.raises(NotFound):
        charge(world.shop, "none")
    with pytest.raises(Conflict) as conflict:
        charge(world.shop, valid_from=charge(world.shop).valid_from)
    assert conflict.value.code == "price.already_set"


def test_nothing_is_billed_twice(world: World, database: Database) -> None:
    park = subscriber(world.shop)
    use(world.shop, park, [("a", at(1), 5)])
    with database.owner().begin() as connection:
        connection.execute(
            text(
                "INSERT INTO rated_usage (tenant_id, id, event_source, event_id, order_line_id, offering, title, price_id,"
                " quantity, vat_bp, gross_fen, subsidy_fen, payable_fen, awards, payment_method, period, rated_at)"
                " SELECT tenant_id, gen_random_uuid(), source, event_id, gen_random_uuid(), 'twin', '', gen_random_uuid(),"
                " 5, 0, 0, 0, 0, '[]', 'invoice', '2026-03', now() FROM usage_events"
            )
        )
    with pytest.raises(Conflict) as refused:
        charge(world.shop)
    assert refused.value.code == "meter.type_charged"
    with pytest.raises(Conflict) as refused:
        make_meter(world.shop, "again")
    assert refused.value.code == "meter.type_charged"


def test_several_who_issue_at_once_charge_once(world: World) -> None:
    parks = [subscriber(world.shop, number) for number in range(1, 5)]
    charge(world.shop)
    world.go_to(date(2026, 3, 31))
    for park in parks:
        use(world.shop, park, [("a", at(20), 100)])
    world.go_to(date(2026, 4, 10))
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda _: world.issue(MARCH), range(3)))
    assert [[row.payable_fen for row in rows] for rows in found] == [[5000] * 4] * 3
    check(world)


def test_a_run_that_crashes_anywhere_charges_once(world: World) -> None:
    parks = [subscriber(world.shop, number) for number in range(1, 4)]
    charge(world.shop)
    world.go_to(date(2026, 3, 31))
    for park in parks:
        use(world.shop, park, [("a", at(20), 100)])
    world.go_to(date(2026, 4, 10))
    with world.shop.work(FINANCE) as work:
        run = invoice_runs.start_run(work, period=MARCH)

    def strike() -> None:
        raise CrashError

    for survived in count():
        try:
            with before_statement(world.shop.engine, survived, strike):
                invoice_runs.carry_out_run(world.shop, FINANCE, run_id=run.id)
        except CrashError:
            continue
        break
    assert survived > 10
    assert sorted(row.payable_fen for row in invoices(world)) == [5000] * 3
    check(world)


BROKEN = {
    "metered-rated": "UPDATE rated_usage SET gross_fen = gross_fen + 1, payable_fen = payable_fen + 1",
    "metered-chain": "UPDATE metered_usage SET already_fen = already_fen + 1 WHERE number = 1",
    "metered-counted": "UPDATE metered_usage SET quantity = quantity + 1",
    "metered-once": "UPDATE usage_events SET type = 'energy.read', time = '2026-03-20' WHERE source = 'marketplace/metered'",
    "metered-credits": "UPDATE metered_credits SET amount_fen = amount_fen + 1",
}


def lived(world: World) -> Actor:
    """Let a park use, come late, and correct."""
    park = subscriber(world.shop)
    charge(world.shop, price="1")
    world.go_to(date(2026, 3, 31))
    use(world.shop, park, [("a", at(20), 100)])
    world.go_to(date(2026, 4, 3))
    world.issue(MARCH)
    use(world.shop, park, [("a2", at(20), 40)], correctsid="a")
    roll(world.shop)
    world.go_to(date(2026, 5, 2))
    world.issue(APRIL)
    return park


@pytest.mark.parametrize("name", BROKEN)
def test_each_invariant_finds_its_break(world: World, database: Database, name: str) -> None:
    lived(world)
    check(world)
    with database.owner().begin() as connection:
        connection.execute(text("SET session_replication_role = replica"))
        connection.execute(text(BROKEN[name]))
    assert name in broken(world.shop, INVARIANTS_METERED)


def test_there_is_a_break_for_every_invariant() -> None:
    assert set(BROKEN) == {invariant.name for invariant in INVARIANTS_METERED}


def test_reconciliation_rates_from_the_events_that_were_counted(world: World, database: Database) -> None:
    park = lived(world)
    with database.owner().begin() as connection:
        connection.execute(text("SET session_replication_role = replica"))
        connection.execute(text("UPDATE usage_events SET data = '{\"kwh\": 101}' WHERE event_id = 'a'"))
    with world.shop.work(FINANCE) as work:
        (found,) = reconciliation.reconcile(work, period=MARCH).breaks
    assert (found.kind, found.expected_fen, found.actual_fen) == ("usage_rated", 10_100, 10_000)
    with world.shop.work(park) as work, pytest.raises(ProgrammingError):
        work.session.execute(
            text("INSERT INTO metered_usage SELECT * FROM metered_usage")
        )  # and a park may not write what it owes
