"""A plan's monthly minimum: the difference of a month is charged once, by the day, as usage that stands on its invoice."""

from __future__ import annotations

from datetime import date
from functools import partial
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from billing.rules.minimums import Held, minimum_of, shortfall
from billing.usecases import discounts, invoice_drafts, invoicing, minimums, reconciliation, traces
from billing.usecases.discounts import DiscountWish
from billing.usecases.invariants_minimums import INVARIANTS_MINIMUMS
from marketplace.usecases import invariants
from tenants.kernel.clock import ManualClock
from tenants.kernel.context import Actor, system_actor
from tenants.kernel.identifiers import new_id
from tenants.kernel.vocabulary import Tier
from tenants.kernel.work import WorkShop
from tenants.rules.days import Span
from tests.support.billing_world import make_world
from tests.support.crashes import crash_everywhere
from tests.support.databases import Database
from tests.support.fees import at, charge, clockwork, do, set_plan, subscribe
from tests.support.invariants import broken
from tests.support.parks import person, verified_park
from tests.support.returns import Returns

FINANCE = system_actor("finance")
MARCH = Span(date(2026, 3, 1), date(2026, 4, 1))
DAY = st.integers(0, 31)


@given(st.integers(0, 10**10), st.lists(DAY, max_size=5))
def test_the_days_of_a_month_never_ask_for_more_than_its_minimum(minimum: int, cuts: list[int]) -> None:
    days = [MARCH.start.fromordinal(MARCH.start.toordinal() + cut) for cut in sorted({0, *cuts, 31})]
    held = [Held(minimum, Span(start, end)) for start, end in pairwise(days)]
    assert minimum - len(held) < minimum_of(MARCH, held) <= minimum
    assert minimum_of(MARCH, [Held(minimum, Span(date(2026, 2, 10), date(2026, 5, 1)))]) == minimum
    assert minimum_of(MARCH, [Held(minimum, Span(date(2026, 4, 1), date(2026, 5, 1)))]) == 0


@given(st.integers(0, 10**10), st.integers(0, 10**10))
def test_a_shortfall_fills_up_to_the_minimum(minimum: int, charges: int) -> None:
    assert charges + shortfall(minimum, charges) == max(minimum, charges)


@pytest.fixture
def park(workshop: WorkShop) -> Actor:
    """A verified park; the enhanced tier costs nothing and asks for 3,100 yuan of services a month, the leading 6,200."""
    set_plan(workshop, Tier.ENHANCED, 0, monthly_minimum_fen=310_000)
    set_plan(workshop, Tier.LEADING, 0, monthly_minimum_fen=620_000)
    verified_park(workshop, 1)
    return person(workshop, "admin1")


def settle(shop: WorkShop) -> int:
    return int(do(shop, system_actor("clockwork"), minimums.charge_minimums))


def start_in_march(shop: WorkShop, clock: ManualClock, park: Actor) -> None:
    """Have the enhanced tier from 2 March on, 30 days of 31, and be in April."""
    subscribe(shop, park, Tier.ENHANCED)
    charge(shop, park)
    clock.instant = at(2026, 4, 1)
    clockwork(shop, park)


def test_the_difference_is_charged_once_when_the_months_grace_is_over(
    workshop: WorkShop, clock: ManualClock, park: Actor
) -> None:
    start_in_march(workshop, clock, park)
    assert settle(workshop) == 0, "late use of March is still waited for"
    clock.instant = at(2026, 4, 5)
    assert [settle(workshop), settle(workshop)] == [1, 0]
    (row,) = do(workshop, FINANCE, lambda work: invoicing.issue_invoices(work, period="2026-03"))
    (line,) = do(workshop, FINANCE, lambda work: invoicing.read_invoice(work, invoice_id=row.id)).lines
    assert (line.payable_fen, line.subsidy_fen, line.period) == (300_000, 0, "2026-03")
    there = do(workshop, FINANCE, lambda work: traces.trace_invoice_line(work, invoice_id=row.id, line=1))
    back = do(workshop, park, lambda work: traces.trace_event(work, source=line.event_source, event_id=line.event_id))
    assert there == back
    assert there.charge.price.charge == {
        "model": "minimum", "period": "2026-03", "minimum_fen": 300_000, "charges_fen": 0, "charged_fen": 300_000,
    }  # fmt: skip
    assert do(workshop, FINANCE, lambda work: reconciliation.reconcile(work, period="2026-03")).breaks == ()
    assert do(workshop, FINANCE, invariants.check) == ()


