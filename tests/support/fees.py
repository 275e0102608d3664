"""Subscriptions and their fees in tests: plans, periods that begin, and what they are charged."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from billing.usecases import plans
from marketplace.usecases import subscription_fees
from tenants.kernel.clock import CHINA
from tenants.kernel.context import Actor, system_actor
from tenants.kernel.vocabulary import Tier
from tenants.kernel.work import Work, WorkShop
from tenants.usecases import subscription_periods, subscriptions
from tests.support.subsidies import OFFICER

FEES = {Tier.BASIC: 0, Tier.ENHANCED: 50_000, Tier.LEADING: 200_000}


def set_plan(shop: WorkShop, tier: Tier, fee_fen: int, **more: Any) -> plans.PlanView:
    """Let a tier cost so much a month from now on."""
    wish: dict[str, Any] = {
        "name": "方案",
        "name_en": "Plan",
        "monthly_fee_fen": fee_fen,
        "yearly_fee_fen": 10 * fee_fen,
    }
    document = {"offering_tiers": [each.value for each in Tier if tier.covers(each)]}
    with shop.work(OFFICER) as work:
        return plans.set_plan(work, tier=tier, vat_bp=600, **({**wish, "entitlements": document} | more))


def do(shop: WorkShop, actor: Actor, act: Callable[[Work], Any]) -> Any:
    """Act as somebody, in one transaction."""
    with shop.work(actor) as work:
        return act(work)


def worker(park: Actor) -> Actor:
    """Return what jobs act as for a park."""
    return system_actor("worker", tenant_id=park.require_tenant())


def clockwork(shop: WorkShop, park: Actor) -> int:
    """Do what the chore does for one park; return the fen that were charged."""
    do(shop, worker(park), subscription_periods.renew)
    return int(do(shop, worker(park), subscription_fees.charge_park))


def charge(shop: WorkShop, park: Actor) -> int:
    """Charge what a park's periods have not been charged; return the fen."""
    return int(do(shop, worker(park), subscription_fees.charge_park))


def subscribe(shop: WorkShop, park: Actor, tier: Tier, **how: Any) -> Any:
    """Let a park subscribe."""
    return do(shop, park, lambda work: subscriptions.subscribe(work, tier=tier, **how))


def at(year: int, month: int, day: int, hour: int = 9) -> datetime:
    """Return an hour in Shanghai."""
    return datetime(year, month, day, hour, tzinfo=CHINA).astimezone(UTC)
