"""The shop window: what can be rented, at which list price, and what it would cost the acting park now."""

from __future__ import annotations

from dataclasses import dataclass

from billing.usecases import pricing, quotes
from marketplace.usecases.checkout import offering_facts, park_facts
from services.usecases import catalogue
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.usecases import onboarding
from tenants.usecases.views import ParkView


@dataclass(frozen=True)
class ShopItem:
    """An offering in the window.

    ``price`` is None while it has none. ``covered`` tells whether the acting park's tier may rent it, and ``line`` what
    one unit would cost the park now; both None for anybody who is no park or may ask no price.
    """

    offering: catalogue.OfferingView
    price: pricing.PriceView | None
    covered: bool | None
    line: quotes.QuoteLineView | None


def list_shop(work: Work) -> tuple[ShopItem, ...]:
    """Return all offerings, each with its price for the acting park as if it were bought alone."""
    work.actor.require(Permission.READ_CATALOGUE)
    return _items(work, catalogue.list_offerings(work))


def read_shop_item(work: Work, *, slug: str) -> ShopItem:
    """Return one offering; NotFound when there is none."""
    work.actor.require(Permission.READ_CATALOGUE)
    return _items(work, (catalogue.read_offering(work, slug=slug),))[0]


def _items(work: Work, offerings: tuple[catalogue.OfferingView, ...]) -> tuple[ShopItem, ...]:
    prices = pricing.list_prices(work, offerings=[offering.slug for offering in offerings], at=work.now)
    tenant_id = work.actor.tenant_id
    park = onboarding.read_park(work, park_id=tenant_id) if tenant_id is not None else None
    return tuple(_item(work, offering, prices.get(offering.slug), park) for offering in offerings)


def _item(
    work: Work, offering: catalogue.OfferingView, price: pricing.PriceView | None, park: ParkView | None
) -> ShopItem:
    if park is None or price is None or not work.actor.may(Permission.ASK_QUOTE):
        covered = None if park is None else _covers(park, offering)
        return ShopItem(offering, price, covered, None)
    wish = quotes.QuoteLineRequest(offering.slug, 1, {}, offering_facts(offering), offering.name)
    shown = quotes.preview(work, lines=[wish], facts=park_facts(park))
    return ShopItem(offering, price, _covers(park, offering), shown.lines[0])


def _covers(park: ParkView, offering: catalogue.OfferingView) -> bool:
    return park.tier is not None and park.tier.covers(offering.tier)