def test_an_invoice_issued_before_the_grace_is_over_has_its_minimum(
    workshop: WorkShop, clock: ManualClock, park: Actor
) -> None:
    subscribe(workshop, park, Tier.ENHANCED)
    charge(workshop, park)
    clock.instant = at(2026, 3, 17)
    subscribe(workshop, park, Tier.LEADING)  # the 17th belongs to it: 15 days of 31
    charge(workshop, park)
    assert do(workshop, FINANCE, lambda work: invoicing.issue_invoices(work, period="2026-03")) == (), "not over"
    clock.instant = at(2026, 4, 1)
    clockwork(workshop, park)
    (row,) = do(workshop, FINANCE, lambda work: invoicing.issue_invoices(work, period="2026-03"))
    assert row.payable_fen == 310_000 * 15 // 31 + 620_000 * 15 // 31
    clock.instant = at(2026, 4, 5)
    assert settle(workshop) == 0
    assert do(workshop, FINANCE, lambda work: invoicing.issue_invoices(work, period="2026-04")) == ()
    expected = do(
        workshop, FINANCE, lambda work: minimums.expected_minimum(work, period="2026-04", park_id=row.park_id)
    )
    assert expected == 620_000
    assert do(workshop, FINANCE, lambda work: invoice_drafts.list_drafts(work, period="2026-04")) == ()
    assert do(workshop, FINANCE, invariants.check) == ()


def test_a_crash_anywhere_charges_all_or_nothing(workshop: WorkShop, clock: ManualClock, park: Actor) -> None:
    start_in_march(workshop, clock, park)
    clock.instant = at(2026, 4, 5)

    def seen() -> object:
        tables = ("minimum_charges", "rated_usage", "usage_events", "journals", "postings")
        with workshop.work(FINANCE) as work:
            return [work.session.execute(text(f"SELECT count(*) FROM {table}")).scalar() for table in tables]

    assert crash_everywhere(workshop.engine, partial(settle, workshop), seen) >= 5
    assert do(workshop, FINANCE, invariants.check) == ()


BROKEN = {
    "minimum-charged": "UPDATE rated_usage SET gross_fen = gross_fen + 1, payable_fen = payable_fen + 1",
    "minimum-of-plans": "UPDATE plans SET monthly_minimum_fen = monthly_minimum_fen + 31",
    "minimum-charges": "UPDATE rated_usage SET offering = 'twin'",
}


def test_each_invariant_finds_its_break(
    workshop: WorkShop, clock: ManualClock, park: Actor, database: Database
) -> None:  # fmt: skip
    start_in_march(workshop, clock, park)
    clock.instant = at(2026, 4, 5)
    assert settle(workshop) == 1
    assert set(BROKEN) == {each.name for each in INVARIANTS_MINIMUMS}
    for name, change in BROKEN.items():
        with database.owner().connect() as connection, connection.begin() as transaction:
            connection.execute(text("SET session_replication_role = replica"))
            connection.execute(text(change))
            (wanted,) = [each for each in INVARIANTS_MINIMUMS if each.name == name]
            assert connection.execute(text(wanted.sql)).all(), name
            transaction.rollback()


def test_charges_count_before_discounts_and_without_what_was_returned(
    workshop: WorkShop, clock: ManualClock, park: Actor
) -> None:
    world = make_world(workshop, clock)
    subscribe(workshop, park, Tier.ENHANCED)
    charge(workshop, park)
    wish = DiscountWish(park.require_tenant(), None, "leads", 1_000, None, clock.now(), at(2026, 5, 1), "首年优惠")
    person_ = system_actor("finance", on_behalf_of=new_id())
    do(workshop, person_, lambda work: discounts.ask_discount(work, wish=wish))
    worker_of_park = system_actor("park", tenant_id=park.require_tenant(), on_behalf_of=new_id())
    world.deliver(worker_of_park, "leads", quantity=30)
    line = Returns(world).sold(worker_of_park, "leads")
    Returns(world).back(line, 1_000)
    clock.instant = at(2026, 4, 5)
    clockwork(workshop, park)
    assert settle(workshop) == 1
    (row,) = do(workshop, FINANCE, lambda work: invoicing.issue_invoices(work, period="2026-03"))
    lines = do(workshop, FINANCE, lambda work: invoicing.read_invoice(work, invoice_id=row.id)).lines
    (minimum,) = [each for each in lines if each.offering == "minimum"]
    assert minimum.payable_fen == 300_000 - (30 * 3_333 + 3_333 - 1_000)
    assert broken(workshop, INVARIANTS_MINIMUMS) == {}
