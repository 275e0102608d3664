"""Where subscriptions and money meet: a period that has begun is charged once, and a change is shown before it is made."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from billing.usecases import budgets, plans, subscription_fees
from billing.usecases.subscription_fees import BilledPeriod
from marketplace.store.subscription_queries import parks_with_uncharged_periods
from tenants.kernel.vocabulary import Permission, Tier
from tenants.kernel.work import Work
from tenants.rules.days import Alignment, BilledEvery, Span, local_day
from tenants.rules.subscriptions import Change, When
from tenants.usecases import subscription_periods, subscriptions
from tenants.usecases.subscription_periods import PeriodView
from tenants.usecases.views import SubscriptionView


@dataclass(frozen=True)
class ChangePreview:
    """What a wish for a tier comes to. ``charged_fen`` is to be paid now: ``due_fen`` for the rest of the period, less
    ``credit_fen`` for the rest of the old tier and ``left_over_fen`` of earlier fees; what is left of them then counts
    for the next fee. ``next_fee_fen`` is due from ``next_from`` on, each period.
    """

    change: Change
    tier: Tier
    plan: plans.PlanView
    every: BilledEvery
    at: datetime
    days: int
    whole: Span
    due_fen: int
    credit_fen: int
    left_over_fen: int
    charged_fen: int
    carried_out_fen: int
    next_fee_fen: int
    next_from: datetime


def subscribe(
    work: Work,
    *,
    tier: Tier,
    when: When = When.NOW,
    every: BilledEvery | None = None,
    alignment: Alignment | None = None,
) -> SubscriptionView:
    """Do what ``subscriptions.subscribe`` does, unless the fee that is due now would pass a budget of the acting park.

    Raises Conflict ``budget.exceeded`` then, and as ``subscriptions.subscribe`` does; nothing is changed.
    """
    work.actor.require(Permission.SUBSCRIBE)
    cost = preview_change(work, tier=tier, when=when, every=every, alignment=alignment)
    view = subscriptions.subscribe(work, tier=tier, when=when, every=every, alignment=alignment)
    if cost.charged_fen:
        *_, begun = subscription_periods.list_periods(work, park_id=work.actor.require_tenant())
        budgets.count_fee(work, period_id=begun.id, charged_fen=cost.charged_fen)
    return view


def exceeded_budgets(work: Work, *, cost: ChangePreview) -> tuple[budgets.Exceeded, ...]:
    """Return the limits that the fee due now would pass, for the park to see before it agrees."""
    work.actor.require(Permission.SUBSCRIBE)
    return budgets.preview_fee(work, charged_fen=cost.charged_fen)


def charge_park(work: Work) -> int:
    """Charge the acting park's periods that were not charged yet, the earliest first, and return the fen.

    In their order, because a period credits what is left of the one that it cut. A repeat charges nothing.
    """
    work.actor.require(Permission.METER_USAGE)
    periods = subscription_periods.list_periods(work, park_id=work.actor.require_tenant())
    waiting = subscription_fees.uncharged(work, periods=tuple(_billed(period) for period in periods))
    return sum(subscription_fees.charge_period(work, period=period) for period in waiting)


def parks_to_charge(work: Work) -> tuple[UUID, ...]:
    """Return the parks with a period that has begun and was not charged, for the clockwork."""
    work.actor.require(Permission.RUN_PLATFORM)
    return tuple(parks_with_uncharged_periods(work.session))


def preview_change(
    work: Work,
    *,
    tier: Tier,
    when: When = When.NOW,
    every: BilledEvery | None = None,
    alignment: Alignment | None = None,
) -> ChangePreview:
    """Return what ``subscriptions.subscribe`` with the same wish would change and cost; nothing is kept.

    Raises Conflict ``park.not_verified`` and ``plan.none``.
    """
    work.actor.require(Permission.SUBSCRIBE)
    planned = subscriptions.plan_subscription(work, tier=tier, when=when, every=every, alignment=alignment)
    goes_on = planned.change in {Change.NONE, Change.KEEP}
    at = work.now if goes_on else planned.at
    later = planned.at > work.now and not goes_on
    next_from = planned.at if later else subscriptions.period_end_of(planned)
    span = Span(local_day(at), planned.whole.end)
    fee = subscription_fees.preview_fee(
        work,
        tier=tier,
        every=planned.view.every,
        whole=planned.whole,
        span=span,
        at=at,
        next_at=next_from,
        replaces_id=planned.replaced.id if planned.replaced else None,
    )
    billed = fee.billed
    return ChangePreview(
        change=planned.change,
        tier=tier,
        plan=fee.plan,
        every=planned.view.every,
        at=planned.at,
        days=fee.days,
        whole=planned.whole,
        due_fen=0 if goes_on or later else billed.due_fen,
        credit_fen=0 if goes_on or later else billed.credit_fen,
        left_over_fen=billed.carried_in_fen,
        charged_fen=0 if goes_on or later else billed.charged_fen,
        carried_out_fen=billed.carried_in_fen if goes_on or later else billed.carried_out_fen,
        next_fee_fen=fee.next_fee_fen,
        next_from=next_from,
    )


def _billed(period: PeriodView) -> BilledPeriod:
    return BilledPeriod(
        id=period.id,
        tier=period.tier,
        every=period.every,
        whole=period.whole,
        span=period.span,
        starts_at=period.starts_at,
        replaces_id=period.replaces_id,
    )
