"""The operator's price list: what services cost whom, set from a day on and ended."""

from __future__ import annotations

from flask import Response, url_for

from billing.usecases import pricing
from marketplace.usecases import prices as use_cases
from marketplace.web.pages import given, go, id_of, page_group, page_work
from marketplace.web.price_fields import field_of, typed_charge, typed_moment, typed_scope, typed_vat_bp
from marketplace.web.refusals import Refusal, refusal_of
from marketplace.web.rendering import show
from tenants.kernel.errors import Problem
from tenants.kernel.vocabulary import Permission
from tenants.rules.regions import region_name

pages = page_group("prices")


@pages.get("/prices")
def prices() -> Response:
    """Show every service with its price for everybody."""
    with page_work() as work:
        work.actor.require(Permission.MANAGE_CATALOGUE)
        rows = use_cases.list_current_prices(work)
    return show("prices/list.html", rows=rows)


@pages.get("/prices/<slug>")
def price(slug: str) -> Response:
    """Show a service's prices with their history, and the form for the next."""
    return _page(slug, None)


@pages.post("/prices/<slug>")
def set_price(slug: str) -> Response:
    """Set a price from a day on."""
    try:
        with page_work() as work:
            use_cases.set_price(
                work,
                offering=slug,
                charge=typed_charge(),
                vat_bp=typed_vat_bp(),
                valid_from=typed_moment("valid_from"),
                scope=typed_scope(),
            )
    except Problem as problem:
        return _page(slug, refusal_of(problem, field_of))
    return go(url_for("prices.price", slug=slug))


@pages.post("/prices/<slug>/<price_id>/end")
def end(slug: str, price_id: str) -> Response:
    """End a price from a day on, or now."""
    try:
        with page_work() as work:
            pricing.end_price(work, price_id=id_of(price_id), at=typed_moment("at") or work.now)
    except Problem as problem:
        return _page(slug, refusal_of(problem, lambda _: None))
    return go(url_for("prices.price", slug=slug))


def _page(slug: str, refusal: Refusal | None) -> Response:
    with page_work() as work:
        work.actor.require(Permission.MANAGE_CATALOGUE)
        found = use_cases.read_price_history(work, offering=slug)
    return show(
        "prices/price.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        offering=found.offering,
        prices=found.prices,
        region_name=region_name,
        typed=given() if refusal else {"vat": "6"},
    )
