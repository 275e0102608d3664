"""A repeated lead list costs nobody anything: not the park, not the fund, not the plan; and says so before it is ordered."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from billing.rules.returns import ReturnCause
from billing.usecases import invoice_documents, invoicing, reconciliation
from billing.usecases.credit_notes import CreditWish
from billing.usecases.quotes import QuoteView
from marketplace.demo.theatre import Play
from marketplace.rules.orders import PaymentMethod
from marketplace.usecases import credit_notes, fulfilment, invariants, orders, returns
from services.gateways.sandbox import Limits
from services.usecases import execution, runs
from tenants.kernel.context import Actor, system_actor
from tenants.kernel.errors import Conflict
from tenants.kernel.work import Work
from tests.marketplace.test_included_units import set_plan
from tests.support import plays
from tests.support.plays import BRIEF, LEADS, Wish, ask, confirm, order
from tests.support.services import import_demo_companies

OTHER_WORDS = Wish(LEADS, {**BRIEF.request, "keywords": list(reversed(BRIEF.request.get("keywords", [])))})


def carry_out(play: Play, park: Actor, run_id: UUID) -> None:
    """Let a worker make the list, and settle or undo its line."""
    worker = plays.worker_of(park)
    execution.execute_run(play.market.workshop, worker, run_id=run_id, limits=Limits(wall_seconds=120))
    run = play.do(park, lambda work: runs.read_run(work, run_id=run_id))
    if run.status == "succeeded":
        play.do(worker, lambda work: fulfilment.complete_run(work, run_id=run_id))
    else:
        code = str(run.failure_code)
        play.do(worker, lambda work: fulfilment.fail_delivery(work, run_id=run_id, code=code))


def figures(quote: QuoteView) -> list[tuple[int, int, int, int]]:
    return [(line.list_fen, line.gross_fen, line.subsidy_fen, line.payable_fen) for line in quote.lines]


@pytest.fixture
def park(play: Play) -> Actor:
    plays.give_money(play)
    return play.person("park01")


@pytest.fixture
def first(play: Play, park: Actor) -> UUID:
    """A list that was delivered and paid for."""
    placed = order(play, park, BRIEF)
    assert placed.gross_fen == 300_000
    carry_out(play, park, plays.run_of(placed))
    return plays.run_of(placed)


def test_a_repeat_is_free_for_both_payers_and_says_why(play: Play, park: Actor, first: UUID) -> None:
    before = plays.money(play), plays.wallet(play, park)
    quote = ask(play, park, OTHER_WORDS)
    assert figures(quote) == [(300_000, 0, 0, 0)]
    assert (quote.lines[0].repeats, quote.lines[0].included) == (first, 1)
    placed = confirm(play, park, quote.id, PaymentMethod.WALLET)
    assert plays.money(play) == before[0]
    carry_out(play, park, plays.run_of(placed))
    delivered = plays.now(play, park, placed)
    assert (delivered.status, delivered.gross_fen) == ("completed", 0)
    paid = play.do(park, lambda work: runs.read_run(work, run_id=first))
    assert delivered.lines[0].result_sha256 == paid.manifest_sha256
    assert {each.name for each in delivered.lines[0].artefacts} >= {"leads.xlsx", "plan.pdf", "manifest.json"}
    assert (plays.money(play), plays.wallet(play, park)) == before
    found = play.do(park, lambda work: orders.orders_of_runs(work, run_ids={first}))
    assert found[first][0] != placed.id
    period = f"{play.clock.now():%Y-%m}"
    play.do(play.finance, lambda work: invoicing.issue_invoices(work, period=period))
    view = play.do(play.finance, lambda work: reconciliation.reconcile(work, period=period))
    assert (view.breaks, view.rated_fen) == ((), 300_000)
    (invoice,) = play.do(park, lambda work: invoicing.list_invoices(work, period=period)).items
    whole = play.do(park, lambda work: invoicing.read_invoice(work, invoice_id=invoice.id))
    (free,) = (line for line in whole.lines if line.repeats == first)
    assert (free.payable_fen, free.repeated_fen, whole.repeated_fen) == (0, 300_000, 300_000)
    assert invoice_documents.notes_of(free, period)[0] == "同样的需求 30 天内再次交付，减免 3,000.00 元"
    assert ("再次交付免费", 300_000) in invoice_documents.reductions_of(whole)


def test_the_price_comes_back_with_the_days_with_other_data_and_for_other_parks(
    play: Play, park: Actor, first: UUID
) -> None:
    assert figures(ask(play, play.person("park02"), BRIEF))[0][1] == 300_000
    shown = ask(play, park, BRIEF)
    play.clock.advance(timedelta(days=30))
    late = ask(play, park, BRIEF)
    assert (late.gross_fen, late.lines[0].repeats) == (300_000, None)
    with pytest.raises(Conflict) as expired:
        confirm(play, park, shown.id)
    assert expired.value.code == "quote.expired"
    again = order(play, park, BRIEF)
    carry_out(play, park, plays.run_of(again))
    shown = ask(play, park, BRIEF)
    assert shown.gross_fen == 0
    import_demo_companies(play.market.workshop, play.clock.now().date(), count=2500)
    with pytest.raises(Conflict) as changed:
        confirm(play, park, shown.id)
    assert changed.value.code == "quote.repeat_changed"
    assert ask(play, park, BRIEF).gross_fen == 300_000


def test_what_was_delivered_since_the_quote_is_not_paid_again(play: Play, park: Actor) -> None:
    early = ask(play, park, BRIEF)
    placed = order(play, park, BRIEF)
    carry_out(play, park, plays.run_of(placed))
    with pytest.raises(Conflict, match="再次交付不收费") as refused:
        confirm(play, park, early.id)
    assert refused.value.code == "quote.repeat_changed"


def test_of_two_ordered_at_once_one_is_charged(play: Play, park: Actor) -> None:
    quotes = [ask(play, park, BRIEF), ask(play, park, BRIEF)]
    placed = plays.at_once([partial(confirm, play, park, quote.id) for quote in quotes])
    assert [each.gross_fen for each in placed] == [300_000] * 2, "neither is answered yet"
    plays.at_once([partial(carry_out, play, park, plays.run_of(each)) for each in placed])
    ended = [plays.now(play, park, each) for each in placed]
    assert sorted(each.status for each in ended) == ["completed", "failed"]
    (refused,) = (each for each in ended if each.status == "failed")
    assert refused.lines[0].failure_code == "leads.delivered_already"
    (charged,) = (each for each in ended if each.status == "completed")
    assert plays.money(play)[1:] == (0, charged.subsidy_fen)


def test_a_repeat_takes_nothing_of_what_the_plan_includes(play: Play, park: Actor) -> None:
    set_plan(play, included={LEADS: 2}, limits={LEADS: 2})
    import_demo_companies(play.market.workshop, play.clock.now().date(), count=2500)
    placed = order(play, park, BRIEF)
    assert placed.lines[0].included == 1
    carry_out(play, park, plays.run_of(placed))
    for _ in range(3):
        again = order(play, park, BRIEF)
        assert (again.lines[0].included, again.gross_fen) == (1, 0)
    other = Wish(LEADS, {**BRIEF.request, "area_mu": 77})
    shown = ask(play, park, BRIEF, other)
    assert [(line.repeats is None, line.gross_fen) for line in shown.lines] == [(False, 0), (True, 0)]
    with pytest.raises(Conflict, match="每月最多"):
        ask(play, park, other, Wish(LEADS, {**BRIEF.request, "area_mu": 78}))
    rows = plays.counted(play, "SELECT 'counted', sum(units) FROM plan_counters")
    assert rows == {"counted": 1}


@pytest.mark.parametrize("door", ["return", "credit note"])
def test_a_list_whose_price_came_back_is_no_answer_any_more(play: Play, park: Actor, first: UUID, door: str) -> None:
    found = play.do(park, lambda work: orders.orders_of_runs(work, run_ids={first}))[first][0]
    placed = play.do(park, lambda work: orders.read_order(work, order_id=found))
    line = placed.lines[0].id
    if door == "credit note":
        play.do(play.finance, lambda work: invoicing.issue_invoices(work, period=f"{play.clock.now():%Y-%m}"))
    (invoice, *_) = play.do(park, invoicing.list_invoices).items or (None,)

    def give_back(work: Work, fen: int | None) -> object:
        if invoice is not None:
            wish = CreditWish(invoice.id, {1: fen}, ReturnCause.WRONG, "名单有误", "服务机构确认函 1 号")
            return credit_notes.ask_credit_note(work, wish=wish)
        back = returns.LineReturn(ReturnCause.WRONG, "名单有误", "服务机构确认函 1 号", fen)
        return returns.return_line(work, order_id=placed.id, line_id=line, wish=back)

    play.do(play.finance, lambda work: give_back(work, 100))
    assert ask(play, park, BRIEF).gross_fen == 0, "a part of the price is still paid"
    shown = ask(play, park, BRIEF)
    play.do(play.finance, lambda work: give_back(work, None))
    assert figures(ask(play, park, BRIEF))[0][1] == 300_000
    with pytest.raises(Conflict) as changed:
        confirm(play, park, shown.id)
    assert changed.value.code == "quote.repeat_changed"
    again = order(play, park, BRIEF)
    carry_out(play, park, plays.run_of(again))
    assert plays.now(play, park, again).status == "completed", "paid anew, it is delivered anew"
    assert ask(play, park, BRIEF).lines[0].repeats == plays.run_of(again)


BROKEN = {
    "lead-repeat": "UPDATE runs SET fingerprint = NULL WHERE repeats IS NULL",
    "repeat-of-line": "UPDATE runs SET repeats = NULL",
}


@contextmanager
def as_owner(play: Play) -> Iterator[Any]:
    with plays._owner(play) as connection:
        connection.execute(text("SET session_replication_role = replica"))
        yield connection
        connection.commit()


@pytest.mark.parametrize("name", BROKEN)
def test_each_invariant_of_repeats_finds_its_break(scenery: plays.Scenery, name: str) -> None:
    found: set[str] = set()
    with pytest.raises(AssertionError), scenery.play() as play:  # noqa: PT012 - the play looks at its end
        plays.give_money(play)
        park = play.person("park01")
        carry_out(play, park, plays.run_of(order(play, park, BRIEF)))
        order(play, park, BRIEF)
        with as_owner(play) as connection:
            connection.execute(text(BROKEN[name]))
        found |= {each.name for each in play.do(system_actor("check"), invariants.check)}
    assert found == {name}


def test_the_database_lets_no_repeat_cost_anything(play: Play, park: Actor, first: UUID) -> None:
    order(play, park, BRIEF)
    with pytest.raises(IntegrityError, match="ck_order_lines_repeats"), as_owner(play) as connection:
        connection.execute(text("UPDATE order_lines SET gross_fen = 1, payable_fen = 1 WHERE repeats IS NOT NULL"))
