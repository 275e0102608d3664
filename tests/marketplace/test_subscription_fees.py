"""A subscription from its first day to its end: periods begin once, each is charged once, and the books know it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from billing.usecases import invoicing, reconciliation
from billing.usecases.invariants_books import INVARIANTS_BOOKS
from billing.usecases.invariants_plans import INVARIANTS_PLANS
from marketplace.usecases import invariants, subscription_fees
from tenants.kernel.clock import ManualClock
from tenants.kernel.context import Actor, system_actor
from tenants.kernel.errors import Conflict, Invalid
from tenants.kernel.vocabulary import Tier
from tenants.kernel.work import Work, WorkShop
from tenants.rules.days import Alignment, BilledEvery
from tenants.rules.subscriptions import Change, When
from tenants.usecases import subscription_periods, subscriptions
from tests.support.databases import Database, RecordingOutbox
from tests.support.fees import FEES, at, charge, clockwork, do, set_plan, subscribe, worker
from tests.support.invariants import broken
from tests.support.parks import person, verified_park
from tests.support.plays import at_once

ALL = (*invariants.ALL,)
FINANCE = system_actor("finance")


@pytest.fixture
def park(workshop: WorkShop) -> Actor:
    """A verified park's administrator, in a province where tiers cost 0, 500 and 2,000 yuan a month."""
    for tier, fee in FEES.items():
        set_plan(workshop, tier, fee)
    verified_park(workshop, 1)
    return person(workshop, "admin1")


def preview(shop: WorkShop, park: Actor, tier: Tier, **how: Any) -> subscription_fees.ChangePreview:
    found: subscription_fees.ChangePreview = do(
        shop, park, lambda work: subscription_fees.preview_change(work, tier=tier, **how)
    )
    return found


def reconcile(shop: WorkShop, period: str) -> reconciliation.ReconciliationView:
    with shop.work(FINANCE) as work:
        return reconciliation.reconcile(work, period=period)


def test_upgrade_now_downgrade_later_cancel_and_every_fen_in_the_books(
    workshop: WorkShop, clock: ManualClock, park: Actor, outbox: RecordingOutbox
) -> None:
    subscribe(workshop, park, Tier.ENHANCED)  # on 2 March: 30 of 31 days
    assert len(outbox.named("subscription.period_started")) == 1
    assert charge(workshop, park) == 50_000 - 50_000 // 31
    assert charge(workshop, park) == 0, "told twice, charged once"
    clock.instant = at(2026, 3, 17, 23)  # 15 of 31 days are left, the 17th among them
    shown = preview(workshop, park, Tier.LEADING)
    assert (shown.change, shown.days, shown.whole.days) == (Change.UPGRADE, 15, 31)
    assert shown.due_fen == 200_000 - 200_000 * 16 // 31
    assert shown.credit_fen == 50_000 - 50_000 * 16 // 31
    assert (shown.next_fee_fen, shown.next_from) == (200_000, at(2026, 4, 1, 0))
    assert (
        len(do(workshop, park, lambda work: subscription_periods.list_periods(work, park_id=park.require_tenant())))
        == 1
    )
    subscribe(workshop, park, Tier.LEADING)
    assert charge(workshop, park) == shown.charged_fen == shown.due_fen - shown.credit_fen
    later = preview(workshop, park, Tier.BASIC, when=When.PERIOD_END)
    assert (later.change, later.charged_fen, later.next_fee_fen) == (Change.DOWNGRADE, 0, 0)
    assert later.at == later.next_from == at(2026, 4, 1, 0)
    subscribe(workshop, park, Tier.BASIC, when=When.PERIOD_END)
    assert subscribe(workshop, park, Tier.LEADING).tier is Tier.LEADING, "to have what it has takes the change back"
    subscribe(workshop, park, Tier.ENHANCED, when=When.PERIOD_END)
    assert charge(workshop, park) == 0
    clock.instant = at(2026, 4, 1, 0)
    current = do(workshop, park, lambda work: subscriptions.current_subscription(work, park_id=park.require_tenant()))
    assert current.tier is Tier.ENHANCED, "at that very moment, whether or not the clockwork has run"
    assert clockwork(workshop, park) == 50_000
    assert clockwork(workshop, park) == 0
    do(workshop, park, subscriptions.cancel)
    clock.instant = at(2026, 6, 1)
    assert clockwork(workshop, park) == 0, "cancelled with the end of April"
    assert (
        do(workshop, park, lambda work: subscriptions.current_subscription(work, park_id=park.require_tenant())) is None
    )
    issued = do(workshop, FINANCE, lambda work: invoicing.issue_invoices(work, period="2026-03"))
    lines = do(workshop, FINANCE, lambda work: invoicing.read_invoice(work, invoice_id=issued[0].id)).lines
    assert [line.title for line in lines] == ["方案 2026-03-02 – 2026-03-31", "方案 2026-03-17 – 2026-03-31"]
    assert [line.payable_fen for line in lines] == [48_388, shown.charged_fen]
    do(workshop, FINANCE, lambda work: invoicing.issue_invoices(work, period="2026-04"))
    for period in ("2026-03", "2026-04"):
        view = reconcile(workshop, period)
        assert view.breaks == ()
        assert view.metered_fen == view.rated_fen == view.invoiced_fen > 0
    assert broken(workshop, ALL) == {}


