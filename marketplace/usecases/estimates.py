"""Before an order: what a twin run would take, and what it would cost the park, without anything being kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from marketplace.usecases import shop
from services.usecases.twin_estimate import TwinEstimate, estimate_run
from tenants.kernel.errors import Conflict
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work


@dataclass(frozen=True)
class Estimate:
    """What is known of a run, and the offering with its price for the acting park."""

    run: TwinEstimate
    item: shop.ShopItem


def estimate_twin(work: Work, *, offering: str, request: Mapping[str, Any]) -> Estimate:
    """Look at a run of ``offering``; Conflict for an offering that is no twin, NotFound for none."""
    work.actor.require(Permission.ASK_QUOTE)
    item = shop.read_shop_item(work, slug=offering)
    if item.offering.delivery.value != "twin":
        raise Conflict("estimate.not_a_twin", msg("只有数字孪生推演可以预估，请改选该服务。"))
    return Estimate(estimate_run(work, request=request), item)
