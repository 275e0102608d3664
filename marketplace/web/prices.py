"""The operator's price list: what services cost whom, set from a day on and ended."""

from __future__ import annotations

from datetime import datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any

from flask import Response, url_for

from billing.rules.prices import PriceScope
from billing.usecases import pricing
from marketplace.usecases import prices as use_cases
from marketplace.web.pages import field, given, go, id_of, page_group, page_work
from marketplace.web.policy_fields import json_of, parse_day
from marketplace.web.refusals import Refusal, refusal_of
from marketplace.web.rendering import show
from tenants.kernel.clock import CHINA
from tenants.kernel.errors import FieldError, Invalid, Problem
from tenants.kernel.messages import Message, msg
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
                charge=_charge(),
                vat_bp=_vat_bp(),
                valid_from=_moment("valid_from"),
                scope=PriceScope(field("tier"), field("region_class"), field("region")),
            )
    except Problem as problem:
        return _page(slug, refusal_of(problem, _field_of))
    return go(url_for("prices.price", slug=slug))


@pages.post("/prices/<slug>/<price_id>/end")
def end(slug: str, price_id: str) -> Response:
    """End a price from a day on, or now."""
    try:
        with page_work() as work:
            pricing.end_price(work, price_id=id_of(price_id), at=_moment("at") or work.now)
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


def _field_of(path: str) -> str | None:
    if path == "charge" and field("charge"):
        return "charge"
    if path.startswith("charge"):
        return "unit_price" if not field("charge") else "charge"
    return {"vat_bp": "vat"}.get(path, path)


def _charge() -> dict[str, Any]:
    """Return the charge: the price per unit, or any other model as JSON."""
    if field("charge"):
        return json_of("charge")
    return {"model": "per_unit", "unit_price": field("unit_price").replace(",", "")}


def _vat_bp() -> int:
    try:
        rate = Decimal(field("vat")) * 100
    except InvalidOperation:
        raise _wrong("vat", msg("税率须为数字，以百分比为单位，例如 6。")) from None
    if not rate.is_finite() or rate != rate.to_integral_value() or abs(rate) > 10**6:
        raise _wrong("vat", msg("税率最多两位小数，例如 6 或 13。请改正税率。"))
    return int(rate)


def _moment(name: str) -> datetime | None:
    """Return the first moment of the day that was chosen, in China; None for nothing chosen."""
    return datetime.combine(parse_day(name), time(), CHINA) if field(name) else None


def _wrong(name: str, message: Message) -> Invalid:
    return Invalid(f"form.{name}", message, errors=[FieldError(name, f"form.{name}", message)])
