"""Attendance and money: the park alone pays what its booking's rule says, once, and nothing when the instrument is down."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.rules.attendance_fees import FeeKind, fee_of, price_of_unit
from billing.rules.use_proofs import UseProof
from billing.usecases import alerts, claims
from billing.usecases.claim_views import LineDetail
from marketplace.demo.theatre import Play
from marketplace.formats.claims_table import claims_table
from marketplace.jobs import clockwork
from marketplace.rules.orders import PaymentMethod
from marketplace.usecases import attendance as fees
from marketplace.usecases import fulfilment
from marketplace.usecases.views import OrderView
from services.rules.attendance import AttendanceTerms, Metering
from services.usecases import attendance, attendance_rules, bookings, suspensions
from tenants.kernel.clock import CHINA
from tenants.kernel.context import Actor
from tenants.kernel.errors import Conflict
from tests.support import plays
from tests.support.plays import YUAN, booking_of, free_slots, inspection, money

MILLION = 1_000_000 * YUAN
RULE = AttendanceTerms(0, 60, 15, 24 * 60, 3_333, 10_000, 30, 50_00, Metering.BOOKED)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def park(play: Play) -> Actor:
    plays.give_money(play, MILLION)
    return play.person("park01")


def booked(play: Play, park: Actor, rule: AttendanceTerms = RULE, **how: PaymentMethod) -> OrderView:
    """Set a rule and book under it."""
    slot = free_slots(play, park)[0]
    play.do(play.lab, lambda work: attendance_rules.set_rule(work, instrument_id=slot.instrument_id, terms=rule))
    return plays.order(play, park, inspection(slot), **how)


def starts(order: OrderView) -> bookings.BookingView:
    booking = order.lines[0].booking
    assert booking is not None
    return booking


def charged(play: Play, park: Actor, order: OrderView) -> list[tuple[str, int]]:
    (line,) = plays.now(play, park, order).lines
    return [(fee.kind.value, fee.amount_fen) for fee in line.fees]


def usage(play: Play) -> dict[str, int]:
    found = plays.counted(
        play,
        "SELECT offering, sum(gross_fen)::bigint FROM rated_usage WHERE subsidy_fen = 0 AND offering <> 'subscription'"
        " GROUP BY offering",
    )
    return dict(found)


def report(play: Play, order: OrderView) -> None:
    play.do(
        play.lab,
        lambda work: bookings.report_inspection(
            work,
            booking_id=booking_of(order),
            file_name="r.pdf",
            media_type="application/pdf",
            content=b"%PDF-1.7 report",
            passed=True,
        ),
    )
    play.work_queue()


def own_claims(play: Play, park: Actor) -> tuple[LineDetail, ...]:
    return play.do(park, lambda work: claims.list_own_lines(work, limit=50)).items


def attend(play: Play, park: Actor, order: OrderView, came: timedelta, left: timedelta) -> None:
    booking = starts(order)
    play.clock.instant = booking.starts_at + came
    play.do(park, lambda work: attendance.check_in(work, booking_id=booking.id))
    play.clock.instant = booking.ends_at + left
    play.do(play.lab, lambda work: attendance.check_out(work, booking_id=booking.id))


def test_who_does_not_come_pays_the_rules_share_and_the_fund_nothing(play: Play, park: Actor) -> None:
    plays.top_up(play, park, 10_000 * YUAN)
    order = booked(play, park, method=PaymentMethod.WALLET)
    assert money(play)[1] == order.subsidy_fen > 0
    play.clock.instant = starts(order).starts_at + 16 * MINUTE
    clockwork.settle_no_shows(play.market)
    after = plays.fingerprint(play)
    clockwork.settle_no_shows(play.market)
    clockwork.follow_up_deliveries(play.market)
    assert plays.fingerprint(play) == after, "once"
    order = plays.now(play, park, order)
    assert (order.status, order.lines[0].failure_code) == ("cancelled", fees.NO_SHOW)
    assert starts(order).status == "no_show"
    assert money(play) == (MILLION, 0, 0)
    assert plays.wallet(play, park) == (10_000 * YUAN, 0)
    assert charged(play, park, order) == [("no_show", order.gross_fen)]
    assert usage(play) == {"attendance": order.gross_fen}


def test_eight_clocks_and_a_late_cancellation_charge_one_fee(play: Play, park: Actor) -> None:
    order = booked(play, park)
    booking = starts(order)
    play.clock.instant = booking.starts_at + 16 * MINUTE
    settle = partial(
        play.do, plays.worker_of(park), lambda work: fulfilment.settle_no_show(work, booking_id=booking.id)
    )
    ends = plays.at_once([settle] * 8)
    assert sorted(ends, key=str) == [False] * 7 + [True]
    assert charged(play, park, order) == [("no_show", order.gross_fen)]


def test_cancelling_is_free_until_the_notice_and_then_costs_the_share_rounded_down(play: Play, park: Actor) -> None:
    order = booked(play, park)
    limit = starts(order).starts_at - timedelta(days=1)
    play.clock.instant = limit
    assert play.do(park, lambda work: fees.cancel_fee(work, order=order)) == 0
    play.clock.instant = limit + timedelta(microseconds=1)
    fee = order.gross_fen * 3_333 // 10_000
    assert play.do(park, lambda work: fees.cancel_fee(work, order=order)) == fee
    order = play.do(park, lambda work: fulfilment.cancel_order(work, order_id=order.id))
    play.do(park, lambda work: fulfilment.cancel_order(work, order_id=order.id))
    assert (order.status, charged(play, park, order)) == ("cancelled", [("late_cancel", fee)])
    assert money(play) == (MILLION, 0, 0)
    assert usage(play) == {"attendance": fee}


def test_cancelling_in_time_charges_nothing(play: Play, park: Actor) -> None:
    order = booked(play, park)
    play.clock.instant = starts(order).starts_at - timedelta(days=1)
    play.do(park, lambda work: fulfilment.cancel_order(work, order_id=order.id))
    assert (charged(play, park, order), usage(play)) == ([], {})


def test_staying_longer_costs_started_units_once_the_result_is_there(play: Play, park: Actor) -> None:
    order = booked(play, park)
    attend(play, park, order, -10 * MINUTE, 31 * MINUTE)
    assert usage(play) == {}, "the instrument may still turn out to have been down"
    report(play, order)
    assert charged(play, park, order) == [("overrun", 100_00)]
    assert plays.now(play, park, order).status == "completed"
    assert money(play) == (MILLION - order.subsidy_fen, 0, order.subsidy_fen)
    (line,) = {each.id: each for each in own_claims(play, park)}.values()
    booking = starts(order)
    assert line.use == UseProof(
        booked_from=booking.starts_at,
        booked_to=booking.ends_at,
        checked_in_at=booking.starts_at - 10 * MINUTE,
        checked_out_at=booking.ends_at + 31 * MINUTE,
        used_minutes=60 + 41,
        received_at=None,
        test_begun_at=None,
        custody_sha256=None,
    )
    assert line.report_sha256 == plays.now(play, park, order).lines[0].result_sha256
    table = claims_table("t", [line])
    row = dict(zip(table.header, table.rows[0], strict=True))
    assert (row["预约分钟"], row["使用分钟"]) == (60, 101)
    assert row["签到"] == f"{(booking.starts_at - 10 * MINUTE).astimezone(CHINA):%Y-%m-%d %H:%M:%S}"


def test_the_larger_of_booked_and_used_costs_the_bookings_own_price(play: Play, park: Actor) -> None:
    larger = AttendanceTerms(0, 60, 15, 0, 0, 0, 20, 0, Metering.LARGER)
    order = booked(play, park, larger)
    attend(play, park, order, timedelta(), 21 * MINUTE)
    report(play, order)
    assert charged(play, park, order) == [("overrun", 2 * (order.gross_fen * 20 // 60))]


def test_nothing_is_charged_when_the_instrument_is_down_whatever_the_rule(play: Play, park: Actor) -> None:
    order = booked(play, park)
    attend(play, park, order, timedelta(), 120 * MINUTE)
    play.do(play.lab, lambda work: bookings.fail_inspection(work, booking_id=booking_of(order), reason="光源损坏"))
    play.work_queue()
    clockwork.settle_no_shows(play.market)
    assert plays.now(play, park, order).status == "failed"
    assert (charged(play, park, order), usage(play), money(play)) == ([], {}, (MILLION, 0, 0))


def told(play: Play, park: Actor) -> list[str]:
    return [each.kind for each in play.do(park, alerts.list_alerts)]


def test_too_many_no_shows_suspend_and_tell_the_park_and_a_lift_does_too(play: Play, park: Actor) -> None:
    order = booked(play, park, replace(RULE, suspend_after=1))
    booking = starts(order)
    play.clock.instant = booking.starts_at + 16 * MINUTE
    clockwork.settle_no_shows(play.market)
    (suspension,) = play.do(park, suspensions.list_own_suspensions).items
    assert (suspension.provider_id, suspension.booking_ids) == (booking.provider_id, (booking.id,))
    assert told(play, park) == [fees.SUSPENDED]
    with pytest.raises(Conflict) as refused:
        plays.ask(play, park, inspection(free_slots(play, park)[0]))
    assert refused.value.code == "booking.suspended"
    play.do(play.lab, lambda work: suspensions.lift_suspension(work, suspension_id=suspension.id, reason="情况属实"))
    play.work_queue()
    assert sorted(told(play, park)) == [fees.SUSPENDED, fees.LIFTED]
    plays.order(play, park, inspection(free_slots(play, park)[0]))


def test_a_quote_from_before_the_suspension_is_no_way_around_it(play: Play, park: Actor) -> None:
    order = booked(play, park, replace(RULE, suspend_after=1))
    play.clock.instant = starts(order).starts_at + 16 * MINUTE
    quote = plays.ask(play, park, inspection(free_slots(play, park)[0]))
    clockwork.settle_no_shows(play.market)
    before = plays.fingerprint(play)
    with pytest.raises(Conflict) as refused:
        plays.confirm(play, park, quote.id)
    assert refused.value.code == "booking.suspended"
    assert plays.fingerprint(play) == before


def test_a_clock_that_died_between_the_no_show_and_the_suspension_makes_it_good(play: Play, park: Actor) -> None:
    order = booked(play, park, replace(RULE, suspend_after=1))
    booking = starts(order)
    play.clock.instant = booking.starts_at + 16 * MINUTE
    play.do(plays.worker_of(park), lambda work: fulfilment.settle_no_show(work, booking_id=booking.id))
    assert play.do(park, suspensions.list_own_suspensions).items == ()
    clockwork.settle_no_shows(play.market)
    clockwork.settle_no_shows(play.market)
    assert len(play.do(park, suspensions.list_own_suspensions).items) == 1


def test_a_booking_without_a_rule_is_never_missed(play: Play, park: Actor) -> None:
    order = plays.order(play, park, inspection(free_slots(play, park)[0]))
    play.clock.instant = starts(order).ends_at
    clockwork.settle_no_shows(play.market)
    assert plays.now(play, park, order).status == "placed"


@given(st.integers(0, 10**11), st.integers(0, 10_000), st.integers(0, 100), st.integers(0, 10**8))
def test_a_fee_is_whole_fen_and_never_more_than_the_rule(base: int, rate: int, units: int, unit: int) -> None:
    share = fee_of(FeeKind.NO_SHOW, base_fen=base, rate_bp=rate, units=0, unit_fen=0)
    assert share * 10_000 <= base * rate < (share + 1) * 10_000
    assert share <= base
    assert fee_of(FeeKind.OVERRUN, base_fen=base, rate_bp=0, units=units, unit_fen=unit) == units * unit
    piece = price_of_unit(base, 60, 20)
    assert piece * 60 <= base * 20 < (piece + 1) * 60
