"""Disputes of fees: the provider answers, the operator decides, the money comes back once, and a no-show stops counting."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from billing.usecases import alerts, credit_notes, invoicing
from billing.usecases import attendance_disputes as disputes
from marketplace.demo.theatre import Play
from marketplace.jobs import clockwork
from marketplace.usecases import attendance_disputes as use_cases
from marketplace.usecases.views import OrderView
from services.usecases import suspensions
from tenants.kernel.context import Actor, system_actor
from tenants.kernel.errors import Conflict, Invalid, NotAllowed, NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.work import Work
from tests.marketplace.test_attendance import MILLION, MINUTE, RULE, attend, booked, charged, report, starts
from tests.support import plays
from tests.support.plays import free_slots, inspection


@pytest.fixture
def park(play: Play) -> Actor:
    plays.give_money(play, MILLION)
    return play.person("park01")


def missed(play: Play, park: Actor, after: int = 1) -> OrderView:
    order = booked(play, park, replace(RULE, suspend_after=after))
    play.clock.instant = starts(order).starts_at + 16 * MINUTE
    clockwork.settle_no_shows(play.market)
    return order


def ask(play: Play, park: Actor) -> disputes.DisputeView:
    (fee,) = play.do(park, disputes.disputable_fees)
    return play.do(park, lambda work: use_cases.ask_dispute(work, fee_id=fee.id, reason="门禁故障，人已到场"))


def decide(play: Play, actor: Actor, dispute: UUID, *, accept: bool) -> disputes.DisputeView:
    return play.do(
        actor, lambda work: use_cases.decide_dispute(work, dispute_id=dispute, accept=accept, reason="已核对门禁记录")
    )


def insist(play: Play, park: Actor, dispute: UUID) -> disputes.DisputeView:
    return play.do(park, lambda work: disputes.insist(work, dispute_id=dispute, reason="有监控录像"))


def given_back(play: Play) -> dict[str, int]:
    return plays.counted(play, "SELECT 'fen', coalesce(sum(amount_fen), 0)::bigint FROM line_returns")


def test_an_accepted_dispute_gives_the_fee_back_and_lets_the_park_book_again(play: Play, park: Actor) -> None:
    order = missed(play, park)
    assert len(play.do(park, suspensions.list_own_suspensions).items) == 1
    asked = ask(play, park)
    assert (asked.status, asked.steps, play.do(park, disputes.disputable_fees)) == ("open", (), ())
    accepted = decide(play, play.lab, asked.id, accept=True)
    assert (accepted.status, accepted.steps[0].number) == ("accepted", 1)
    assert given_back(play) == {"fen": order.gross_fen}
    (suspension,) = play.do(park, suspensions.list_own_suspensions).items
    assert suspension.until == play.clock.now()
    clockwork.settle_no_shows(play.market)
    assert len(play.do(park, suspensions.list_own_suspensions).items) == 1, "an excused no-show counts no more"
    play.work_queue()
    told = {each.kind for each in play.do(park, alerts.list_alerts)}
    assert {"attendance.dispute_decided.accepted", "booking.suspension_lifted"} <= told
    plays.order(play, park, inspection(free_slots(play, park)[0]))
    with pytest.raises(Conflict) as decided:
        decide(play, play.lab, asked.id, accept=False)
    assert decided.value.code == "dispute.decided"


def test_a_refused_dispute_goes_to_the_operator_who_decides_for_good(play: Play, park: Actor) -> None:
    order = missed(play, park)
    asked, operator = ask(play, park), play.person("operator")
    with pytest.raises(Conflict) as early:
        decide(play, operator, asked.id, accept=True)
    with pytest.raises(Conflict) as waiting:
        insist(play, park, asked.id)
    assert (early.value.code, waiting.value.code) == ("dispute.decided", "dispute.unanswered")
    assert decide(play, play.lab, asked.id, accept=False).status == "refused"
    assert insist(play, park, asked.id).status == "insisted"
    with pytest.raises(Conflict):
        insist(play, park, asked.id)
    with pytest.raises(Conflict):
        decide(play, play.lab, asked.id, accept=True)
    final = decide(play, operator, asked.id, accept=True)
    assert (final.status, [each.number for each in final.steps]) == ("accepted", [1, 2, 3])
    assert given_back(play) == {"fen": order.gross_fen}


def test_a_provider_that_does_not_answer_is_passed_over(play: Play, park: Actor) -> None:
    missed(play, park)
    asked = ask(play, park)
    play.clock.advance(timedelta(days=15))
    assert insist(play, park, asked.id).status == "insisted"
    assert decide(play, play.person("operator"), asked.id, accept=False).status == "rejected"
    assert given_back(play) == {"fen": 0}


def test_a_fee_on_an_invoice_comes_back_by_a_credit_note(play: Play, park: Actor) -> None:
    order = missed(play, park)
    asked = ask(play, park)
    play.clock.instant = (play.clock.now() + timedelta(days=31)).replace(day=2)
    issued = play.do(
        play.finance, lambda work: invoicing.issue_invoices(work, period=f"{starts(order).starts_at:%Y-%m}")
    )
    assert order.gross_fen <= sum(each.payable_fen for each in issued if each.park_id == order.park_id)
    decide(play, play.lab, asked.id, accept=True)
    (note,) = play.do(play.finance, credit_notes.list_credit_notes).items
    assert (note.status, note.amount_fen, note.park_fen) == ("issued", order.gross_fen, order.gross_fen)


def test_who_noted_the_attendance_does_not_decide_on_it(play: Play, park: Actor) -> None:
    order = booked(play, park)
    attend(play, park, order, timedelta(), 31 * MINUTE)
    report(play, order)
    assert charged(play, park, order) == [("overrun", 100_00)]
    asked = ask(play, park)
    with pytest.raises(Conflict) as same:
        decide(play, play.lab, asked.id, accept=True)
    assert same.value.code == "dispute.same_person"
    other = replace(play.lab, user_id=new_id())
    assert decide(play, other, asked.id, accept=True).status == "accepted"
    assert given_back(play) == {"fen": 100_00}


def test_of_eight_who_decide_at_once_one_does_and_the_fee_comes_back_once(play: Play, park: Actor) -> None:
    order = missed(play, park)
    asked = ask(play, park)
    ends = plays.at_once([partial(decide, play, play.lab, asked.id, accept=at % 2 == 0) for at in range(8)])
    assert sum(isinstance(end, disputes.DisputeView) for end in ends) == 1
    won = play.do(park, lambda work: disputes.read_own_dispute(work, dispute_id=asked.id))
    assert given_back(play) == {"fen": order.gross_fen if won.status == "accepted" else 0}


def test_a_fee_is_disputed_once_in_time_by_its_park_with_a_reason(play: Play, park: Actor) -> None:
    missed(play, park)
    (fee,) = play.do(park, disputes.disputable_fees)
    again = partial(use_cases.ask_dispute, fee_id=fee.id, reason="再议")
    with pytest.raises(NotFound):
        play.do(play.person("park02"), again)
    with pytest.raises(NotAllowed):
        play.do(play.lab, again)
    with pytest.raises(Invalid) as silent:
        play.do(park, lambda work: use_cases.ask_dispute(work, fee_id=fee.id, reason=" "))
    assert silent.value.errors[0].field == "reason"
    play.clock.instant = fee.until
    with pytest.raises(Conflict) as late:
        play.do(park, again)
    play.clock.instant = fee.until - MINUTE
    asked = play.do(park, again)
    with pytest.raises(Conflict) as twice:
        play.do(park, again)
    assert (late.value.code, twice.value.code) == ("dispute.too_late", "dispute.asked")
    stranger = replace(play.lab, organisation_id=new_id())
    with pytest.raises(NotFound):
        decide(play, stranger, asked.id, accept=True)


def carry_out(statement: str, work: Work) -> None:
    work.session.execute(text(statement))


@pytest.mark.parametrize("table", ["attendance_disputes", "attendance_dispute_steps", "attendance_excuses"])
def test_the_trail_stays(play: Play, table: str) -> None:
    for change in (f"DELETE FROM {table}", f"UPDATE {table} SET tenant_id = tenant_id"):
        with pytest.raises(ProgrammingError, match="permission denied"):
            play.do(system_actor("test"), partial(carry_out, change))
