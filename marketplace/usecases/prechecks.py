"""What would I get? Before anybody signs up: the real prices and rules, for a park that is only described."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from billing.rules.plans import Entitlements
from billing.usecases import estimates, plans
from billing.usecases.evaluation import QuoteLineRequest
from marketplace.usecases.order_facts import offering_facts
from services.usecases import catalogue
from tenants.kernel.errors import Invalid
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import ParkSize, Permission, Tier
from tenants.kernel.work import Work
from tenants.rules.faults import Faults
from tenants.rules.parks import Verification, check_size
from tenants.rules.regions import Region, check_county


@dataclass(frozen=True)
class PreCheckLine:
    """An offering at its list price and what the park would pay. ``covered`` tells whether the tier may rent it."""

    offering: catalogue.OfferingView
    covered: bool
    estimate: estimates.Estimate


@dataclass(frozen=True)
class PreCheck:
    """What a park of this kind would get now. It binds nobody: a quote after sign-up does."""

    region: Region
    size: ParkSize
    tier: Tier
    lines: tuple[PreCheckLine, ...]


def pre_check(work: Work, *, region_code: str, size: str, tier: str, offerings: Sequence[str] = ()) -> PreCheck:
    """Return what one unit of each offering (of all that have a price, when none is named) would cost such a park.

    The park is taken as verified and related to nobody. Raises Invalid with every wrong field.
    """
    work.actor.require(Permission.READ_CATALOGUE)
    listed = {each.slug: each for each in catalogue.list_offerings(work)}
    region = _checked(region_code, size, tier, offerings, listed)
    facts = {
        "park_size": ParkSize(size).value,
        "region": region.code,
        "region_class": region.region_class.value,
        "tier": Tier(tier).value,
        "verification": Verification.VERIFIED.value,
        "credit_blocked": False,
    }
    wanted = [listed[slug] for slug in dict.fromkeys(offerings)] or list(listed.values())
    lines = [QuoteLineRequest(each.slug, 1, {}, offering_facts(each), each.name) for each in wanted]
    plan = plans.plans_in_force(work)[Tier(tier)].entitlements
    return PreCheck(
        region=region,
        size=ParkSize(size),
        tier=Tier(tier),
        lines=tuple(
            PreCheckLine(listed[each.offering], _covers(plan, listed[each.offering]), each)
            for each in estimates.estimate(work, lines=lines, facts=facts)
        ),
    )


def _covers(plan: Entitlements, offering: catalogue.OfferingView) -> bool:
    return plan.covers(slug=offering.slug, tier=offering.tier, delivery=offering.delivery)


def _checked(region_code: str, size: str, tier: str, offerings: Sequence[str], listed: Collection[str]) -> Region:
    with Faults() as faults:
        region = faults.take("region_code", check_county, region_code)
        faults.take("size", check_size, size)
        faults.take("tier", _check_tier, tier)
        for index, slug in enumerate(offerings):
            faults.take(f"offerings[{index}]", _check_offering, slug, listed)
    return region


def _check_tier(text: str) -> Tier:
    try:
        return Tier(text)
    except ValueError:
        known = "、".join(Tier)
        raise Invalid("precheck.unknown_tier", msg("层级须为以下之一：{known}。请重新选择。", known=known)) from None


def _check_offering(slug: str, listed: Collection[str]) -> None:
    if slug not in listed:
        raise Invalid("precheck.unknown_offering", msg("没有名为“{slug}”的服务。请从服务目录中选择。", slug=slug[:64]))
