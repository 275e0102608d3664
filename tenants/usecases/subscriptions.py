"""Subscriptions: a park takes a tier, changes it, and what it has now."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import insert, update
from sqlalchemy.exc import IntegrityError

from tenants.kernel.errors import Conflict
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission, Tier
from tenants.kernel.work import Work
from tenants.rules.subscriptions import Change, Held, decide_change
from tenants.store.park_queries import latest_subscription, running_subscription
from tenants.store.subscriptions import Subscription
from tenants.usecases import audit
from tenants.usecases.onboarding import read_park
from tenants.usecases.views import SubscriptionView, subscription_view


def subscribe(work: Work, *, tier: Tier) -> SubscriptionView:
    """Give the acting park ``tier`` from now on; what it had ends at the same moment. The tier it has stays as it is.

    Raises Conflict ``park.not_verified``, and ``subscription.changed_meanwhile`` when somebody else of the park changed
    it in the same moment: the database lets no two subscriptions overlap.
    """
    work.actor.require(Permission.SUBSCRIBE)
    park = read_park(work, park_id=work.actor.require_tenant())
    row = latest_subscription(work.session, park.id)
    held = subscription_view(row) if row is not None else None
    decision = decide_change(park.verification, Held(held.tier, held.starts_at) if held else None, tier, work.now)
    if held is not None and decision.change is Change.NONE:
        return held
    view = SubscriptionView(new_id(), tier, decision.at, None)
    try:
        with work.session.begin_nested():
            _replace(work, park.id, held, view)
    except IntegrityError:
        raise Conflict(
            "subscription.changed_meanwhile", msg("订阅刚刚已被本园区其他人员更改。请刷新页面，确认后重试。")
        ) from None
    audit.record(work, "subscription.change", "subscription", view.id, tier=tier, before=held.tier if held else None)
    return view


def current_subscription(work: Work, *, park_id: UUID) -> SubscriptionView | None:
    """Return what a park subscribes to now, None for nothing (or a park the acting person may not see)."""
    work.actor.require(Permission.READ_PARK)
    row = running_subscription(work.session, park_id, work.now)
    return subscription_view(row) if row is not None else None


def _replace(work: Work, park_id: UUID, held: SubscriptionView | None, view: SubscriptionView) -> None:
    if held is not None:
        mine = (Subscription.tenant_id == park_id, Subscription.id == held.id)
        work.session.execute(update(Subscription).where(*mine).values(ends_at=view.starts_at))
    work.session.execute(
        insert(Subscription).values(
            tenant_id=park_id,
            id=view.id,
            tier=view.tier,
            starts_at=view.starts_at,
            ends_at=None,
            created_by=work.actor.user_id,
            created_at=work.now,
        )
    )
