"""Subscriptions: the tier of technology that a park has."""

from __future__ import annotations

from uuid import UUID

from flask import Response

from marketplace.api.calls import call, command, noun
from marketplace.api.fields import Answer, Body, Idempotent, Moment
from tenants.kernel.vocabulary import Tier
from tenants.usecases import subscriptions as use_cases

subscriptions = noun("subscriptions", "The tier a park has.")


class SubscriptionWish(Body):
    """The tier that is wanted from now on."""

    tier: Tier


class Subscription(Answer):
    """A tier and how long it is held; open when ``ends_at`` is null."""

    id: UUID
    tier: Tier
    starts_at: Moment
    ends_at: Moment | None


@subscriptions.post("/subscriptions", **call(Subscription, status=201))
def subscribe(body: SubscriptionWish, header: Idempotent) -> Response:
    """Subscribe to a tier, or change it."""
    return command(
        "subscription.start",
        header,
        body,
        lambda work: Subscription.of(use_cases.subscribe(work, tier=body.tier)),
        status=201,
    )
