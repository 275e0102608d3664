"""Disputes of noted times: who was charged too much by them gets it back, each payer its own share, once."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from billing.rules.returns import ReturnCause
from billing.usecases import alerts, credit_notes, invoicing, reconciliation
from billing.usecases import attendance_disputes as disputes
from billing.usecases.claim_views import CorrectedUse
from marketplace.demo.theatre import Play
from marketplace.rules.settled import Payers
from marketplace.usecases import attendance_disputes as use_cases
from marketplace.usecases import invariants, orders, returns
from marketplace.usecases.views import OrderView
from services.usecases import attendance_rules
from tenants.kernel.context import Actor, system_actor
from tenants.kernel.errors import Conflict, Invalid, NotFound, Problem
from tenants.kernel.identifiers import new_id
from tests.marketplace.test_actual_use import ACTUAL, PURSE, booked, used
from tests.marketplace.test_attendance import MILLION, MINUTE, charged, own_claims, report, starts
from tests.marketplace.test_attendance_disputes import carry_out, decide, given_back, insist
from tests.support import plays
from tests.support.plays import free_slots, inspection, money

HOUR = timedelta(hours=1)
Dispute = disputes.DisputeView


@pytest.fixture
def park(play: Play) -> Actor:
    plays.give_money(play, MILLION)
    park = play.person("park01")
    plays.top_up(play, park, PURSE)
    return park


def ask(play: Play, park: Actor, order: OrderView, left: timedelta) -> Dispute:
    """Say that people came at the start, and left so long after it."""
    booking = starts(order)
    return play.do(
        park,
        lambda work: use_cases.ask_times_dispute(
            work, booking_id=booking.id, came_at=booking.starts_at, left_at=booking.starts_at + left, reason="漏签退"
        ),
    )


def colleague(play: Play) -> Actor:
    """Somebody of the laboratory who has noted nothing."""
    return replace(play.lab, user_id=new_id())


def test_a_check_out_noted_too_late_is_put_right_and_both_payers_get_their_share(play: Play, park: Actor) -> None:
    order = booked(play, park)
    used(play, park, order, timedelta(), 31 * MINUTE)
    assert charged(play, park, order) == [("overrun", 100_00)]
    asked = ask(play, park, order, 80 * MINUTE)
    back = order.gross_fen - order.gross_fen * 2 // 3
    assert (asked.kind, asked.fee_id, asked.amount_fen) == ("times", None, back + 100_00), "the overrun's fee with it"
    assert asked.times is not None
    assert (asked.times.used_units, asked.times.overrun_units) == (2, 0)
    with pytest.raises(Conflict) as same:
        decide(play, play.lab, asked.id, accept=True)
    assert same.value.code == "dispute.same_person"
    accepted = decide(play, colleague(play), asked.id, accept=True)
    assert (accepted.status, accepted.given_back_fen) == ("accepted", back + 100_00)
    assert given_back(play) == {"fen": back + 100_00}
    kept = order.subsidy_fen - order.subsidy_fen // 3
    assert money(play) == (MILLION - kept, 0, kept)
    (line,) = plays.now(play, park, order).lines
    of_line = [each for each in line.returns if each.amount_fen == back]
    assert [(each.park_fen, each.public_fen) for each in of_line] == [(order.payable_fen // 3, order.subsidy_fen // 3)]
    assert of_line[0].withdrawn_fen == order.subsidy_fen // 3
    assert plays.wallet(play, park)[0] == PURSE - order.payable_fen + order.payable_fen // 3
    assert line.booking is not None
    assert (line.booking.checked_out_at, line.booking.used_minutes) == (starts(order).ends_at + 31 * MINUTE, 80)
    assert line.booking.corrected_out_at == starts(order).starts_at + 80 * MINUTE
    placed = plays.now(play, park, order)
    assert placed.back == Payers(back, order.subsidy_fen // 3, order.payable_fen // 3)
    assert placed.settled == Payers(order.gross_fen - back, kept, order.payable_fen - order.payable_fen // 3)
    (row,) = play.do(park, orders.list_orders).items
    assert (row.back, row.settled, row.fees_fen, placed.fees_fen) == (placed.back, placed.settled, 0, 0)
    play.work_queue()
    assert "attendance.dispute_decided.accepted" in {each.kind for each in play.do(park, alerts.list_alerts)}
    period = f"{starts(order).starts_at:%Y-%m}"
    play.clock.advance(timedelta(days=40))
    play.do(play.finance, lambda work: invoicing.issue_invoices(work, period=period))
    assert play.do(play.finance, lambda work: reconciliation.reconcile(work, period=period)).breaks == ()


def test_a_line_used_in_part_is_put_right_again(play: Play, park: Actor) -> None:
    order = booked(play, park)
    line = used(play, park, order, timedelta(), -HOUR)
    assert line.unused is not None
    (row,) = play.do(park, orders.list_orders).items
    part = order.gross_fen // 3
    assert (row.back.gross_fen, row.settled.gross_fen) == (part, order.gross_fen - part)
    asked = ask(play, park, order, 40 * MINUTE)
    assert asked.amount_fen == part
    assert decide(play, colleague(play), asked.id, accept=False).status == "refused"
    assert insist(play, park, asked.id).status == "insisted"
    final = decide(play, play.person("operator"), asked.id, accept=True)
    assert (final.status, final.given_back_fen) == ("accepted", part)
    assert money(play)[2] == order.subsidy_fen // 3


def test_what_came_back_meanwhile_does_not_come_back_again(play: Play, park: Actor) -> None:
    order = booked(play, park)
    line = used(play, park, order, timedelta(), -HOUR)
    part = order.gross_fen // 3
    asked = ask(play, park, order, 40 * MINUTE)
    wish = returns.LineReturn(ReturnCause.WRONG, "多计一小时", "电话记录 1 号", part // 2)
    play.do(
        play.finance,
        lambda work: returns.return_line(work, order_id=order.id, line_id=line.id, wish=wish),
    )
    final = decide(play, colleague(play), asked.id, accept=True)
    assert (final.status, final.given_back_fen) == ("accepted", part - part // 2)
    (row,) = play.do(park, orders.list_orders).items
    assert row.settled.gross_fen == order.gross_fen - 2 * part


def test_what_stands_on_an_invoice_comes_back_by_a_credit_note(play: Play, park: Actor) -> None:
    slot = free_slots(play, park)[0]
    play.do(play.lab, lambda work: attendance_rules.set_rule(work, instrument_id=slot.instrument_id, terms=ACTUAL))
    wish = inspection(slot)
    order = plays.order(play, park, replace(wish, request={**wish.request, "slots": 2}))
    used(play, park, order, timedelta(), timedelta())
    asked = ask(play, park, order, 30 * MINUTE)
    play.clock.instant = (play.clock.now() + timedelta(days=31)).replace(day=2)
    period = f"{starts(order).starts_at:%Y-%m}"
    play.do(play.finance, lambda work: invoicing.issue_invoices(work, period=period))
    (before,) = own_claims(play, park)
    decide(play, colleague(play), asked.id, accept=True)
    (line,) = own_claims(play, park)
    assert (before.corrected_use, line.use) == (None, before.use), "the proof stays what it was at the delivery"
    assert line.due_fen == before.due_fen - order.subsidy_fen // 2
    assert line.corrected_use == CorrectedUse(starts(order).starts_at, starts(order).starts_at + 30 * MINUTE)
    told = line.proofs()["corrected_use"]["left_at"]
    assert datetime.fromisoformat(told) == line.corrected_use.left_at
    (note,) = play.do(play.finance, credit_notes.list_credit_notes).items
    assert (note.status, note.amount_fen) == ("issued", order.gross_fen // 2)
    assert play.do(play.finance, lambda work: reconciliation.reconcile(work, period=period)).breaks == ()


def test_times_that_cost_nothing_more_are_put_right_all_the_same(play: Play, park: Actor) -> None:
    order = booked(play, park, rule=replace(ACTUAL, metering=ACTUAL.metering.BOOKED))
    used(play, park, order, timedelta(), -10 * MINUTE)
    asked = ask(play, park, order, HOUR)
    assert (asked.amount_fen, asked.times and asked.times.used_units) == (0, None)
    accepted = decide(play, colleague(play), asked.id, accept=True)
    assert (accepted.status, given_back(play)) == ("accepted", {"fen": 0})
    assert starts(plays.now(play, park, order)).used_minutes == 60


def refused(play: Play, actor: Actor, order: OrderView, came: datetime, left: datetime) -> Problem:
    with pytest.raises(Problem) as problem:
        play.do(
            actor,
            lambda work: use_cases.ask_times_dispute(
                work, booking_id=starts(order).id, came_at=came, left_at=left, reason="x"
            ),
        )
    return problem.value


def test_times_are_disputed_once_in_time_by_their_park_and_only_made_shorter(play: Play, park: Actor) -> None:
    order = booked(play, park, rule=replace(ACTUAL, dispute_days=5))
    begin, end = starts(order).starts_at, starts(order).ends_at
    assert refused(play, park, order, begin, end).code == "dispute.not_charged"
    used(play, park, order, 10 * MINUTE, -30 * MINUTE)
    for came, left, field in (
        (begin, end - HOUR, "came_at"),
        (begin + 10 * MINUTE, end, "left_at"),
        (begin + 10 * MINUTE, end - 30 * MINUTE, "left_at"),
        (end - HOUR, end - HOUR, "left_at"),
    ):
        wrong = refused(play, park, order, came, left)
        assert isinstance(wrong, Invalid)
        assert [each.field for each in wrong.errors] == [field]
    right = (begin + 10 * MINUTE, begin + HOUR)
    assert isinstance(refused(play, play.person("park02"), order, *right), NotFound)
    assert refused(play, play.lab, order, *right).code == "auth.not_allowed"
    settled = play.clock.now()
    play.clock.instant = settled + timedelta(days=5)
    assert refused(play, park, order, *right).code == "dispute.too_late"
    play.clock.instant -= MINUTE
    until = play.do(park, lambda work: use_cases.times_disputable_until(work, booking=starts(order)))
    assert until == settled + timedelta(days=5)
    play.do(
        park,
        lambda work: use_cases.ask_times_dispute(
            work, booking_id=starts(order).id, came_at=right[0], left_at=right[1], reason="x"
        ),
    )
    assert refused(play, park, order, *right).code == "dispute.asked"
    assert play.do(park, lambda work: use_cases.times_disputable_until(work, booking=starts(order))) is None


def test_a_fee_is_disputed_within_the_days_of_its_rule(play: Play, park: Actor) -> None:
    order = booked(play, park, rule=replace(ACTUAL, dispute_days=30))
    used(play, park, order, timedelta(), 31 * MINUTE)
    (fee,) = play.do(park, disputes.disputable_fees)
    assert fee.until == fee.charged_at + timedelta(days=30)
    play.clock.instant = fee.until - MINUTE
    assert play.do(park, disputes.disputable_fees) == (fee,)
    play.clock.instant = fee.until
    assert play.do(park, disputes.disputable_fees) == ()


def test_of_eight_who_decide_at_once_one_does_and_the_use_comes_back_once(play: Play, park: Actor) -> None:
    order = booked(play, park)
    used(play, park, order, timedelta(), timedelta())
    asked = ask(play, park, order, 30 * MINUTE)
    decider = colleague(play)
    ends = plays.at_once([partial(decide, play, decider, asked.id, accept=at % 2 == 0) for at in range(8)])
    assert sum(isinstance(end, Dispute) for end in ends) == 1
    won = play.do(park, lambda work: disputes.read_own_dispute(work, dispute_id=asked.id))
    back = order.gross_fen - order.gross_fen // 3
    assert given_back(play) == {"fen": back if won.status == "accepted" else 0}


BREAKS = {
    "line-corrected-use": "UPDATE attendance_corrections SET left_at = left_at + interval '1 minute'",
    "attendance-dispute": "UPDATE attendance_disputes SET order_line_id = gen_random_uuid()",
}
LESS_BACK = "UPDATE bookings SET attendance = jsonb_set(attendance, '{metering}', '\"larger\"')"


def test_each_invariant_is_broken_by_something(play: Play, park: Actor) -> None:
    order = booked(play, park)
    used(play, park, order, timedelta(), timedelta())
    decide(play, colleague(play), ask(play, park, order, 30 * MINUTE).id, accept=True)
    queries: dict[str, Any] = {each.name: text(each.sql) for each in invariants.ALL}
    with plays._owner(play) as connection:
        for name, change in (*BREAKS.items(), ("line-corrected-use", LESS_BACK)):
            with connection.begin_nested() as undone:
                assert connection.execute(queries[name]).all() == [], name
                connection.execute(text(change))
                assert connection.execute(queries[name]).all(), name
                undone.rollback()


def test_the_corrected_times_stay(play: Play) -> None:
    for change in ("DELETE FROM attendance_corrections", "UPDATE attendance_corrections SET tenant_id = tenant_id"):
        with pytest.raises(ProgrammingError, match="permission denied"):
            play.do(system_actor("test"), partial(carry_out, change))


def test_a_report_settles_what_was_noted(play: Play, park: Actor) -> None:
    order = booked(play, park)
    report(play, order)
    asked = ask(play, park, order, 50 * MINUTE)
    assert asked.times is not None
    assert (asked.times.noted_came_at, asked.times.noted_left_at) == (None, None), "nobody noted when they came"
    decide(play, colleague(play), asked.id, accept=True)
    assert given_back(play) == {"fen": order.gross_fen - order.gross_fen // 3}
