"""The shop window: what can be rented, at which list price, and what it would cost the acting park now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from billing.rules.explanations import Explanation
from billing.usecases import pricing, quotes
from marketplace.usecases.order_facts import offering_facts, park_facts
from marketplace.usecases.rights import read_rights
from services.usecases import catalogue
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.usecases import onboarding
from tenants.usecases.views import ParkView


@dataclass(frozen=True)
class ShopItem:
    """An offering in the window.

    ``price`` is None while it has none. ``covered`` tells whether the acting park's tier may rent it, and ``line`` what
    one unit would cost the park now; both None for anybody who is no park or may ask no price. ``explanations`` are of
    the line's awards, in their order.
    """

    offering: catalogue.OfferingView
    price: pricing.PriceView | None
    covered: bool | None
    line: quotes.QuoteLineView | None
    explanations: tuple[Explanation, ...] = ()


def list_shop(work: Work) -> tuple[ShopItem, ...]:
    """Return all offerings, each with its price for the acting park as if it were bought alone."""
    work.actor.require(Permission.READ_CATALOGUE)
    return _items(work, catalogue.list_offerings(work))


def read_shop_item(work: Work, *, slug: str) -> ShopItem:
    """Return one offering; NotFound when there is none."""
    work.actor.require(Permission.READ_CATALOGUE)
    return _items(work, (catalogue.read_offering(work, slug=slug),))[0]


def _items(work: Work, offerings: tuple[catalogue.OfferingView, ...]) -> tuple[ShopItem, ...]:
    slugs = [offering.slug for offering in offerings]
    tenant_id = work.actor.tenant_id
    if tenant_id is None:
        prices = pricing.list_prices(work, offerings=slugs, at=work.now)
        return tuple(ShopItem(offering, prices.get(offering.slug), None, None) for offering in offerings)
    park = onboarding.read_park(work, park_id=tenant_id)
    prices = pricing.list_prices(work, offerings=slugs, at=work.now, facts=park_facts(park))
    rights = read_rights(work)
    lines = _lines(work, [offering for offering in offerings if offering.slug in prices], park)
    return tuple(
        ShopItem(
            offering,
            prices.get(offering.slug),
            rights.cover(offering),
            *lines.get(offering.slug, (None, ())),
        )
        for offering in offerings
    )


def _lines(
    work: Work, priced: Sequence[catalogue.OfferingView], park: ParkView
) -> dict[str, tuple[quotes.QuoteLineView, tuple[Explanation, ...]]]:
    """Return what one unit of each offering would cost the park, if the acting person may ask."""
    if not work.actor.may(Permission.ASK_QUOTE):
        return {}
    wishes = [quotes.QuoteLineRequest(each.slug, 1, {}, offering_facts(each, park), each.name) for each in priced]
    found = quotes.explain_each(work, lines=wishes, facts=park_facts(park))
    return {line.offering: (line, explanations) for line, explanations in found}
