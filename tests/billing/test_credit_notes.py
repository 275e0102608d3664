"""Credit notes: the document of what is returned, by one or two people, to the fen and without a gap."""

from __future__ import annotations

from datetime import date, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from billing.rules.returns import ReturnCause, vat_back_of_line
from billing.usecases import credit_notes, invoice_settings, invoice_voids, issuers, reconciliation
from billing.usecases.credit_note_views import CreditNoteView, note_document
from billing.usecases.invariants_credit_notes import INVARIANTS_CREDIT_NOTES
from tenants.kernel.clock import ManualClock
from tenants.kernel.context import Actor, system_actor
from tenants.kernel.errors import Conflict, Invalid, NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.work import WorkShop
from tests.billing.test_issuers import ISSUER, OPERATOR
from tests.support.billing_world import FINANCE, World, make_world
from tests.support.crashes import crash_everywhere
from tests.support.databases import Database
from tests.support.invariants import broken
from tests.support.returns import PROVIDER, Returns, state
from tests.support.subsidies import fund_now

SECOND = system_actor("finance", on_behalf_of=new_id())


@pytest.fixture
def world(workshop: WorkShop, clock: ManualClock) -> World:
    return make_world(workshop, clock)


@pytest.fixture
def back(world: World) -> Returns:
    return Returns(world)


def ask(world: World, invoice_id: UUID, lines: dict[int, int | None], **changes: Any) -> CreditNoteView:
    """Ask for a credit note; issue it at once where one person may."""
    wish = credit_notes.CreditWish(
        invoice_id,
        lines,
        changes.get("cause", ReturnCause.RETURNED),
        changes.get("reason", "报告无法使用"),
        "来函 3 号",
    )
    with world.shop.work(changes.get("actor", FINANCE)) as work:
        asked = credit_notes.ask_credit_note(work, wish=wish)
        if asked.by_two:
            return credit_notes.read_credit_note(work, note_id=asked.id)
        return credit_notes.issue_credit_note(work, note_id=asked.id, deliveries=delivered(asked.order_line_ids))


def approve(world: World, note_id: UUID, actor: Actor = SECOND) -> CreditNoteView:
    with world.shop.work(actor) as work:
        asked = credit_notes.lock_asked(work, note_id=note_id)
        return credit_notes.issue_credit_note(work, note_id=note_id, deliveries=delivered(asked.order_line_ids))


def delivered(lines: tuple[UUID, ...]) -> dict[UUID, credit_notes.Delivered]:
    return {line: credit_notes.Delivered(PROVIDER, "孪生推演") for line in lines}


def notes(world: World) -> tuple[Any, ...]:
    with world.shop.work(FINANCE) as work:
        return credit_notes.list_credit_notes(work).items


def all_state(world: World) -> Any:
    return state(world.shop), world.balances(), notes(world)


@given(st.integers(1, 10**9), st.integers(0, 1700), st.data())
def test_a_line_that_comes_back_in_parts_gives_back_its_vat_to_the_fen(gross: int, vat_bp: int, data: Any) -> None:
    line_vat = gross * vat_bp // (10_000 + vat_bp)
    steps = sorted(data.draw(st.lists(st.integers(1, gross), max_size=5)))
    back = 0
    for returned in [*steps, gross]:
        part = vat_back_of_line(line_vat, gross, returned, back)
        assert part >= 0
        back += part
    assert back == line_vat


