"""Bookings charged by actual use: what was booked and not used goes back to both payers, whoever asks, once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import text

from billing.usecases import budgets, discounts, entitlement_claims, entitlements, invoicing, reconciliation
from marketplace.composition import Marketplace
from marketplace.demo import world
from marketplace.demo.theatre import Play
from marketplace.jobs.handlers import HANDLERS
from marketplace.rules.orders import PaymentMethod
from marketplace.usecases import invariants
from marketplace.usecases.views import OrderLineView, OrderView
from services.rules.attendance import AttendanceTerms, Metering
from services.usecases import attendance, attendance_rules, bookings
from tenants.kernel.context import Actor, system_actor
from tenants.kernel.identifiers import new_id
from tests.marketplace.test_attendance import MILLION, MINUTE, attend, charged, own_claims, report, starts
from tests.marketplace.test_attendance import booked as booked_hour
from tests.marketplace.test_included_units import set_plan
from tests.support import plays, subsidies
from tests.support.crashes import crash_everywhere, killed_before
from tests.support.plays import INSPECTION, YUAN, Wish, booking_of, free_slots, money

ACTUAL = AttendanceTerms(0, 60, 60, 0, 0, 0, 30, 50_00, Metering.ACTUAL)
HOUR = timedelta(hours=1)
PURSE = 20_000 * YUAN


@pytest.fixture
def park(play: Play) -> Actor:
    plays.give_money(play, MILLION)
    park = play.person("park01")
    plays.top_up(play, park, PURSE)
    return park


def booked(play: Play, park: Actor, hours: int = 3, rule: AttendanceTerms = ACTUAL) -> OrderView:
    slot = free_slots(play, park)[0]
    play.do(play.lab, lambda work: attendance_rules.set_rule(work, instrument_id=slot.instrument_id, terms=rule))
    request = {
        "instrument_id": str(slot.instrument_id), "starts_at": slot.starts_at.isoformat(), "purpose": "检测",
        "slots": hours,
    }  # fmt: skip
    return plays.order(play, park, Wish(INSPECTION, request), method=PaymentMethod.WALLET)


def used(play: Play, park: Actor, order: OrderView, came: timedelta, left: timedelta) -> OrderLineView:
    """Check in and out, so long after the start and the end, and let the result come in; return the line."""
    attend(play, park, order, came, left)
    report(play, order)
    (line,) = plays.now(play, park, order).lines
    return line


def test_unused_hours_go_back_to_fund_wallet_budget_and_are_on_no_bill(play: Play, park: Actor) -> None:
    play.do(park, lambda work: budgets.set_budget(work, limit=100_000 * YUAN))
    order = booked(play, park)
    line = used(play, park, order, 20 * MINUTE, -HOUR + 10 * MINUTE)
    assert line.unused is not None
    assert (line.unused.booked_units, line.unused.used_units) == (3, 2), "110 minutes are two started hours"
    gross, subsidy = order.gross_fen * 2 // 3, order.subsidy_fen * 2 // 3
    assert (line.gross_fen, line.gross_fen - line.unused.gross_fen) == (order.gross_fen, gross)
    assert money(play) == (MILLION - subsidy, 0, subsidy)
    assert plays.wallet(play, park) == (PURSE - (gross - subsidy), 0)
    (budget,) = play.do(park, budgets.list_budgets)
    assert budget.used == gross - subsidy
    (claim,) = own_claims(play, park)
    assert claim.amount_fen == subsidy
    rated = "SELECT 'units', quantity::bigint FROM rated_usage WHERE offering = 'shared-inspection'"
    assert plays.counted(play, rated) == {"units": 2}
    metered = "SELECT 'units', (data ->> 'quantity')::bigint FROM usage_events WHERE type = 'inspection.report'"
    assert plays.counted(play, metered) == {"units": 2}
    play.clock.advance(timedelta(days=40))
    period = f"{starts(order).starts_at:%Y-%m}"
    play.do(play.finance, lambda work: invoicing.issue_invoices(work, period=period))
    lines = "SELECT offering, gross_fen FROM invoice_lines WHERE offering = 'shared-inspection'"
    assert plays.counted(play, lines) == {"shared-inspection": gross}
    assert play.do(play.finance, lambda work: reconciliation.reconcile(work, period=period)).breaks == ()


@pytest.mark.parametrize(
    ("came", "left", "units"),
    [
        (timedelta(), timedelta(), 3),
        (-30 * MINUTE, -30 * MINUTE, 3),
        (timedelta(), -HOUR, 2),
        (timedelta(), -HOUR + timedelta(seconds=1), 3),
        (30 * MINUTE, -2 * HOUR - 15 * MINUTE, 1),
    ],
)
def test_started_hours_count_whole(
    play: Play, park: Actor, came: timedelta, left: timedelta, units: int
) -> None:  # fmt: skip
    order = booked(play, park)
    line = used(play, park, order, came, left)
    assert (3 if line.unused is None else line.unused.used_units) == units
    assert money(play)[2] == order.subsidy_fen * units // 3
    assert charged(play, park, order) == []


def test_without_a_check_out_the_booked_time_counts(play: Play, park: Actor) -> None:
    order = booked(play, park)
    booking = starts(order)
    play.clock.instant = booking.starts_at
    play.do(park, lambda work: attendance.check_in(work, booking_id=booking.id))
    report(play, order)
    (line,) = plays.now(play, park, order).lines
    assert (line.status, line.unused) == ("delivered", None)
    assert money(play)[1:] == (0, order.subsidy_fen)


def test_time_over_the_end_has_its_fee_and_no_more_than_booked_is_paid_by_the_orders_price(
    play: Play, park: Actor
) -> None:
    order = booked(play, park)
    line = used(play, park, order, 50 * MINUTE, 31 * MINUTE)
    assert line.unused is None, "130 minutes within the booking are three started hours"
    assert charged(play, park, order) == [("overrun", 100_00)]
    assert plays.wallet(play, park) == (PURSE - order.payable_fen, 0)


def test_a_booking_under_another_rule_gives_nothing_back(play: Play, park: Actor) -> None:
    order = booked_hour(play, park, AttendanceTerms(0, 60, 15, 0, 0, 0, 30, 0, Metering.LARGER))
    assert used(play, park, order, timedelta(), -50 * MINUTE).unused is None
    assert money(play)[1:] == (0, order.subsidy_fen)


def test_included_hours_are_used_first_and_given_back_to_the_plan(play: Play, park: Actor) -> None:
    set_plan(play, included={INSPECTION: 1})
    order = booked(play, park)
    assert order.lines[0].included == 1
    line = used(play, park, order, timedelta(), -HOUR)
    assert line.unused is not None
    assert line.unused.gross_fen == order.gross_fen - order.gross_fen // 2, "one of two hours that cost something"
    units = "SELECT 'units', units FROM plan_counters UNION ALL SELECT 'included', included FROM plan_counters"
    assert plays.counted(play, units) == {"units": 2, "included": 1}


def test_a_later_award_and_a_discount_follow_the_smaller_price(play: Play, park: Actor) -> None:
    funders = [{"fund": world.FUND_SLUG, "share_bp": 10000}]
    terms = subsidies.policy(mode="auto", rates=[{"rate_bp": 1000}], payee="tenant", funders=funders)
    subsidies.approve_programme(play.market.workshop, "automatic", terms)
    cheaper(play, park, 333)
    order = booked(play, park)
    assert order.lines[0].agreed_discount_fen == order.lines[0].list_fen * 333 // 10_000 > 0
    line = used(play, park, order, timedelta(), -HOUR)
    assert line.unused is not None
    gross = order.gross_fen - line.unused.gross_fen
    assert gross == order.gross_fen * 2 // 3
    (offered,) = play.do(park, entitlements.offered_automatically)
    before = next(each["amount_fen"] for each in line.awards if each["programme"] == "automatic")
    fen = before * gross // order.gross_fen
    assert offered.grantable_fen == fen > 0
    play.do(park, lambda work: entitlement_claims.confirm_entitlement(work, entitlement_id=offered.id, amount_fen=fen))
    period = f"{play.clock.now():%Y-%m}"
    assert play.do(play.finance, lambda work: reconciliation.reconcile(work, period=period)).breaks == ()


def cheaper(play: Play, park: Actor, rate_bp: int) -> None:
    """Agree on a discount of the offering for the park."""
    wish = discounts.DiscountWish(
        park_id=park.require_tenant(), tier=None, offering=INSPECTION, rate_bp=rate_bp, amount_fen=None,
        valid_from=play.clock.now(), valid_to=play.clock.now() + timedelta(days=60), reason="首年优惠",
    )  # fmt: skip
    asker, other = (system_actor("finance", on_behalf_of=new_id()) for _ in range(2))
    made = play.do(asker, lambda work: discounts.ask_discount(work, wish=wish))
    if made.status == "asked":
        play.do(other, lambda work: discounts.approve_discount(work, discount_id=made.id))


def complete(market: Marketplace, actor: Actor, payload: Mapping[str, str]) -> None:
    """Settle a reported inspection, as the queue's worker does."""
    HANDLERS["inspection.reported"](market, actor, payload)


