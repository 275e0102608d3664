"""What the demo's tiers give from the start, and what they cost: nothing in its history, and from each park's next period
on what its plans say. One park was granted a discount.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

from billing.rules.discounts import WHOLE_INVOICE
from billing.usecases import discounts, plans
from billing.usecases.discounts import DiscountWish
from marketplace.demo import world
from marketplace.demo.seeder import SEED, Seeder
from marketplace.usecases import subscription_fees
from tenants.kernel.context import system_actor
from tenants.kernel.work import Work
from tenants.usecases import subscription_periods

VAT_BP = 600


def open_plans(seeder: Seeder) -> None:
    """Let the tiers give what the plans say from the seeder's moment on, for nothing as long as there is history."""
    operator = seeder.person("operator", world.PASSWORD)
    for plan in world.PLANS:
        free = replace(plan, monthly_fee_yuan=0, monthly_minimum_yuan=0)
        seeder.step(f"first plan {plan.tier}", operator, partial(_set_plan, plan=free))


def grant_discount(seeder: Seeder, park_id: UUID) -> None:
    """Let finance grant a park a twentieth off its invoices for a year."""
    start = seeder.clock.now()
    wish = DiscountWish(
        park_id=park_id,
        tier=None,
        offering=WHOLE_INVOICE,
        rate_bp=500,
        amount_fen=None,
        valid_from=start,
        valid_to=start + timedelta(days=365),
        reason="试点园区首年优惠",
    )
    finance = seeder.person("finance", world.PASSWORD)
    seeder.step(f"discount {park_id}", finance, lambda work: {"id": discounts.ask_discount(work, wish=wish).id})


def set_plans(seeder: Seeder, parks: Iterable[UUID]) -> None:
    """Bring the parks' periods up to the seeder's moment, then set a plan with a fee for each tier."""
    for park_id in parks:
        worker = replace(system_actor("seed", tenant_id=park_id), organisation_id=SEED)
        seeder.step(f"subscription {park_id} renewed", worker, _renew)
    operator = seeder.person("operator", world.PASSWORD)
    for plan in world.PLANS:
        seeder.step(f"plan {plan.tier}", operator, partial(_set_plan, plan=plan))


def _renew(work: Work) -> dict[str, Any]:
    subscription_periods.renew(work)
    return {"charged_fen": subscription_fees.charge_park(work)}


def _set_plan(work: Work, *, plan: world.DemoPlan) -> dict[str, Any]:
    made = plans.set_plan(
        work,
        tier=plan.tier,
        name=plan.name,
        name_en=plan.name_en,
        monthly_fee_fen=plan.monthly_fee_yuan * world.YUAN,
        yearly_fee_fen=10 * plan.monthly_fee_yuan * world.YUAN,
        monthly_minimum_fen=plan.monthly_minimum_yuan * world.YUAN,
        vat_bp=VAT_BP,
        entitlements=plan.gives,
    )
    return {"id": made.id}