def test_several_lines_are_taken_back_at_once_and_each_payer_gets_its_share(world: World, back: Returns) -> None:
    park = world.park()
    back.sold(park)
    for _ in range(3):
        back.sold(park, "leads")
    world.go_to(date(2026, 4, 2))
    (row,) = world.issue("2026-03")
    note = ask(world, row.id, {1: 500_000, 2: None, 3: None, 4: None})
    assert (note.number, note.status, note.amount_fen) == ("PTM-CN-2026-000001", "issued", 509_999)
    assert note.amount_fen == note.park_fen + note.public_fen == sum(line.amount_fen for line in note.lines)
    assert world.invoice(row.id).paid_fen == note.park_fen == sum(line.to_invoice_fen for line in note.lines)
    assert fund_now(world.shop, world.fund).captured_fen == row.subsidy_fen - note.public_fen
    back.check()
    rest = ask(world, row.id, {1: None})
    assert rest.number == "PTM-CN-2026-000002"
    assert note.vat_fen + rest.vat_fen == row.vat_fen, "all of it, as the invoice allotted it"
    assert {code for code, fen in world.balances().items() if fen and not code.startswith("budget:")} == set()
    assert world.invoice(row.id).status == "paid"
    with world.shop.work(FINANCE) as work:
        assert reconciliation.reconcile(work, period="2026-03").breaks == ()
    with world.shop.work(park) as work:
        assert [each.number for each in credit_notes.list_credit_notes(work).items] == [rest.number, note.number]
        assert credit_notes.credit_note_pdf(work, note_id=note.id).startswith(b"%PDF")
    stranger = world.park(2)
    with pytest.raises(NotFound), world.shop.work(stranger) as work:
        credit_notes.read_credit_note(work, note_id=note.id)
    back.check()


def test_a_return_issues_its_credit_note_at_once_or_when_its_line_is_invoiced(world: World, back: Returns) -> None:
    park = world.park()
    line, other = back.sold(park), back.sold(park)
    back.back(line, 100_000)
    back.back(line, 50_000)
    assert notes(world) == ()
    back.check()
    world.go_to(date(2026, 4, 2))
    (row,) = world.issue("2026-03")
    assert sorted(each.amount_fen for each in notes(world)) == [50_000, 100_000]
    back.back(other, 1_000)
    assert [each.number for each in sorted(notes(world), key=lambda each: each.number)] == [
        f"PTM-CN-2026-{serial:06}" for serial in (1, 2, 3)
    ]
    assert {each.invoice_id for each in notes(world)} == {row.id}
    back.check()


def test_above_the_limit_it_takes_two(world: World, back: Returns) -> None:
    park = world.park()
    line = back.sold(park)
    world.go_to(date(2026, 4, 2))
    (row,) = world.issue("2026-03")
    with world.shop.work(SECOND) as work:
        invoice_settings.change_invoice_settings(work, grace_days=3, alone_up_to_fen=99_999)
    with pytest.raises(Conflict) as refused:
        back.back(line, 100_000)
    assert refused.value.code == "return.two_people"
    before = world.balances()
    note = ask(world, row.id, {1: 100_000})
    assert (note.status, note.number, note.by_two, world.balances()) == ("asked", None, True, before)
    with pytest.raises(Conflict) as refused:
        approve(world, note.id, FINANCE)
    assert refused.value.code == "credit_note.same_person"
    with world.shop.work(SECOND) as work:
        assert credit_notes.refuse_credit_note(work, note_id=note.id).status == "refused"
    with pytest.raises(Conflict) as refused:
        approve(world, note.id)
    assert refused.value.code == "credit_note.decided"
    again = ask(world, row.id, {1: 100_000})
    assert approve(world, again.id).number == "PTM-CN-2026-000001"
    assert ask(world, row.id, {1: 99_999}).number == "PTM-CN-2026-000002"
    back.check()


def test_wrong_wishes_name_their_line(world: World, back: Returns) -> None:
    back.sold(world.park())
    (row,) = world.issue("2026-03")
    wishes: tuple[tuple[dict[int, int | None], str], ...] = (
        ({1: 1_000_001}, "lines[1].amount_fen"),
        ({1: 0}, "lines[1].amount_fen"),
        ({2: 1}, "lines[2].amount_fen"),
        ({}, "lines"),
    )
    for lines, field in wishes:
        with pytest.raises(Invalid) as refused:
            ask(world, row.id, lines)
        assert [each.field for each in refused.value.errors] == [field]
    with pytest.raises(Invalid):
        ask(world, row.id, {1: 1}, reason=" ")
    ask(world, row.id, {1: None})
    with pytest.raises(Invalid):
        ask(world, row.id, {1: None})
    assert len(notes(world)) == 1


