"""The park's subscription: three tiers side by side, what a change costs before it is made, and its end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response, request, url_for

from billing.usecases import plans
from marketplace.usecases import shop, subscription_fees
from marketplace.web.pages import go, page_group, page_work
from marketplace.web.refusals import Refusal, refusal_of
from marketplace.web.rendering import show
from tenants.kernel.errors import FieldError, Invalid, Problem
from tenants.kernel.messages import Message, msg
from tenants.kernel.vocabulary import Tier
from tenants.rules.days import Alignment, BilledEvery
from tenants.rules.subscriptions import When
from tenants.usecases import onboarding, subscriptions

pages = page_group("subscription")


@pages.get("/subscription")
def subscription() -> Response:
    """Show what the park subscribes to, beside what it could."""
    return _page(None)


@pages.post("/subscription")
def subscribe() -> Response:
    """Subscribe to a tier, or change to it, now or with the period's end."""
    try:
        with page_work() as work:
            subscription_fees.subscribe(work, **_wish(request.form))
    except Problem as problem:
        return _page(refusal_of(problem))
    return go(url_for("subscription.subscription"))


@pages.get("/subscription/change")
def change() -> Response:
    """Show what a change would cost, now and with the period's end."""
    try:
        with page_work() as work:
            wish = {**_wish(request.args), "when": When.NOW}
            held = subscriptions.read_overview(work, park_id=work.actor.require_tenant())
            now = subscription_fees.preview_change(work, **wish)
            exceeded = subscription_fees.exceeded_budgets(work, cost=now)
            later = None
            if held.current is not None:
                later = subscription_fees.preview_change(work, **{**wish, "when": When.PERIOD_END})
    except Problem as problem:
        return _page(refusal_of(problem))
    return show(
        "subscription_change.html",
        held=held,
        now_=now,
        later=later,
        tier=wish["tier"],
        every=now.every,
        exceeded=exceeded,
    )


@pages.post("/subscription/cancellation")
def cancel() -> Response:
    """End the subscription with its period."""
    try:
        with page_work() as work:
            subscriptions.cancel(work)
    except Problem as problem:
        return _page(refusal_of(problem))
    return go(url_for("subscription.subscription"))


def _page(refusal: Refusal | None) -> Response:
    with page_work() as work:
        park_id = work.actor.require_tenant()
        park = onboarding.read_park(work, park_id=park_id)
        held = subscriptions.read_overview(work, park_id=park_id)
        items = shop.list_shop(work)
        found = plans.plans_in_force(work)
    return show(
        "subscription.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        park=park,
        overview=held,
        held=held.current,
        tiers=tuple(Tier),
        plans=found,
        items=items,
        offerings={item.offering.slug: item.offering for item in items},
    )


def _wish(source: Mapping[str, str]) -> dict[str, Any]:
    """Return the wish that a form states; what it leaves out stays as it is."""
    wish: dict[str, Any] = {"tier": _one_of("tier", Tier, source, msg("请从三个层级中选择一个。"))}
    odd = msg("请从列表中选择。")
    for name, kind in (("when", When), ("every", BilledEvery), ("alignment", Alignment)):
        if source.get(name):
            wish[name] = _one_of(name, kind, source, odd)
    return wish


def _one_of(name: str, kind: type[Any], source: Mapping[str, str], wrong: Message) -> Any:
    try:
        return kind(source.get(name, "").strip())
    except ValueError:
        raise Invalid(f"subscription.unknown_{name}", wrong, errors=[FieldError(name, "unknown", wrong)]) from None
