"""Subscriptions: the tier of technology that a park has, what it costs, and what a change would cost."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from flask import Response
from pydantic import Field

from marketplace.api.calls import call, command, noun, show
from marketplace.api.fields import Amount, Answer, Body, Idempotent, Moment
from marketplace.doors.identity import working
from marketplace.usecases import subscription_fees
from tenants.kernel.vocabulary import Tier
from tenants.kernel.work import Work
from tenants.rules.days import Alignment, BilledEvery
from tenants.rules.subscriptions import When
from tenants.usecases import subscriptions as use_cases

subscriptions = noun("subscriptions", "The tier a park has.")


class SubscriptionWish(Body):
    """The tier that is wanted, from now on or from the period's end. What is left out stays as it is."""

    tier: Tier
    when: When = When.NOW
    every: BilledEvery | None = Field(None, description="Billed by the month or the year; at first by the month")
    alignment: Alignment | None = Field(
        None, description="Periods of the calendar, or from the day on which it began; at first of the calendar"
    )


class Subscription(Answer):
    """A tier and how long it is held; open when ``ends_at`` is null. Periods derive from the day ``anchor_on``."""

    id: UUID
    tier: Tier
    starts_at: Moment
    ends_at: Moment | None
    every: BilledEvery
    alignment: Alignment
    anchor_on: date


class CurrentSubscription(Answer):
    """What a park has, its running period, and what follows it. Without ``next`` an end is a cancellation."""

    current: Subscription | None
    next: Subscription | None
    period_from: date | None
    period_until: date | None = Field(description="The first day after the running period")
    renews_at: Moment | None


class SubscriptionPreview(Answer):
    """What a change would cost: ``charged_fen`` now, ``next_fee_fen`` from ``next_from`` on for each period."""

    change: str = Field(description="start, upgrade, downgrade, terms (billed otherwise), keep or none")
    tier: Tier
    plan_version: int
    every: BilledEvery
    at: Moment
    days: int = Field(description="Days of the period that are left, the day of the change among them")
    period_days: int
    due_fen: Amount = Field(description="The fee for these days")
    credit_fen: Amount = Field(description="What is credited for the rest of the old tier")
    left_over_fen: Amount = Field(description="What is left over of earlier fees, and counts for this one")
    charged_fen: Amount
    carried_out_fen: Amount = Field(description="What is left over then, and counts for the next fee")
    next_fee_fen: Amount
    next_from: Moment

    @classmethod
    def of(cls, view: object) -> SubscriptionPreview:
        """Return the answer that shows ``view``, a ChangePreview."""
        assert isinstance(view, subscription_fees.ChangePreview)  # noqa: S101 - for the type checker
        shown = {name: value for name, value in vars(view).items() if name in cls.model_fields}
        return cls(**shown, plan_version=view.plan.version, period_days=view.whole.days)


@subscriptions.post("/subscriptions", **call(Subscription, status=201))
def subscribe(body: SubscriptionWish, header: Idempotent) -> Response:
    """Subscribe to a tier, or change it; the tier the park has goes on. A fee that would pass a budget is refused."""
    return command(
        "subscription.start",
        header,
        body,
        lambda work: Subscription.of(subscription_fees.subscribe(work, **dict(body))),
        status=201,
    )


@subscriptions.post("/subscriptions/preview", **call(SubscriptionPreview))
def preview_subscription(body: SubscriptionWish, header: Idempotent) -> Response:
    """Tell what a change would cost now and later; nothing is changed."""
    return command(
        "subscription.preview",
        header,
        body,
        lambda work: SubscriptionPreview.of(subscription_fees.preview_change(work, **dict(body))),
    )


@subscriptions.post("/subscriptions/cancellation", **call(Subscription))
def cancel_subscription(header: Idempotent) -> Response:
    """Let the subscription end with its period."""
    return command("subscription.cancel", header, None, lambda work: Subscription.of(use_cases.cancel(work)))


@subscriptions.get("/subscriptions/current", **call(CurrentSubscription))
def read_subscription() -> Response:
    """Show what the park has, its period, and what follows."""
    with working() as work:
        return show(_current(work))


def _current(work: Work) -> CurrentSubscription:
    found = use_cases.read_overview(work, park_id=work.actor.require_tenant())
    return CurrentSubscription(
        current=None if found.current is None else Subscription.of(found.current),
        next=None if found.next is None else Subscription.of(found.next),
        period_from=None if found.period is None else found.period.start,
        period_until=None if found.period is None else found.period.end,
        renews_at=found.renews_on,
    )
