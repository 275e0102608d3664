"""Money moved between envelopes, back to the treasury and into the next year; a fund's life and its end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from billing.usecases import fund_life, fund_transfers, funds, holds, invariants, ledger
from billing.usecases.funds import EntryFilter, Share
from billing.usecases.invariants_books import INVARIANTS_BOOKS
from billing.usecases.invariants_funds import INVARIANTS_FUNDS
from tenants.kernel.clock import ManualClock
from tenants.kernel.errors import Conflict, Invalid, Problem
from tenants.kernel.work import WorkShop
from tests.support.databases import Database
from tests.support.fund_moves import approve, ask_carry_over, ask_return, ask_transfer, open_fund
from tests.support.invariants import broken
from tests.support.subsidies import (
    APPROVER,
    OFFICER,
    YUAN,
    approve_programme,
    ask,
    check_out,
    fill_fund,
    fund_now,
    park,
    policy,
    price,
)

ALL = (*invariants.INVARIANTS, *INVARIANTS_BOOKS)


def available(shop: WorkShop, fund: UUID) -> dict[str, int]:
    """What each envelope has available."""
    return {each.envelope: each.available_fen for each in fund_now(shop, fund).envelopes}


def refusal(act: Callable[[], object]) -> Problem:
    """The refusal of an act."""
    with pytest.raises(Problem) as refused:
        act()
    return refused.value


def test_a_split_reserves_shares_for_regions(workshop: WorkShop) -> None:
    fund = open_fund(workshop, "province", 2026)
    shares = [Share("western", 4_000), Share("510100", 2_000)]
    with workshop.work(OFFICER) as work:
        asked = funds.request_appropriation(work, fund_id=fund, amount_fen=1_001, document_no="1号", split=shares)
    assert {part.envelope: part.amount_fen for part in asked.split} == {"510100": 200, "western": 401}
    assert asked.rest_fen == 400
    with workshop.work(APPROVER) as work:
        funds.approve_appropriation(work, appropriation_id=asked.id)
    assert available(workshop, fund) == {"": 400, "510100": 200, "western": 401}
    with workshop.work(OFFICER) as work:
        entries = funds.list_fund_entries(work, fund_id=fund).items
        (seen,) = funds.list_appropriations(work, fund_id=fund)
    assert sum(entry.amount_fen for entry in entries) == 1_001
    assert {part.envelope for part in seen.split} == {"western", "510100"}
    assert broken(workshop, ALL) == {}


def test_a_request_is_rejected_or_withdrawn_with_a_reason(workshop: WorkShop) -> None:
    fund = open_fund(workshop, "province", 2026)

    def wanted() -> UUID:
        with workshop.work(OFFICER) as work:
            return funds.request_appropriation(work, fund_id=fund, amount_fen=5, document_no="1号").id

    one, other = wanted(), wanted()
    with workshop.work(APPROVER) as work:
        rejected = funds.reject_appropriation(work, appropriation_id=one, reason=" 文号有误 ")
    assert (rejected.status, rejected.ended_reason, rejected.ended_by) == ("rejected", "文号有误", APPROVER.user_id)
    with pytest.raises(Invalid) as refused, workshop.work(OFFICER) as work:
        funds.withdraw_appropriation(work, appropriation_id=other, reason=" ")
    assert [error.field for error in refused.value.errors] == ["reason"]
    with workshop.work(OFFICER) as work:
        assert funds.withdraw_appropriation(work, appropriation_id=other, reason="重复").status == "withdrawn"
    for each in (one, other):
        with pytest.raises(Conflict) as decided, workshop.work(APPROVER) as work:
            funds.approve_appropriation(work, appropriation_id=each)
        assert decided.value.code == "appropriation.decided"
    third = wanted()
    with pytest.raises(Conflict) as same, workshop.work(OFFICER) as work:
        funds.reject_appropriation(work, appropriation_id=third, reason="x")
    assert same.value.code == "appropriation.same_person"
    assert fund_now(workshop, fund).appropriated_fen == 0


def test_money_moves_between_regions_by_two_people_and_never_below_zero(workshop: WorkShop) -> None:
    fund = fill_fund(workshop, "province", 100, western=50)
    asked = ask_transfer(workshop, fund, "western", "510100", 30)
    with pytest.raises(Conflict) as same, workshop.work(OFFICER) as work:
        fund_transfers.approve_transfer(work, transfer_id=asked)
    assert same.value.code == "fund_transfer.same_person"
    late = ask_transfer(workshop, fund, "western", "", 40)
    done = approve(workshop, asked)
    assert (done.status, done.amount_fen, done.approved_by) == ("approved", 30, APPROVER.user_id)
    assert available(workshop, fund) == {"": 100, "510100": 30, "western": 20}
    assert refusal(lambda: approve(workshop, asked)).code == "fund_transfer.decided"
    short = refusal(lambda: approve(workshop, late))
    assert (short.code, [error.field for error in short.errors]) == ("fund_transfer.too_little", ["amount_fen"])
    with workshop.work(OFFICER) as work:
        entries = {entry.id: entry for entry in funds.list_fund_entries(work, fund_id=fund).items}
        pair = [entry for entry in entries.values() if entry.counterpart_id]
        only = funds.list_fund_entries(work, fund_id=fund, wanted=EntryFilter(place="transferred", envelope="510100"))
        early = funds.list_fund_entries(work, fund_id=fund, wanted=EntryFilter(end=work.now))
        now = funds.list_fund_entries(work, fund_id=fund, wanted=EntryFilter(start=work.now))
    assert [entries[each.counterpart_id or each.id].counterpart_id for each in pair] == [each.id for each in pair]
    assert [(each.source, each.amount_fen) for each in only.items] == [("transferred", 30)]
    assert (len(early.items), len(now.items)) == (0, 4)
    view = fund_now(workshop, fund)
    assert (view.appropriated_fen, view.budget_fen, view.available_fen) == (150, 150, 150)
    with workshop.work(OFFICER) as work:
        assert fund_transfers.withdraw_transfer(work, transfer_id=late, reason="余额不足").status == "withdrawn"
    another = ask_transfer(workshop, fund, "", "western", 1)
    with workshop.work(APPROVER) as work:
        assert fund_transfers.reject_transfer(work, transfer_id=another, reason="不需要").ended_reason == "不需要"
        assert [each.status for each in fund_transfers.list_transfers(work, fund_id=fund)] == [
            "rejected",
            "withdrawn",
            "approved",
        ]
    assert broken(workshop, ALL) == {}


def test_a_transfer_that_cannot_be_is_refused_at_its_fields(workshop: WorkShop) -> None:
    fund = fill_fund(workshop, "province", 100)
    with pytest.raises(Invalid) as refused, workshop.work(OFFICER) as work:
        fund_transfers.request_transfer(
            work, fund_id=fund, envelope="moon", to_envelope="moon", amount_fen=0, reason="", document_no="x" * 201
        )
    assert {error.field for error in refused.value.errors} == {
        "amount_fen", "envelope", "to_envelope", "reason", "document_no",
    }  # fmt: skip
    assert refusal(lambda: ask_transfer(workshop, fund, "", "", 1)).code == "fund_transfer.same_envelope"
    assert refusal(lambda: ask_transfer(workshop, fund, "", "western", 101)).code == "fund_transfer.too_little"
    assert refusal(lambda: ask_return(workshop, fund, "western", 1)).code == "fund_transfer.too_little"


def test_unspent_money_goes_back_to_the_treasury(workshop: WorkShop) -> None:
    fund = fill_fund(workshop, "province", 100, western=50)
    asked = ask_return(workshop, fund, "western", 50)
    approve(workshop, asked)
    view = fund_now(workshop, fund)
    assert (view.appropriated_fen, view.available_fen, available(workshop, fund)["western"]) == (100, 100, 0)
    with workshop.work(OFFICER) as work:
        (entry,) = funds.list_fund_entries(work, fund_id=fund, limit=1).items
        books = {row.account: row.balance_fen for row in ledger.trial_balance(work).rows}
    assert (entry.source, entry.destination, entry.amount_fen) == ("available", "appropriated", 50)
    assert "财收〔2026〕1号" in entry.reason
    assert books == {f"budget:fund:{fund}": 100, "budget:treasury": -100}
    assert broken(workshop, ALL) == {}


def test_what_is_unspent_is_carried_over_and_what_is_held_stays(workshop: WorkShop) -> None:
    fund = fill_fund(workshop, "province", 10_000 * YUAN, western=5_000 * YUAN)
    approve_programme(workshop, "tech", policy())
    price(workshop, "twin")
    actor = park()
    check_out(workshop, actor, ask(workshop, actor, "twin"))  # 6,000 yuan: the western 5,000 and 1,000 more
    following = open_fund(workshop, "province-2027", 2027)
    with workshop.work(APPROVER) as work:
        fund_life.freeze_fund(work, fund_id=fund, reason="年终封账")
    asked = ask_carry_over(workshop, fund, following)
    done = approve(workshop, asked)
    assert done.amount_fen == 9_000 * YUAN
    old, new = fund_now(workshop, fund), fund_now(workshop, following)
    assert (old.available_fen, old.held_fen, old.carried_fen, old.budget_fen) == (
        0,
        6_000 * YUAN,
        -9_000 * YUAN,
        6_000 * YUAN,
    )
    assert (new.appropriated_fen, new.carried_fen, new.available_fen) == (0, 9_000 * YUAN, 9_000 * YUAN)
    with workshop.work(OFFICER) as work:
        (out,) = funds.list_fund_entries(work, fund_id=fund, wanted=EntryFilter(place="carried")).items
        (into,) = funds.list_fund_entries(work, fund_id=following).items
    assert (out.counterpart_id, into.counterpart_id) == (into.id, out.id)
    assert "province-2027" in out.reason
    assert "province (2026)" in into.reason
    assert refusal(lambda: approve(workshop, ask_carry_over(workshop, fund, following))).code == "fund.nothing_to_carry"
    back = refusal(lambda: ask_carry_over(workshop, following, fund))
    assert (back.code, back.errors[0].field) == ("fund_transfer.not_later", "to_fund_id")
    approve(workshop, ask_return(workshop, following, "", 9_000 * YUAN))
    assert fund_now(workshop, following).appropriated_fen == -9_000 * YUAN  # the treasury gave it to the year before
    assert broken(workshop, ALL) == {}


def test_a_fund_is_frozen_and_let_go_with_a_reason(workshop: WorkShop) -> None:
    fund = fill_fund(workshop, "province", 100)
    with workshop.work(APPROVER) as work:
        frozen = fund_life.freeze_fund(work, fund_id=fund, reason="审计核查")
    assert (frozen.status, frozen.status_reason, frozen.status_by) == ("frozen", "审计核查", APPROVER.user_id)
    with pytest.raises(Conflict) as same, workshop.work(APPROVER) as work:
        fund_life.freeze_fund(work, fund_id=fund, reason="x")
    assert same.value.code == "fund.same_status"
    assert refusal(lambda: ask_transfer(workshop, fund, "", "western", 1)).code == "fund.not_open"
    with workshop.work(APPROVER) as work:
        assert fund_life.unfreeze_fund(work, fund_id=fund, reason="核查完毕").status == "open"
        trail = work.session.execute(text("SELECT action, detail ->> 'reason' FROM audit_entries ORDER BY at, id"))
        assert [tuple(row) for row in trail][-2:] == [("fund.freeze", "审计核查"), ("fund.unfreeze", "核查完毕")]


def test_a_fund_closes_when_nothing_of_it_is_open(workshop: WorkShop, clock: ManualClock) -> None:
    fund = fill_fund(workshop, "province", 10_000 * YUAN, western=1_000 * YUAN)
    approve_programme(workshop, "tech", policy())
    price(workshop, "twin")
    actor = park()
    (line,), held = check_out(workshop, actor, ask(workshop, actor, "twin"))

    def close() -> str:
        with workshop.work(APPROVER) as work:
            return fund_life.close_fund(work, fund_id=fund, reason="年度结束").status

    refused = refusal(close)
    assert refused.code == "fund.not_settled"
    assert {error.field for error in refused.errors} == {
        *(f"holds[{hold.id}]" for hold in held),
        "envelopes[].available_fen",
    }
    assert any(str(line) in str(error.message) for error in refused.errors)
    with workshop.work(actor) as work:
        holds.release_holds(work, order_line_id=line, reason="order.cancelled")
        assert {each.kind for each in fund_life.what_keeps_open(work, fund_id=fund)} == {"available"}
    approve(workshop, ask_return(workshop, fund, "western", 1_000 * YUAN))
    approve(workshop, ask_return(workshop, fund, "", 10_000 * YUAN))
    assert close() == "closed"
    for act in (close, lambda: ask_carry_over(workshop, fund, open_fund(workshop, "next", 2027))):
        assert refusal(act).code == "fund.closed"
    with pytest.raises(Conflict), workshop.work(OFFICER) as work:
        funds.request_appropriation(work, fund_id=fund, amount_fen=1, document_no="1")
    clock.advance(timedelta(days=1))
    assert broken(workshop, ALL) == {}


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("DELETE FROM funds", "never deleted"),
        ("DELETE FROM fund_envelopes", "never changed"),
        ("UPDATE funds SET status = 'closed', status_reason = 'x', status_at = now()", "not disbursed"),
        ("UPDATE funds SET year = 2030", "keeps its code and year"),
        ("UPDATE funds SET status = 'frozen'", "ck_funds_stopped"),
        ("UPDATE appropriations SET amount_fen = 1", "stays decided"),
        ("DELETE FROM appropriations", "stays decided"),
        ("UPDATE fund_envelopes SET transferred_fen = 1", "ck_fund_envelopes_whole"),
        ("UPDATE fund_envelopes SET available_fen = -1, carried_fen = -2 - appropriated_fen", "ck_fund_envelopes"),
    ],
)
def test_the_database_itself_refuses(workshop: WorkShop, database: Database, statement: str, said: str) -> None:
    fill_fund(workshop, "province", 1)
    with pytest.raises(DBAPIError, match=said), database.owner().begin() as connection:
        connection.execute(text(statement))


def test_a_closed_fund_does_not_open_again(workshop: WorkShop, database: Database) -> None:
    fund = open_fund(workshop, "province", 2026)
    with workshop.work(APPROVER) as work:
        fund_life.close_fund(work, fund_id=fund, reason="误设")
    with pytest.raises(DBAPIError, match="does not go from closed to open"), database.owner().begin() as connection:
        connection.execute(text("UPDATE funds SET status = 'open'"))


BREAKS = {
    "fund-transfers-pair": "UPDATE fund_entries SET counterpart_id = id WHERE source = 'carried'",
    "fund-transfers-balance": "UPDATE fund_envelopes SET transferred_fen = transferred_fen + 1, available_fen = available_fen + 1",
    "fund-carry-over-balances": "UPDATE fund_envelopes SET carried_fen = carried_fen + 1, available_fen = available_fen + 1",
    "fund-transfers-decided": "UPDATE fund_transfers SET amount_fen = amount_fen + 1",
    "fund-closed-is-empty": "UPDATE funds SET status = 'closed', status_reason = 'x', status_at = now()",
    "fund-budget-books": "UPDATE postings SET amount_fen = amount_fen + 1",
    "appropriation-split": "UPDATE appropriation_parts SET amount_fen = 10000",
}


def test_each_invariant_of_a_funds_life_can_break(workshop: WorkShop, database: Database) -> None:
    fund = open_fund(workshop, "province", 2026)
    with workshop.work(OFFICER) as work:
        asked = funds.request_appropriation(
            work, fund_id=fund, amount_fen=100, document_no="1号", split=[Share("western", 5_000)]
        )
    with workshop.work(APPROVER) as work:
        funds.approve_appropriation(work, appropriation_id=asked.id)
    approve(workshop, ask_transfer(workshop, fund, "western", "", 10))
    approve(workshop, ask_carry_over(workshop, fund, open_fund(workshop, "next", 2027)))
    assert set(BREAKS) == {each.name for each in INVARIANTS_FUNDS}
    for each in INVARIANTS_FUNDS:
        with database.owner().connect() as connection, connection.begin() as undone:
            connection.execute(text("SET session_replication_role = replica"))
            assert connection.execute(text(each.sql)).all() == []
            connection.execute(text(BREAKS[each.name]))
            assert connection.execute(text(each.sql)).all() != [], each.name
            undone.rollback()
