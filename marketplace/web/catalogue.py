"""The catalogue: what can be rented, at which list price, and what it costs this park."""

from __future__ import annotations

from flask import Response

from billing.usecases import funds
from marketplace.doors.service_names import know_services
from marketplace.usecases import shop
from marketplace.web.explaining import tell
from marketplace.web.pages import page_group, page_work
from marketplace.web.rendering import show
from tenants.kernel.vocabulary import Tier

pages = page_group("catalogue")


@pages.get("/catalogue")
def catalogue() -> Response:
    """Show all offerings, tier by tier."""
    with page_work() as work:
        items = shop.list_shop(work)
    shelves = tuple((tier, tuple(item for item in items if item.offering.tier is tier)) for tier in Tier)
    return show("catalogue/list.html", shelves=shelves)


@pages.get("/catalogue/<slug>")
def offering(slug: str) -> Response:
    """Show one offering."""
    with page_work() as work:
        know_services(work)
        item = shop.read_shop_item(work, slug=slug)
        slugs = {fund for award in (item.line.awards if item.line else ()) for fund in award.by_fund}
        fund_names = funds.name_funds(work, slugs=slugs)
    told = tuple(tell(each) for each in item.explanations)
    return show("catalogue/offering.html", item=item, told=told, fund_names=fund_names)
