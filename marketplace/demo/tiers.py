"""What the demo's tiers cost: nothing in its history, and from each park's next period on what its plans say."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import UUID

from billing.usecases import plans
from marketplace.demo import world
from marketplace.demo.seeder import SEED, Seeder
from marketplace.usecases import subscription_fees
from tenants.kernel.context import system_actor
from tenants.kernel.work import Work
from tenants.usecases import subscription_periods

VAT_BP = 600


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
        vat_bp=VAT_BP,
        entitlements=plan.gives,
    )
    return {"id": made.id}