def test_what_is_credited_is_not_voided_and_what_is_void_not_credited(world: World, back: Returns) -> None:
    back.sold(world.park())
    (row,) = world.issue("2026-03")
    with world.shop.work(FINANCE) as work:
        invoice_voids.ask_void(work, invoice_id=row.id, reason="抬头有误")
    with world.shop.work(SECOND) as work:
        invoice_voids.void_invoice(work, invoice_id=row.id)
    with pytest.raises(Conflict) as refused:
        ask(world, row.id, {1: 1})
    assert refused.value.code == "credit_note.not_finalized"
    (again,) = [each for each in world.issue("2026-03") if each.status == "finalized"]
    ask(world, again.id, {1: 1_000})
    with pytest.raises(Conflict), world.shop.work(FINANCE) as work:
        invoice_voids.ask_void(work, invoice_id=again.id, reason="抬头有误")
    back.check()


def test_the_page_names_who_issued_when_it_was_issued(world: World, back: Returns, clock: ManualClock) -> None:
    back.sold(world.park())
    (row,) = world.issue("2026-03")
    named = []
    for name in ("甲公司", "乙公司"):
        with world.shop.work(OPERATOR) as work:
            proposed = issuers.propose_issuer(work, **(ISSUER | {"name": name}))
        with world.shop.work(FINANCE) as work:
            issuers.confirm_issuer(work, issuer_id=proposed.id)
        clock.advance(timedelta(minutes=1))
        named.append((ask(world, row.id, {1: 1_000}), name))
        clock.advance(timedelta(minutes=1))
    for note, name in named:
        assert note.decided_at is not None
        with world.shop.work(FINANCE) as work:
            document = note_document(note, "", issuers.issuer_at(work, note.decided_at))
        assert (document["issuer"], document["issuer_uscc"]) == (name, ISSUER["uscc"])
    assert note_document(named[0][0], "", None)["issuer"] == ""


def test_a_crash_anywhere_issues_all_or_nothing(world: World, back: Returns) -> None:
    park = world.park()
    back.sold(park)
    back.sold(park, "leads")
    world.go_to(date(2026, 4, 2))
    (row,) = world.issue("2026-03")
    step = partial(ask, world, row.id, {1: 1_001, 2: None})
    assert crash_everywhere(world.shop.engine, step, partial(all_state, world)) > 25
    assert [each.number for each in notes(world)] == ["PTM-CN-2026-000001"]
    back.check()


BROKEN = {
    "credit-note-sums": "UPDATE credit_notes SET vat_fen = vat_fen + 1",
    "credit-note-of-return": "DELETE FROM credit_note_lines",
    "credit-note-numbers": "UPDATE credit_note_counters SET last_number = last_number + 1",
}


def test_each_invariant_finds_its_break(world: World, back: Returns, database: Database) -> None:
    back.sold(world.park())
    (row,) = world.issue("2026-03")
    ask(world, row.id, {1: 1_001})
    assert set(BROKEN) == {each.name for each in INVARIANTS_CREDIT_NOTES}
    for name, change in BROKEN.items():
        with database.owner().connect() as connection, connection.begin() as transaction:
            connection.execute(text("SET session_replication_role = replica"))
            connection.execute(text(change))
            (wanted,) = [each for each in INVARIANTS_CREDIT_NOTES if each.name == name]
            assert connection.execute(text(wanted.sql)).all(), name
            transaction.rollback()
    assert broken(world.shop, INVARIANTS_CREDIT_NOTES) == {}
