"""Holds from quote to capture, release and expiry, on a migrated database."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text

from billing.usecases import fund_life, holds, invariants
from tenants.kernel.clock import ManualClock
from tenants.kernel.context import system_actor
from tenants.kernel.errors import Conflict
from tenants.kernel.work import WorkShop
from tests.support.subsidies import (
    APPROVER,
    FACTS,
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

SYSTEM = system_actor("jobs")


def check_invariants(shop: WorkShop) -> None:
    with shop.work(system_actor("check")) as work:
        for invariant in invariants.INVARIANTS:
            assert work.session.execute(text(invariant.sql)).all() == [], invariant.sentence


def counters(shop: WorkShop) -> dict[str, int]:
    with shop.work(SYSTEM) as work:
        rows = work.session.execute(text("SELECT scope, used_fen FROM cap_counters"))
        return {row.scope: row.used_fen for row in rows}


def test_a_hold_is_captured_in_full(workshop: WorkShop) -> None:
    fund = fill_fund(workshop, "province", 100_000 * YUAN)
    approve_programme(workshop, "tech", policy(caps=[{"scope": "entity_year", "amount_fen": 50_000 * YUAN}]))
    price(workshop, "twin")
    actor = park()
    quote = ask(workshop, actor, "twin")
    assert (quote.gross_fen, quote.subsidy_fen, quote.payable_fen) == (1_000_000, 600_000, 400_000)
    (line,), (hold,) = check_out(workshop, actor, quote)
    assert (hold.amount_fen, hold.status, hold.fund, hold.envelope) == (600_000, "held", "province", "")
    with workshop.work(SYSTEM) as work:
        (captured,) = holds.capture_holds(work, order_line_id=line, amount_fen=600_000)
        assert holds.capture_holds(work, order_line_id=line, amount_fen=600_000) == (captured,)
    now = fund_now(workshop, fund)
    assert (now.available_fen, now.held_fen, now.captured_fen) == (9_400_000, 0, 600_000)
    assert counters(workshop) == {"entity_year": 600_000}
    check_invariants(workshop)


def test_what_is_not_captured_goes_back_to_fund_and_ceiling(workshop: WorkShop) -> None:
    fund = fill_fund(workshop, "province", 100_000 * YUAN)
    approve_programme(workshop, "tech", policy(caps=[{"scope": "scheme", "amount_fen": 50_000 * YUAN}]))
    price(workshop, "twin")
    actor = park()
    (line,), _ = check_out(workshop, actor, ask(workshop, actor, "twin"))
    with workshop.work(SYSTEM) as work:
        (captured,) = holds.capture_holds(work, order_line_id=line, amount_fen=599_999)
    assert (captured.status, captured.captured_fen) == ("captured", 599_999)
    now = fund_now(workshop, fund)
    assert (now.available_fen, now.held_fen, now.captured_fen) == (9_400_001, 0, 599_999)
    assert counters(workshop) == {"scheme": 599_999}
    with workshop.work(SYSTEM) as work, pytest.raises(Conflict, match="已核销或释放"):
        holds.capture_holds(work, order_line_id=line, amount_fen=600_000)
    check_invariants(workshop)


def test_more_than_is_held_is_never_captured(workshop: WorkShop) -> None:
    fill_fund(workshop, "province", 100_000 * YUAN)
    approve_programme(workshop, "tech", policy())
    price(workshop, "twin")
    actor = park()
    (line,), _ = check_out(workshop, actor, ask(workshop, actor, "twin"))
    with pytest.raises(Conflict, match="超过预占金额"), workshop.work(SYSTEM) as work:
        holds.capture_holds(work, order_line_id=line, amount_fen=600_001)
    check_invariants(workshop)


def test_a_release_gives_all_back_once(workshop: WorkShop) -> None:
    fund = fill_fund(workshop, "province", 100_000 * YUAN)
    approve_programme(workshop, "tech", policy(caps=[{"scope": "controller_year", "amount_fen": 50_000 * YUAN}]))
    price(workshop, "twin")
    actor = park()
    (line,), _ = check_out(workshop, actor, ask(workshop, actor, "twin"))
    for _ in range(2):
        with workshop.work(actor) as work:
            holds.release_holds(work, order_line_id=line, reason="order.cancelled")
    now = fund_now(workshop, fund)
    assert (now.available_fen, now.held_fen) == (10_000_000, 0)
    assert counters(workshop) == {"controller_year": 0}
    with pytest.raises(Conflict, match="已核销或释放"), workshop.work(SYSTEM) as work:
        holds.capture_holds(work, order_line_id=line, amount_fen=600_000)
    check_invariants(workshop)


def test_overdue_holds_name_their_lines_and_are_expired_when_given_back(workshop: WorkShop, clock: ManualClock) -> None:
    fund = fill_fund(workshop, "province", 100_000 * YUAN)
    approve_programme(workshop, "tech", policy())
    price(workshop, "twin")
    actor = park()
    (line,), _ = check_out(workshop, actor, ask(workshop, actor, "twin"))
    clock.advance(timedelta(days=30) - timedelta(microseconds=1))
    with workshop.work(SYSTEM) as work:
        assert holds.overdue_lines(work) == ()
    clock.advance(timedelta(microseconds=1))
    with workshop.work(SYSTEM) as work:
        assert holds.overdue_lines(work) == (holds.OverdueLine(actor.require_tenant(), line),)
        holds.release_holds(work, order_line_id=line, reason="order.overdue")
        assert holds.overdue_lines(work) == ()
        assert [hold.status for hold in holds.read_line_holds(work, line)] == ["expired"]
    assert fund_now(workshop, fund).held_fen == 0
    check_invariants(workshop)


def test_a_region_draws_on_its_allotment_first_and_then_on_the_rest(workshop: WorkShop) -> None:
    fund = fill_fund(workshop, "province", 10_000 * YUAN, r510118=1_000 * YUAN, western=2_000 * YUAN)
    approve_programme(workshop, "tech", policy())
    price(workshop, "twin")
    actor = park()
    (line,), held = check_out(workshop, actor, ask(workshop, actor, "twin"))
    assert {hold.envelope: hold.amount_fen for hold in held} == {"510118": 100_000, "western": 200_000, "": 300_000}
    with workshop.work(SYSTEM) as work:
        holds.capture_holds(work, order_line_id=line, amount_fen=300_000)
    now = fund_now(workshop, fund)
    assert {each.envelope: (each.captured_fen, each.available_fen) for each in now.envelopes} == {
        "510118": (50_000, 50_000),
        "western": (100_000, 100_000),
        "": (150_000, 850_000),
    }
    check_invariants(workshop)


def test_another_regions_allotment_is_out_of_reach(workshop: WorkShop) -> None:
    fill_fund(workshop, "province", 0, r510118=100_000 * YUAN)
    approve_programme(workshop, "tech", policy())
    price(workshop, "twin")
    quote = ask(workshop, park(), "twin", facts={**FACTS, "region": "320114", "region_class": "eastern"})
    assert quote.subsidy_fen == 0
    assert quote.lines[0].awards[0].reasons == ("FUND_EXHAUSTED",)


def test_the_last_money_is_awarded_in_part_and_then_refused(workshop: WorkShop) -> None:
    fund = fill_fund(workshop, "province", 599_999)
    approve_programme(workshop, "tech", policy())
    price(workshop, "twin")
    one, other = park(), park()
    quote, rival = ask(workshop, one, "twin"), ask(workshop, other, "twin")
    assert quote.subsidy_fen == rival.subsidy_fen == 599_999
    check_out(workshop, one, quote)
    with pytest.raises(Conflict) as refused:
        check_out(workshop, other, rival)
    assert refused.value.code == "quote.subsidy_changed"
    assert fund_now(workshop, fund).available_fen == 0
    check_invariants(workshop)


def test_a_fund_that_ran_out_after_the_confirmation_refuses_the_hold(workshop: WorkShop) -> None:
    fund = fill_fund(workshop, "province", 600_000)
    approve_programme(workshop, "tech", policy(caps=[{"scope": "scheme", "amount_fen": 50_000 * YUAN}]))
    price(workshop, "twin")
    one, other = park(), park()
    quote, rival = ask(workshop, one, "twin"), ask(workshop, other, "twin")
    check_out(workshop, one, quote)
    with (
        pytest.raises(Conflict, match=r"可用余额 0\.00 元，本单需要 6,000\.00 元") as refused,
        workshop.work(other) as work,
    ):
        holds.hold_subsidies(work, quote=rival, line_ids=[rival.id], expires_at=work.now)
    assert refused.value.code == "fund.exhausted"
    assert counters(workshop) == {"scheme": 600_000}
    assert fund_now(workshop, fund).held_fen == 600_000
    check_invariants(workshop)


def test_a_ceiling_that_was_reached_after_the_confirmation_refuses_the_hold(workshop: WorkShop) -> None:
    fill_fund(workshop, "province", 100_000 * YUAN)
    approve_programme(workshop, "tech", policy(caps=[{"scope": "fund_year", "amount_fen": 7_000 * YUAN}]))
    price(workshop, "twin")
    one, other = park(), park()
    quote, rival = ask(workshop, one, "twin"), ask(workshop, other, "twin")
    check_out(workshop, one, quote)
    with (
        pytest.raises(Conflict, match=r"上限仅余 1,000\.00 元，本单需要 6,000\.00 元") as refused,
        workshop.work(other) as work,
    ):
        holds.hold_subsidies(work, quote=rival, line_ids=[rival.id], expires_at=work.now)
    assert refused.value.code == "cap.reached"
    assert ask(workshop, other, "twin").subsidy_fen == 1_000 * YUAN
    check_invariants(workshop)


def test_a_frozen_fund_gives_nothing_and_still_settles(workshop: WorkShop) -> None:
    fund = fill_fund(workshop, "province", 100_000 * YUAN)
    approve_programme(workshop, "tech", policy())
    price(workshop, "twin")
    actor = park()
    (line,), _ = check_out(workshop, actor, ask(workshop, actor, "twin"))
    quote = ask(workshop, actor, "twin")
    with workshop.work(APPROVER) as work:
        fund_life.freeze_fund(work, fund_id=fund, reason="核查")
    with pytest.raises(Conflict, match=r"可用余额 0\.00 元"), workshop.work(actor) as work:
        holds.hold_subsidies(work, quote=quote, line_ids=[quote.id], expires_at=work.now)
    assert ask(workshop, actor, "twin").subsidy_fen == 0
    with workshop.work(OFFICER) as work:
        holds.capture_holds(work, order_line_id=line, amount_fen=600_000)
    check_invariants(workshop)


def test_awards_that_come_later_hold_nothing_now(workshop: WorkShop) -> None:
    fill_fund(workshop, "province", 100_000 * YUAN)
    approve_programme(workshop, "later", policy(mode="reimburse"))
    price(workshop, "twin")
    actor = park()
    quote = ask(workshop, actor, "twin")
    assert (quote.subsidy_fen, quote.later_fen, quote.payable_fen) == (0, 600_000, 1_000_000)
    assert check_out(workshop, actor, quote)[1] == ()
