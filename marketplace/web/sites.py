"""A park's sites: entered, changed, closed, with the services rented for them and their renewals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response, url_for

from marketplace.usecases import standing_orders
from marketplace.web.monitoring import site_context
from marketplace.web.pages import field, given, go, id_of, page_group, page_work
from marketplace.web.refusals import Refusal, refusal_of
from marketplace.web.rendering import show
from services.rules.catalogue import Delivery
from services.usecases import catalogue
from services.usecases import sites as use_cases
from services.usecases.sites import SiteWish
from tenants.kernel.errors import FieldError, Invalid, Problem
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission

pages = page_group("sites")


@pages.get("/sites")
def sites() -> Response:
    """Show the acting park's sites and what is renewed for them."""
    return _list(None)


@pages.post("/sites")
def add() -> Response:
    """Enter a site."""
    try:
        with page_work() as work:
            made = use_cases.add_site(work, wish=_wish())
    except Problem as problem:
        return _list(refusal_of(problem))
    return go(url_for("sites.site", site_id=made.id))


@pages.get("/sites/<site_id>")
def site(site_id: str) -> Response:
    """Show one site."""
    return _page(site_id, None)


@pages.post("/sites/<site_id>")
def change(site_id: str) -> Response:
    """Change what is said of a site."""
    try:
        with page_work() as work:
            use_cases.change_site(work, site_id=id_of(site_id), wish=_wish())
    except Problem as problem:
        return _page(site_id, refusal_of(problem))
    return go(url_for("sites.site", site_id=site_id))


@pages.post("/sites/<site_id>/closing")
def close(site_id: str) -> Response:
    """Let nothing more be rented for a site."""
    with page_work() as work:
        use_cases.close_site(work, site_id=id_of(site_id))
    return go(url_for("sites.site", site_id=site_id))


@pages.post("/standing-orders/<standing_order_id>/stop")
def stop(standing_order_id: str) -> Response:
    """Order no further month."""
    with page_work() as work:
        standing_orders.stop_standing_order(work, standing_order_id=id_of(standing_order_id))
    return go(url_for("sites.sites"))


def _list(refusal: Refusal | None) -> Response:
    with page_work() as work:
        work.actor.require_tenant()
        found = use_cases.list_sites(work)
        running = {each.id: sorted(use_cases.running_services(work, site_id=each.id)) for each in found}
        renewed = standing_orders.list_standing_orders(work)
        may_change = work.actor.may(Permission.MANAGE_SITE)
        offerings = _offerings(catalogue.list_offerings(work))
    return show(
        "sites/list.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        sites=found,
        running=running,
        renewed=renewed,
        offerings=offerings,
        may_change=may_change,
        typed=given() if refusal else {},
    )


def _page(site_id: str, refusal: Refusal | None) -> Response:
    with page_work() as work:
        found = use_cases.read_site(work, site_id=id_of(site_id))
        rented = use_cases.rented_months(work, site_id=found.id)
        running = sorted(use_cases.running_services(work, site_id=found.id))
        may_change = work.actor.may(Permission.MANAGE_SITE)
        offerings = _offerings(catalogue.list_offerings(work))
        measured = site_context(work, found.id)
    return show(
        "sites/site.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        site=found,
        rented=rented,
        running=running,
        offerings=offerings,
        may_change=may_change,
        typed=given() if refusal else _typed(found),
        **measured,
    )


def _offerings(all_of_them: tuple[catalogue.OfferingView, ...]) -> Mapping[Delivery, catalogue.OfferingView]:
    """Return the first offering of each standing service, for links that lead to renting it."""
    found: dict[Delivery, catalogue.OfferingView] = {}
    for each in all_of_them:
        if each.delivery.by_month:
            found.setdefault(each.delivery, each)
    return found


def _wish() -> SiteWish:
    return SiteWish(
        name=field("name"),
        address=field("address"),
        latitude=_number("latitude"),
        longitude=_number("longitude"),
        floor_area_m2=_number("floor_area_m2"),
    )


def _number(name: str) -> float | None:
    text = field(name)
    if not text:
        return None
    try:
        return float(text)
    except ValueError as error:
        wrong = msg("须为数字。")
        raise Invalid("form.number", wrong, errors=[FieldError(name, "form.number", wrong)]) from error


def _typed(found: use_cases.SiteView) -> dict[str, Any]:
    return {name: "" if value is None else value for name, value in vars(found).items()}
