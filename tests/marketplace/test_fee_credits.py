"""Credit notes for subscription fees: by days or amounts, each fen once, whatever else becomes of the fee."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from billing.rules.plans import ChargedFee, GivenBack, Rest, bill
from billing.rules.returns import ReturnCause
from billing.usecases import credit_notes as billing
from billing.usecases import invoice_settings, invoicing, reconciliation, traces
from billing.usecases.credit_note_views import CreditNoteView
from billing.usecases.credit_notes import CreditWish
from billing.usecases.invariants_plans import INVARIANTS_PLANS
from marketplace.usecases import credit_notes, invariants
from tenants.kernel.clock import ManualClock
from tenants.kernel.context import Actor, system_actor
from tenants.kernel.errors import Conflict, Invalid
from tenants.kernel.identifiers import new_id
from tenants.kernel.vocabulary import Tier
from tenants.kernel.work import WorkShop
from tenants.rules.days import Span
from tests.support.crashes import crash_everywhere
from tests.support.databases import Database
from tests.support.fees import FEES, at, charge, do, set_plan, subscribe
from tests.support.invariants import broken
from tests.support.parks import person, verified_park
from tests.support.plays import at_once

FINANCE = system_actor("finance", on_behalf_of=new_id())
SECOND = system_actor("finance", on_behalf_of=new_id())


@pytest.fixture
def park(workshop: WorkShop, clock: ManualClock) -> Actor:
    """A park whose fee of April, 500 yuan for 30 days, stands on an invoice."""
    for tier, fee in FEES.items():
        set_plan(workshop, tier, fee)
    verified_park(workshop, 1)
    clock.instant = at(2026, 4, 1)
    found = person(workshop, "admin1")
    subscribe(workshop, found, Tier.ENHANCED)
    assert charge(workshop, found) == 50_000
    do(workshop, FINANCE, lambda work: invoicing.issue_invoices(work, period="2026-04"))
    return found


def invoice_of(shop: WorkShop, park: Actor) -> UUID:
    (row,) = do(shop, park, invoicing.list_invoices).items
    found: UUID = row.id
    return found


def ask(
    shop: WorkShop,
    park: Actor,
    fen: int | None = None,
    days: tuple[int, int] | None = None,
    invoice_id: UUID | None = None,
    actor: Actor = FINANCE,
) -> CreditNoteView:
    """Credit an amount of the fee of April, some of its days (both ends included), or all that is left."""
    spans = {} if days is None else {1: Span(date(2026, 4, days[0]), date(2026, 4, days[1]) + timedelta(days=1))}
    wish = CreditWish(
        invoice_id or invoice_of(shop, park),
        {} if spans else {1: fen},
        ReturnCause.UNDELIVERED,
        "平台停机",
        "运营方说明 1 号",
        spans,
    )
    with shop.work(actor) as work:
        return credit_notes.ask_credit_note(work, wish=wish)


def whole(shop: WorkShop) -> None:
    """Every invariant holds, and the month agrees."""
    assert broken(shop, invariants.ALL) == {}
    view = do(shop, FINANCE, lambda work: reconciliation.reconcile(work, period="2026-04"))
    assert view.breaks == ()


def test_days_amounts_and_the_rest_come_to_the_fee_with_its_vat(
    workshop: WorkShop, clock: ManualClock, park: Actor
) -> None:
    invoice_id = invoice_of(workshop, park)
    outage = ask(workshop, park, days=(3, 5))
    assert (outage.number, outage.amount_fen, outage.park_fen) == ("PTM-CN-2026-000001", 5_000, 5_000)
    (line,) = outage.lines
    assert (line.first_day, line.last_day, line.to_invoice_fen) == (date(2026, 4, 3), date(2026, 4, 5), 5_000)
    for days, code in (((5, 6), "credit_note.days_back"), ((30, 29), "credit_note.days")):
        with pytest.raises((Conflict, Invalid)) as refused:
            ask(workshop, park, days=days)
        assert refused.value.code == code
        assert refused.value.errors[0].field == "lines[1].first_day"
    some = ask(workshop, park, 1_000)
    with pytest.raises(Invalid) as above:
        ask(workshop, park, 44_001)
    assert above.value.errors[0].field == "lines[1].amount_fen"
    rest = ask(workshop, park)
    assert rest.amount_fen == 44_000
    invoice = do(workshop, park, lambda work: invoicing.read_invoice(work, invoice_id=invoice_id))
    assert outage.vat_fen + some.vat_fen + rest.vat_fen == invoice.vat_fen
    assert (invoice.status, invoice.paid_fen) == ("paid", 50_000)
    with pytest.raises(Invalid):
        ask(workshop, park, 1)
    assert do(workshop, park, lambda work: billing.credit_note_pdf(work, note_id=outage.id)).startswith(b"%PDF")
    trace = do(workshop, park, lambda work: traces.trace_invoice_line(work, invoice_id=invoice_id, line=1))
    assert trace.charge is not None
    assert trace.charge.fee is not None
    assert (trace.charge.fee.returned_fen, trace.charge.fee.days) == (50_000, 30)
    whole(workshop)


def test_above_the_limit_another_person_decides_and_the_days_are_looked_at_again(
    workshop: WorkShop, clock: ManualClock, park: Actor
) -> None:
    do(
        workshop,
        SECOND,
        lambda work: invoice_settings.change_invoice_settings(work, grace_days=3, alone_up_to_fen=9_999),
    )
    waiting = ask(workshop, park, days=(11, 20))
    assert (waiting.status, waiting.amount_fen, waiting.by_two) == ("asked", 16_667, True)
    small = ask(workshop, park, days=(20, 20))
    assert small.status == "issued"
    with pytest.raises(Conflict) as refused, workshop.work(SECOND) as work:
        credit_notes.approve_credit_note(work, note_id=waiting.id)
    assert refused.value.code == "credit_note.days_back"
    again = ask(workshop, park, days=(11, 19))
    with workshop.work(SECOND) as work:
        issued = credit_notes.approve_credit_note(work, note_id=again.id)
    assert (issued.status, issued.amount_fen) == ("issued", 15_000)
    whole(workshop)


def test_what_was_given_back_is_not_credited_to_the_next_fee_and_the_other_way_round(
    workshop: WorkShop, clock: ManualClock, park: Actor
) -> None:
    ask(workshop, park, days=(21, 30))
    clock.instant = at(2026, 4, 16)
    subscribe(workshop, park, Tier.LEADING)
    assert charge(workshop, park) == 100_000 - (25_000 - 16_667), "of 15 days that are left 10 were given back"
    for days in ((16, 17), (15, 16)):
        with pytest.raises(Invalid) as refused:
            ask(workshop, park, days=days)
        assert refused.value.code == "credit_note.days"
    rest = ask(workshop, park)
    assert rest.amount_fen == 50_000 - 16_667 - (25_000 - 16_667)
    assert broken(workshop, invariants.ALL) == {}


def test_of_two_who_credit_the_same_days_one_is_told_and_an_upgrade_meanwhile_is_counted_once(
    workshop: WorkShop, clock: ManualClock, park: Actor
) -> None:
    outcomes = at_once([lambda: ask(workshop, park, days=(1, 10)).amount_fen] * 3)
    assert sorted(map(str, outcomes)) == sorted(["16666", "credit_note.days_back", "credit_note.days_back"])
    clock.instant = at(2026, 4, 21)
    subscribe(workshop, park, Tier.LEADING)
    invoice_id = invoice_of(workshop, park)
    at_once([lambda: ask(workshop, park, invoice_id=invoice_id).amount_fen, lambda: charge(workshop, park)])
    assert broken(workshop, invariants.ALL) == {}


def test_a_crash_anywhere_credits_a_fee_wholly_or_not_at_all(
    workshop: WorkShop, clock: ManualClock, park: Actor
) -> None:
    invoice_id = invoice_of(workshop, park)

    def state() -> Any:
        with workshop.work(FINANCE) as work:
            return [
                sorted(map(repr, work.session.execute(text(f"SELECT * FROM {table}"))))
                for table in ("line_returns", "credit_notes", "credit_note_lines", "journals", "invoices", "payments")
            ]

    assert crash_everywhere(
        workshop.engine, lambda: ask(workshop, park, days=(1, 3), invoice_id=invoice_id), state
    ) > 15  # fmt: skip
    whole(workshop)


DAY = date(2026, 1, 1)


@given(st.integers(0, 10**7), st.integers(1, 366), st.integers(0, 10**7), st.data())
def test_days_sum_to_the_fee_and_nothing_is_given_twice(fee_fen: int, days: int, charged: int, data: Any) -> None:
    span = Span(DAY, DAY + timedelta(days=days))
    cuts = sorted({0, days, *data.draw(st.lists(st.integers(0, days), max_size=4))})
    fee = ChargedFee(span, fee_fen, min(charged, fee_fen))
    parts = [Span(DAY + timedelta(days=first), DAY + timedelta(days=end)) for first, end in pairwise(cuts)]
    assert sum(map(fee.of_days, parts)) == fee.whole_fen == min(charged, fee_fen)
    back = tuple(GivenBack(fee.of_days(part), part) for part in parts if data.draw(st.booleans()))
    fee = ChargedFee(span, fee_fen, min(charged, fee_fen), given_back=back)
    cut = DAY + timedelta(days=data.draw(st.integers(0, days)))
    rest = Rest(fee_fen, span, cut)
    billed = bill(rest, rest, 0, fee.back_from(cut, rest.fen))
    after = ChargedFee(span, fee_fen, fee.charged_fen, billed.credit_fen, cut, back)
    assert billed.credit_fen + billed.replaced_back_fen == rest.fen
    assert sum(each.fen for each in back) <= after.whole_fen == min(fee.charged_fen, fee_fen - billed.credit_fen)


def test_the_invariant_finds_its_break(workshop: WorkShop, clock: ManualClock, park: Actor, database: Database) -> None:
    ask(workshop, park, 49_000)
    assert broken(workshop, INVARIANTS_PLANS) == {}
    with database.owner().begin() as connection:
        connection.execute(text("SET session_replication_role = replica"))
        connection.execute(
            text(
                "UPDATE line_returns SET amount_fen = 50001, park_fen = 50001, to_invoice_fen = 50001, gross_fen = 60000, payable_fen = 60000"
            )
        )
    assert "subscription-credited" in broken(workshop, INVARIANTS_PLANS)