def test_a_cheaper_tier_at_once_leaves_money_over_for_the_next_fees(
    workshop: WorkShop, clock: ManualClock, park: Actor
) -> None:
    clock.instant = at(2026, 6, 1)
    subscribe(workshop, park, Tier.LEADING)
    assert charge(workshop, park) == 200_000
    clock.instant = at(2026, 6, 11)
    shown = preview(workshop, park, Tier.ENHANCED)
    assert (shown.charged_fen, shown.carried_out_fen) == (0, (200_000 - 50_000) * 20 // 30)
    subscribe(workshop, park, Tier.ENHANCED)
    assert charge(workshop, park) == 0
    clock.instant = at(2026, 8, 2)
    assert clockwork(workshop, park) == 0, "July and August are paid by what was left over"
    clock.instant = at(2026, 9, 2)
    assert clockwork(workshop, park) == 50_000
    assert broken(workshop, ALL) == {}


def test_periods_of_an_anniversary_derive_from_their_first_day(
    workshop: WorkShop, clock: ManualClock, park: Actor
) -> None:
    clock.instant = at(2028, 1, 31)
    subscribe(workshop, park, Tier.ENHANCED, alignment=Alignment.ANNIVERSARY)
    clock.instant = at(2028, 5, 1)
    assert clockwork(workshop, park) == 4 * 50_000
    periods = do(workshop, park, lambda work: subscription_periods.list_periods(work, park_id=park.require_tenant()))
    assert [each.whole.start.isoformat() for each in periods] == [
        "2028-01-31",
        "2028-02-29",
        "2028-03-31",
        "2028-04-30",
    ]
    yearly = preview(workshop, park, Tier.ENHANCED, every=BilledEvery.YEAR, when=When.PERIOD_END)
    assert (yearly.change, yearly.next_fee_fen, yearly.next_from) == (Change.TERMS, 500_000, at(2028, 5, 31, 0))
    subscribe(workshop, park, Tier.ENHANCED, every=BilledEvery.YEAR, when=When.PERIOD_END)
    clock.instant = at(2029, 5, 31)
    assert clockwork(workshop, park) == 2 * 500_000
    assert broken(workshop, ALL) == {}


def test_a_new_version_of_a_plan_counts_from_the_next_period(
    workshop: WorkShop, clock: ManualClock, park: Actor
) -> None:
    clock.instant = at(2026, 4, 1)
    subscribe(workshop, park, Tier.ENHANCED)
    assert charge(workshop, park) == 50_000
    clock.instant = at(2026, 4, 10)
    made = set_plan(workshop, Tier.ENHANCED, 60_000, valid_from=at(2026, 5, 1, 0))
    assert made.version == 3, "the first one came with the platform"
    shown = preview(workshop, park, Tier.ENHANCED)
    assert (shown.charged_fen, shown.next_fee_fen) == (0, 60_000), "what is due from the next period on"
    with pytest.raises(Conflict):
        set_plan(workshop, Tier.ENHANCED, 70_000, valid_from=at(2026, 5, 1, 0))
    with pytest.raises(Invalid) as refused:
        set_plan(workshop, Tier.BASIC, -1, valid_from=at(2026, 4, 1), name="")
    assert {error.field for error in refused.value.errors} == {
        "name", "monthly_fee_fen", "yearly_fee_fen", "valid_from",
    }  # fmt: skip
    clock.instant = at(2026, 6, 1)
    assert clockwork(workshop, park) == 2 * 60_000
    assert broken(workshop, ALL) == {}


def test_of_two_upgrades_at_once_each_day_is_charged_once(workshop: WorkShop, clock: ManualClock, park: Actor) -> None:
    clock.instant = at(2026, 4, 1)
    subscribe(workshop, park, Tier.BASIC)
    clock.instant = at(2026, 4, 11)
    wishes = [lambda tier=tier: subscribe(workshop, park, tier).tier for tier in (Tier.ENHANCED, Tier.LEADING)]
    outcomes = at_once(wishes)
    assert set(outcomes) <= {Tier.ENHANCED, Tier.LEADING, "subscription.changed_meanwhile"}
    at_once([lambda: charge(workshop, park)] * 3)
    current = do(workshop, park, lambda work: subscriptions.current_subscription(work, park_id=park.require_tenant()))
    charged = reconcile(workshop, "2026-04").rated_fen
    assert charged in {-(-FEES[tier] * 20 // 30) for tier in (current.tier, Tier.LEADING)}
    assert broken(workshop, ALL) == {}


def test_renewals_that_meet_and_are_cut_off_charge_once(workshop: WorkShop, clock: ManualClock, park: Actor) -> None:
    clock.instant = at(2026, 4, 1)
    subscribe(workshop, park, Tier.ENHANCED)
    clock.instant = at(2026, 7, 1)
    assert do(workshop, system_actor("clockwork"), subscription_periods.parks_to_renew) == (park.tenant_id,)

    def killed(work: Work) -> None:
        subscription_periods.renew(work)
        subscription_fees.charge_park(work)
        raise ConnectionError("the worker is killed before its commit")

    with pytest.raises(ConnectionError):
        do(workshop, worker(park), killed)
    at_once([lambda: clockwork(workshop, park)] * 4)
    assert do(workshop, system_actor("clockwork"), subscription_periods.parks_to_renew) == ()
    assert do(workshop, system_actor("clockwork"), subscription_fees.parks_to_charge) == ()
    sums = [reconcile(workshop, month).rated_fen for month in ("2026-04", "2026-05", "2026-06", "2026-07")]
    assert sums == [50_000] * 4
    assert broken(workshop, ALL) == {}


def live(shop: WorkShop, clock: ManualClock, park: Actor) -> None:
    clock.instant = at(2026, 4, 1)
    subscribe(shop, park, Tier.ENHANCED)
    charge(shop, park)
    clock.instant = at(2026, 4, 11)
    subscribe(shop, park, Tier.LEADING)
    charge(shop, park)


BROKEN = {
    "subscription-charged": "UPDATE subscription_charges SET charged_fen = charged_fen + 1, due_fen = due_fen + 1",
    "subscription-fees": "UPDATE plans SET monthly_fee_fen = monthly_fee_fen + 100",
    "subscription-left-over": "UPDATE subscription_charges SET carried_in_fen = 1, charged_fen = charged_fen - 1",
    "subscription-charge-period": "UPDATE subscription_periods SET whole_until = whole_until + 1",
}


@pytest.mark.parametrize("name", BROKEN)
def test_each_invariant_of_subscriptions_finds_its_break(
    workshop: WorkShop, clock: ManualClock, park: Actor, database: Database, name: str
) -> None:
    live(workshop, clock, park)
    assert broken(workshop, ALL) == {}
    with database.owner().begin() as connection:
        connection.execute(text("SET session_replication_role = replica"))
        connection.execute(text(BROKEN[name]))
    assert name in broken(workshop, (*INVARIANTS_PLANS, *invariants.SUBSCRIPTIONS))


def test_there_is_a_break_for_each() -> None:
    assert set(BROKEN) == {each.name for each in (*INVARIANTS_PLANS, *invariants.SUBSCRIPTIONS)} - {
        "plan-uses", "plan-use-of-line", "subscription-credited",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("UPDATE plans SET monthly_fee_fen = 0 WHERE tier = 'leading'", "usage_rated"),
        ("DELETE FROM journals WHERE source_kind = 'delivery'", "delivery-metered-and-posted"),
    ],
)
def test_a_fee_that_was_changed_behind_the_use_cases_is_a_break(
    workshop: WorkShop, clock: ManualClock, park: Actor, database: Database, change: str, found: str
) -> None:
    live(workshop, clock, park)
    with database.owner().begin() as connection:
        connection.execute(text("SET session_replication_role = replica"))
        connection.execute(text(change))
    view = reconcile(workshop, "2026-04")
    assert found in {each.kind.value for each in view.breaks} | set(broken(workshop, INVARIANTS_BOOKS))


def test_nobody_subscribes_twice_or_over_another(workshop: WorkShop, clock: ManualClock, park: Actor) -> None:
    with pytest.raises(Conflict) as nothing:
        do(workshop, park, subscriptions.cancel)
    assert nothing.value.code == "subscription.none"
    subscribe(workshop, park, Tier.LEADING)
    do(workshop, park, subscriptions.cancel)
    overview = do(workshop, park, lambda work: subscriptions.read_overview(work, park_id=park.require_tenant()))
    assert (overview.current.ends_at, overview.next) == (at(2026, 4, 1, 0), None)
    again = preview(workshop, park, Tier.LEADING)
    assert (again.change, again.charged_fen) == (Change.KEEP, 0)
    assert subscribe(workshop, park, Tier.LEADING).id == overview.current.id
    clock.advance(-timedelta(days=400))
    subscribe(workshop, park, Tier.BASIC)
    charge(workshop, park)
    assert broken(workshop, ALL) == {}, "whatever the clock does"