def reported(play: Play, park: Actor) -> tuple[OrderView, dict[str, str]]:
    """Let an inspection be used in part and reported, and its event wait."""
    order = booked(play, park)
    attend(play, park, order, timedelta(), -2 * HOUR)
    play.do(
        play.lab,
        lambda work: bookings.report_inspection(
            work, booking_id=booking_of(order), file_name="r.pdf", media_type="application/pdf",
            content=b"%PDF-1.7 report", passed=True,
        ),
    )  # fmt: skip
    return order, {"booking_id": str(booking_of(order))}


def test_a_settlement_of_a_part_that_crashes_anywhere_leaves_nothing_half_done(play: Play, park: Actor) -> None:
    order, payload = reported(play, park)
    step = partial(complete, play.market, plays.worker_of(park), payload)
    assert crash_everywhere(play.market.engine, step, partial(plays.fingerprint, play)) > 20
    after = plays.fingerprint(play)
    step()
    assert plays.fingerprint(play) == after
    assert money(play)[1:] == (0, order.subsidy_fen // 3)


def test_a_process_killed_amid_the_settlement_of_a_part_leaves_nothing(play: Play, park: Actor) -> None:
    _, payload = reported(play, park)
    before = plays.fingerprint(play)
    for statement in (5, 15, 25):
        assert killed_before(play, complete, plays.worker_of(park), payload, statement)
        assert plays.fingerprint(play) == before


BREAKS = {
    "unused-part-charged": "UPDATE rated_usage SET gross_fen = gross_fen + 1, payable_fen = payable_fen + 1"
    " WHERE offering = 'shared-inspection'",
    "unused-part-given-back": "UPDATE unused_parts SET subsidy_fen = subsidy_fen - 1, payable_fen = payable_fen + 1",
    "line-rated": "UPDATE unused_parts SET gross_fen = gross_fen + 1, payable_fen = payable_fen + 1",
    "line-captured": "UPDATE unused_parts SET subsidy_fen = subsidy_fen - 1, payable_fen = payable_fen + 1",
    "line-actual-use": "UPDATE attendance_notes SET at = at + interval '1 hour' WHERE step = 'checked_out'",
    "plan-use-of-line": "UPDATE unused_parts SET agreed_discount_fen = 1",
}


def test_each_invariant_is_broken_by_something(play: Play, park: Actor) -> None:
    used(play, park, booked(play, park), timedelta(), -HOUR)
    queries: dict[str, Any] = {each.name: text(each.sql) for each in invariants.ALL}
    with plays._owner(play) as connection:
        for name, change in BREAKS.items():
            with connection.begin_nested() as undone:
                assert connection.execute(queries[name]).all() == [], name
                connection.execute(text(change))
                assert connection.execute(queries[name]).all(), name
                undone.rollback()
