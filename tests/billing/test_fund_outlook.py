"""Forecasts, alerts raised once per crossing, and idle regional money."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from billing.usecases import fund_outlook, holds, invariants
from tenants.kernel.clock import ManualClock
from tenants.kernel.context import system_actor
from tenants.kernel.errors import Conflict, Invalid
from tenants.kernel.work import WorkShop
from tests.support.fund_moves import approve, ask_return, ask_transfer
from tests.support.invariants import broken
from tests.support.subsidies import (
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

SYSTEM = system_actor("clockwork")


def watch(shop: WorkShop) -> list[str]:
    """Run the watch; return the kinds of the alerts it raised."""
    with shop.work(SYSTEM) as work:
        return [alert.kind for alert in fund_outlook.watch_funds(work)]


def test_a_fund_foresees_its_end_and_warns_once(workshop: WorkShop, clock: ManualClock) -> None:
    fund = fill_fund(workshop, "province", 100_000 * YUAN)
    approve_programme(workshop, "tech", policy())
    price(workshop, "twin")
    with workshop.work(OFFICER) as work:
        empty = fund_outlook.read_outlook(work, fund_id=fund)
    assert (empty.daily_fen, empty.runs_out_on, empty.basis) == (None, None, ())
    assert watch(workshop) == []
    actor, lines = park(), []
    for _ in range(10):  # 6,000 yuan a day, and what is given back does not count
        lines.append(check_out(workshop, actor, ask(workshop, actor, "twin"))[0][0])
        released = check_out(workshop, actor, ask(workshop, actor, "twin"))[0][0]
        with workshop.work(actor) as work:
            holds.release_holds(work, order_line_id=released, reason="order.cancelled")
        clock.advance(timedelta(days=1))
    clock.advance(timedelta(days=-1))
    with workshop.work(OFFICER) as work:
        seen = fund_outlook.read_outlook(work, fund_id=fund)
    assert (seen.available_fen, seen.daily_fen, seen.days_left) == (40_000 * YUAN, 6_000 * YUAN, 6)
    assert seen.runs_out_on == date(2026, 3, 17)
    assert [each.available_fen // YUAN for each in seen.history] == [94_000 - 6_000 * day for day in range(10)]
    assert [window.days for window in seen.basis] == [10, 10]

    assert watch(workshop) == ["burn_rate"]
    assert watch(workshop) == []
    with workshop.work(OFFICER) as work:
        fund_outlook.set_thresholds(work, fund_id=fund, low_share_bp=4_000, low_days=6)
    assert watch(workshop) == ["low_balance"]
    with workshop.work(OFFICER) as work:
        (low, burn) = sorted(fund_outlook.list_alerts(work, fund_id=fund), key=lambda alert: alert.kind, reverse=True)
        noted = fund_outlook.acknowledge_alert(work, alert_id=low.id, note="已申请追加")
    assert (low.threshold, low.available_fen, low.budget_fen, low.runs_out_on) == (
        4_000,
        40_000 * YUAN,
        100_000 * YUAN,
        date(2026, 3, 17),
    )
    assert (noted.note, noted.acknowledged_by, burn.kind) == ("已申请追加", OFFICER.user_id, "burn_rate")
    with pytest.raises(Conflict), workshop.work(OFFICER) as work:
        fund_outlook.acknowledge_alert(work, alert_id=low.id)
    with workshop.work(actor) as work:  # clear of both thresholds by more than a tenth
        holds.release_lines(work, order_line_ids=lines[:5], reason="order.cancelled")
    assert watch(workshop) == []
    with workshop.work(OFFICER) as work:
        assert fund_outlook.list_alerts(work, fund_id=fund) == ()
        assert len(fund_outlook.list_alerts(work, fund_id=fund, standing=False)) == 2
    approve(workshop, ask_return(workshop, fund, "", 50_000 * YUAN))
    assert set(watch(workshop)) == {"low_balance", "burn_rate"}, "a new crossing is a new alert"
    assert broken(workshop, invariants.INVARIANTS) == {}


def test_thresholds_are_checked_and_may_be_off(workshop: WorkShop) -> None:
    fund = fill_fund(workshop, "province", 100)
    assert (fund_now(workshop, fund).low_share_bp, fund_now(workshop, fund).low_days) == (2000, 30)
    with pytest.raises(Invalid) as refused, workshop.work(OFFICER) as work:
        fund_outlook.set_thresholds(work, fund_id=fund, low_share_bp=10_000, low_days=0)
    assert {error.field for error in refused.value.errors} == {"low_share_bp", "low_days"}
    with workshop.work(OFFICER) as work:
        off = fund_outlook.set_thresholds(work, fund_id=fund, low_share_bp=None, low_days=None)
    assert (off.low_share_bp, off.low_days) == (None, None)
    approve(workshop, ask_return(workshop, fund, "", 99))
    assert watch(workshop) == []


def test_idle_regional_money_is_proposed_and_two_people_move_it(workshop: WorkShop, clock: ManualClock) -> None:
    fund = fill_fund(workshop, "province", 100_000 * YUAN, western=50_000 * YUAN, r411200=1_000 * YUAN)
    with workshop.work(OFFICER) as work:
        assert fund_outlook.propose_rebalancing(work, fund_id=fund) == ()
    clock.instant = datetime(2026, 11, 30, 16, 0, tzinfo=UTC)  # the first of December in China
    approve_programme(workshop, "tech", policy(window={"from": "2026-12-01", "to": "2027-12-01"}))
    price(workshop, "twin")
    actor = park()
    check_out(workshop, actor, ask(workshop, actor, "twin"))
    with workshop.work(OFFICER) as work:
        proposed = fund_outlook.propose_rebalancing(work, fund_id=fund)
    assert [(each.envelope, each.days) for each in proposed] == [("western", 31), ("411200", 31)]
    approve(workshop, ask_transfer(workshop, fund, "western", "", proposed[0].amount_fen))
    with workshop.work(OFFICER) as work:
        assert [each.envelope for each in fund_outlook.propose_rebalancing(work, fund_id=fund)] == ["411200"]
