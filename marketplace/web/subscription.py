"""The park's subscription: three tiers side by side."""

from __future__ import annotations

from flask import Response, url_for

from marketplace.usecases import shop
from marketplace.web.pages import field, go, page_group, page_work
from marketplace.web.refusals import Refusal, refusal_of
from marketplace.web.rendering import show
from tenants.kernel.errors import FieldError, Invalid, Problem
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Tier
from tenants.usecases import onboarding, subscriptions

pages = page_group("subscription")


@pages.get("/subscription")
def subscription() -> Response:
    """Show what the park subscribes to, beside what it could."""
    return _page(None)


@pages.post("/subscription")
def subscribe() -> Response:
    """Subscribe to a tier, or change to it."""
    try:
        with page_work() as work:
            subscriptions.subscribe(work, tier=_tier(field("tier")))
    except Problem as problem:
        return _page(refusal_of(problem))
    return go(url_for("subscription.subscription"))


def _page(refusal: Refusal | None) -> Response:
    with page_work() as work:
        park_id = work.actor.require_tenant()
        park = onboarding.read_park(work, park_id=park_id)
        held = subscriptions.current_subscription(work, park_id=park_id)
        items = shop.list_shop(work)
    return show(
        "subscription.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        park=park,
        held=held,
        tiers=tuple(Tier),
        items=items,
    )


def _tier(text: str) -> Tier:
    try:
        return Tier(text)
    except ValueError:
        wrong = msg("请从三个层级中选择一个。")
        raise Invalid("subscription.unknown_tier", wrong, errors=[FieldError("tier", "unknown", wrong)]) from None
